"""Each format's bytes, read again by its public definition and nothing of ours; and that they never differ."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.files import Place
from shards.exports import FORMATS
from shards.exports.megatron import index_bytes
from shards.exports.tfrecord import TABLE, masked_crc, records
from shards.reader import ShardSet

DTYPES = [np.uint16, np.uint32]


def tree(place: Place) -> dict[str, bytes]:
    folder = place.local
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(source) -> np.ndarray:
    return np.concatenate([view for shard in source.shards for view in shard.views])


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_shards_give_the_same_bytes(made, tmp_path, name, dtype):
    source = made(dtype)
    one, other = Place(str(tmp_path / "one")), Place(str(tmp_path / "other"))
    found = FORMATS[name](source, one)
    assert FORMATS[name](source, other) == found
    assert tree(one) == tree(other)
    assert set(found.files) == set(tree(one))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_token_is_counted(made, tmp_path, name):
    source = made(method="best_fit")
    found = FORMATS[name](source, Place(str(tmp_path / "out")))
    by_document = name in ("bin", "megatron", "ragged")
    assert found.tokens == sum(len(one.ids) for one in source.documents())
    assert found.samples == (len(list(source.documents())) if by_document else source.whole.rows())


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_split_without_rows_can_be_written(made, tmp_path, name):
    found = FORMATS[name](made(split="validation"), Place(str(tmp_path / "out")))
    assert (found.samples, found.tokens) == (0, 0)


@pytest.mark.parametrize(("dtype", "code"), [(np.uint16, 8), (np.uint32, 4)])
def test_megatron(made, tmp_path, dtype, code):
    source, out = made(dtype), Place(str(tmp_path / "out"))
    FORMATS["megatron"](source, out)
    index, data = out.read("train.idx"), out.read("train.bin")
    documents = [one.ids for one in source.documents()]
    assert index[:9] == b"MMIDIDX\x00\x00"
    assert struct.unpack("<QBQQ", index[9:34]) == (1, code, len(documents), len(documents) + 1)
    width = 2 if code == 8 else 4
    at = 34
    lengths = struct.unpack(f"<{len(documents)}i", index[at : at + 4 * len(documents)])
    at += 4 * len(documents)
    pointers = struct.unpack(f"<{len(documents)}q", index[at : at + 8 * len(documents)])
    at += 8 * len(documents)
    assert struct.unpack(f"<{len(documents) + 1}q", index[at:]) == tuple(range(len(documents) + 1))
    for ids, length, pointer in zip(documents, lengths, pointers, strict=True):
        assert np.frombuffer(data[pointer : pointer + width * length], f"<u{width}").tolist() == ids.tolist()
    assert len(data) == width * sum(lengths)


def test_megatron_golden():
    """Two documents of 2 and 1 ids, written out by hand."""
    wanted = (
        "4d4d494449445800 00 0100000000000000 08 0200000000000000 0300000000000000 02000000 01000000"
        "0000000000000000 0400000000000000 0000000000000000 0100000000000000 0200000000000000"
    )
    assert index_bytes(np.array([2, 1]), np.dtype(np.uint16)) == bytes.fromhex(wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_flat(made, tmp_path, dtype):
    source, out = made(dtype), Place(str(tmp_path / "out"))
    FORMATS["bin"](source, out)
    ids = np.frombuffer(out.read("train.bin"), np.dtype(dtype).newbyteorder("<"))
    assert ids.tolist() == [number for one in source.documents() for number in one.ids.tolist()]
    assert pickle.loads(out.read("meta.pkl")) == {"vocab_size": source.vocab_size}
    about = json.loads(out.read("train.json"))
    assert (about["dtype"], about["tokens"], about["eot"]) == (np.dtype(dtype).name, len(ids), 0)


def test_a_document_that_lost_its_end_does_not_flow_into_the_next(made, tmp_path):
    source, out = made(tail="drop", shard_tokens=128), Place(str(tmp_path / "out"))
    FORMATS["bin"](source, out)
    ids = np.frombuffer(out.read("train.bin"), np.uint16)
    cut = [not one.complete for one in source.documents()]
    about = json.loads(out.read("train.json"))
    assert about["ends_added"] == sum(cut) > 0
    assert int((ids == 0).sum()) == about["documents"] == len(cut)
    assert about["tokens"] == len(ids)


def test_the_validation_split_of_nanogpt_is_called_val(made, tmp_path):
    out = Place(str(tmp_path / "out"))
    assert "val.bin" in FORMATS["bin"](made(split="validation", validation_fraction=1.0), out).files


@pytest.mark.parametrize("dtype", DTYPES)
def test_mds(made, tmp_path, dtype):
    source, out = made(dtype, method="best_fit"), Place(str(tmp_path / "out"))
    FORMATS["mds"](source, out)
    index = json.loads(out.child("train").read("index.json"))
    (entry,) = index["shards"]
    data = out.child("train").read(entry["raw_data"]["basename"])
    assert (index["version"], len(data)) == (2, entry["raw_data"]["bytes"])
    count = struct.unpack("<I", data[:4])[0]
    offsets = struct.unpack(f"<{count + 1}I", data[4 : 8 + 4 * count])
    config = json.loads(data[8 + 4 * count : offsets[0]])
    assert config["column_names"] == ["n_tokens", "tokens"]
    assert config["column_encodings"] == ["int32", f"ndarray:{np.dtype(dtype).name}:16"]
    rows, lengths = (
        rows_of(source),
        [n for s in source.shards for b in s.batches for n in b["n_tokens"].to_pylist()],
    )
    for row in range(count):
        sample = data[offsets[row] : offsets[row + 1]]
        assert struct.unpack("<i", sample[:4])[0] == lengths[row]
        assert np.frombuffer(sample[4:], np.dtype(dtype)).tolist() == rows[row].tolist()
    assert (offsets[-1], count) == (len(data), len(rows))


def test_mds_files_are_limited(made, tmp_path, monkeypatch):
    monkeypatch.setattr("shards.exports.mds.LIMIT", 200)
    source, out = made(), Place(str(tmp_path / "out"))
    FORMATS["mds"](source, out)
    shards = json.loads(out.child("train").read("index.json"))["shards"]
    assert len(shards) > 2
    assert sum(entry["samples"] for entry in shards) == source.whole.rows()


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        if data[at] < 128:
            return value, at + 1
        at, shift = at + 1, shift + 7


def field(data: bytes, number: int) -> bytes:
    """The bytes of a length-delimited field that a message begins with."""
    assert data[0] == number << 3 | 2
    size, at = read_varint(data, 1)
    return data[at : at + size]


def slow_crc(data: bytes) -> int:
    """CRC-32C bit by bit, then masked as TensorFlow does."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(data: bytes) -> list[list[int]]:
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack("<Q", data[at : at + 8])
        message = data[at + 12 : at + 12 + size]
        assert struct.unpack("<I", data[at + 8 : at + 12])[0] == slow_crc(data[at : at + 8])
        assert struct.unpack("<I", data[at + 12 + size : at + 16 + size])[0] == slow_crc(message)
        entry = field(field(message, 1), 1)
        assert field(entry, 1) == b"text"
        packed, ids, place = field(field(field(entry[6:], 2), 3), 1), [], 0
        while place < len(packed):
            value, place = read_varint(packed, place)
            ids.append(value)
        found.append(ids)
        at += 16 + size
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_tfrecord(made, tmp_path, dtype):
    source, out = made(dtype), Place(str(tmp_path / "out"))
    FORMATS["tfrecord"](source, out)
    names = out.read("train.index").decode().split()
    found = [read_records(out.read(name)) for name in names]
    assert [int(name.rpartition("_")[2].removesuffix(".tfrecords")) for name in names] == list(
        map(len, found)
    )
    assert [ids for rows in found for ids in rows] == rows_of(source).tolist()


