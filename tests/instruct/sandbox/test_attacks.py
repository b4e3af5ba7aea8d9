"""Each attack on the machine, as root (of closed folders, of open ones) and as an ordinary user: it works bare only."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.instruct.sandbox.attacks import ATTACKS, SECRET
from tests.instruct.sandbox.users import ROOT, as_ordinary_user, as_root_of_open_folders

WORDS = ("-m", "tests.instruct.sandbox.attacks")


def commands():
    """By user: the command that runs all attacks, or why there is none."""
    own, is_root = [sys.executable, *WORDS], os.geteuid() == 0
    return {
        "root": own if is_root else "the tests do not run as root",
        "ordinary": as_ordinary_user(*WORDS) if is_root else own,
    }


def started(command):
    """A run of all attacks under way, or why there is none."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), SECRET: ""}
    if isinstance(command, str):
        return command
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=env, cwd=ROOT)


def came_of(run):
    return run if isinstance(run, str) else json.loads(run.communicate()[0])


@pytest.fixture(scope="module")
def results(isolation):
    """What came of every attack, by user; both users' runs go on at the same time."""
    runs = {user: started(command) for user, command in commands().items()}
    return {user: came_of(run) for user, run in runs.items()}


@pytest.fixture(scope="module")
def open_results(isolation):
    """What came of every attack for root where no folder is closed to others: nothing is staged there."""
    return came_of(started(as_root_of_open_folders(*WORDS)))


@pytest.fixture(params=["root", "ordinary", pytest.param("open-root", marks=pytest.mark.long)])
def told(request):
    open_root = request.param == "open-root"
    found = request.getfixturevalue("open_results" if open_root else "results")
    found = found if open_root or isinstance(found, str) else found[request.param]
    if isinstance(found, str):
        pytest.skip(found)
    return found


def test_they_run_as_the_user_they_should(told, request):
    assert (told["_uid"]["uid"] == 0) == ("root" in request.node.name)
    if "open-root" in request.node.name:
        assert told["_uid"]["first"] == "setpriv"


def test_there_are_enough():
    assert len(ATTACKS) >= 25


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(name, told):
    attack, came = ATTACKS[name], told[name]
    assert came["bare"] is (True if attack.bare else None), "without a sandbox the attack should work"
    assert "TRIED" in came["out"]
    assert "BROKEN" not in came["out"]
    assert told["_uid"]["secret"] not in came["out"] + came["error"]
    assert came["harm"] == []
    assert came["problem"] in attack.problems
    assert came["after"] == "1\n", "the sandbox should be well afterwards"
