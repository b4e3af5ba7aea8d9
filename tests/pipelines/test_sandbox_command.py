"""The command sandbox: what is on, and a refusal with a hint where programs cannot be isolated."""

from __future__ import annotations

import json

import pytest

from columns.errors import EnvironmentProblem
from instruct.sandbox import isolation_problem
from pipelines.cli import sandbox
from tests.pipelines.test_cli import called

NAMES = {
    "isolation", "bubblewrap", "system call filter", "namespaces", "unprivileged user", "resource limits",
    "control groups", "interpreter",
}  # fmt: skip


@pytest.fixture
def refusing(monkeypatch):
    problem = EnvironmentProblem("bubblewrap is not installed", hint="pip install it")
    monkeypatch.setattr(sandbox, "isolation_problem", lambda: problem)
    monkeypatch.setattr("instruct.sandbox.parts.isolation_problem", lambda: problem)


def test_all_parts_are_told():
    if isolation_problem() is not None:
        pytest.skip("programs cannot be isolated here")
    code, out, err = called("sandbox", "--json")
    told = json.loads(out)
    assert (code, err, told["available"]) == (0, "", True)
    assert {part["name"] for part in told["parts"]} == NAMES
    assert all(part["on"] for part in told["parts"] if part["name"] != "control groups")
    code, out, _ = called("sandbox")
    assert code == 0
    assert "namespaces" in out


def test_a_machine_that_cannot_isolate_is_told_so(refusing):
    code, out, err = called("sandbox", "--json")
    told = {part["name"]: part["on"] for part in json.loads(out)["parts"]}
    assert (code, told["isolation"], told["namespaces"]) == (2, False, False)
    assert "bubblewrap is not installed" in err
    assert "pip install it" in err
    code, out, err = called("sandbox")
    assert code == 2
    assert "off" in out
    assert "Traceback" not in out + err
