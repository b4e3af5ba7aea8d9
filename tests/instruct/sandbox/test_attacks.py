"""Each attack on the machine, as root and as an ordinary user: it is tried, it works bare, and not in the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.instruct.sandbox.attacks import ATTACKS, SECRET
from tests.instruct.sandbox.users import ROOT, as_ordinary_user

WORDS = ("-m", "tests.instruct.sandbox.attacks")


def commands():
    """By user: the command that runs all attacks, or why there is none."""
    own = [sys.executable, *WORDS]
    if os.geteuid() == 0:
        return {"root": own, "ordinary": as_ordinary_user(*WORDS)}
    return {"root": "the tests do not run as root", "ordinary": own}


@pytest.fixture(scope="module")
def results(isolation):
    """What came of every attack, by user; both users' runs go on at the same time."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), SECRET: ""}
    started = {
        user: each if isinstance(each, str) else subprocess.Popen(each, stdout=subprocess.PIPE, env=env, cwd=ROOT)
        for user, each in commands().items()
    }  # fmt: skip
    return {
        user: each if isinstance(each, str) else json.loads(each.communicate()[0])
        for user, each in started.items()
    }


@pytest.fixture(params=["root", "ordinary"])
def told(request, results):
    found = results[request.param]
    if isinstance(found, str):
        pytest.skip(found)
    return found


def test_they_run_as_the_user_they_should(told, request):
    assert (told["_uid"]["uid"] == 0) == ("root" in request.node.name)


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
