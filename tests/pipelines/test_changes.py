"""Changes: the change log against a plain comparison of two lists of files."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.files import Place
from columns.hashing import doc_id
from columns.tables import read_whole, write_table
from pipelines.changes import CHANGE, KINDS, changes, write_changes
from pipelines.dataset import Dataset, Names
from pipelines.ledger import LEDGER
from pipelines.stage import Stage, UnitRecord

Row = tuple[str, str, str, str | None]
"""Repository, path, text, and the rule that drops it."""


def ledger(place: Place, rows: list[Row], parts: int) -> Place:
    """A dataset of nothing but a ledger, files in the parts that their ids choose."""
    dataset, names = Dataset(place), Names(parts)
    stage = Stage("ingest", dataset.documents, "x", parts)
    stage.begin()
    for part in range(parts):
        mine = [row for row in rows if identity(row)[0] % parts == part]
        batch = pa.RecordBatch.from_pylist([
            {"doc_id": identity(row), "repo": row[0], "path": row[1], "kept": row[3] is None, "rule": row[3]}
            for row in mine
        ], schema=pa.schema([LEDGER.field(name) for name in ("doc_id", "repo", "path", "kept", "rule")]))  # fmt: skip
        write_table(dataset.ledger, names.part(part), [batch], batch.schema)
        dataset.documents.write_bytes(names.part(part), b"")
        stage.record(part, UnitRecord((names.part(part),), {}, {}))
    stage.commit()
    return place


def identity(row: Row) -> bytes:
    return doc_id(row[0], None, row[1], row[2].encode().ljust(32))


def slowly(old: list[Row], new: list[Row]) -> Counter[tuple[str, str, str]]:
    """The same by comparing every file with every other one."""
    left, found, fresh = list(old), Counter(), []
    for row in new:
        match = next((one for one in left if one[:3] == row[:3]), None)
        if match is None:
            fresh.append(row)
            continue
        left.remove(match)
        if (match[3] is None) != (row[3] is None):
            copy = match[3] in {"exact_duplicate", "near_duplicate"}
            kind = "dropped" if row[3] else "promoted" if copy else "kept"
            found[kind, row[0], row[1]] += 1
    for row in fresh:
        match = next((one for one in left if one[:2] == row[:2]), None)
        if match is not None:
            left.remove(match)
        found["changed" if match else "added", row[0], row[1]] += 1
    for row in left:
        found["removed", row[0], row[1]] += 1
    return found


RULES = st.sampled_from([None, None, "exact_duplicate", "near_duplicate", "line_max"])
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from("xyz"), st.sampled_from("12"), RULES), max_size=12
)


@given(old=ROWS, new=ROWS, parts=st.tuples(st.integers(1, 3), st.integers(1, 3)))
@settings(max_examples=60, deadline=None)
def test_changes_are_those_of_a_plain_comparison(tmp_path_factory, old, new, parts):
    seen: dict[tuple[str, str, str], str | None] = {}
    old, new = ([(*row[:3], seen.setdefault((side, *row[:3]), row[3])) for row in rows]
                for side, rows in (("old", old), ("new", new)))  # fmt: skip
    folder = tmp_path_factory.mktemp("changes")
    one = ledger(Place(str(folder / "old")), old, parts[0])
    two = ledger(Place(str(folder / "new")), new, parts[1])
    found = changes(one, two)
    assert found.schema.equals(CHANGE)
    rows = found.to_pylist()
    assert Counter((row["change"], row["repo"], row["path"]) for row in rows) == slowly(old, new)
    for row in rows:
        assert (row["doc_id"] is None) == (row["kept"] is None) == (row["change"] == "removed")
        assert (row["doc_id_before"] is None) == (row["kept_before"] is None) == (row["change"] == "added")


@pytest.fixture
def pair(tmp_path):
    same = ("a", "same", "1", None)
    old = [("a", "gone", "1", None), same, ("a", "copy", "1", "near_duplicate"), ("b", "x", "1", None)]
    new = [same, ("a", "copy", "1", None), ("b", "x", "2", "line_max"), ("b", "new", "1", None)]
    places = (Place(str(tmp_path / name)) for name in ("old", "new"))
    return [ledger(place, rows, 2) for place, rows in zip(places, (old, new), strict=True)]


def test_the_list_is_written_and_counted(pair):
    counts = write_changes(pair[1], changes(*pair))
    assert tuple(counts) == KINDS
    assert counts == {"added": 1, "removed": 1, "changed": 1, "promoted": 1, "kept": 0, "dropped": 0}
    rows = read_whole(pair[1], "changes.parquet").to_pylist()
    assert [(row["change"], row["path"], row["rule"], row["rule_before"]) for row in rows] == [
        ("added", "new", None, None), ("changed", "x", "line_max", None),
        ("promoted", "copy", None, "near_duplicate"), ("removed", "gone", None, None),
    ]  # fmt: skip


def test_a_dataset_beside_itself_has_no_changes(pair):
    assert changes(pair[0], pair[0]).num_rows == 0
