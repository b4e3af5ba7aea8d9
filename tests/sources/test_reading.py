"""What holds for every kind of source alike."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reads import ids, read, read_all, repository

from columns.document import DOCUMENT, PROBLEMS
from sources import IngestConfig, parse_spec, read_unit
from sources.unit import Unit

TEXTS = {f"src/f{i:02}.py": f"x{i} = {i}\n" * (i + 1) for i in range(30)} | {
    "nul.py": "\0" * 9,
    "big.py": "x" * 900,
}
CONFIG = IngestConfig(max_bytes=800)


def make_tree(folder: Path) -> str:
    for name, text in TEXTS.items():
        (folder / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "project" / name).write_text(text)
    return str(folder / "project")


def make_git(folder: Path) -> str:
    repository(folder / "project", {name: text.encode() for name, text in TEXTS.items()})
    return f"git:{folder / 'project'}"


def make_parquet(folder: Path) -> str:
    columns = {"repo": ["project"] * len(TEXTS), "path": list(TEXTS), "content": list(TEXTS.values())}
    pq.write_table(pa.table(columns), folder / "t.parquet", row_group_size=7)
    return str(folder / "t.parquet")


def make_jsonl(folder: Path) -> str:
    for at in range(0, len(TEXTS), 10):
        rows = [{"repo": "project", "path": p, "content": TEXTS[p]} for p in list(TEXTS)[at : at + 10]]
        (folder / f"{at}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"jsonl:{folder}"


KINDS = {"tree": make_tree, "git": make_git, "parquet": make_parquet, "jsonl": make_jsonl}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def ids_of(unit: Unit) -> list[bytes]:
    return [i for batch in read_unit(unit, CONFIG) for i in batch.column("doc_id").to_pylist()]


@every_kind
def test_every_row_is_complete(make: Callable[[Path], str], tmp_path: Path) -> None:
    table = read(make(tmp_path), CONFIG)
    assert table.schema == DOCUMENT
    assert table.num_rows == len(TEXTS)
    for row in table.to_pylist():
        assert all(
            row[name] is not None
            for name in ("doc_id", "path", "lossy", "size", "source", "provenance", "language")
        )
        assert (row["content"] is None) == (row["problem"] is not None) == (row["content_hash"] is None)
        assert row["problem"] is None or row["problem"].split(":")[0] in PROBLEMS
        assert row["content"] in (None, TEXTS[row["path"]])
    problems = {row["path"]: row["problem"] for row in table.to_pylist() if row["problem"]}
    assert problems == {"nul.py": "binary", "big.py": "too_large"}


@every_kind
def test_batch_size_changes_nothing(make: Callable[[Path], str], tmp_path: Path) -> None:
    spec = make(tmp_path)
    whole = read(spec, CONFIG)
    for batch_bytes in (1, 100, 1000, 16 << 20):
        assert read(spec, CONFIG, batch_bytes=batch_bytes).equals(whole)


@every_kind
def test_batches_are_bounded(make: Callable[[Path], str], tmp_path: Path) -> None:
    for unit in parse_spec(make(tmp_path)).units(CONFIG).units:
        for batch in read_unit(unit, CONFIG, batch_bytes=300):
            assert (
                batch.num_rows == 1 or sum(len(c or "") for c in batch.column("content").to_pylist()) <= 300
            )


@every_kind
def test_units_read_the_same_in_another_process(make: Callable[[Path], str], tmp_path: Path) -> None:
    units = parse_spec(make(tmp_path)).units(CONFIG).units
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        assert pool.map(ids_of, units) == [ids_of(unit) for unit in units]


@every_kind
def test_listing_is_a_function_of_the_input(make: Callable[[Path], str], tmp_path: Path) -> None:
    source = parse_spec(make(tmp_path))
    first, second = source.units(CONFIG), source.units(CONFIG)
    assert first == second
    assert all(unit.bytes > 0 for unit in first.units)
    assert first.total_bytes > 0


def test_identity_is_the_same_from_every_source(tmp_path: Path) -> None:
    found = []
    for name, make in KINDS.items():
        (tmp_path / name).mkdir()
        found.append(read(make(tmp_path / name), CONFIG))
    tree, commits, parquet, jsonl = found
    assert ids(tree) == ids(parquet) == ids(jsonl) == ids(commits), (
        "a commit is no part of a document's identity"
    )
    hashes = [sorted(t.column("content_hash").drop_null().to_pylist()) for t in found]
    assert all(h == hashes[0] for h in hashes)


def test_order_of_files_and_rows_changes_no_id(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    forward, backward = list(TEXTS), list(TEXTS)[::-1]
    for folder, names in (("a", forward), ("b", backward)):
        lines = [json.dumps({"path": n, "content": TEXTS[n]}) for n in names]
        (tmp_path / folder / "one.jsonl").write_text("\n".join(lines[:9]))
        (tmp_path / folder / "two.jsonl").write_text("\n".join(lines[9:]))
    assert ids(read(f"jsonl:{tmp_path / 'a'}")) == ids(read(f"jsonl:{tmp_path / 'b'}"))


def test_skipped_is_optional_and_adds_up(tmp_path: Path) -> None:
    spec, config = make_parquet(tmp_path), IngestConfig(languages=("go",))
    table, skipped, listing = read_all(spec, config)
    assert (table.num_rows, skipped["other_language"]) == (0, len(TEXTS))
    assert list(read_unit(listing.units[0], config)) == []
