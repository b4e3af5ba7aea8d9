from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from columns.errors import EnvironmentProblem
from pipelines.cli import ablate, app


@pytest.fixture
def started(monkeypatch):
    """The commands that would be started; each ends with 0."""
    commands = []
    monkeypatch.setattr(
        ablate.subprocess, "run", lambda words, check: commands.append(words) or SimpleNamespace(returncode=0)
    )
    monkeypatch.setattr(ablate, "find_spec", lambda name: object())
    return commands


def test_options_reach_the_process(started):
    done = CliRunner().invoke(
        app,
        [
            "ablate",
            "a",
            "b",
            "--held-out",
            "c",
            "--held-out",
            "d",
            "--seeds",
            "3",
            "--context",
            "64",
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    (words,) = started
    assert words[:5] == [sys.executable, "-m", "training.ablate", "a", "b"]
    assert {"--held-out=c", "--held-out=d", "--seeds=3", "--context=64", "--json"} < set(words)


def test_rows_are_not_cut_unless_said(started):
    CliRunner().invoke(app, ["ablate", "a", "b"])
    assert not any("context" in word or "json" in word for word in started[0])


def test_the_exit_code_is_the_process_s(started, monkeypatch):
    monkeypatch.setattr(ablate.subprocess, "run", lambda words, check: SimpleNamespace(returncode=2))
    assert CliRunner().invoke(app, ["ablate", "a", "b"]).exit_code == 2


def test_without_the_extra_the_cure_is_named(monkeypatch):
    monkeypatch.setattr(ablate, "find_spec", lambda name: None)
    found = CliRunner().invoke(app, ["ablate", "a", "b"]).exception
    assert isinstance(found, EnvironmentProblem)
    assert "pip install 'thresher[train]'" in str(found)


def test_every_option_is_one_that_training_knows(started):
    pytest.importorskip("torch")
    from training.ablate import _parser

    CliRunner().invoke(app, ["ablate", "a", "b", "--context", "64", "--held-out", "c", "--json"])
    given = _parser().parse_args(started[0][3:])
    assert (given.datasets, given.context, given.held_out, given.json) == (["a", "b"], 64, ["c"], True)


def test_a_mistake_is_told_once(tmp_path):
    pytest.importorskip("torch")
    words = [sys.executable, "-m", "pipelines", "ablate", str(tmp_path / "a"), str(tmp_path / "b")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1
    assert "hint: not a finished dataset" in done.stderr
