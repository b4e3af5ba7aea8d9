"""Leases: one writer at a time, and a dead one is overtaken."""

from __future__ import annotations

import subprocess
import sys
import threading

import orjson
import pytest

from columns.errors import OutputError
from columns.files import Place
from pipelines import lease as leasing
from pipelines.lease import PATIENCE, leased
from pipelines.stage import read_json


@pytest.fixture(params=["local", "memory"])
def root(request, tmp_path):
    url = str(tmp_path / "set") if request.param == "local" else f"memory://{tmp_path.name}/set"
    yield Place(url)
    Place(url).remove_tree()


def held(root, **changes):
    """A lease that somebody left."""
    about = {
        "token": "x", "doing": "refresh", "host": "elsewhere", "pid": 1, "process": "p", "since": "then", "beat": 3,
    } | changes  # fmt: skip
    root.child(".lease").write_bytes("000007.json", orjson.dumps(about))
    return about


def test_the_second_is_told_who_is_at_work(root):
    under_way = pytest.raises(OutputError, match=r"refresh is under way \(process \d+ on ")
    with leased(root, "refresh"), under_way as said, leased(root, "takedown"):
        pytest.fail("two at once")
    assert "one run at a time" in str(said.value)
    with leased(root, "takedown"):
        pass
    assert root.child(".lease").names() == []


def test_nothing_stays_of_a_lease_that_is_given_back(root):
    with leased(root, "refresh"):
        assert len(root.child(".lease").names()) == 1
    if root.local is not None:
        assert not (root.local / ".lease").exists()


def test_a_directory_that_goes_while_the_lease_is_taken_is_another_run(root, monkeypatch):
    monkeypatch.setattr(Place, "create", lambda *_: (_ for _ in ()).throw(FileNotFoundError("gone")))
    with pytest.raises(OutputError, match="another run has just begun"), leased(root, "refresh"):
        pytest.fail("no lease")


def test_a_lease_is_given_back_after_a_failure(root):
    with pytest.raises(RuntimeError), leased(root, "refresh"):
        raise RuntimeError
    with leased(root, "refresh") as mine:
        mine.check()


def test_a_dead_process_of_this_machine_is_overtaken_at_once(root):
    code = "import os, sys; from pipelines.lease import _process; print(os.getpid(), _process(os.getpid()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid, process = done.stdout.split()
    held(root, host=leasing.socket.gethostname(), pid=int(pid), process=process)
    with leased(root, "refresh", wait=pytest.fail) as mine:
        mine.check()
        assert root.child(".lease").names() == ["000008.json"]


def test_another_process_of_the_same_number_is_not_the_holder(root):
    held(root, host=leasing.socket.gethostname(), pid=leasing.os.getpid(), process="boot/1")
    with leased(root, "refresh", wait=pytest.fail):
        pass


def test_a_silent_holder_elsewhere_is_overtaken(root):
    held(root)
    waits: list[float] = []
    with leased(root, "refresh", seconds=60, wait=waits.append) as mine:
        mine.check()
    assert waits == [60] * PATIENCE


def test_a_holder_elsewhere_that_shows_life_is_respected(root):
    about = held(root)

    def alive(_seconds):
        held(root, beat=about["beat"] + 1)

    under_way = pytest.raises(
        OutputError, match=r"refresh is under way \(process 1 on elsewhere, since then\)"
    )
    with under_way, leased(root, "refresh", wait=alive):
        pytest.fail("overtaken while alive")


def test_a_lease_given_back_while_one_asks_is_refused_once(root):
    held(root)

    def given_back(_seconds):
        root.child(".lease").remove(["000007.json"])

    with leased(root, "refresh", wait=given_back) as mine:
        mine.check()


def test_who_was_overtaken_commits_nothing(root):
    with leased(root, "refresh") as mine:
        root.child(".lease").write_bytes("000009.json", orjson.dumps({"token": "other"}))
        with pytest.raises(OutputError, match="another run has taken over"):
            mine.check()
    assert root.child(".lease").names() == ["000009.json"]


def test_a_holder_shows_life(root):
    with leased(root, "refresh", seconds=0.01) as mine:
        place, seen = root.child(".lease"), threading.Event()
        for _ in range(500):
            if orjson.loads(place.read(mine.name))["beat"] > 1:
                seen.set()
                break
            seen.wait(0.01)
        assert seen.is_set()


def test_of_several_that_overtake_one_gets_it(tmp_path):
    root = Place(str(tmp_path))
    held(root)
    won, lost, ready = [], [], threading.Barrier(4)

    def overtake(_seconds):
        pass

    def run():
        ready.wait()
        try:
            with leased(root, "refresh", wait=overtake) as mine:
                won.append(mine.name)
                ready.wait(5)
        except OutputError:
            lost.append(1)
            ready.wait(5)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 3)


def test_a_file_that_goes_while_it_is_looked_at_is_none(root, monkeypatch):
    monkeypatch.setattr(Place, "exists", lambda *_: True)
    assert read_json(root.child(".lease"), "000001.json") is None


def test_a_damaged_lease_is_overtaken(root):
    root.child(".lease").write_bytes("000002.json", b"{")
    with leased(root, "refresh") as mine:
        assert mine.name == "000003.json"
