"""A Hugging Face `datasets` directory: Arrow streams per split that both ``load_from_disk`` and ``load_dataset`` read.

Columns are those of the shards, but that document ids are hexadecimal text. The dataset card is the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from columns.files import Place
from shards.exports.source import Exported, Source, row_tokens
from shards.reader import Shard

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def write_hugging_face(source: Source, place: Place) -> Exported:
    """Write a split: one stream per shard, ``dataset_info.json`` and ``state.json``, and which splits there are."""
    at, count = place.child(source.split), len(source.shards)
    names = [f"data-{index:05d}-of-{count:05d}.arrow" for index in range(count)]
    schema = _schema(source)
    for name, shard in zip(names, source.shards, strict=True):
        with at.write(name) as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in _batches(shard, schema):
                writer.write_batch(batch)
    _write_json(at, "dataset_info.json", {"features": _features(source)})
    _write_json(at, "state.json", _state(source, names))
    listed = [split for split in ("train", "validation") if place.child(split).exists("state.json")]
    _write_json(place, "dataset_dict.json", {"splits": listed})
    files = tuple(f"{source.split}/{name}" for name in (*names, "dataset_info.json", "state.json"))
    return Exported((*files, "dataset_dict.json"), source.whole.rows(), row_tokens(source))


def configs(splits: tuple[str, ...]) -> str:
    """The lines of a card's front matter that tell the Hub which file is of which split.

    >>> print(configs(("train",)))
    configs:
    - config_name: default
      data_files:
      - split: train
        path: train/data-*.arrow
    """
    lines = ["configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: {split}/data-*.arrow"]
    return "\n".join(lines)


def _schema(source: Source) -> pa.Schema:
    fields = [pa.field(one.name, one.type) for one in source.shards[0].reader.schema]
    fields[2] = pa.field("doc_ids", pa.list_(pa.string()))
    info = json.dumps({"info": {"features": _features(source)}}, sort_keys=True)
    return pa.schema(fields, {"huggingface": info})


def _batches(shard: Shard, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in shard.batches:
        columns = batch.columns
        found = batch.column("doc_ids")
        columns[2] = pa.ListArray.from_arrays(found.offsets, _hexadecimal(found.values))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _hexadecimal(ids: pa.Array) -> pa.Array:
    """Ids of 16 bytes as text of 32 digits, ``binary(16)[n] -> string[n]``."""
    data = ids.buffers()[1]
    if not len(ids) or data is None:
        return pa.array([], pa.string())
    raw = np.frombuffer(data, np.uint8, 16 * len(ids), 16 * ids.offset)
    digits = _HEX[np.stack([raw >> 4, raw & 15], axis=1)]
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(digits.tobytes()))


def _features(source: Source) -> dict[str, Any]:
    def many(dtype: str, length: int = -1) -> dict[str, Any]:
        return {"feature": {"dtype": dtype, "_type": "Value"}, "length": length, "_type": "List"}

    return {
        "input_ids": many(source.dtype.name, source.seq_len), "n_tokens": {"dtype": "int32", "_type": "Value"},
        "doc_ids": many("string"), "doc_starts": many("int32"), "doc_offsets": many("int64"),
    }  # fmt: skip


def _state(source: Source, names: list[str]) -> dict[str, Any]:
    about = (source.shards[0].metadata["thresher.tokenizer_sha256"], source.split, source.whole.rows())
    return {
        "_data_files": [{"filename": name} for name in names], "_fingerprint": "-".join(map(str, about)),
        "_format_columns": None, "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False,
        "_split": source.split,
    }  # fmt: skip


def _write_json(place: Place, name: str, value: Any) -> None:
    place.write_bytes(name, (json.dumps(value, indent=1, sort_keys=True) + "\n").encode())
