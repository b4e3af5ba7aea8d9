from __future__ import annotations

import pickle
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from columns.files import Place
from shards import Documents, PackConfig, open_shard, pack, write_shard
from training.batches import rows_of
from training.boundaries import boundaries
from training.catalog import shard_files
from training.loader import padded
from training.mapped import map_shard
from training.pool import Pool
from training.store import RowStore

NAME = "train-00000-of-00001.arrow"


@pytest.fixture
def copy(dataset, tmp_path):
    """A dataset that a test may damage."""
    return shutil.copytree(dataset, tmp_path / "copy")


def everything(place, split="train"):
    """All rows by pyarrow: the oracle."""
    tables = [pa.ipc.open_file(shard.path).read_all() for shard in shard_files(place, split)]
    return pa.concat_tables(tables)


def test_rows_are_those_that_pyarrow_reads(dataset):
    store, table = RowStore(shard_files(dataset)), everything(dataset)
    rows = np.arange(len(store))
    found = store.gather(rows, documents=True)
    assert len(store) == 26
    assert found.ids.tolist() == table.column("input_ids").to_pylist()
    assert found.ids.dtype == np.int64
    assert found.spans.tolist() == [[0, length] for length in table.column("n_tokens").to_pylist()]
    assert found.pieces.tolist() == [2] * 26
    assert found.starts.tolist() == [0, 5] * 26


@given(st.lists(st.integers(0, 25), max_size=40))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_in_any_order(dataset, rows):
    store, table = RowStore(shard_files(dataset)), everything(dataset)
    found = store.gather(np.array(rows, np.int64), documents=True)
    taken = table.take(pa.array(rows, pa.int64()))
    assert found.ids.tolist() == taken.column("input_ids").to_pylist()
    assert found.spans.tolist() == [[0, length] for length in taken.column("n_tokens").to_pylist()]
    assert found.starts.tolist() == [
        start for starts in taken.column("doc_starts").to_pylist() for start in starts
    ]


@pytest.mark.parametrize("kind", [pa.uint16(), pa.uint32()])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint32])
def test_ids_are_widened_as_they_are_copied(make_dataset, kind, dtype):
    place = make_dataset(ids=kind)
    found = RowStore(shard_files(place)).gather(np.array([3, 1]), dtype)
    assert found.ids.dtype == dtype
    assert found.ids[:, 0].tolist() == [3, 1]


def test_only_shards_that_are_asked_for_are_opened(dataset):
    store = RowStore(shard_files(dataset))
    store.gather(np.array([12, 11]))
    assert list(store._open) == [1]


def test_mapping_copies_nothing(dataset):
    (shard, *_) = shard_files(dataset)
    before = pa.total_allocated_bytes()
    mapped = map_shard(shard.place.local / shard.name, shard.name)
    assert pa.total_allocated_bytes() == before
    assert mapped.rows == 10
    assert mapped.batch_rows == 4
    inside = mapped.table - mapped.held.address
    assert ((inside > 0) & (inside < mapped.held.size)).all()


def test_shards_with_more_columns_are_read_alike(make_dataset, tmp_path):
    place = make_dataset(train=(6,))
    (shard,) = shard_files(place)
    table = pa.ipc.open_file(shard.path).read_all()
    wider = table.append_column("loss_starts", pa.array([[1]] * 6)).select(
        ["loss_starts", "doc_starts", "n_tokens", "input_ids"]
    )
    path = tmp_path / "train-00000-of-00001.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, wider.schema) as writer:
        writer.write_table(wider)
    store = RowStore(shard_files([path]))
    assert store.gather(np.arange(6)).ids.tolist() == table.column("input_ids").to_pylist()


def test_rows_that_are_not_there(dataset):
    store = RowStore(shard_files(dataset))
    for row in (-1, 26):
        with pytest.raises(IndexError, match="rows: expected 0 to 25"):
            store.gather(np.array([0, row]))


