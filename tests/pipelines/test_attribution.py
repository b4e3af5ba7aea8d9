"""Attribution: every kept file once, with the licence and who says so; the same by repository."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from columns.errors import OutputError
from columns.files import Place
from pipelines.attribution import FILES, REPOSITORIES, attributed, export, repositories
from pipelines.finished import Finished
from tests.pipelines.building import build, command
from tests.pipelines.corpus import corpus, write_tree

MIT = "# SPDX-License-Identifier: MIT\n"
TEXT = """
extends: codex
name: small
layout: {parts: 3}
tokenizer: {vocab_size: 600, sample_bytes: 400000}
pack: {seq_len: 64, shard_tokens: 65536}
contamination: {suites: []}
dedup: {near: false}
licenses: {detect: %s}
"""


@pytest.fixture(scope="module", params=["true", "false"])
def built(request, tmp_path_factory) -> tuple[Place, bool]:
    folder = tmp_path_factory.mktemp("attribution")
    files = dict(list(corpus().items())[:15]) | {"mit.py": MIT + "value = compute(1, 2)\n" * 3}
    one, two = (write_tree(folder / name, {f"{name}_{path}": f"# {name}\n{text}" for path, text in files.items()})
                for name in ("one", "two"))  # fmt: skip
    return build(folder, folder / "out", [one, two], text=TEXT % request.param), request.param == "true"


def test_every_kept_file_is_there_once(built):
    dataset = Finished.open(built[0])
    kept = {
        line["doc_id"]: line["split"]
        for part in dataset.parts() for line in dataset.ledger(part).to_pylist() if line["kept"]
    }  # fmt: skip
    rows = [row for batch in attributed(dataset) for row in batch.to_pylist()]
    assert {row["doc_id"]: row["split"] for row in rows} == kept
    assert len(rows) == len(kept) > 10
    assert all(row["path"] and row["repo"] and row["provenance"] and row["content_hash"] for row in rows)


def test_the_licence_says_who_says_so(built):
    place, detected = built
    rows = {row["path"]: row for batch in attributed(Finished.open(place)) for row in batch.to_pylist()}
    row = next(row for path, row in rows.items() if path.endswith("_mit.py"))
    assert (row["license"], row["license_from"]) == (("MIT", "header") if detected else (None, None))
    assert bool(row["license_evidence"]) == detected


def test_repositories_add_up(built):
    files = list(attributed(Finished.open(built[0])))
    found = repositories(iter(files)).to_pylist()
    assert [row["repo"] for row in found] == ["one", "two"]
    assert sum(row["files"] for row in found) == sum(batch.num_rows for batch in files)
    assert sum(row["bytes"] for row in found) == sum(sum(batch.column("size").to_pylist()) for batch in files)
    assert ("MIT" in found[0]["licenses"]) == built[1]


@pytest.mark.parametrize(("by_repository", "schema"), [(False, FILES), (True, REPOSITORIES)])
def test_export_writes_the_table_whole(built, tmp_path, by_repository, schema):
    target = tmp_path / "a.parquet"
    rows = export(Finished.open(built[0]), str(target), by_repository=by_repository)
    table = pq.read_table(target)
    assert table.schema.equals(schema)
    assert table.num_rows == rows
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert all(field.metadata and b"about" in field.metadata for field in schema)


def test_a_folder_that_is_not_there_is_refused(built, tmp_path):
    with pytest.raises(OutputError, match="no such folder"):
        export(Finished.open(built[0]), str(tmp_path / "none" / "a.parquet"))


@pytest.mark.slow
def test_the_command_says_what_it_wrote(built, tmp_path):
    target = f"{tmp_path}/a.parquet"
    done = command("export-attribution", built[0].url, "--output", target, "--by-repository", check=True)
    assert done.stdout == f"{target}: 2 repositories\n"
