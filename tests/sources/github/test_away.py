"""Units read where the store is not: the commit is fetched there, and the rows are the same."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from crawling import change, read_source
from servers import cut, silent, status

from columns.document import DOCUMENT
from sources import IngestConfig, read_unit

READ = """
import pickle, sys
from sources import IngestConfig, read_unit
unit = pickle.loads(sys.stdin.buffer.read())
print(sum(batch.num_rows for batch in read_unit(unit, IngestConfig())))
"""


@pytest.fixture(autouse=True)
def another_machine(tmp_path, monkeypatch):
    folder = tmp_path / "other"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("sources.github.patience.time.sleep", lambda _: None)


def rows(units, config=None) -> pa.Table:
    config = config or IngestConfig()
    return pa.Table.from_batches((b for unit in units for b in read_unit(unit, config)), DOCUMENT)


def lost(listing, source) -> tuple:
    """The units, pickled and back, after the launcher's store is gone."""
    units = pickle.loads(pickle.dumps(listing.units))
    listing.discard()
    shutil.rmtree(source.github.store)
    return units


def fetches(upstream) -> int:
    return sum(count for path, count in upstream.asked.items() if path.endswith("#fetch"))


def test_rows_are_the_same(make, source, upstream):
    for number in range(3):
        make(
            f"o/r{number}",
            {f"f{i}.py": os.urandom(700).hex().encode() for i in range(9)} | {"b.go": b"x\xff"},
        )
    config = IngestConfig(max_bytes=1401)
    here, _, listing = read_source(source("o/r0", "o/r1", "o/r2"), config)
    before = fetches(upstream)
    units = lost(listing, source())
    assert rows(units, config).equals(here)
    assert fetches(upstream) == before + 3
    assert rows(units, config).equals(here)
    assert fetches(upstream) == before + 3


def test_large_blobs_stay_left_out(make, source):
    make("a/b", {"a.py": b"a", "edge.py": b"e" * 1000, "large.py": b"x" * 3000})
    config = IngestConfig(max_bytes=1000)
    here, _, listing = read_source(source("a/b"), config)
    assert rows(lost(listing, source()), config).equals(here)


def test_the_commit_is_the_listed_one(make, source):
    folder = make("a/b")
    here, _, listing = read_source(source("a/b"))
    change(folder, "later.py", b"later")
    assert rows(lost(listing, source())).equals(here)


def test_one_fetch_for_all_threads_and_processes(make, source, upstream):
    make("a/b", {f"f{i}.py": b"x = %d\n" % i for i in range(40)})
    here, _, listing = read_source(source("a/b"))
    (unit,) = lost(listing, source())
    before = fetches(upstream)
    command = [sys.executable, "-c", READ]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        assert all(table.equals(here) for table in pool.map(lambda _: rows([unit]), range(4)))
    assert [int(process.communicate(pickle.dumps(unit))[0]) for process in started] == [40, 40]
    assert fetches(upstream) == before + 1


def test_a_failure_that_passes(make, source, upstream):
    make("a/b")
    here, _, listing = read_source(source("a/b"))
    units = lost(listing, source())
    upstream.tricks["a/b"] = [cut, status(503)]
    assert rows(units).equals(here)


@pytest.mark.parametrize(
    ("tricks", "reason"),
    [
        ([status(404)], "404: not there"),
        ([status(451)], "451: unavailable for legal reasons"),
        ([status(500)] * 4, "500: Internal Server Error (4 attempts)"),
        ([cut] * 4, "(4 attempts)"),
    ],
)
def test_a_failed_fetch_gives_rows(tricks, reason, make, source, upstream):
    make("a/b")
    here, _, listing = read_source(source("a/b"))
    units = lost(listing, source())
    upstream.tricks["a/b"] = list(tricks)
    table = rows(units)
    assert table["path"].equals(here["path"])
    assert table["blob_id"].equals(here["blob_id"])
    assert table["content"].null_count == 2
    assert all(text.startswith("unreadable: ") and reason in text for text in table["problem"].to_pylist())
    assert rows(units).equals(here)


def test_silence_ends(make, source, upstream):
    make("a/b")
    _, _, listing = read_source(source("a/b", stall_seconds=1, attempts=1))
    units = lost(listing, source())
    upstream.tricks["a/b"] = [silent]
    assert "unreadable" in rows(units)["problem"].to_pylist()[0]


def test_a_repository_that_has_grown_too_large(make, source):
    make("a/b", {"a.py": os.urandom(30_000).hex().encode()})
    _, _, listing = read_source(source("a/b", max_pack_bytes=100_000))
    (unit,) = lost(listing, source())
    small = pickle.loads(pickle.dumps(unit))
    object.__setattr__(small, "origin", unit.origin._replace(pack_bytes=1000))
    assert "over 1,000 bytes" in rows([small])["problem"].to_pylist()[0]


def test_a_folder_of_somebody_else_is_not_used(make, source, another_machine):
    make("a/b")
    _, _, listing = read_source(source("a/b"))
    units = lost(listing, source())
    folder = another_machine / f"thresher-github-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert "belongs to somebody else" in rows(units)["problem"].to_pylist()[0]
    folder.rmdir()
    folder.symlink_to(another_machine)
    assert "belongs to somebody else" in rows(units)["problem"].to_pylist()[0]


def test_units_are_small_and_hold_no_secret(make, source, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    make("a/b")
    _, _, listing = read_source(source("a/b"))
    raw = pickle.dumps(listing.units[0])
    assert len(raw) < 2000
    assert b"ghp_secret" not in raw
    assert Path(listing.units[0].origin.config.store) == Path("")
