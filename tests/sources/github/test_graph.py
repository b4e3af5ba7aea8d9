"""Metadata by GraphQL: a hundred repositories with one request, and REST for what it fails on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from crawling import paths, read_source, states
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from sources import IngestConfig
from sources.github import Facts
from sources.github.graph import question

SECRET = "ghp_0123456789abcdefSECRET"
LIMITED = {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}


@pytest.fixture(autouse=True)
def token(monkeypatch, api):
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    api.graphs = True


@pytest.fixture
def known(make, api):
    """Make a repository that both servers know."""

    def known(name: str, **more: object) -> None:
        make(name)
        api.repository(name, **more)

    return known


def test_the_facts_are_those_of_rest(known, source, api, tmp_path):
    known("a/b", fork=True, parent={"full_name": "up/stream"}, license={"spdx_id": "NOASSERTION"})
    known("c/d", fork=True, archived=True, license=None)
    graph, _, one = read_source(source("a/b", "c/d", metadata="auto"))
    assert (len(api.queries), api.seen) == (1, [])
    api.graphs = False
    rest, _, other = read_source(source("a/b", "c/d", metadata="auto", store=str(tmp_path / "rest")))
    assert len(api.seen) == 2
    assert graph.equals(rest)
    assert [unit.facts for unit in one.units] == [unit.facts for unit in other.units]
    assert one.stamp == other.stamp
    assert one.units[0].facts.fork_of == "up/stream"


def test_a_hundred_at_a_time(make, source, api):
    names = [f"o/r{number:03}" for number in range(230)]
    for name in names:
        api.repository(name, archived=True)
    _, skipped, _ = read_source(source(*names, metadata="auto", archived=False))
    assert skipped == {"repository_left_out": 230}
    assert sorted(len(asked["variables"]) for asked, _ in api.queries) == [60, 200, 200]
    assert all(headers["Authorization"] == f"Bearer {SECRET}" for _, headers in api.queries)
    assert api.seen == []


@given(st.lists(st.from_regex(r"[a-z]{1,3}/[\w.\"{}$-]{1,9}", fullmatch=True), min_size=1, max_size=100))
def test_names_are_variables_only(names):
    query, variables = question(names)
    plain, _ = question(["o/n"] * len(names))
    assert query == plain
    assert [f"{variables[f'o{n}']}/{variables[f'n{n}']}" for n in range(len(names))] == names


def test_renamed(known, source, api):
    known("new/name")
    api.only("/repos/old/name", 301, {}, Location=f"{api.url}/repos/new/name")
    for _ in range(2):
        table, _, _ = read_source(source("old/name", metadata="auto"))
        assert paths(table)[0] == "new/name:a.py"
    assert (states(source())["old/name"].state, states(source())["old/name"].now) == ("moved", "new/name")


def test_one_that_is_gone_or_forbidden_costs_itself(known, source, api, upstream):
    for name in ("a/b", "c/d", "e/f"):
        known(name)
    api.errors = {"a/b": "NOT_FOUND", "c/d": "FORBIDDEN"}
    table, skipped, _ = read_source(source("a/b", "c/d", "e/f", metadata="auto"))
    assert (table.num_rows, skipped) == (2, {"repository_gone": 1, "repository_forbidden": 1})
    assert states(source())["a/b"].reason == "404: not there"
    assert states(source())["c/d"].reason == "403: access refused"
    assert (upstream.requests("a/b"), api.seen) == (0, [])


def test_private_ones_stay_out(known, source, api, upstream):
    known("a/b", private=True)
    assert read_source(source("a/b", metadata="auto"))[1] == {"repository_forbidden": 1}
    assert upstream.requests("a/b") == 0


def test_other_errors_leave_one_repository_to_rest(known, source, api):
    for name in ("a/b", "c/d"):
        known(name)
    api.errors = {"a/b": "SOMETHING"}
    table, skipped, _ = read_source(source("a/b", "c/d", metadata="auto"))
    assert (table.num_rows, skipped) == (4, {})
    assert [path for path, _ in api.seen] == ["/repos/a/b"]


@pytest.mark.parametrize(
    "instead",
    [
        [(400, {"message": "Problems parsing JSON"}, {})],
        [(200, {"data": None, "errors": [{"type": "INTERNAL", "message": "x"}]}, {})],
        [(200, {"data": {"r0": {"nameWithOwner": 3}}, "errors": "odd"}, {})],
        [(200, {"data": {"r0": {"nameWithOwner": "../etc"}}, "errors": [{"path": [3]}, 4]}, {})],
        [(200, [], {})],
        [(200, {}, {})],
        [(200, b"<html>", {})] * 4,
        [(502, b"", {})] * 4,
        [(301, b"", {"Location": "http://169.254.169.254/"})],
    ],
)
def test_what_graphql_fails_on_is_asked_of_rest(instead, known, source, api):
    known("a/b")
    api.instead = list(instead)
    table, skipped, _ = read_source(source("a/b", metadata="auto"))
    assert (table.num_rows, skipped, api.instead) == (2, {}, [])
    assert set(table["stars"].to_pylist()) == {7}
    assert [path for path, _ in api.seen] == ["/repos/a/b"]


def test_values_that_make_no_sense_are_null(known, source, api):
    odd = {"stargazerCount": "many", "licenseInfo": 3, "parent": "x", "isFork": True, "defaultBranchRef": []}
    known("a/b")
    api.instead = [(200, {"data": {"r0": {"nameWithOwner": "a/b"} | odd}}, {})]
    _, _, listing = read_source(source("a/b", metadata="auto"))
    assert listing.units[0].facts == Facts(fork_of="")


def test_the_primary_limit_says_so_with_status_200(known, source, api, clock, said):
    known("a/b")
    reset = str(int(clock.time) + 300)
    fields = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    api.instead = [(200, LIMITED, fields)]
    assert read_source(source("a/b", metadata="auto"))[0].num_rows == 2
    assert (sum(clock.waits), len(api.queries), api.seen) == (300, 2, [])
    assert "waiting 300 s" in said[0]


def test_a_limit_without_a_reset_waits_a_minute(known, source, api, clock):
    known("a/b")
    api.instead = [(200, LIMITED, {})]
    assert read_source(source("a/b", metadata="auto"))[0].num_rows == 2
    assert sum(clock.waits) == 60


@pytest.mark.parametrize(
    ("status", "data", "fields", "seconds"),
    [
        (429, {}, {"Retry-After": "30"}, 30),
        (403, {"message": "You have exceeded a secondary rate limit"}, {}, 60),
        (403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "9"}, 9),
        (200, {"data": None, "errors": [{"type": "RATE_LIMITED"}]}, {"Retry-After": "9"}, 9),
    ],
)
def test_other_limits(status, data, fields, seconds, known, source, api, clock):
    known("a/b")
    api.instead = [(status, data, fields)]
    assert read_source(source("a/b", metadata="auto"))[0].num_rows == 2
    assert (sum(clock.waits), api.seen) == (seconds, [])


def test_another_token_takes_over(known, source, api, clock, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKENS", "t1,t2")
    known("a/b")
    api.instead = [(200, LIMITED, {"X-RateLimit-Reset": str(int(clock.time) + 3000)})]
    assert read_source(source("a/b", metadata="auto"))[0].num_rows == 2
    assert len({headers["Authorization"] for _, headers in api.queries}) == 2
    assert sum(clock.waits) == 0


def test_refused_tokens(known, source, api, monkeypatch):
    known("a/b")
    api.instead = [(401, {"message": "Bad credentials"}, {})]
    with pytest.raises(InputError, match="refuses every token"):
        read_source(source("a/b", metadata="auto"))


def test_who_is_asked_how(known, source, api, monkeypatch):
    """Without a token REST; with one, GraphQL for whatever has no ETag, and REST, which is free, for the rest."""
    for name in ("a/b", "c/d"):
        known(name)
    monkeypatch.delenv("GITHUB_TOKEN")
    read_source(source("a/b", metadata="api"))
    assert ([path for path, _ in api.seen], api.queries) == (["/repos/a/b"], [])
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    for _ in range(2):
        api.seen.clear()
        api.queries.clear()
        read_source(source("a/b", "c/d", metadata="api"))
        assert [headers.get("If-None-Match") for _, headers in api.seen] == ['"a/b"']
        assert [asked["variables"] for asked, _ in api.queries] == [{"o0": "c", "n0": "d"}]
    api.queries.clear()
    read_source(source("a/b", "c/d", metadata="list"))
    assert api.queries == []


def test_an_interrupted_round_asks_about_the_rest_only(known, source, api, monkeypatch):
    for name in ("a/b", "c/d"):
        known(name)
    from sources.github.crawl import Crawl

    fetched = Crawl._fetched

    def stops(self, remote, state, before, commit):
        if state.name == "c/d":
            raise KeyboardInterrupt
        return fetched(self, remote, state, before, commit)

    monkeypatch.setattr(Crawl, "_fetched", stops)
    with pytest.raises(KeyboardInterrupt):
        read_source(source("a/b", "c/d", metadata="auto", connections=1))
    monkeypatch.setattr(Crawl, "_fetched", fetched)
    read_source(source("a/b", "c/d", metadata="auto", connections=1))
    assert api.queries[1][0]["variables"] == {"o0": "c", "n0": "d"}


def test_a_server_of_ones_own(known, source, api):
    known("a/b")
    api.answers["/api/v3/repos/a/b"] = api.answers["/repos/a/b"]
    read_source(source("a/b", metadata="auto", api_url=f"{api.url}/v3"))
    assert len(api.queries) == 1


def test_the_token_is_nowhere(known, source, api, upstream, capfd, said):
    known("a/b")
    api.instead = [(200, LIMITED | {"message": SECRET}, {}), (403, {"message": SECRET}, {})]
    crawled = source("a/b", metadata="auto")
    _, _, listing = read_source(crawled)
    written = b"".join(path.read_bytes() for path in Path(crawled.github.store).rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    assert not any(SECRET in text for text in (repr(crawled), repr(listing), *capfd.readouterr(), *said))
    assert not any(SECRET in json.dumps(headers) for headers in upstream.headers)


def test_nothing_is_asked_for_an_empty_list(source, api):
    assert source(metadata="auto").units(IngestConfig()).files == 0
    assert api.queries == []
