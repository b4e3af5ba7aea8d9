"""Reading rows of others: MDS folders, `datasets` directories, TFRecord files, WebDataset archives, as runs of ids.

Rows are windows of a stream of documents: what a row's end cuts goes on in the next row, as concatenating packers leave
it. Where rows say which of their ids are text (``n_tokens`` from the first piece on), the others are left out.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from columns.errors import InputError
from shards.exports.tfrecord import ids_of, masked_crc

Rows = Iterator[np.ndarray]
Columns = list[tuple[str, str, int | None]]
_RECORD = 12


def mds_rows(folder: str) -> Rows:
    """The column ``tokens`` of an MDS folder: ``ndarray`` with a length, or ``bytes`` (int64), not compressed."""
    for entry in _json(Path(folder) / "index.json", "shards"):
        path = Path(folder) / entry["raw_data"]["basename"]
        if entry.get("zip_data") or "tokens" not in entry["column_names"]:
            raise InputError(f"{path}: expected a column tokens, not compressed")
        yield from _mds_shard(_bytes(path), entry, path)


def _mds_shard(data: bytes, entry: dict[str, Any], path: Path) -> Rows:
    columns = list(zip(entry["column_names"], entry["column_encodings"], entry["column_sizes"], strict=True))
    ends = np.frombuffer(data, "<u4", entry["samples"] + 1, 4).astype(np.int64)
    if ends[-1] != len(data):
        raise InputError(f"{path}: ends at byte {len(data)}, expected {ends[-1]}")
    for start in ends[:-1].tolist():
        for name, kind, part in _mds_sample(data, start, columns):
            if name == "tokens":
                yield np.frombuffer(part, _mds_type(kind, path))


def _mds_sample(data: bytes, start: int, columns: Columns) -> Iterator[tuple[str, str, bytes]]:
    """A sample is the sizes of its columns that have no fixed one, then the columns."""
    loose = [name for name, _, size in columns if size is None]
    at = start + 4 * len(loose)
    sizes = dict(zip(loose, np.frombuffer(data, "<u4", len(loose), start).tolist(), strict=True))
    for name, kind, size in columns:
        width = sizes[name] if size is None else size
        yield name, kind, data[at : at + width]
        at += width


def _mds_type(kind: str, path: Path) -> np.dtype:
    family, _, rest = kind.partition(":")
    if family == "bytes":
        return np.dtype("<i8")
    if family != "ndarray" or rest.count(":") != 1:
        raise InputError(f"{path}: tokens of {kind}: expected ndarray:TYPE:LENGTH or bytes")
    return np.dtype(rest.partition(":")[0]).newbyteorder("<")


def hugging_face_rows(folder: str) -> Rows:
    """The column ``input_ids`` of a directory of `datasets` (one split, as ``save_to_disk`` leaves it)."""
    for entry in _json(Path(folder) / "state.json", "_data_files"):
        path = Path(folder) / entry["filename"]
        try:
            batches = list(pa.ipc.open_stream(pa.memory_map(str(path))))
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{path}: not an Arrow stream: {error}") from None
        for batch in batches:
            yield from _arrow_rows(batch, path)


def _arrow_rows(batch: pa.RecordBatch, path: Path) -> Rows:
    if "input_ids" not in batch.schema.names:
        raise InputError(f"{path}: expected a column input_ids, got {', '.join(batch.schema.names)}")
    rows = [np.asarray(ids.values) for ids in batch.column("input_ids")]
    if not {"n_tokens", "doc_starts"} <= set(batch.schema.names):
        yield from rows
        return
    starts, lengths = (batch.column(name).to_pylist() for name in ("doc_starts", "n_tokens"))
    yield from (ids[_span(*said)] for ids, *said in zip(rows, starts, lengths, strict=True))


def _span(starts: Sequence[int], length: int) -> slice:
    """Where the text of a row is: from its first piece on."""
    first = starts[0] if starts else 0
    return slice(first, first + length)


def tfrecord_rows(index: str) -> Rows:
    """The feature ``text`` of the files that an index lists, a path a line, or of one ``.tfrecords`` file."""
    path = Path(index)
    names = [index] if path.suffix == ".tfrecords" else _bytes(path).decode().split()
    for name in names:
        yield from _records(path.parent / Path(name).name)


def _records(path: Path) -> Rows:
    data, at = _bytes(path), 0
    while at < len(data):
        head = data[at : at + _RECORD]
        end = at + _RECORD + int.from_bytes(head[:8], "little") + 4
        if end > len(data) or masked_crc(head[:8]) != struct.unpack("<I", head[8:])[0]:
            raise InputError(f"{path}: damaged at byte {at}")
        message = data[at + _RECORD : end - 4]
        if masked_crc(message) != struct.unpack("<I", data[end - 4 : end])[0]:
            raise InputError(f"{path}: damaged between bytes {at} and {end}")
        yield ids_of(message)
        at = end


def webdataset_rows(first: str) -> Rows:
    """``KEY.npy`` of an archive, or of all ``.tar`` files of a folder in order of name; ``KEY.json`` may say more."""
    path = Path(first)
    for archive in sorted(path.glob("*.tar")) if path.is_dir() else [path]:
        yield from (_sample(parts, archive, key) for key, parts in _samples(archive).items())


def _samples(archive: Path) -> dict[str, dict[str, bytes]]:
    """The members of an archive by key and extension, in its order."""
    found: dict[str, dict[str, bytes]] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_bytes(archive))) as tar:
            for member in tar:
                key, _, kind = member.name.partition(".")
                file = tar.extractfile(member)
                found.setdefault(key, {})[kind] = file.read() if file else b""
    except tarfile.TarError as error:
        raise InputError(f"{archive}: not a tar archive: {error}") from None
    return found


def _sample(parts: dict[str, bytes], archive: Path, key: str) -> np.ndarray:
    try:
        ids: np.ndarray = np.load(io.BytesIO(parts["npy"]), allow_pickle=False).ravel()
        said = json.loads(parts.get("json", b"{}"))
        if not {"n_tokens", "documents"} <= set(said):
            return ids
        return ids[_span([one["start"] for one in said["documents"]], said["n_tokens"])]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{archive}: {key}: expected {key}.npy with ids: {error}") from None


ROWS: dict[str, Callable[[str], Rows]] = {
    "huggingface": hugging_face_rows,
    "mds": mds_rows,
    "tfrecord": tfrecord_rows,
    "webdataset": webdataset_rows,
}


def _json(path: Path, name: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(_bytes(path))[name]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected {name}: {error}") from None
    return found


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path}: missing")
    return path.read_bytes()
