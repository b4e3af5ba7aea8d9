"""The real clients against an emulator that holds the public dataset's tables."""

from __future__ import annotations

import pickle
from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from bigquery_emulator import DATASET, github_tables

from columns.document import DOCUMENT
from columns.errors import InputError
from sources import IngestConfig, language_of, read_unit
from sources.bigquery import (
    BigQueryQuery,
    BigQueryTable,
    GithubRepos,
    bigquery_source,
    sessions,
)

pytestmark = pytest.mark.xdist_group("bigquery")

CASES = {
    "python": (GithubRepos(languages=("python",)), IngestConfig()),
    "of the recipe": (GithubRepos(), IngestConfig(languages=("c++", "python"))),
    "everything": (GithubRepos(), IngestConfig()),
    "one licence": (GithubRepos(licenses=("mit",)), IngestConfig()),
    "two licences": (GithubRepos(licenses=("gpl-3.0", "apache-2.0")), IngestConfig(languages=("makefile",))),
    "sizes": (GithubRepos(min_bytes=100, max_bytes=700), IngestConfig(max_bytes=500)),
    "stars": (GithubRepos(min_stars=60), IngestConfig()),
    "sample": (GithubRepos(sample=True, licenses=("mit", "gpl-3.0")), IngestConfig()),
    "evidence": (GithubRepos(), IngestConfig(languages=("go",), evidence=r"(.*/)?license(\.txt)?")),
}


def read(source, config=None, batch_bytes=1 << 20):
    config = config or IngestConfig()
    skipped = Counter()
    listing = source.units(config)
    batches = [
        b for unit in listing.units for b in read_unit(unit, config, batch_bytes=batch_bytes, skipped=skipped)
    ]
    return pa.Table.from_batches(batches, DOCUMENT), listing, skipped


