"""Small datasets in the shard format, and one Ray per session."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from columns.files import PartName, Place
from shards import Documents, PackConfig, Tokenizer, TokenizerConfig, make_tokenizer, pack, write_shard
from shards.format import shard_metadata, shard_schema

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

SEQ_LEN = 16
EOT = 0


def split_schema(ids: pa.DataType, split: str, seq_len: int) -> pa.Schema:
    said = shard_metadata(seq_len=seq_len, tokenizer_sha256="0" * 64, eot_id=EOT, split=split, shuffle_seed=0)
    return shard_schema(seq_len, ids.to_pandas_dtype()).with_metadata(said)


def shard_rows(schema: pa.Schema, first: int, rows: int, last_tokens: int) -> pa.RecordBatch:
    """Rows whose first id is their number in the dataset; the last one holds ``last_tokens`` tokens."""
    width = schema.field("input_ids").type.list_size
    ids = (np.arange(rows)[:, None] * 7 + np.arange(width)[None, :]) % 50 + 1
    ids[:, 0] = np.arange(first, first + rows)
    lengths = np.full(rows, width)
    lengths[-1] = last_tokens
    ids[np.arange(width)[None, :] >= lengths[:, None]] = EOT
    kind = schema.field("input_ids").type.value_type
    arrays = [
        pa.FixedSizeListArray.from_arrays(pa.array(ids.ravel(), kind), width),
        pa.array(lengths, pa.int32()),
        pa.array([[bytes(16), bytes([1]) * 16]] * rows, pa.list_(pa.binary(16))),
        pa.array([[0, 5]] * rows, pa.list_(pa.int32())),
        pa.array([[3, 0]] * rows, pa.list_(pa.int64())),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _write_shard(path: Path, schema: pa.Schema, first: int, rows: int, split: str) -> dict[str, Any]:
    batch = shard_rows(schema, first, rows, last_tokens=6)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.Table.from_batches([batch]), max_chunksize=4)
    data = path.read_bytes()
    tokens = sum(batch.column("n_tokens").to_pylist())
    checksum = hashlib.sha256(data).hexdigest()
    return {
        "name": path.name,
        "split": split,
        "rows": rows,
        "tokens": tokens,
        "bytes": len(data),
        "sha256": checksum,
    }


MakeDataset = Callable[..., Path]


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> MakeDataset:
    """``make_dataset(train=(rows, rows…), validation=(rows,), ids=pa.uint16())`` -> a dataset directory."""

    def make(
        *,
        train: tuple[int, ...] = (10, 7, 9),
        validation: tuple[int, ...] = (5,),
        ids: pa.DataType | None = None,
        seq_len: int = SEQ_LEN,
    ) -> Path:
        place = tmp_path_factory.mktemp("dataset")
        (place / "shards").mkdir()
        entries, first = [], 0
        for split, sizes in (("train", train), ("validation", validation)):
            schema = split_schema(ids or pa.uint16(), split, seq_len)
            for name, rows in zip(PartName.series(split, len(sizes), "arrow"), sizes, strict=True):
                entries.append(_write_shard(place / "shards" / name, schema, first, rows, split))
                first += rows
        manifest = {"format": "thresher/1", "tokenizer": {"vocab_size": 64, "eot": EOT}, "shards": entries}
        (place / "manifest.json").write_text(json.dumps(manifest))
        return place

    return make


@pytest.fixture(scope="session")
def dataset(make_dataset: MakeDataset) -> Path:
    """A dataset that no test changes: 26 training rows in three shards, 5 validation rows."""
    return make_dataset()


@pytest.fixture(scope="session")
def small_tokenizer() -> Tokenizer:
    return make_tokenizer(TokenizerConfig(vocab_size=300), ["def f(x):\n    return x + 1\n"] * 9)


MakeTexts = Callable[..., Path]


@pytest.fixture
def make_texts(tmp_path: Path, small_tokenizer: Tokenizer) -> MakeTexts:
    """``make_texts(name, train=[text…], validation=[text…])`` -> a dataset of those texts, with its tokenizer."""

    def make(
        name: str, train: list[str], validation: list[str], *, seq_len: int = 16, tail: str = "pad"
    ) -> Path:
        place, config = Place(str(tmp_path / name)), PackConfig(seq_len=seq_len, shard_tokens=64, tail=tail)
        tokenizer = small_tokenizer
        tokenizer.save(place.child("tokenizer"))
        entries = []
        for split, texts in (("train", train), ("validation", validation)):
            packed = pack(_documents(tokenizer, name, texts), tokenizer.eot_id, config)
            shard = PartName(split, 0, 1, "arrow").format()
            info = write_shard(
                place.child("shards"), shard, packed, config,
                tokenizer_sha256=tokenizer.identity, eot_id=tokenizer.eot_id,
            )  # fmt: skip
            entries.append(info.describe())
        said = {"vocab_size": tokenizer.vocab_size, "eot": tokenizer.eot_id, "identity": tokenizer.identity}
        manifest = {"format": "thresher/1", "tokenizer": said, "shards": entries}
        place.write_bytes("manifest.json", json.dumps(manifest).encode())
        return tmp_path / name

    return make


def _documents(tokenizer: Tokenizer, name: str, texts: list[str]) -> Documents:
    """The texts' ids; a document's id says dataset and text."""
    ids, offsets = tokenizer.encode_batch(pa.array(texts, pa.large_string()))
    said = [hashlib.md5(f"{name}{text}".encode()).digest() for text in texts]
    return Documents(ids, offsets, pa.array(said, pa.binary(16)))


@pytest.fixture(scope="session")
def ray_session() -> Iterator[Any]:
    """One small Ray for all tests of a process."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 << 20, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()
