"""Each format as the library that it is for reads it; skipped where that is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from columns.files import Place
from shards.exports import FORMATS, ROWS, read_rows

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


ROW_LISTS = [[5, 6, 0, 7], [8, 0, 9, 0], [1, 2, 0, 0]]
DOCUMENTS = [[5, 6], [7, 8], [9], [1, 2]]
WRITERS = {
    "mds": ("streaming", """
import json
import numpy as np
from streaming import MDSWriter
with MDSWriter(out={folder!r}, columns={{"tokens": "ndarray:uint16:4"}}) as writer:
    for row in {rows}:
        writer.write({{"tokens": np.array(row, np.uint16)}})
print(json.dumps(1))
"""),
    "huggingface": ("datasets", """
import json
import datasets
datasets.Dataset.from_dict({{"input_ids": {rows}}}).save_to_disk({folder!r})
print(json.dumps(1))
"""),
    "tfrecord": ("tensorflow", """
import json
import tensorflow as tf
with tf.io.TFRecordWriter({folder!r} + "/x.tfrecords") as writer:
    for row in {rows}:
        feature = tf.train.Feature(int64_list=tf.train.Int64List(value=row))
        example = tf.train.Example(features=tf.train.Features(feature={{"text": feature}}))
        writer.write(example.SerializeToString())
print(json.dumps(1))
"""),
    "webdataset": ("webdataset", """
import json
import numpy as np
import webdataset
with webdataset.TarWriter({folder!r} + "/x.tar") as sink:
    for at, row in enumerate({rows}):
        sink.write({{"__key__": f"{{at:06d}}", "npy": np.array(row, np.uint16)}})
print(json.dumps(1))
"""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_rows_that_the_library_wrote_are_read(tmp_path, ask, name):
    module, program = WRITERS[name]
    folder = tmp_path / "theirs"
    if name in ("tfrecord", "webdataset"):
        folder.mkdir()
    ask(module, module, program.format(folder=str(folder), rows=ROW_LISTS))
    source = str(folder / "x.tfrecords") if name == "tfrecord" else str(folder)
    found = read_rows(ROWS[name](source), 0, name)
    assert [part.tolist() for part in np.split(found.ids, found.offsets[1:-1])] == DOCUMENTS
