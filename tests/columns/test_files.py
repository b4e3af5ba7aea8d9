import os
import pickle

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import OutputError, ThresherError
from columns.files import TEMPORARY, PartName, Place
from columns.tables import read_arrow, read_table, read_whole, write_arrow, write_table

TABLE = pa.RecordBatch.from_pydict({"a": [1, 2, 3]})


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path):
    url = str(tmp_path / "set") if request.param == "local" else f"memory://{tmp_path.name}/set"
    yield Place(url)
    Place(url).remove_tree()


@given(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.integers(0, 10**6), st.integers(0, 10**6))
def test_part_names_parse_what_they_format(stem, index, count):
    name = PartName(stem, index, count, "arrow")
    assert PartName.parse(name.format()) == name


@pytest.mark.parametrize(
    "name", ["part-1-of-2.parquet", "part-00001.parquet", "x", "part-00001-of-00002.parquet.tmp"]
)
def test_other_names_are_refused(name):
    with pytest.raises(OutputError, match="not a part name"):
        PartName.parse(name)


def test_part_names_sort_like_their_numbers():
    names = PartName.series("part", 12, "arrow")
    assert names == sorted(names)


def test_a_written_file_is_seen_only_when_the_block_ends_well(place):
    with place.write("f") as sink:
        sink.write(b"half")
        assert not place.exists("f")
    assert place.read("f") == b"half"


def test_a_failed_write_leaves_nothing(place):
    place.write_bytes("f", b"old")
    with pytest.raises(RuntimeError), place.write("f") as sink:
        sink.write(b"new")
        raise RuntimeError
    assert place.read("f") == b"old"
    assert place.names() == ["f"]


def test_sweep_removes_what_a_killed_process_left(place):
    place.write_bytes("f", b"")
    place.write_bytes(f"{TEMPORARY}123-g", b"")
    place.sweep()
    assert place.names() == ["f"]


def test_places_pickle_without_their_filesystem(place):
    place.write_bytes("f", b"x")
    assert pickle.loads(pickle.dumps(place)).read("f") == b"x"


def test_missing_places_are_empty_and_can_be_removed(place):
    assert place.names() == []
    place.remove(["nothing"])
    place.remove_tree()


def test_tables_round_trip(place):
    assert write_table(place, "t.parquet", [TABLE, TABLE], TABLE.schema) == 6
    assert [batch.num_rows for batch in read_table(place, "t.parquet")] == [3, 3]
    assert read_whole(place, "t.parquet").num_rows == 6
    assert write_arrow(place, "t.arrow", [TABLE], TABLE.schema) == 3
    assert [batch.to_pydict() for batch in read_arrow(place, "t.arrow")] == [TABLE.to_pydict()]


def test_parquet_bytes_do_not_depend_on_when_they_were_written(place):
    for name in ("a", "b"):
        write_table(place, name, [TABLE], TABLE.schema)
    assert place.read("a") == place.read("b")


def test_only_local_places_have_a_local_path(tmp_path):
    assert Place(str(tmp_path)).local == tmp_path
    assert Place("memory://x").local is None


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_unwritable_place_raises_an_os_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="denied"):
        Place(str(tmp_path / "x")).write_bytes("f", b"")


def test_errors_travel_between_processes_with_their_hint():
    error = pickle.loads(pickle.dumps(OutputError("what", hint="how")))
    assert isinstance(error, ThresherError)
    assert str(error) == "what\nhint: how"