@given(st.lists(st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3), max_size=4))
def test_records_of_any_ids(rows):
    assert read_records(records(np.array(rows, np.uint32).reshape(-1, 3))) == rows


@given(st.binary(max_size=200))
def test_the_fast_checksum_is_the_slow_one(data):
    assert masked_crc(data) == slow_crc(data)
    assert len(TABLE) == 256


def test_webdataset(made, tmp_path):
    source, out = made(), Place(str(tmp_path / "out"))
    FORMATS["webdataset"](source, out)
    found = []
    for name in out.names():
        with tarfile.open(fileobj=io.BytesIO(out.read(name))) as tar:
            members = tar.getmembers()
            assert {(one.mtime, one.uid, one.gid, one.uname) for one in members} <= {(0, 0, 0, "")}
            for ids, about in zip(members[::2], members[1::2], strict=True):
                assert ids.name.removesuffix(".npy") == about.name.removesuffix(".json")
                found.append(
                    (np.load(io.BytesIO(tar.extractfile(ids).read())), json.load(tar.extractfile(about)))
                )
    assert [ids.tolist() for ids, _ in found] == rows_of(source).tolist()
    lines = [line for shard in source.shards for batch in shard.batches for line in batch.to_pylist()]
    assert [about["n_tokens"] for _, about in found] == [line["n_tokens"] for line in lines]
    assert [[one["id"] for one in about["documents"]] for _, about in found] == [
        [one.hex() for one in line["doc_ids"]] for line in lines
    ]


@pytest.mark.parametrize("dtype", DTYPES)
def test_ragged_is_read_by_plain_pyarrow(made, tmp_path, dtype):
    source, out = made(dtype), Place(str(tmp_path / "out"))
    FORMATS["ragged"](source, out)
    with pa.memory_map(out.path("train.ragged.arrow")) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
    table.validate(full=True)
    assert table.column("ids").to_pylist() == [one.ids.tolist() for one in source.documents()]
    assert table.column("doc_id").to_pylist() == [one.doc_id for one in source.documents()]
    assert all(table.column("complete").to_pylist())


def test_ragged_is_smaller(made, tmp_path):
    source, out = made(lengths=[5000] * 20), Place(str(tmp_path / "out"))
    FORMATS["ragged"](source, out)
    assert out.size("train.ragged.arrow") < sum(shard.source.size() for shard in source.shards)


def test_documents_are_those_of_the_shards(made):
    source = made()
    assert len(list(source.documents())) == len(list(ShardSet(source.place, "train").documents())) == 12
