from __future__ import annotations

import dataclasses
import gzip
import json
from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from crawling import read_source
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from sources import IngestConfig
from sources.github import Facts, GithubChoice, GithubConfig
from sources.github.facts import NAME, repository_name
from sources.github.lists import Wanted, distinct, from_entry, from_file


def listed(path, config=None, **settings):
    skipped: Counter[str] = Counter()
    found = list(from_file(str(path), config or IngestConfig(), GithubChoice(**settings), skipped))
    return found, skipped


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a/b", "a/b"),
        (" a/b.git ", "a/b"),
        ("https://github.com/a/b", "a/b"),
        ("https://github.com/a/b.git", "a/b"),
        ("https://github.com/a/b/tree/main/src", "a/b"),
        ("http://127.0.0.1:8080/a/b.git", "a/b"),
        ("git://github.com/a/b", "a/b"),
        ("ssh://git@github.com/a/b.git", "a/b"),
        ("git@github.com:a/b.git", "a/b"),
        ("github.com/a/b", "a/b"),
        ("https://me:pw@github.com/a/b", "a/b"),
        ("a/.github", "a/.github"),
        ("a", None),
        ("", None),
        ("a/", None),
        ("/etc/passwd", "etc/passwd"),
        ("a/..", None),
        ("../b", None),
        ("-a/b", None),
        ("a/b c", None),
        ("a/b\nc", None),
        ("a/b?x=1", None),
        ("a%2f/b", None),
        ("\u0430/b", None),
    ],
)
def test_names(written, name):
    assert repository_name(written) == name


@given(st.text(max_size=40))
def test_names_are_safe_in_urls_and_paths(text):
    name = repository_name(text)
    assert name is None or (
        NAME.fullmatch(name) and name.count("/") == 1 and "/.." not in name and "@" not in name
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b@main", ("a/b", "main")),
        ("a/b@feature/x", ("a/b", "feature/x")),
        ("https://github.com/a/b@v1", ("a/b", "v1")),
        ("git@github.com:a/b.git", ("a/b", None)),
        ("https://me:pw@github.com/a/b", ("a/b", None)),
        ("a/b@--upload-pack=x", ("a/b", None)),
    ],
)
def test_entries(text, expected):
    assert from_entry(text)[:2] == expected


def test_text(tmp_path):
    path = tmp_path / "l.txt"
    path.write_bytes(b"\xef\xbb\xbf# mine\n\na/b\r\nhttps://github.com/c/d  # good\n")
    assert listed(path)[0] == [Wanted("a/b"), Wanted("c/d")]
    path.write_text("a/b\nhttps://me:hush@x/y\n")
    with pytest.raises(InputError, match=r"l\.txt, line 2: not a repository") as caught:
        listed(path)
    assert "hush" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        listed(tmp_path / "nothing.txt")


ROWS = [
    {
        "repo_name": "a/b",
        "stars": 5,
        "forks": 1,
        "license": "MIT",
        "pushed_at": "2024-01-01T00:00:00Z",
        "fork_of": "x/y",
    },
    {"repo_name": "bad", "stars": 1, "forks": 1, "license": None, "pushed_at": None, "fork_of": None},
    {
        "repo_name": "c/d@v1",
        "stars": None,
        "forks": None,
        "license": None,
        "pushed_at": None,
        "fork_of": None,
    },
]
EXPECTED = [
    Wanted(
        "a/b",
        None,
        Facts(stars=5, forks=1, license="MIT", updated="2024-01-01T00:00:00+00:00", fork_of="x/y"),
    ),
    Wanted("c/d", "v1"),
]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "jsonl.gz", "ndjson.zst"])
def test_tables(suffix, tmp_path):
    path = tmp_path / f"l.{suffix}"
    raw = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        pack = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}
        path.write_bytes(pack.get(suffix.rpartition(".")[2], bytes)(raw))
    assert listed(path) == (EXPECTED, {"not_a_repository": 1})


def test_columns_by_other_names(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"full_name": "a/b"}\n{"where": "c/d", "watchers": "9"}\n')
    config = IngestConfig(columns=(("repo", "where"), ("stars", "watchers")))
    assert listed(path)[0] == [Wanted("a/b")]
    assert listed(path, config)[0] == [Wanted("a/b"), Wanted("c/d", None, Facts(stars=9))]