def test_a_pickled_store_opens_again(dataset):
    store = RowStore(shard_files(dataset))
    before = store.gather(np.arange(26)).ids
    again = pickle.loads(pickle.dumps(store))
    assert not again._open
    assert (again.gather(np.arange(26)).ids == before).all()


def damaged(copy, change):
    """A store over three shards, the second of which is changed once the store is there."""
    store = RowStore(shard_files(copy))
    path = copy / "shards" / "train-00001-of-00003.arrow"
    change(path)
    return store, path


def test_a_missing_shard_is_named_when_it_is_reached(copy):
    store, path = damaged(copy, lambda path: path.unlink())
    store.gather(np.arange(10))
    with pytest.raises(InputError) as caught:
        store.gather(np.array([10]))
    assert f"{path}: shard is missing" in str(caught.value)


def test_a_truncated_shard_is_named_with_its_end(copy):
    store, path = damaged(copy, lambda path: path.write_bytes(path.read_bytes()[:1000]))
    with pytest.raises(InputError, match=f"{path}: ends at byte 1000, expected"):
        store.gather(np.array([10]))


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_changed_byte_is_found_by_the_checksum(copy):
    store, path = damaged(copy, lambda path: flip(path, 700))
    with pytest.raises(InputError, match=rf"{path}: checksum expected .*\(bytes 0 to"):
        store.gather(np.array([10]))


def test_a_footer_that_leads_elsewhere_is_found(make_texts):
    (shard,) = shard_files(make_texts("texts", ["a = 1\n"] * 9, ["b = 2\n"]))
    RowStore([shard]).gather(np.array([0]))
    (batch,) = shard.checks
    moved = replace(shard, checks=(replace(batch, input_ids=batch.input_ids + 64),))
    with pytest.raises(InputError, match=rf"footer: ids .* at bytes \[{batch.input_ids + 64}\]"):
        RowStore([moved]).gather(np.array([0]))


def test_a_checksum_is_compared_once(copy, monkeypatch):
    store = RowStore(shard_files(copy))
    seen = []
    monkeypatch.setattr("training.store._verify", lambda shard: seen.append(shard.name))
    store.gather(np.arange(26))
    store.gather(np.arange(26))
    assert len(seen) == 3


def test_without_verify_no_checksum_is_computed(copy, monkeypatch):
    monkeypatch.setattr("training.store._verify", lambda shard: pytest.fail("verified"))
    RowStore(shard_files(copy), verify=False).gather(np.arange(26))


def test_a_file_that_is_no_shard(tmp_path):
    path = tmp_path / "x.arrow"
    path.write_bytes(b"not arrow" * 10)
    with pytest.raises(InputError, match=f"{path}: no Arrow footer before byte 90"):
        map_shard(path, str(path))


def test_a_damaged_record_batch_is_named_with_its_place(copy):
    path = copy / "shards" / "train-00000-of-00003.arrow"
    reader = pa.ipc.open_file(path)
    block = path.read_bytes().find(b"\xff\xff\xff\xff", 2000)
    assert reader.num_record_batches > 1
    assert block > 0
    data = bytearray(path.read_bytes())
    data[block + 4 : block + 64] = bytes([255]) * 60
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"{path}: record batch [12], behind byte \d+"):
        map_shard(path, str(path))


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("n_tokens", pa.array([1] * 5, pa.int64())),
        ("doc_starts", pa.array([[0]] * 5, pa.list_(pa.int64()))),
        ("input_ids", pa.array([[1]] * 5, pa.list_(pa.uint16()))),
    ],
)
def test_a_column_of_another_type_is_named(make_dataset, tmp_path, name, column):
    table = everything(make_dataset(train=(5,)))
    path = tmp_path / "x.arrow"
    for other in (table.set_column(table.column_names.index(name), name, column), table.drop_columns([name])):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, other.schema) as writer:
            writer.write_table(other)
        with pytest.raises(InputError, match=f"{path}: column {name}: expected"):
            map_shard(path, str(path))


