"""Interrupted by the user: a crawl ends within seconds, leaves no program behind, and goes on later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from crawling import read_source, states
from servers import Handler, late

from sources import Access, Services, parse_spec
from sources.github import GithubConfig, GithubSource

RUN = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell starts in the background
from sources import IngestConfig
from sources.github import GithubChoice, GithubConfig, GithubSource
config = GithubConfig(server_url=sys.argv[1], store=sys.argv[2], connections=3)
watch = lambda done, wanted: print(done, wanted, flush=True)
GithubSource(sys.argv[3], GithubChoice(metadata="list"), config, watch=watch).units(IngestConfig())
"""


def children(process: int) -> list[str]:
    found = []
    for entry in os.listdir("/proc"):
        try:
            fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(process):
            found.append(entry)
    return found


def running(pid: str, name: bytes = b"git") -> bool:
    try:
        return name in Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for programs in /proc")
@pytest.mark.parametrize("sends", ["half", "nothing"])
def test_a_real_interrupt(sends, make, source, upstream):
    names = [f"o/r{number}" for number in range(6)]
    for name in names:
        make(name)
    held, release = threading.Event(), threading.Event()

    @late
    def stuck(handler: Handler, answer: bytes) -> None:
        """Send half of the pack, or nothing, and then neither more nor the end."""
        if sends == "half":
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(answer)))
            handler.end_headers()
            handler.wfile.write(answer[: len(answer) // 2])
            handler.wfile.flush()
        held.set()
        release.wait(30)
        handler.close_connection = True

    upstream.tricks["o/r3"] = [stuck]
    crawled = source(*names)
    command = [sys.executable, "-c", RUN, crawled.github.server_url, crawled.github.store, crawled.where]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert held.wait(30)
        time.sleep(0.2)
        programs = children(process.pid)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        release.set()
    assert process.returncode
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert bool(programs) == (sends == "half")
    assert not any(running(pid) for pid in programs)
    assert out.splitlines()[0] == "0 6"
    done = [name for name, state in states(crawled).items() if state.state == "done"]
    assert "o/r3" not in done
    before = Counter(upstream.asked)
    table, skipped, _ = read_source(crawled)
    assert (table.num_rows, skipped) == (12, {})
    again = upstream.asked - before
    assert all(again[f"/{name}.git/git-upload-pack"] == 0 for name in done)


def test_an_indexer_is_ended_too(make, source, monkeypatch):
    """Git that works on after the whole pack has come does not keep anybody waiting."""
    make("a/b")
    make("c/d")
    from sources.github import crawl as crawls

    monkeypatch.setattr("sources.git.program._command", lambda *_: ["sleep", "30"])

    def interrupt(self, wanted, before):
        time.sleep(0.3)
        raise KeyboardInterrupt

    update = crawls.Crawl._update
    chosen = lambda self, w, b: (interrupt if w.name == "c/d" else update)(self, w, b)  # noqa: E731
    monkeypatch.setattr(crawls.Crawl, "_update", chosen)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        read_source(source("a/b", "c/d"))
    assert time.monotonic() - start < 20
    assert "a/b" not in states(source())


def test_progress(make, source):
    make("a/b")
    make("c/d")
    told: list[tuple[int, int]] = []
    one = source("a/b", "c/d", "not/there")
    watched = replace(one, watch=lambda done, wanted: told.append((done, wanted)))
    read_source(watched)
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_progress_travels_in_the_access():
    def watch(done: int, wanted: int) -> None:
        """Nothing."""

    access = Access(Services(github=GithubConfig()), watch=watch)
    source = parse_spec("github:a/b", access)
    assert isinstance(source, GithubSource)
    assert source.watch is watch
    assert "watch" not in repr(access)
    assert access == Access(Services(github=GithubConfig()))