def event(kind, name):
    return (
        json.dumps({"type": kind, "repo": {"id": 1, "name": name}, "created_at": "2024-01-01T00:00:00Z"})
        + "\n"
    )


def test_gh_archive_hour(tmp_path):
    lines = event("PushEvent", "a/b") + event("WatchEvent", "c/d") + "nonsense\n" + event("PushEvent", "bad")
    path = tmp_path / "2024-01-01-15.json.gz"
    path.write_bytes(gzip.compress(lines.encode()))
    assert listed(path) == ([Wanted("a/b")], {"not_a_repository": 1, "malformed_list_row": 1})
    assert [w.name for w in listed(path, events=())[0]] == ["a/b", "c/d"]


def test_broken_archive_keeps_what_is_before_the_break(tmp_path):
    path = tmp_path / "h.json.gz"
    whole = gzip.compress("".join(event("PushEvent", f"o{i}/r{i * 7919}") for i in range(20_000)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    found, skipped = listed(path)
    assert 1000 < len(found) < 20_000
    assert skipped["truncated_list"] == 1


def test_broken_parquet(tmp_path):
    path = tmp_path / "l.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        listed(path)


@given(st.permutations([Wanted("a/b"), Wanted("A/B", "v1"), Wanted("a/b", "v2"), Wanted("c/d")]))
def test_distinct_does_not_depend_on_the_order(wanted):
    skipped: Counter[str] = Counter()
    assert distinct(wanted, skipped) == [Wanted("A/B", "v1"), Wanted("c/d")]
    assert skipped == {"duplicate_repository": 2}


def test_facts_of_a_list_become_columns(make, source, tmp_path):
    make("a/b")
    path = tmp_path / "stars.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:2]))
    table, skipped, _ = read_source(source(where=str(path)))
    row = table.to_pylist()[0]
    assert (row["stars"], row["forks"], row["license"]) == (5, 1, "MIT")
    assert row["updated"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert skipped == {"not_a_repository": 1}


@pytest.mark.parametrize(
    "settings",
    [{"api_url": "ftp://x"}, {"server_url": "https://me:pw@x"}, {"attempts": 0}],
)
def test_configuration_is_checked(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}: expected") as caught:
        GithubConfig(**settings)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"metadata": "maybe"}, {"max_entries": 0}, {"min_stars": -1}, {"licenses": ("MIT",)}]
)
def test_choice_is_checked(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}: expected"):
        GithubChoice(**settings)


@pytest.mark.parametrize(
    ("settings", "facts", "obstacle"),
    [
        ({}, Facts(archived=True, fork_of="a/b", stars=0, license="GPL-3.0"), ""),
        ({"archived": False}, Facts(archived=True), "archived"),
        ({"archived": False}, Facts(), ""),
        ({"forks": False}, Facts(fork_of=""), "a fork"),
        ({"forks": False}, Facts(), ""),
        ({"min_stars": 3}, Facts(stars=2), "has fewer than 3 stars"),
        ({"min_stars": 3}, Facts(stars=3), ""),
        ({"min_stars": 3}, Facts(), ""),
        ({"licenses": ("mit",)}, Facts(license="MIT"), ""),
        ({"licenses": ("mit",)}, Facts(license="GPL-3.0"), "another licence"),
        ({"licenses": ("mit",)}, Facts(), ""),
    ],
)
def test_choice_of_repositories(settings, facts, obstacle):
    assert GithubChoice(**settings).obstacle(facts) == obstacle


def test_configuration_from_the_environment(monkeypatch):
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    assert GithubConfig.from_environment() == GithubConfig(api_url="http://127.0.0.1:1")


@pytest.mark.parametrize("where", ["", "  ", "a b", "nothing", "owner/", "/name", "org", "..//x"])
def test_what_is_neither_a_list_nor_a_repository(source, where):
    unusable = dataclasses.replace(source("a/b"), where=where)
    with pytest.raises(InputError, match="neither a list nor a repository") as caught:
        unusable.units(IngestConfig())
    assert "github:OWNER/NAME" in caught.value.hint
