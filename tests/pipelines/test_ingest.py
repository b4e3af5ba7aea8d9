"""Ingest: which part a document goes to, in which order, and what the sources list."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.document import DOCUMENT, document_batch
from columns.errors import InputError
from columns.files import Place
from columns.tables import read_whole
from columns.testing import documents
from pipelines.dataset import Dataset
from pipelines.ingest import Inputs, ReadUnit, in_order, ingest_stage, list_inputs, part_of
from pipelines.sections import LayoutConfig
from sources import IngestConfig
from tests.pipelines.building import build
from tests.pipelines.corpus import write_jsonl, write_parquet, write_tree

PYTHON = IngestConfig(languages=("python",))
IDS = st.lists(st.binary(min_size=16, max_size=16), max_size=50)


def named(ids: list[bytes]) -> pa.RecordBatch:
    return document_batch({"doc_id": pa.array(ids, pa.binary(16))}, len(ids))


@given(ids=IDS, parts=st.integers(1, 5000))
def test_the_part_is_the_identitys_first_bits_scaled(ids, parts):
    expected = [int.from_bytes(item[:4], "big") * parts >> 32 for item in ids]
    found = part_of(named(ids), parts=parts)
    assert found.dtype == np.int64
    assert found.tolist() == expected
    assert all(0 <= part < parts for part in expected)


@given(ids=IDS, cut=st.integers(0, 50))
def test_the_part_does_not_depend_on_the_batch(ids, cut):
    batch = named(ids)
    pieces = [part_of(batch.slice(0, cut), parts=7), part_of(batch.slice(min(cut, len(ids))), parts=7)]
    assert np.concatenate(pieces).tolist() == part_of(batch, parts=7).tolist()


def test_parts_are_equally_full():
    batch = documents([f"x = {n}" for n in range(4000)])
    counts = np.bincount(part_of(batch, parts=8), minlength=8)
    assert counts.min() > 400
    assert counts.max() < 600


def test_twice_the_parts_cuts_every_part_in_two():
    batch = documents([f"x = {n}" for n in range(500)])
    assert (part_of(batch, parts=16) // 2 == part_of(batch, parts=8)).all()


ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "ä"]), st.sampled_from([None, "x.py", "y.py", ""]),
        st.sampled_from([b"1" * 16, b"2" * 16]), st.sampled_from([None, "p", "q"]),
    ),
    max_size=20,
)  # fmt: skip


def rows_of(rows) -> pa.RecordBatch:
    repo, path, ids, provenance = ([row[n] for row in rows] for n in range(4))
    return document_batch(
        {"repo": repo, "path": path, "doc_id": pa.array(ids, pa.binary(16)), "provenance": provenance},
        len(rows),
    )


@given(rows=ROWS, data=st.data())
def test_the_order_is_the_same_from_every_order(rows, data):
    shuffled = data.draw(st.permutations(rows))
    one, other = in_order(rows_of(rows)), in_order(rows_of(shuffled))
    assert one.equals(other)
    assert Counter(map(str, one.to_pylist())) == Counter(map(str, rows_of(rows).to_pylist()))


def test_the_order_is_by_repo_then_path():
    batch = documents(["1", "2", "3"], ["b.py", "a/z.py", "a.py"], repo="r")
    assert in_order(batch).column("path").to_pylist() == ["a.py", "a/z.py", "b.py"]


def test_no_rows_have_an_order():
    assert in_order(documents([])).num_rows == 0
    assert part_of(documents([]), parts=3).tolist() == []


def test_the_order_in_which_inputs_are_given_does_not_matter(tmp_path):
    specs = [str(write_tree(tmp_path / name, {f"{name}.py": "x = 1\n"})) for name in "abc"]
    work = Place(str(tmp_path / "work"))
    one, other = list_inputs(specs, PYTHON, work), list_inputs([*reversed(specs), specs[1]], PYTHON, work)
    assert one.specs == other.specs
    assert one.units == other.units
    assert one.fingerprint == other.fingerprint
    assert one.total_bytes == other.total_bytes == 18


def test_a_changed_file_changes_the_fingerprint(tmp_path):
    tree = write_tree(tmp_path / "a", {"a.py": "x = 1\n"})
    work = Place(str(tmp_path / "work"))
    before = list_inputs([str(tree)], PYTHON, work).fingerprint
    write_tree(tree, {"a.py": "x = 12\n"})
    assert list_inputs([str(tree)], PYTHON, work).fingerprint != before


def test_nothing_to_read_is_said_with_what_was_there(tmp_path):
    tree = write_tree(tmp_path / "a", {"a.txt": "x", "b.rs": "fn main() {}"})
    with pytest.raises(InputError, match="found files of languages that are not selected: 2") as error:
        list_inputs([str(tree)], PYTHON, Place(str(tmp_path / "work")))
    assert "ingest.languages" in (error.value.hint or "")
    assert str(tree) in error.value.what


def test_skipped_entries_of_all_sources_are_counted_together(tmp_path):
    files = {"a.py": "x = 1\n", "a.txt": "x", "b.rs": "fn main() {}"}
    specs = [str(write_tree(tmp_path / name, files)) for name in "ab"]
    skipped = list_inputs(specs, PYTHON, Place(str(tmp_path / "work"))).skipped
    assert sum(skipped.values()) == 4
    assert list(skipped) == sorted(skipped)


def inputs(tmp_path, files: dict[str, str]) -> Inputs:
    tree = write_tree(tmp_path / "tree", files)
    return list_inputs([str(tree)], PYTHON, Place(str(tmp_path / "work")))


def test_a_read_unit_yields_documents_and_leaves_a_marker(tmp_path):
    found = inputs(tmp_path, {f"f{n}.py": f"x = {n}\n" * 20 for n in range(6)})
    progress = Place(str(tmp_path / "read"))
    batches = [list(ReadUnit(PYTHON, progress, size)((3, found.units[0]))) for size in (64, 1 << 20)]
    assert len(batches[0]) > len(batches[1]) == 1
    assert pa.Table.from_batches(batches[0]).equals(pa.Table.from_batches(batches[1]))
    assert batches[0][0].schema == DOCUMENT
    assert progress.names() == ["0000003"]
    assert json.loads(progress.read("0000003")) == {}


def test_the_stage_depends_on_input_configuration_and_layout(tmp_path):
    found = inputs(tmp_path, {"a.py": "x = 1\n"})
    dataset, layout = Dataset(Place(str(tmp_path / "out"))), LayoutConfig()
    made = ingest_stage(dataset, found, PYTHON, layout)
    assert made.units == 1
    assert made.fingerprint == ingest_stage(dataset, found, PYTHON, layout).fingerprint
    others = [
        ingest_stage(dataset, found, IngestConfig(), layout),
        ingest_stage(dataset, found, PYTHON, LayoutConfig(part_bytes=1 << 20)),
        ingest_stage(dataset, inputs(tmp_path / "b", {"b.py": "x = 2\n"}), PYTHON, layout),
    ]
    assert made.fingerprint not in {other.fingerprint for other in others}


def documents_of(place: Place) -> list[dict]:
    names = [name for name in place.child("documents").names() if name.startswith("part-")]
    return [row for name in names for row in read_whole(place.child("documents"), name).to_pylist()]


FILES = {f"dir/f{n:02d}.py": f"value_{n} = {n}\n" * (n + 1) for n in range(30)}


def test_every_file_is_one_row_in_its_part_and_in_order(tmp_path):
    text = "extends: codex\nname: small\nlayout: {parts: 19}\n"
    tree = write_tree(tmp_path / "tree", FILES | {"big.py": "x = 1\n" * 200_000})
    place = build(tmp_path, tmp_path / "out", [tree], text=text, stages=("ingest",))
    dataset = Dataset(place)
    assert dataset.parts() == 19
    rows = documents_of(place)
    assert {row["path"]: row["content"] for row in rows} == FILES | {"big.py": "x = 1\n" * 200_000}
    for index in range(dataset.parts()):
        table = read_whole(dataset.documents, f"part-{index:05d}-of-00019.parquet")
        batch = table.combine_chunks().to_batches()
        assert all((part_of(piece, parts=19) == index).all() for piece in batch)
        keys = [(row["repo"], row["path"]) for row in table.to_pylist()]
        assert keys == sorted(keys)


def test_the_same_file_given_twice_is_read_once(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", FILES)
    place = build(tmp_path, tmp_path / "out", [path, path], stages=("ingest",))
    assert len(documents_of(place)) == len(FILES)


def test_the_same_rows_by_two_ways_are_two_rows_each(tmp_path):
    one, two = write_parquet(tmp_path / "a.parquet", FILES), write_jsonl(tmp_path / "b.jsonl.gz", FILES)
    place = build(tmp_path, tmp_path / "out", [one, two], stages=("ingest",))
    rows = documents_of(place)
    assert len(rows) == 2 * len(FILES)
    assert len({row["doc_id"] for row in rows}) == len(FILES)
    assert len({row["provenance"] for row in rows}) == 2 * len(FILES)
    assert list(place.child(".work").names()) == []
