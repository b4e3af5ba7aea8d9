"""Shards: written whole, read without copies, found by document, opened by other libraries."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from columns.errors import OutputError
from columns.files import Place
from columns.testing import documents
from shards.format import file_sha256, shard_names, shard_schema, token_type
from shards.order import key_range, order_keys, shard_of
from shards.packing import Documents, PackConfig, pack
from shards.reader import ShardSet, open_shard
from shards.tokens import gather, tokenise_part, write_tokens
from shards.writer import write_shard

CONFIG = PackConfig(seq_len=16, shard_tokens=64, shuffle_seed=7)
NAME = "train-00000-of-00001.arrow"


def write(place: Place, found: Documents, name: str = NAME, config: PackConfig = CONFIG, eot_id: int = 0):
    return write_shard(
        place, name, pack(found, eot_id, config), config, tokenizer_sha256="ab" * 32, eot_id=eot_id
    )


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(str(tmp_path / "shards"))


@pytest.fixture
def long_shard(place, stream):
    """More rows than one record batch holds."""
    return write(place, stream([11] * 3000))


def build(place: Place, tokenizer, bounds: list[int], count: int = 3) -> None:
    """A whole small dataset: documents spread over token parts, then packed into shards of both splits."""
    texts = [f"def f{index}(x):\n    return x + {index}\n" * (1 + index % 4) for index in range(bounds[-1])]
    batch = documents(texts, [f"f{index}.py" for index in range(len(texts))])
    split = pa.array(["validation" if index % 6 == 0 else "train" for index in range(len(texts))])
    ledger = pa.table({"kept": pa.array([True] * len(texts)), "split": split})
    tokens = place.child("tokens")
    for number, (start, stop) in enumerate(pairwise(bounds)):
        table = tokenise_part(
            [batch.slice(start, stop - start)], ledger.slice(start, stop - start), tokenizer, 7
        )
        write_tokens(tokens, f"part-{number:05d}-of-{len(bounds) - 1:05d}.arrow", table)
    for kind in ("train", "validation"):
        for index, name in enumerate(shard_names(kind, count)):
            found = gather(tokens, tokens.names(), *key_range(index, count), kind)
            write(place.child("shards"), found, name, eot_id=tokenizer.eot_id)


def test_what_is_written_is_described(place, long_shard):
    assert (long_shard.name, long_shard.split, long_shard.rows) == (NAME, "train", 3000 * 12 // 16)
    assert long_shard.tokens == long_shard.rows * 16
    assert long_shard.bytes == place.size(NAME)
    assert long_shard.sha256 == file_sha256(place, NAME)
    assert set(long_shard.describe()) == {"name", "split", "rows", "tokens", "bytes", "sha256", "batches"}


def test_a_shard_says_what_it_is(place, long_shard):
    shard = open_shard(place, NAME)
    assert shard.metadata == {
        "thresher.format": "thresher/1",
        "thresher.seq_len": "16",
        "thresher.tokenizer_sha256": "ab" * 32,
        "thresher.eot": "0",
        "thresher.split": "train",
        "thresher.shuffle_seed": "7",
        "thresher.pooled": "0",
    }
    assert shard.seq_len == 16


def test_batches_hold_1024_rows(place, long_shard):
    assert [batch.num_rows for batch in open_shard(place, NAME).batches] == [1024, 1024, 202]


def test_plain_pyarrow_reads_it(place, long_shard, stream):
    with pa.memory_map(place.path(NAME)) as source:
        table = pa.ipc.open_file(source).read_all()
    table.validate(full=True)
    assert table.schema.remove_metadata() == shard_schema(16, np.dtype(np.uint16))
    rows = pack(stream([11] * 3000), 0, CONFIG).rows
    assert pa.Table.from_batches([rows]).equals(table.replace_schema_metadata(None))


def test_hugging_face_datasets_reads_it(place, long_shard, tmp_path, monkeypatch):
    for name in ("HF_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "hf"))
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    datasets = pytest.importorskip("datasets", reason="the dev extra is not installed")
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset("arrow", data_files=place.path(NAME), split="train", cache_dir=cache)
    assert loaded.num_rows == long_shard.rows
    assert loaded[1500]["input_ids"] == open_shard(place, NAME).row(1500).tolist()
    assert len(loaded[0]["doc_ids"]) == len(loaded[0]["doc_starts"]) == 2


def test_views_are_the_file_itself(place, long_shard):
    shard = open_shard(place, NAME)
    before = pa.total_allocated_bytes()
    assert all(not view.flags.owndata and not view.flags.writeable for view in shard.views)
    assert sum(view.size for view in shard.views) == long_shard.tokens
    assert pa.total_allocated_bytes() == before
    assert shard.row(1025).tolist() == shard.views[1][1].tolist()


def test_views_outlive_the_shard(place, long_shard):
    row = open_shard(place, NAME).row(5)
    import gc

    gc.collect()
    assert row.tolist() == open_shard(place, NAME).row(5).tolist()


@pytest.mark.parametrize("row", [-1, 2250])
def test_rows_outside_the_shard_are_refused(place, long_shard, row):
    with pytest.raises(IndexError, match="of 2250"):
        open_shard(place, NAME).row(row)


def test_documents_come_back(place, stream):
    found = stream([0, 3, 40, 15, 16, 1, 100, 7, 0])
    write(place, found)
    back = list(ShardSet(place).documents())
    for index, document in enumerate(back):
        ids = found.ids[found.offsets[index] : found.offsets[index + 1]].tolist()
        assert document.doc_id == found.doc_ids[index].as_py()
        assert document.ids.tolist() == ([*ids, 0] if document.complete else ids[: len(document.ids)])
    assert all(document.complete for document in back[:-1])


def test_every_document_is_found_where_it_is(tmp_path, tokenizer):
    place = Place(str(tmp_path))
    build(place, tokenizer, [0, 50, 90])
    whole = ShardSet(place)
    assert len(whole.names) == 6
    for document in whole.documents():
        pieces = whole.find(document.doc_id)
        ids = []
        for piece in pieces:
            assert piece.doc_offset == len(ids)
            row = open_shard(whole.place, piece.shard).row(piece.row)
            ids += row[piece.start : piece.start + piece.length].tolist()
        assert ids == document.ids.tolist()


def test_finding_opens_only_the_shard_of_the_key(tmp_path, tokenizer, monkeypatch):
    place = Place(str(tmp_path))
    build(place, tokenizer, [0, 60])
    whole = ShardSet(place, "train")
    opened = []
    monkeypatch.setattr(
        "shards.reader.open_shard", lambda at, name: opened.append(name) or open_shard(at, name)
    )
    wanted = ShardSet(place, "train").shards[2]
    opened.clear()
    doc_id = next(wanted.documents()).doc_id
    assert {piece.shard for piece in whole.find(doc_id)} == {wanted.name}
    assert opened == [whole.names[0], wanted.name]


def test_documents_lie_in_the_shard_of_their_key(tmp_path, tokenizer):
    place = Place(str(tmp_path))
    build(place, tokenizer, [0, 60])
    for index, shard in enumerate(ShardSet(place, "train").shards):
        keys = order_keys(pa.array([d.doc_id for d in shard.documents()], pa.binary(16)), 7)
        assert set(shard_of(keys, 3).tolist()) <= {index}
        assert (np.sort(keys) == keys).all()


def test_a_document_that_is_not_there_is_not_found(place, long_shard):
    assert ShardSet(place).find(b"?" * 16) == []


def test_shards_do_not_depend_on_how_documents_were_spread(tmp_path, tokenizer):
    places = []
    for number, bounds in enumerate(([0, 90], [0, 1, 45, 90], [0, 30, 60, 89, 90])):
        places.append(Place(str(tmp_path / str(number))))
        build(places[-1], tokenizer, bounds)
    first, *others = (place.child("shards") for place in places)
    for other in others:
        assert other.names() == first.names()
        assert all(other.read(name) == first.read(name) for name in first.names())


def test_an_empty_shard_is_a_shard(place, stream):
    info = write(place, stream([]), "validation-00000-of-00001.arrow")
    assert (info.rows, info.tokens, info.split) == (0, 0, "validation")
    found = ShardSet(place, split="validation")
    assert (found.rows(), list(found.documents()), found.find(b"a" * 16)) == (0, [], [])


def test_splits_are_read_apart(place, stream):
    write(place, stream([20]), NAME)
    write(place, stream([40]), "validation-00000-of-00001.arrow")
    assert ShardSet(place, "train").names == [NAME]
    assert ShardSet(place).rows() == 3
    assert ShardSet(str(place.local), "validation").rows() == 2


def test_a_missing_shard_is_named(place, stream):
    write(place, stream([20]), "train-00000-of-00003.arrow")
    write(place, stream([20]), "train-00002-of-00003.arrow")
    with pytest.raises(OutputError, match=r"1 shards are missing, the first is train-00001-of-00003\.arrow"):
        ShardSet(place)


def test_a_place_without_shards_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no shards of train, validation"):
        ShardSet(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not arrow", b"ARROW1\0\0 and then nothing"])
def test_a_file_that_is_not_a_shard_is_refused(place, content):
    place.write_bytes(NAME, content)
    with pytest.raises(OutputError, match="not a shard"):
        open_shard(place, NAME)


def test_a_half_written_shard_is_refused(place, long_shard):
    place.write_bytes(NAME, place.read(NAME)[: long_shard.bytes // 2])
    with pytest.raises(OutputError, match="not a shard"):
        open_shard(place, NAME)


def test_a_missing_file_is_refused(place):
    with pytest.raises(OutputError, match="not a shard"):
        open_shard(place, NAME)


def test_other_formats_are_refused(place):
    schema = shard_schema(4, np.dtype(np.uint16))
    with place.write(NAME) as sink, pa.ipc.new_file(sink, schema):
        pass
    with pytest.raises(OutputError, match="format None, expected thresher/1"):
        open_shard(place, NAME)


@pytest.mark.parametrize("name", ["test-00000-of-00001.arrow", "part-00000-of-00001.arrow"])
def test_only_splits_are_shard_names(place, stream, name):
    with pytest.raises(ValueError, match="expected a shard"):
        write(place, stream([20]), name)


def test_a_name_that_is_no_part_is_refused(place, stream):
    with pytest.raises(OutputError, match="not a part name"):
        write(place, stream([20]), "train.arrow")


def test_a_failed_write_leaves_nothing(place, stream, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("columns.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(place, stream([20]))
    assert place.names() == []


def test_wide_ids_are_stored_wide(place, stream):
    write(place, stream([40], np.uint32), eot_id=70_000)
    assert open_shard(place, NAME).row(0).dtype == np.uint32


def test_only_two_token_types_exist():
    with pytest.raises(ValueError, match="uint16 or uint32, got int64"):
        token_type(np.dtype(np.int64))


def test_shards_on_a_filesystem_in_memory(stream):
    place = Place("memory://shards-test")
    info = write(place, stream([11] * 30))
    assert open_shard(place, NAME).row(0).tolist() == [*range(1, 12), 0, *range(12, 16)]
    assert info.sha256 == file_sha256(place, NAME)
    place.remove_tree()