def test_another_number_of_rows_than_the_manifest_says(copy):
    manifest = copy / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"rows": 7', '"rows": 8'))
    with pytest.raises(InputError, match="rows expected 8, got 7"):
        RowStore(shard_files(copy)).gather(np.array([10]))


def test_sources_of_another_width_are_refused(make_dataset):
    shards = [*shard_files(make_dataset(train=(4,))), *shard_files(make_dataset(train=(4,), seq_len=8))]
    with pytest.raises(InputError, match="expected rows of 16 uint16, got 8 uint16"):
        RowStore(shards).gather(np.arange(8))
    kinds = [*shard_files(make_dataset(train=(4,))), *shard_files(make_dataset(train=(4,), ids=pa.uint32()))]
    with pytest.raises(InputError, match="expected rows of 16 uint16, got 16 uint32"):
        RowStore(kinds).gather(np.arange(8))


def test_remote_shards_need_a_cache(dataset):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(dataset), "/store-needs-cache", recursive=True)
    with pytest.raises(InputError, match="not a local file") as caught:
        RowStore(shard_files("memory://store-needs-cache"))
    assert "cache directory" in str(caught.value)


def test_padding_on_the_left(tmp_path):
    """Rows as packing writes them with ``pad: left``: what is not text is known on either side."""
    ids, offsets = np.arange(1, 8, dtype=np.uint16), np.array([0, 2, 7])
    names = pa.array([b"a" * 16, b"b" * 16], pa.binary(16))
    config = PackConfig(seq_len=4, method="single", pad="left", shard_tokens=4)
    packed = pack(Documents(ids, offsets, names), 0, config)
    write_shard(Place(str(tmp_path / "shards")), NAME, packed, config, tokenizer_sha256="", eot_id=0)
    store = RowStore(shard_files([str(tmp_path / "shards" / NAME)]), verify=False)
    found = store.gather(np.array([0, 1, 2]), documents=True)
    assert found.ids.tolist() == [[0, 1, 2, 0], [3, 4, 5, 6], [0, 0, 7, 0]]
    assert found.spans.tolist() == [[1, 4], [0, 4], [2, 4]]
    assert padded(found.ids.copy(), found.spans, -1).tolist() == [[-1, 1, 2, 0], [3, 4, 5, 6], [-1, -1, 7, 0]]
    marks = boundaries(found.starts, found.pieces, found.spans, 4)
    assert marks.segment_ids.tolist() == [[-1, 0, 0, 0], [0, 0, 0, 0], [-1, -1, 0, 0]]
    (batch,) = open_shard(str(tmp_path / "shards"), NAME).batches
    assert rows_of(batch, Pool()).spans.tolist() == found.spans.tolist()
    assert rows_of(batch.slice(1), Pool()).spans.tolist() == found.spans[1:].tolist()


def retold(path, **said):
    """The shard once more with other words about itself."""
    table = pa.ipc.open_file(str(path)).read_all()
    words = {
        **table.schema.metadata,
        **{f"thresher.{name}".encode(): word.encode() for name, word in said.items()},
    }
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, table.schema.with_metadata(words)) as writer,
    ):
        writer.write_table(table.replace_schema_metadata(words), max_chunksize=4)
    return path


def test_ids_of_two_tokenizers_are_not_mixed(copy):
    first, second, third = sorted((copy / "shards").glob("train-*.arrow"))
    retold(second, tokenizer_sha256="f" * 64)
    store = RowStore(shard_files([str(first), str(second)]))
    with pytest.raises(InputError, match=f"{second}: expected ids of tokenizer 0000.*, got ffff"):
        store.gather(np.array([0, 10]))
    retold(third, tokenizer_sha256="")
    assert RowStore(shard_files([str(first), str(third)])).gather(np.array([0, 10])).ids[:, 0].tolist() == [
        0,
        17,
    ]
