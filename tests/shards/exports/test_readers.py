"""Each format as the library that it is for reads it; skipped where that is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from columns.files import Place
from shards.exports import FORMATS

DTYPES = [np.uint16, np.uint32]


@pytest.fixture
def out(tmp_path) -> Place:
    return Place(str(tmp_path / "out"))


def rows_of(source) -> list[list[int]]:
    return np.concatenate([view for shard in source.shards for view in shard.views]).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_megatron_core(made, out, ask, dtype):
    source = made(dtype)
    FORMATS["megatron"](source, out)
    found = ask("megatron", "megatron.core.datasets.indexed_dataset", f"""
import json
from megatron.core.datasets.indexed_dataset import IndexedDataset
data = IndexedDataset({out.path("train")!r})
print(json.dumps([data[index].tolist() for index in range(len(data))]))
""")  # fmt: skip
    assert found == [one.ids.tolist() for one in source.documents()]


@pytest.mark.parametrize("dtype", DTYPES)
def test_mosaicml_streaming(made, out, ask, dtype):
    source = made(dtype)
    FORMATS["mds"](source, out)
    found = ask("streaming", "streaming", f"""
import json
from streaming import LocalDataset
data = LocalDataset({out.path("train")!r})
print(json.dumps([[data[index]["tokens"].tolist(), int(data[index]["n_tokens"])] for index in range(len(data))]))
""")  # fmt: skip
    assert [ids for ids, _ in found] == rows_of(source)
    assert sum(number for _, number in found) == sum(len(one.ids) for one in source.documents())


@pytest.mark.parametrize("dtype", DTYPES)
def test_hugging_face_datasets(made, out, ask, tmp_path, dtype):
    source = made(dtype, validation_fraction=0.5)
    for split in ("train", "validation"):
        FORMATS["huggingface"](type(source)(source.place, split, source.vocab_size), out)
    from shards.exports.hugging_face import configs

    out.write_bytes("README.md", f"---\n{configs(('train', 'validation'))}\n---\n".encode())
    found = ask("datasets", "datasets", f"""
import json, os
os.environ |= {{"HF_HUB_OFFLINE": "1", "HF_HOME": {str(tmp_path / "hf")!r}}}
import datasets
datasets.disable_progress_bars()
disk = datasets.load_from_disk({str(out.local)!r})
loaded = datasets.load_dataset({str(out.local)!r}, cache_dir={str(tmp_path / "cache")!r})
both = [{{split: data[split][:] for split in data}} for data in (disk, loaded)]
print(json.dumps(both))
""")  # fmt: skip
    assert found[0] == found[1]
    lines = [line for shard in source.shards for batch in shard.batches for line in batch.to_pylist()]
    assert found[0]["train"]["input_ids"] == rows_of(source)
    assert found[0]["train"]["doc_ids"] == [[one.hex() for one in line["doc_ids"]] for line in lines]
    assert set(found[0]) == {"train", "validation"}


def test_tfrecord_package(made, out, ask):
    source = made()
    FORMATS["tfrecord"](source, out)
    names = [out.path(name) for name in out.read("train.index").decode().split()]
    found = ask("tfrecord", "tfrecord", f"""
import json
from tfrecord import tfrecord_loader
print(json.dumps([r["text"].tolist() for name in {names} for r in tfrecord_loader(name, None, {{"text": "int"}})]))
""")  # fmt: skip
    assert found == rows_of(source)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensorflow(made, out, ask, dtype):
    source = made(dtype)
    FORMATS["tfrecord"](source, out)
    names = [out.path(name) for name in out.read("train.index").decode().split()]
    found = ask("tensorflow", "tensorflow", f"""
import json
import tensorflow as tf
feature = {{"text": tf.io.VarLenFeature(tf.int64)}}
data = tf.data.TFRecordDataset({names})
print(json.dumps([tf.io.parse_single_example(one, feature)["text"].values.numpy().tolist() for one in data]))
""")  # fmt: skip
    assert found == rows_of(source)


def test_webdataset_package(made, out, ask):
    source = made()
    FORMATS["webdataset"](source, out)
    names = [out.path(name) for name in out.names()]
    found = ask("webdataset", "webdataset", f"""
import json
import webdataset
data = webdataset.WebDataset({names}, shardshuffle=False).decode()
print(json.dumps([[one["npy"].tolist(), one["json"]["n_tokens"]] for one in data]))
""")  # fmt: skip
    assert [ids for ids, _ in found] == rows_of(source)


def test_nanogpt_reads_by_memmap(made, out):
    """nanoGPT's train.py: a uint16 memmap, and blocks of it anywhere."""
    source = made()
    FORMATS["bin"](source, out)
    data = np.memmap(out.path("train.bin"), dtype=np.uint16, mode="r")
    assert data[: len(next(source.documents()).ids)].tolist() == next(source.documents()).ids.tolist()
