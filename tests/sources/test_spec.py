from __future__ import annotations

from pathlib import Path

import pytest
from reads import git, repository

from columns.errors import InputError
from sources import IngestConfig, parse_spec
from sources.git.source import GitSource
from sources.tables.jsonl import JsonlSource
from sources.tables.parquet import ParquetSource
from sources.trees.source import TreeSource


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("git:https://h/a/b", GitSource("https://h/a/b")),
        ("git:https://h/a/b@v1.0", GitSource("https://h/a/b", "v1.0")),
        ("git:ssh://user@h/a/b.git", GitSource("ssh://user@h/a/b.git")),
        ("git:ssh://user@h:22/a/b.git@feature/x", GitSource("ssh://user@h:22/a/b.git", "feature/x")),
        ("git+https://h/a/b@main", GitSource("https://h/a/b", "main")),
        ("git+ssh://git@h/a/b.git", GitSource("ssh://git@h/a/b.git")),
        ("https://h/a/b.git", GitSource("https://h/a/b.git")),
        ("https://h/a/b.git@main", GitSource("https://h/a/b.git", "main")),
        ("git@h:a/b.git", GitSource("ssh://git@h/a/b.git")),
        ("git@h:a/b.git@v1", GitSource("ssh://git@h/a/b.git", "v1")),
        ("parquet:gs://b/x-*.parquet", ParquetSource("gs://b/x-*.parquet")),
        ("gs://b/x.parquet", ParquetSource("gs://b/x.parquet")),
        ("memory://b/x.jsonl.zst", JsonlSource("memory://b/x.jsonl.zst")),
        ("jsonl:gs://b/data", JsonlSource("gs://b/data")),
    ],
)
def test_urls(text: str, expected: object) -> None:
    assert parse_spec(text) == expected


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "code/a.py",
        "tables/a.parquet",
        "tables/b.parquet",
        "lines/a.jsonl",
        "lines/b.json.gz",
        "mixed/a.parquet",
        "mixed/a.py",
        "one.jsonl",
        "odd.txt",
        "with@at/a.py",
        "colon:name/a.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("code", TreeSource("code")),
        ("tree:code", TreeSource("code")),
        ("mixed", TreeSource("mixed")),
        ("tables", ParquetSource("tables")),
        ("lines", JsonlSource("lines")),
        ("tree:tables", TreeSource("tables")),
        ("one.jsonl", JsonlSource("one.jsonl")),
        ("tables/*.parquet", ParquetSource("tables/*.parquet")),
        ("tables/a.parquet", ParquetSource("tables/a.parquet")),
        ("with@at", TreeSource("with@at")),
        ("git:with@at", GitSource("with@at")),
        ("colon:name", TreeSource("colon:name")),
        (".", TreeSource(".")),
        ("git:code@main", GitSource("code", "main")),
    ],
)
def test_detection(text: str, expected: object, place: Path) -> None:
    assert parse_spec(text) == expected


def test_repositories(place: Path) -> None:
    repository(place / "work", {"a.py": b"x"})
    git(place, "clone", "-q", "--bare", "work", "bare.git")
    git(place, "clone", "-q", "--bare", "work", "bare")
    assert parse_spec("work") == TreeSource("work")
    assert parse_spec("bare") == GitSource("bare")
    assert parse_spec("bare.git") == GitSource("bare.git")
    assert parse_spec("bare.git@main") == GitSource("bare.git", "main")
    assert parse_spec(f"git+file://{place}/bare.git@main") == GitSource(f"{place}/bare.git", "main")


@pytest.mark.parametrize(
    "text", ["tree:code", "git:https://h/a/b@v1", "parquet:gs://b/*.parquet", "jsonl:one.jsonl"]
)
def test_spec_reads_back(text: str, place: Path) -> None:
    source = parse_spec(text)
    assert source.spec == text
    assert parse_spec(source.spec) == source


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("", "not a source", "tree:PATH"),
        ("a\0b", "not a source", "tree:PATH"),
        ("coed", "no such file", "did you mean code?"),
        ("tree:coed", "no such file", "did you mean code?"),
        ("tables/c.parquet", "no such file", "did you mean tables/a.parquet or tables/b.parquet?"),
        ("nowhere/at/all", "no such file", "no directory 'nowhere/at'"),
        ("parqet:x", "unknown kind of source 'parqet'", "parquet:PATH_OR_GLOB"),
        ("https://h/page", "unknown kind of source 'https'", "git:PATH"),
        ("odd.txt", "not a kind of file", "parquet:"),
        ("git:code@", "no ref after '@'", "HEAD"),
    ],
)
def test_errors(text: str, what: str, hint: str, place: Path) -> None:
    with pytest.raises(InputError) as caught:
        parse_spec(text)
    assert what in caught.value.what
    assert hint in (caught.value.hint or "")


def test_unknown_filesystem() -> None:
    source = parse_spec("parquet:nosuch://x/*.parquet")
    with pytest.raises(InputError, match="nosuch"):
        source.units(IngestConfig())
