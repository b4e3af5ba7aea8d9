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
    fields = [pa.field(one.name, _readable(one.type)) for one in source.shards[0].reader.schema]
    info = json.dumps({"info": {"features": _features(source)}}, sort_keys=True)
    return pa.schema(fields, {"huggingface": info})


def _batches(shard: Shard, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in shard.batches:
        columns = [
            pa.ListArray.from_arrays(one.offsets, _hexadecimal(one.values)) if _holds_ids(one.type) else one
            for one in batch.columns
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _holds_ids(kind: pa.DataType) -> bool:
    """Whether a column has lists of document ids."""
    return bool(pa.types.is_list(kind) and pa.types.is_fixed_size_binary(kind.value_type))


def _readable(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.string()) if _holds_ids(kind) else kind


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
    return {field.name: _feature(_readable(field.type)) for field in source.shards[0].reader.schema}


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """A column's type as `datasets` writes it.

    >>> _feature(pa.list_(pa.int64(), 2))
    {'feature': {'dtype': 'int64', '_type': 'Value'}, 'length': 2, '_type': 'List'}
    """
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        length = kind.list_size if pa.types.is_fixed_size_list(kind) else -1
        return {"feature": _feature(kind.value_type), "length": length, "_type": "List"}
    return {"dtype": str(kind), "_type": "Value"}


def _state(source: Source, names: list[str]) -> dict[str, Any]:
    about = (source.shards[0].metadata["thresher.tokenizer_sha256"], source.split, source.whole.rows())
    return {
        "_data_files": [{"filename": name} for name in names], "_fingerprint": "-".join(map(str, about)),
        "_format_columns": None, "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False,
        "_split": source.split,
    }  # fmt: skip


def _write_json(place: Place, name: str, value: Any) -> None:
    place.write_bytes(name, (json.dumps(value, indent=1, sort_keys=True) + "\n").encode())
