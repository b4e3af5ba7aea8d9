"""WebDataset: tar archives of samples, a row each: ``KEY.npy`` its ids, ``KEY.json`` where which document begins.

What shards note of a transformed document stands there too: ``form``, ``cuts``, ``prefix`` and so on.

Members are POSIX ustar without times or owners, so the same rows are the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import numpy as np

from columns.files import Place
from shards.exports.source import Exported, Source, row_tokens
from shards.reader import Shard

_NAMES = {
    "doc_ids": "id", "doc_starts": "start", "doc_offsets": "offset", "doc_forms": "form", "doc_cuts": "cuts",
    "doc_prefixes": "prefix", "doc_lengths": "length", "doc_firsts": "first", "doc_befores": "before",
}  # fmt: skip


def write_webdataset(source: Source, place: Place) -> Exported:
    """Write one archive per shard."""
    names = []
    for number, shard in enumerate(source.shards):
        names.append(f"{source.split}-{number:06d}.tar")
        with (
            place.write(names[-1]) as sink,
            tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            _add_rows(tar, shard, f"{source.split}-{number:06d}")
    return Exported(tuple(names), source.whole.rows(), row_tokens(source))


def _add_rows(tar: tarfile.TarFile, shard: Shard, stem: str) -> None:
    row = 0
    for batch, ids in zip(shard.batches, shard.views, strict=True):
        for line, values in zip(batch.drop_columns(["input_ids"]).to_pylist(), ids, strict=True):
            key = f"{stem}-{row:08d}"
            _add(tar, f"{key}.npy", _npy(values))
            _add(tar, f"{key}.json", json.dumps(_about(line), sort_keys=True).encode())
            row += 1


def _about(line: dict[str, Any]) -> dict[str, Any]:
    there = [name for name in _NAMES if name in line]
    pieces = zip(*(line[name] for name in there), strict=True)
    documents = [
        {_NAMES[name]: value.hex() if isinstance(value, bytes) else value
         for name, value in zip(there, piece, strict=True)}
        for piece in pieces
    ]  # fmt: skip
    return {"documents": documents, "n_tokens": line["n_tokens"]}


def _npy(values: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.lib.format.write_array(sink, values, version=(1, 0), allow_pickle=False)
    return sink.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
