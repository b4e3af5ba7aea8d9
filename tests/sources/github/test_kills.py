"""Killed at any moment and started again: the same rows, nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crawling import change, read_source, states

RUN = """
import sys
from sources import IngestConfig
from sources.github import GithubChoice, GithubConfig, GithubSource
config = GithubConfig(server_url=sys.argv[1], store=sys.argv[2], connections=3)
GithubSource(sys.argv[3], GithubChoice(metadata="list"), config).units(IngestConfig())
print("finished", flush=True)
"""


def start(source) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUN, source.github.server_url, source.github.store, source.where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


def killed_after(source, seconds: float) -> bool:
    """Run and kill; whether there was something left to kill."""
    process = start(source)
    try:
        return process.wait(seconds) != 0
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    finally:
        process.stdout.close()


def wait_for(path: Path, lines: int) -> None:
    for _ in range(2000):
        if path.exists() and path.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_and_resumed(make, source, upstream, tmp_path):
    names = [f"o/r{number}" for number in range(24)]
    for name in names:
        make(name, {"a.py": os.urandom(400).hex().encode(), "b/c.go": name.encode()})
    undisturbed, _, _ = read_source(source(*names, store=str(tmp_path / "undisturbed")))
    fetched = upstream.asked.copy()
    crawled = source(*names)
    record = Path(crawled.github.store, "states.jsonl")
    draw = random.Random(7)
    for step in range(4):
        process = start(crawled)
        wait_for(record, step * 5 + 1)
        time.sleep(draw.random() * 0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    done = [name for name, state in states(crawled).items() if state.state == "done"]
    assert 0 < len(done) < len(names)
    before = upstream.asked.copy()
    table, skipped, _ = read_source(crawled)
    assert (table.equals(undisturbed), skipped) == (True, {})
    assert all(upstream.requests(name) > 0 for name in names)
    assert fetched
    assert all((upstream.asked - before)[f"/{name}.git/git-upload-pack"] == 0 for name in done)


@pytest.mark.slow
def test_killed_while_updating(make, source, tmp_path):
    names = [f"o/r{number}" for number in range(8)]
    folders = [make(name, {f"f{i}.py": b"x = %d\n" % i * 30 for i in range(10)}) for name in names]
    read_source(source(*names))
    for number, folder in enumerate(folders):
        (folder / "f1.py").unlink()
        change(folder, "new.py", b"%d" % number)
    crawled = source(*names)
    for delay in (0.35, 0.45, 0.55, 0.65):
        killed_after(crawled, delay)
    table, _, _ = read_source(crawled)
    fresh, _, _ = read_source(source(*names, store=str(tmp_path / "fresh")))
    assert table.equals(fresh)
    assert table.num_rows == 80


def test_a_finished_round_looks_again_and_an_interrupted_one_does_not(make, source, upstream, monkeypatch):
    folder = make("a/b")
    make("c/d")
    crawled = source("a/b", "c/d", connections=1)
    from sources.github.crawl import Crawl

    update = Crawl._update

    def stops(self, wanted, before):
        if wanted.name == "c/d":
            raise KeyboardInterrupt
        return update(self, wanted, before)

    monkeypatch.setattr(Crawl, "_update", stops)
    with pytest.raises(KeyboardInterrupt):
        read_source(crawled)
    monkeypatch.setattr(Crawl, "_update", update)
    change(folder, "later.py", b"later")
    assert read_source(crawled)[0].num_rows == 4
    assert read_source(crawled)[0].num_rows == 5
