"""MosaicML Streaming's MDS: one folder per split with ``index.json`` and shards of fixed-size samples.

Defined by ``streaming/base/format/mds`` (version 2): the number of samples, where each begins (uint32, from the file's
start), the columns as JSON, the samples. A sample is a row: ``n_tokens`` (int32) and ``tokens`` (uint16 or
uint32, ``[seq_len]``), the column that LLM Foundry reads.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from columns.files import Place
from shards.exports.source import Exported, Source, row_tokens

LIMIT = 1 << 26


def write_mds(source: Source, place: Place) -> Exported:
    """Write a split's rows, batches of a shard together up to 64 MiB."""
    at, config = place.child(source.split), _config(source)
    shards: list[dict[str, Any]] = []
    per_file = max(1, LIMIT // (4 + source.seq_len * source.dtype.itemsize + 4))
    held = np.zeros(0, _sample_type(source))
    for shard in source.shards:
        for batch, ids in zip(shard.batches, shard.views, strict=True):
            held = np.concatenate([held, _samples(batch, ids, source)])
            while len(held) >= per_file:
                shards.append(_write(at, len(shards), held[:per_file], config))
                held = held[per_file:]
    if len(held) or not shards:
        shards.append(_write(at, len(shards), held, config))
    index = json.dumps({"shards": shards, "version": 2}, sort_keys=True)
    at.write_bytes("index.json", index.encode())
    names = tuple(f"{source.split}/{entry['raw_data']['basename']}" for entry in shards)
    return Exported((*names, f"{source.split}/index.json"), source.whole.rows(), row_tokens(source))


def _sample_type(source: Source) -> np.dtype:
    return np.dtype([("n_tokens", "<i4"), ("tokens", source.dtype.newbyteorder("<"), (source.seq_len,))])


def _samples(batch: pa.RecordBatch, ids: np.ndarray, source: Source) -> np.ndarray:
    found = np.empty(batch.num_rows, _sample_type(source))
    found["n_tokens"], found["tokens"] = batch.column("n_tokens").to_numpy(), ids
    return found


def _config(source: Source) -> dict[str, Any]:
    width = source.seq_len * source.dtype.itemsize
    return {
        "column_encodings": ["int32", f"ndarray:{source.dtype.name}:{source.seq_len}"],
        "column_names": ["n_tokens", "tokens"], "column_sizes": [4, width], "compression": None, "format": "mds",
        "hashes": [], "size_limit": LIMIT, "version": 2,
    }  # fmt: skip


def _write(place: Place, number: int, samples: np.ndarray, config: dict[str, Any]) -> dict[str, Any]:
    """Write one file; returns its entry of the index."""
    name, text = f"shard.{number:05d}.mds", json.dumps(config, sort_keys=True).encode()
    first = 4 + 4 * (len(samples) + 1) + len(text)
    offsets = first + np.arange(len(samples) + 1, dtype=np.int64) * samples.dtype.itemsize
    head = np.uint32(len(samples)).astype("<u4").tobytes() + offsets.astype("<u4").tobytes() + text
    with place.write(name) as sink:
        sink.write(head)
        sink.write(samples.tobytes())
    size = len(head) + samples.nbytes
    raw = {"basename": name, "bytes": size, "hashes": {}}
    return config | {"raw_data": raw, "samples": len(samples), "zip_data": None}
