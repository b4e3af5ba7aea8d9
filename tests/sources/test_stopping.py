from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from sources.stopping import Stop, Stopped, each


def test_results_keep_the_order():
    assert each(lambda n: n * n, range(50), threads=7, stop=Stop()) == [n * n for n in range(50)]
    assert each(abs, [], threads=3, stop=Stop()) == []


def test_the_first_error_stops_all():
    done = []

    def work(number):
        if number == 3:
            raise KeyError(number)
        time.sleep(0.001)
        done.append(number)

    with pytest.raises(KeyError):
        each(work, range(1000), threads=4, stop=Stop())
    assert len(done) < 100


def test_a_thread_that_does_not_end_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("sources.stopping.GRACE_SECONDS", 0.05)
    release = threading.Event()

    def work(number):
        if number:
            raise OSError("broken")
        release.wait(20)

    with pytest.raises(OSError, match="broken"):
        each(work, [0, 1], threads=2, stop=Stop())
    release.set()


def test_what_is_waited_for_is_ended():
    stop = Stop()
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process, stop.ending(process.kill):
        stop.say()
        assert process.wait(10) < 0
    with pytest.raises(Stopped):
        stop.check()


def test_what_begins_too_late_is_ended_at_once():
    stop, ended = Stop(), []
    stop.say()
    with stop.ending(lambda: ended.append(1)):
        assert ended == [1]
    stop.say()
    assert ended == [1]
