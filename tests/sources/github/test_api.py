from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from crawling import paths, read_source, states

from columns.errors import InputError
from sources import IngestConfig
from sources.github import Facts
from sources.github.tokens import Tokens

SECRET = "ghp_0123456789abcdefSECRET"
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait."}


@pytest.fixture
def one(make, api):
    """A repository that both servers know."""
    make("a/b")
    api.repository("a/b")
    return "/repos/a/b"


def test_facts_become_columns(one, source, api):
    api.repository("a/b", fork=True, parent={"full_name": "up/stream"})
    table, _, listing = read_source(source("a/b", metadata="api"))
    row = table.to_pylist()[0]
    assert (row["stars"], row["forks"], row["license"]) == (7, 2, "MIT")
    assert row["updated"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert listing.units[0].facts.fork_of == "up/stream"
    assert api.seen[0][1]["User-Agent"] == "thresher"
    assert "Authorization" not in api.seen[0][1]


def test_stars_change_the_stamp_and_etags_spare_the_limit(one, source, api):
    first = source("a/b", metadata="api").units(IngestConfig())
    again = source("a/b", metadata="api").units(IngestConfig())
    assert [seen[1].get("If-None-Match") for seen in api.seen] == [None, '"a/b"']
    assert again.units == first.units
    assert again.stamp == first.stamp
    api.repository("a/b", stargazers_count=8)
    api.answers[one][0][2]["ETag"] = '"new"'
    assert source("a/b", metadata="api").units(IngestConfig()).stamp != first.stamp


def test_auto_asks_only_with_a_token(one, source, api, monkeypatch):
    read_source(source("a/b", metadata="auto"))
    assert api.seen == []
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    read_source(source("a/b", metadata="auto"))
    assert [seen[1]["Authorization"] for seen in api.seen] == [f"Bearer {SECRET}"]


def test_renamed(make, source, api):
    make("new/name")
    api.only("/repos/old/name", 301, {}, Location=f"{api.url}/repositories/12")
    api.repository("new/name")
    api.answers["/repositories/12"] = api.answers["/repos/new/name"]
    for _ in range(2):
        table, _, _ = read_source(source("old/name", metadata="api"))
        assert paths(table)[0] == "new/name:a.py"
    found = states(source())["old/name"]
    assert (found.state, found.now) == ("moved", "new/name")


def test_redirects_to_other_hosts_do_not_get_the_token(one, source, api, upstream, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    api.only(one, 301, {}, Location=f"{upstream.url}/repositories/12")
    assert read_source(source("a/b", metadata="api"))[1] == {"repository_failed": 1}
    assert not any(SECRET in json.dumps(headers) for headers in upstream.headers)


@pytest.mark.parametrize(
    ("code", "state"), [(404, "gone"), (410, "gone"), (451, "forbidden"), (403, "forbidden"), (418, "failed")]
)
def test_final_answers(code, state, one, source, api, upstream, clock):
    api.only(one, code, {"message": "no"})
    assert read_source(source("a/b", metadata="api"))[1] == {f"repository_{state}": 1}
    assert str(code) in states(source())["a/b"].reason
    assert (upstream.requests("a/b"), clock.waits) == (0, [])


def test_server_errors_back_off_with_jitter(one, source, api, clock):
    for code in (500, 502, 503):
        api.before(one, code)
    assert read_source(source("a/b", metadata="api"))[0].num_rows == 2
    assert len(clock.waits) == 3
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(clock.waits))
    first = list(clock.waits)
    clock.waits.clear()
    for code in (500, 502, 503):
        api.before(one, code)
    read_source(source("a/b", metadata="api"))
    assert clock.waits == first


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after(form, one, source, api, clock, said):
    written = (
        "30"
        if form == "seconds"
        else format_datetime(datetime.fromtimestamp(clock.time + 30, UTC), usegmt=True)
    )
    api.before(one, 429, {}, Retry_After=written)
    assert read_source(source("a/b", metadata="api"))[0].num_rows == 2
    assert clock.waits == [30]
    assert said == ["GitHub's rate limit, no token: waiting 30 s, until 22:13:50 UTC"]


def test_primary_limit_waits_for_the_reset(one, source, api, clock, said):
    reset = str(int(clock.time) + 120)
    api.before(one, 403, {"message": "rate limit"}, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)
    assert read_source(source("a/b", metadata="api"))[0].num_rows == 2
    assert clock.waits == [120]
    assert "waiting 120 s" in said[0]


def test_secondary_limit_waits_a_minute_and_then_longer(one, source, api, clock):
    for _ in range(3):
        api.before(one, 403, SECONDARY)
    assert read_source(source("a/b", metadata="api"))[0].num_rows == 2
    assert clock.waits == [60, 120, 240]


def test_limits_beyond_patience(one, source, api, clock, said):
    api.only(one, 403, {}, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(int(clock.time) + 90_000))
    assert read_source(source("a/b", metadata="api"))[1] == {"repository_failed": 1}
    assert "would have to wait 90000 s" in states(source())["a/b"].reason
    assert (clock.waits, said) == ([], [])


def test_limits_forever_end(one, source, api):
    api.only(one, 429, {}, Retry_After="0")
    assert read_source(source("a/b", metadata="api", max_wait_seconds=20))[1] == {"repository_failed": 1}


def test_tokens_take_turns_and_a_tired_one_rests(one, make, source, api, clock, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKENS", "t1,t2")
    for name in ("c/d", "e/f", "g/h"):
        make(name)
        api.repository(name)
    later = str(int(clock.time) + 3000)
    api.only("/repos/a/b", 200, api.answers[one][0][1], X_RateLimit_Remaining="0", X_RateLimit_Reset=later)
    read_source(source("a/b", "c/d", "e/f", "g/h", metadata="api", connections=1))
    used = [seen[1]["Authorization"].split()[1] for seen in api.seen]
    assert used[0] != used[1]
    assert used[1:] == [used[1]] * 3
    assert clock.waits == []


def test_refused_tokens_are_dropped(one, source, api, monkeypatch, said):
    monkeypatch.setenv("GITHUB_TOKENS", "bad,good")
    api.before(one, 401, {"message": "Bad credentials"})
    assert read_source(source("a/b", metadata="api"))[0].num_rows == 2
    assert len(said) == 1
    assert "401" in said[0]
    assert "bad" not in said[0]
    api.only(one, 401, {"message": "Bad credentials"})
    with pytest.raises(InputError, match="refuses every token"):
        read_source(source("a/b", metadata="api"))


@pytest.mark.parametrize(
    "data", [b"<html>", [], {"full_name": 3}, {"full_name": "../../etc"}, {"no": "name"}]
)
def test_answers_that_make_no_sense(data, one, source, api):
    api.only(one, 200, data)
    assert read_source(source("a/b", metadata="api"))[1] == {"repository_failed": 1}


def test_values_that_make_no_sense_are_null(one, source, api):
    odd = {
        "stargazers_count": "many",
        "forks_count": [],
        "license": 3,
        "pushed_at": "now",
        "parent": "x",
        "fork": True,
    }
    api.repository("a/b", **odd)
    _, _, listing = read_source(source("a/b", metadata="api"))
    assert listing.units[0].facts == Facts(default_branch="main", archived=False, fork_of="", private=False)


@pytest.mark.parametrize(
    ("more", "settings", "expected"),
    [
        ({"private": True}, {}, {"repository_forbidden": 1}),
        ({"archived": True}, {"archived": False}, {"repository_left_out": 1}),
        ({"fork": True}, {"forks": False}, {"repository_left_out": 1}),
        ({"fork": True, "archived": True}, {}, {}),
    ],
)
def test_what_metadata_keeps_out(more, settings, expected, one, source, api, upstream):
    api.repository("a/b", **more)
    assert read_source(source("a/b", metadata="api", **settings))[1] == expected
    assert (upstream.requests("a/b") == 0) == bool(expected)


def test_organisation_by_pages(make, source, api):
    query = "?per_page=100&sort=full_name&direction=asc&type=public"
    for name in ("org/one", "org/two"):
        make(name)
        api.repository(name)
    page = f"/orgs/org/repos{query}"
    following = f'<{api.url}/next>; rel="next", <{api.url}/last>; rel="last"'
    api.only(page, 200, [api.answers["/repos/org/two"][0][1], {"full_name": "bad"}], Link=following)
    api.only("/next", 200, [api.answers["/repos/org/one"][0][1]])
    table, skipped, _ = read_source(source(where="org:org"))
    assert paths(table)[::2] == ["org/one:a.py", "org/two:a.py"]
    assert (skipped, set(table["stars"].to_pylist())) == ({"not_a_repository": 1}, {7})
    assert {seen[0] for seen in api.seen} == {page, "/next"}


def test_a_user_is_an_owner_too(make, source, api):
    make("me/one")
    api.repository("me/one")
    api.only(
        "/users/me/repos?per_page=100&sort=full_name&direction=asc&type=owner", 200, [{"full_name": "me/one"}]
    )
    assert read_source(source(where="org:me"))[0].num_rows == 2
    with pytest.raises(InputError, match="organisation nobody: 404"):
        read_source(source(where="org:nobody"))


def test_search(make, source, api):
    make("a/b")
    path = "/search/repositories?q=language%3Apython%20stars%3A%3E10&per_page=100"
    api.only(path, 200, {"total_count": 1, "items": [{"full_name": "a/b", "stargazers_count": 11}]})
    table, _, _ = read_source(source(where="search:language:python stars:>10"))
    assert set(table["stars"].to_pylist()) == {11}


def test_tokens_show_nothing():
    tokens = Tokens([SECRET, "another"])
    token = tokens.take()
    for text in (repr(tokens), str(tokens), repr(token), f"{token}"):
        assert SECRET not in text
        assert "another" not in text
    with pytest.raises(TypeError):
        __import__("pickle").dumps(token)


def test_odd_tokens_are_refused_unseen(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", f"{SECRET}\r\nX: y")
    with pytest.raises(InputError, match="GITHUB_TOKEN: not a token") as caught:
        Tokens.from_environment(["GITHUB_TOKEN"])
    assert SECRET not in str(caught.value)


def _command_lines(seen: set[bytes], stop: threading.Event) -> None:
    while not stop.is_set():
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    seen.add(Path("/proc", entry, "cmdline").read_bytes())
                except OSError:
                    continue
        time.sleep(0.002)


def _recording(started: list[bytes]) -> type[subprocess.Popen[bytes]]:
    """`subprocess.Popen` that writes down what it starts: a program may be gone before /proc is looked at."""

    class Recording(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, args: Any, *more: Any, **given: Any) -> None:
            started.append(repr(args).encode())
            super().__init__(args, *more, **given)

    return Recording


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads command lines from /proc")
def test_the_token_is_nowhere(one, make, source, api, upstream, tmp_path, monkeypatch, said, caplog, capfd):
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    names = [f"many/r{i}" for i in range(8)]
    for name in names:
        make(name)
        api.repository(name)
    api.before(one, 429, {"message": SECRET}, Retry_After="3")
    api.only("/repos/many/r3", 500, {"message": SECRET})
    lines: set[bytes] = set()
    started: list[bytes] = []
    monkeypatch.setattr(subprocess, "Popen", _recording(started))
    stop = threading.Event()
    watcher = threading.Thread(target=_command_lines, args=(lines, stop))
    watcher.start()
    try:
        crawled = source("a/b", "no/thing", *names, metadata="api")
        _, skipped, listing = read_source(crawled)
    finally:
        stop.set()
        watcher.join()
    assert skipped == {"repository_failed": 1, "repository_gone": 1}
    assert any(b"index-pack" in line for line in started)
    written = b"".join(path.read_bytes() for path in Path(crawled.github.store).rglob("*") if path.is_file())
    shown = [repr(crawled), repr(listing), crawled.spec, caplog.text, *capfd.readouterr(), *said]
    assert SECRET.encode() not in written + b"".join(lines) + b"".join(started)
    assert not any(SECRET in text for text in shown)
    assert not any(SECRET in json.dumps(headers) for headers in upstream.headers)
    assert all(headers.get("Authorization") == f"Bearer {SECRET}" for _, headers in api.seen)


def test_waits_are_said_on_standard_error():
    code = "from sources.github.patience import say; say('waiting 3 s')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "waiting 3 s\n")