def expected(query, config):
    """The same selection row by row in Python, written from the description and not from the SQL."""
    tables = {name: table.to_pylist() for name, table in github_tables().items()}
    prefix = "sample_" if query.sample else ""
    licenses, stars = {}, {}
    for row in tables["licenses"]:
        licenses.setdefault(row["repo_name"], set()).add(row["license"])
    for row in tables["sample_repos"]:
        stars[row["repo_name"]] = row["watch_count"]
    wanted = query.languages or config.languages

    def passes(row):
        stated = licenses.get(row["repo_name"], set())
        by_name = not wanted or language_of(row["path"]) in wanted
        named = by_name or (
            config.evidence and row["path"].lower().rsplit("/", 1)[-1] in ("license", "license.txt")
        )
        licensed = not query.licenses or (stated and stated <= set(query.licenses))
        return named and licensed and not row["symlink_target"] and stars[row["repo_name"]] >= query.min_stars

    found = {}
    for row in filter(passes, tables[f"{prefix}files"]):
        order = (
            -stars[row["repo_name"]] if query.min_stars else 0,
            row["repo_name"],
            row["path"],
            row["ref"],
        )
        found[row["id"]] = min(found.get(row["id"], order), order)
    limit = min(query.max_bytes, config.max_bytes)
    stated = {name: ", ".join(sorted(listed)) for name, listed in licenses.items()}
    return {
        row["id"]: (*found[row["id"]][1:], stated.get(found[row["id"]][1]), row["content"])
        for row in tables[f"{prefix}contents"]
        if row["id"] in found and row["content"] and not row["binary"] and query.min_bytes <= row["size"] <= limit
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_github_repos_gives_each_content_once_from_the_origin_that_the_slow_twin_chooses(emulator, case):
    query, config = CASES[case]
    table, listing, _ = read(BigQueryQuery("github_repos", query, emulator.config()), config)
    rows = {
        row["blob_id"]: (row["repo"], row["path"], row["ref"], row["license"], row["content"])
        for row in table.to_pylist()
    }
    assert rows == expected(query, config)
    assert rows, "a case that selects nothing proves nothing"
    assert len(rows) == len(table) == listing.files
    assert not any(table.column("problem").to_pylist())


def test_stars_are_a_column_where_they_are_asked_for(emulator):
    table, _, _ = read(BigQueryQuery("github_repos", GithubRepos(min_stars=60), emulator.config()))
    assert min(table.column("stars").to_pylist()) >= 60
    assert set(table.column("source").to_pylist()) == {"bigquery"}


def test_the_same_query_gives_the_same_documents_and_stamp(emulator):
    source = BigQueryQuery("github_repos", GithubRepos(), emulator.config())
    first, second = read(source), read(source, batch_bytes=500)
    assert first[1].stamp == second[1].stamp
    assert first[0].sort_by("doc_id").equals(second[0].sort_by("doc_id"))
    assert len(first[0].to_batches()) < len(second[0].to_batches())


def test_another_query_is_another_stamp(emulator):
    settings = emulator.config()
    stamps = [
        BigQueryQuery("github_repos", query, settings).units(IngestConfig()).stamp
        for query in (GithubRepos(), GithubRepos(min_bytes=1))
    ]
    assert stamps[0] != stamps[1]


def test_a_table_is_read_as_it_was_loaded(emulator):
    rows = pa.table({
        "id": ["a" * 40, "b" * 40, None], "repo_name": ["r/1", "r/2", "r/3"], "path": ["a.py", None, "b.go"],
        "content": ["x = 'é'\n", None, "package b"], "binary": [False, True, False], "copies": [1, 1, 1],
        "watchers": [5, 6, 7], "unused": ["u", "v", "w"],
    })  # fmt: skip
    emulator.load("billed.code.files", rows)
    config = IngestConfig(columns=(("stars", "watchers"),))
    table, listing, _ = read(BigQueryTable("billed.code.files", settings=emulator.config()), config)
    found = {row["repo"]: row for row in table.to_pylist()}
    assert found["r/1"]["content"] == "x = 'é'\n"
    assert found["r/1"]["provenance"] == f"{listing.units[0].name}#id={'a' * 40}"
    assert listing.units[0].name.startswith("billed.code.files@20")
    assert found["r/2"]["problem"] == "binary"
    assert found["r/2"]["path"] == found["r/2"]["provenance"]
    assert found["r/3"]["provenance"] == listing.units[0].name
    assert [found[name]["stars"] for name in ("r/1", "r/2", "r/3")] == [5, 6, 7]
    again = BigQueryTable("billed.code.files", settings=emulator.config()).units(config)
    assert again.stamp == listing.stamp
    emulator.load("billed.code.files", rows.slice(1))
    assert BigQueryTable("billed.code.files", settings=emulator.config()).units(config).stamp != listing.stamp


def test_rows_of_other_languages_are_counted(emulator):
    emulator.load("billed.code.two", pa.table({"path": ["a.py", "b.go"], "content": ["1", "2"]}))
    source = BigQueryTable("billed.code.two", settings=emulator.config())
    table, _, skipped = read(source, IngestConfig(languages=("go",)))
    assert table.column("path").to_pylist() == ["b.go"]
    assert skipped == {"other_language": 1}


def test_every_stream_of_a_larger_table_gives_its_rows_once(emulator, monkeypatch):
    monkeypatch.setattr(sessions, "UNIT_BYTES", 1 << 20)
    count = 250_000
    numbers = pa.array(range(count)).cast(pa.string())
    emulator.load("billed.code.many", pa.table({"path": numbers, "content": numbers}))
    settings = emulator.config()
    table, listing, _ = read(BigQueryTable("billed.code.many", settings=settings))
    assert sorted(table.column("content").to_pylist()) == sorted(numbers.to_pylist())
    assert listing.files == count
    assert len(listing.units) == len({unit.location for unit in listing.units}) == 3
    assert all(pickle.loads(pickle.dumps(unit)) == unit for unit in listing.units)
    assert all(len(pickle.dumps(unit)) < 4096 for unit in listing.units)


def test_an_empty_table_has_no_units(emulator):
    emulator.load(
        "billed.code.none",
        pa.table({"path": pa.array([], pa.string()), "content": pa.array([], pa.string())}),
    )
    assert BigQueryTable("billed.code.none", settings=emulator.config()).units(IngestConfig()).units == ()


def test_a_query_file_with_a_column_map(emulator, tmp_path):
    file = tmp_path / "mine.sql"
    file.write_text(
        f"SELECT id AS body, repo_name, path FROM `{DATASET}.files` WHERE symlink_target IS NULL;\n"
    )
    config = IngestConfig(columns=(("content", "body"),))
    source = bigquery_source(str(file), emulator.config())
    table, _, _ = read(source, config)
    files = [row for row in github_tables()["files"].to_pylist() if not row["symlink_target"]]
    assert sorted(table.column("content").to_pylist()) == sorted(row["id"] for row in files)
    assert source.estimate(config).tables == (f"{DATASET}.files",)


def test_a_query_without_content_is_refused_before_it_runs(emulator, tmp_path):
    file = tmp_path / "mine.sql"
    file.write_text(f"SELECT id, path FROM `{DATASET}.files`")
    with pytest.raises(InputError, match="no column of file contents; found: id, path"):
        bigquery_source(str(file), emulator.config()).units(IngestConfig())


@pytest.mark.parametrize("table", ["billed.code.nothing", "billed.nowhere.files"])
def test_a_table_that_is_not_there_is_one_clear_error(emulator, table):
    with pytest.raises(InputError, match=r"(?i)not found") as caught:
        BigQueryTable(table, settings=emulator.config()).units(IngestConfig())
    assert caught.value.hint


def test_wrong_sql_is_one_clear_error(emulator, tmp_path):
    file = tmp_path / "wrong.sql"
    file.write_text("SELEKT content")
    with pytest.raises(InputError, match=r"wrong\.sql"):
        bigquery_source(str(file), emulator.config()).estimate(IngestConfig())


def test_a_state_of_the_past_is_part_of_the_query(emulator):
    now, before = datetime.now(UTC).isoformat(timespec="seconds"), "2001-01-01T00:00:00Z"
    table, _, _ = read(BigQueryQuery("github_repos", GithubRepos(at=now), emulator.config()))
    assert len(table) == len(expected(GithubRepos(), IngestConfig()))
    with pytest.raises(InputError, match="2001"):
        BigQueryQuery("github_repos", GithubRepos(at=before), emulator.config()).units(IngestConfig())


def test_a_kept_result_is_read_again_and_nothing_runs(emulator):
    settings = emulator.config(destination="billed.code.kept")
    source = BigQueryQuery("github_repos", GithubRepos(languages=("python",)), settings)
    emulator.load("billed.code.two", pa.table({"path": ["a.py"], "content": ["1"]}))
    first = read(source)
    second = read(source)
    assert first[0].sort_by("doc_id").equals(second[0].sort_by("doc_id"))
    with pytest.raises(InputError, match="another query"):
        BigQueryQuery("github_repos", GithubRepos(languages=("go",)), settings).units(IngestConfig())
