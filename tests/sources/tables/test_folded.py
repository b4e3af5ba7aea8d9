"""One row per repository: unfolded to files, with the repository's own columns repeated."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads import read, read_all

from columns.errors import InputError
from sources import IngestConfig
from sources.tables.folded import empty, read_header, unfold

SHA, BLOB = "1" * 40, "2" * 40


def file(path: str, content: str | None, **more: Any) -> dict[str, Any]:
    return {"blob_id": BLOB, "path": path, "content": content, "language": "Python", "length_bytes": 3,
            "detected_licenses": ["MIT"], "src_encoding": "UTF-8", **more}  # fmt: skip


def repository(name: str, *files: dict[str, Any] | None) -> dict[str, Any]:
    """A row as of the-stack-v2-train, with contents."""
    return {"repo_name": name, "revision_id": SHA, "star_events_count": 5, "gha_license_id": "GPL-3.0",
            "revision_date": "2020-01-02T03:04:05", "files": list(files), "num_files": len(files)}  # fmt: skip


ROWS = [
    repository("a/one", file("a.py", "a = 1\n"), file("b.c", "b = 2\n", language="C")),
    repository("b/two"),
    repository("c/three", file("c.py", None)),
]
SCHEMA = pa.Table.from_pylist(ROWS).schema


def save(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, row_group_size=2)
    else:
        raw = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        path.write_bytes(gzip.compress(raw) if kind.endswith("gz") else raw)
    return path


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "jsonl.gz"])
def test_files_are_rows(kind: str, tmp_path: Path) -> None:
    table, skipped, _ = read_all(save(tmp_path, kind, ROWS))
    names = ("repo", "ref", "path", "content", "language", "license", "stars", "blob_id", "problem")
    assert [tuple(row[name] for name in names) for row in table.to_pylist()] == [
        ("a/one", SHA, "a.py", "a = 1\n", "python", "MIT", 5, BLOB, None),
        ("a/one", SHA, "b.c", "b = 2\n", "c", "MIT", 5, BLOB, None),
        ("c/three", SHA, "c.py", None, "python", "MIT", 5, BLOB, "missing"),
    ]
    assert skipped == {"empty_repository": 1}
    assert table["updated"][0].as_py().year == 2020
    rows = ("row=0", "row=0", "row=2") if kind == "parquet" else ("line=1", "line=1", "line=3")
    places = [f"t.{kind}#{row} file={number}" for row, number in zip(rows, (0, 1, 0), strict=True)]
    assert table["provenance"].to_pylist() == places


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@pytest.mark.parametrize("batch_bytes", [1, 10, 1 << 20])
def test_batches_change_nothing(kind: str, batch_bytes: int, tmp_path: Path) -> None:
    path = save(tmp_path, kind, ROWS * 5)
    assert read(path, batch_bytes=batch_bytes).combine_chunks() == read(path).combine_chunks()
    config = IngestConfig(languages=("c",))
    table, skipped, _ = read_all(path, config)
    assert (table.num_rows, skipped["other_language"]) == (5, 10)


def test_without_contents_of_its_files_it_is_refused(tmp_path: Path) -> None:
    row = {"repo_name": "a/b", "files": [{"blob_id": BLOB, "path": "a.py"}]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text(json.dumps(row))
    for name in ("t.parquet", "t.jsonl"):
        with pytest.raises(
            InputError, match=f"{name}: files: no column of file contents; found: blob_id, path"
        ):
            read(tmp_path / name)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_columns_are_named_inside_and_outside(kind: str, tmp_path: Path) -> None:
    row = {"name": "a/b", "files": [{"body": "x = 1\n", "where": "a.py"}]}
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        path.write_text(json.dumps(row))
    config = IngestConfig(columns=(("content", "body"), ("path", "where"), ("repo", "name")))
    assert read(path, config).select(["repo", "path", "content"]).to_pylist() == [
        {"repo": "a/b", "path": "a.py", "content": "x = 1\n"}
    ]


def test_odd_rows_cost_themselves(tmp_path: Path) -> None:
    odd = [
        {**ROWS[0], "files": files} for files in ([1, "x", None], [{}], {"path": "a"}, None, [{"content": 1}])
    ]
    path = save(tmp_path, "jsonl", [ROWS[0], *odd])
    problems = [(row["problem"] or "").split(":")[0] for row in read(path).to_pylist()]
    assert problems == ["", "", *["malformed"] * 3, "missing", "missing", "missing", "malformed"]
    rows = pa.Table.from_pylist([ROWS[0], {**ROWS[0], "files": None}, {**ROWS[0], "files": [None]}], SCHEMA)
    pq.write_table(rows, tmp_path / "t.parquet")
    table, skipped, _ = read_all(tmp_path / "t.parquet")
    assert (table["problem"].to_pylist(), skipped) == ([None, None, "missing"], {"empty_repository": 1})


def test_a_table_of_files_that_names_its_neighbours_is_one_of_files(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"content": ["x"], "path": ["a.py"], "files": [["b.py"]]}), tmp_path / "t.parquet"
    )
    assert read(tmp_path / "t.parquet")["content"].to_pylist() == ["x"]


@given(st.lists(st.one_of(st.none(), st.lists(st.integers(0, 9), max_size=4)), max_size=8), st.data())
def test_equals_the_slow_twin_on_slices(counts: list[list[int] | None], data: st.DataObject) -> None:
    kind = pa.list_(pa.struct({"content": pa.string()}))
    if data.draw(st.booleans()):
        kind = pa.large_list(kind.value_type)
    lists = [None if one is None else [{"content": str(number)} for number in one] for one in counts]
    batch = pa.record_batch({"repo": [str(n) for n in range(len(counts))], "files": pa.array(lists, kind)})
    start = data.draw(st.integers(0, len(counts)))
    batch, kept = batch.slice(start), counts[start:]
    found = unfold(batch, read_header("t", ["repo", "files"], ["content"]))
    expected = [(str(start + row), str(number)) for row, one in enumerate(kept) for number in one or ()]
    assert (
        list(zip(found.columns["repo"].to_pylist(), found.columns["content"].to_pylist(), strict=True))
        == expected
    )
    assert found.file.tolist() == [number for one in kept for number in range(len(one or ()))]
    assert empty(batch) == sum(not one for one in kept)
