"""Clocks that jump: no result depends on them, no lease is stolen or kept for ever."""

from __future__ import annotations

import datetime as calendar
import random
import threading
import time

import orjson
import pytest

from columns.errors import OutputError
from columns.files import Place
from columns.versions import Versions
from pipelines import lease as leasing
from pipelines import refresh as refreshing
from pipelines.history import adopt
from pipelines.lease import leased
from tests.pipelines.building import assert_same, build
from tests.pipelines.corpus import corpus, write_tree
from tests.pipelines.test_refresh import built, refreshed
from tests.pipelines.test_reuse import TEXTS, File, write

YEAR = 365 * 86400.0


@pytest.fixture
def jumping(monkeypatch):
    """The clock on the wall goes years ahead and back at every look; the steady one does not."""
    rng, true = random.Random(5), time.time

    def wrong() -> float:
        return true() + rng.uniform(-20, 20) * YEAR

    class Wrong(calendar.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(wrong(), tz)

    monkeypatch.setattr(time, "time", wrong)
    monkeypatch.setattr(leasing, "datetime", Wrong)
    monkeypatch.setattr(refreshing, "datetime", Wrong)
    return wrong


def test_a_build_does_not_look_at_the_clock(tmp_path, jumping, monkeypatch):
    tree = write_tree(tmp_path / "corpus", dict(list(corpus().items())[::8]))
    one = build(tmp_path, tmp_path / "jumping", [tree])
    monkeypatch.undo()
    assert_same(one, build(tmp_path, tmp_path / "steady", [tree]))


def test_a_refresh_under_a_jumping_clock_is_the_rebuild(tmp_path, jumping):
    files = [File(f"a/f{n}.py", text) for n, text in enumerate(TEXTS[:8])]
    before, after = write(tmp_path / "before", "snap", files), write(tmp_path / "after", "snap", files[1:])
    root = built(tmp_path, "set", before)
    adopt(root)
    done = refreshed(tmp_path, root, after)
    assert done.changed
    assert_same(done.place, built(tmp_path, "rebuilt", after))
    assert Versions(root).numbers() == [1, 2]


@pytest.mark.parametrize("since", ["1970-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"])
def test_a_lease_is_judged_by_signs_of_life_and_not_by_its_date(since, tmp_path, jumping):
    root = Place(str(tmp_path))
    about = {
        "token": "x", "doing": "refresh", "host": "elsewhere", "pid": 1, "process": "p", "since": since, "beat": 0,
    }  # fmt: skip
    root.child(".lease").write_bytes("000001.json", orjson.dumps(about))

    def alive(_seconds: float) -> None:
        about["beat"] += 1
        root.child(".lease").write_bytes("000001.json", orjson.dumps(about))

    with pytest.raises(OutputError, match="refresh is under way"), leased(root, "refresh", wait=alive):
        pytest.fail("stolen from a living holder")
    with leased(root, "refresh", wait=lambda _seconds: None) as mine:
        mine.check()


def test_a_holder_under_a_jumping_clock_goes_on_showing_life(tmp_path, jumping):
    root, shown = Place(str(tmp_path)), threading.Event()
    with leased(root, "refresh", seconds=0.01) as mine:
        for _ in range(500):
            if orjson.loads(root.child(".lease").read(mine.name))["beat"] > 2:
                shown.set()
                break
            shown.wait(0.01)
        assert shown.is_set()
        mine.check()
