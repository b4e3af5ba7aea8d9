"""One process without Ray: what it writes, how it goes on, and what it says; Ray's part is in the file beside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch

from columns.errors import InputError, OutputError
from training import train_gpt
from training.learner import LearnConfig
from training.steplog import read_steps
from training.train_gpt import Job, work

LEARN = LearnConfig(steps=9, batch_size=6, width=16, layers=1, heads=2, warmup=2, seed=3)
SMALL = [
    "--steps",
    "9",
    "--batch-size",
    "6",
    "--width",
    "16",
    "--layers",
    "1",
    "--heads",
    "2",
    "--every",
    "2",
]


@pytest.fixture(autouse=True)
def exact():
    yield
    torch.use_deterministic_algorithms(False)


def job_in(dataset, output, **changes):
    return replace(Job(str(dataset), str(output), LEARN, every=4), **changes)


def begin(job, steps):
    """As if the process had been killed right after a step: nothing is closed or written in the end."""
    for line in work(job):
        if line["step"] == steps:
            break


def test_what_a_run_leaves(dataset, tmp_path):
    job = job_in(dataset, tmp_path)
    lines = list(work(job))
    assert read_steps(job.log) == lines
    assert [line["step"] for line in lines] == list(range(1, 10))
    assert [path.name for path in sorted(job.checkpoints.iterdir())] == [
        "step-000000008.pt",
        "step-000000009.pt",
    ]


@pytest.mark.parametrize("stops", [[1], [4], [6], [3, 5, 8], [9]])
def test_stopped_and_started_again_it_is_the_undisturbed_run(dataset, tmp_path, stops):
    whole, stopped = job_in(dataset, tmp_path / "whole"), job_in(dataset, tmp_path / "stopped")
    expected = list(work(whole))
    for steps in stops:
        begin(stopped, steps)
    list(work(stopped))
    assert read_steps(stopped.log) == expected
    one, two = (torch.load(job.checkpoints / "step-000000009.pt") for job in (whole, stopped))
    assert one["loader"] == two["loader"]
    for name, weight in one["model"].items():
        assert torch.equal(weight, two["model"][name])


def test_a_finished_run_is_left_as_it_is(dataset, tmp_path):
    job = job_in(dataset, tmp_path)
    list(work(job))
    assert list(work(job)) == []
    assert len(read_steps(job.log)) == 9


def test_other_options_are_refused(dataset, tmp_path):
    begin(job_in(dataset, tmp_path), 5)
    with pytest.raises(InputError, match="of another run: steps 9, not 20") as caught:
        list(work(job_in(dataset, tmp_path, learn=replace(LEARN, steps=20))))
    assert "another output directory" in str(caught.value.hint)


def test_how_often_is_free(dataset, tmp_path):
    job = job_in(dataset, tmp_path)
    begin(job, 5)
    list(work(replace(job, every=3, keep=1)))
    assert len(read_steps(job.log)) == 9
    assert len(list(job.checkpoints.iterdir())) == 1


def test_a_damaged_checkpoint_is_named(dataset, tmp_path):
    job = job_in(dataset, tmp_path)
    begin(job, 5)
    (job.checkpoints / "step-000000004.pt").write_bytes(b"PK")
    with pytest.raises(OutputError, match=r"step-000000004\.pt: not a checkpoint"):
        list(work(job))


def test_paths_are_made_absolute_for_other_directories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = Job("data", "run").absolute()
    assert (job.data, job.log) == (str(tmp_path / "data"), tmp_path / "run" / "steps.jsonl")
    assert Job("memory://data", "run").absolute().data == "memory://data"


def test_impossible_jobs_are_refused(dataset, tmp_path):
    for name in ("every", "keep", "threads"):
        with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
            job_in(dataset, tmp_path, **{name: 0})


def command(dataset, output, *more):
    return [sys.executable, "-m", "training.train_gpt", str(dataset), str(output), *SMALL, "--json", *more]


def killed_after(steps, words, log):
    """Start a run and kill it without warning when its log has so many steps."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while len(read_steps(log)) < steps and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode


@pytest.mark.slow
def test_a_killed_process_leaves_no_trace_in_the_curve(dataset, tmp_path):
    more = ["--steps", "400"]
    whole = subprocess.run(
        command(dataset, tmp_path / "whole", *more), capture_output=True, text=True, check=True
    )
    for steps in (3, 60):
        log = tmp_path / "killed" / "steps.jsonl"
        assert killed_after(steps, command(dataset, tmp_path / "killed", *more), log) == -signal.SIGKILL
    done = subprocess.run(
        command(dataset, tmp_path / "killed", *more), capture_output=True, text=True, check=True
    )
    expected = read_steps(tmp_path / "whole" / "steps.jsonl")
    assert [json.loads(line) for line in whole.stdout.splitlines()] == expected
    assert read_steps(log) == expected
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert 0 < len(told) < 400
    assert told == expected[-len(told) :]


def test_the_command_line_prints_steps(dataset, tmp_path, capsys):
    assert train_gpt.main([str(dataset), str(tmp_path), *SMALL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9
    assert lines[0].startswith("step     1/9  loss 4.1")


def test_the_command_line_prints_json(dataset, tmp_path, capsys):
    assert train_gpt.main([str(dataset), str(tmp_path), *SMALL, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == read_steps(tmp_path / "steps.jsonl")


def test_steps_of_workers_are_printed_and_nothing_of_ray_s(dataset, tmp_path, capsys, monkeypatch):
    """Ray prints to the standard output when a worker dies."""

    def fit(job, workers):
        print("a worker died")
        list(work(job))
        assert workers == 2

    monkeypatch.setattr(train_gpt, "fit", fit)
    assert train_gpt.main([str(dataset), str(tmp_path), *SMALL, "--json", "--workers", "2"]) == 0
    found = capsys.readouterr()
    assert [json.loads(line) for line in found.out.splitlines()] == read_steps(tmp_path / "steps.jsonl")
    assert found.err == "a worker died\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--steps", "0"], "error: steps: expected at least 1, got 0"),
        (["--width", "10", "--heads", "4"], "error: width: expected a multiple of 8, got 10"),
        (["--context", "7"], "error: context: expected a divisor of the rows' 16 tokens, got 7"),
        (["--keep", "0"], "error: keep: expected at least 1, got 0"),
        (["--workers", "99"], "error: workers: expected 1 to 8, the batch size, got 99"),
        (["--workers", "-1"], "error: workers: expected 1 to 8, the batch size, got -1"),
    ],
)
def test_mistakes_are_a_line(dataset, tmp_path, capsys, options, said):
    assert train_gpt.main([str(dataset), str(tmp_path / "run"), *options]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_the_command_line_names_the_cure(tmp_path, capsys):
    assert train_gpt.main([str(tmp_path), str(tmp_path / "run")]) == 2
    assert "hint: not a finished dataset" in capsys.readouterr().err


def test_a_terminal_gets_one_line_that_changes(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    say = train_gpt._sayer(as_json=False, steps=2)
    for step in (1, 2):
        say({"step": step, "loss": 1.0, "rate": 0.1})
    assert capsys.readouterr().out == (
        "step     1/2  loss 1.0000  rate 1.00e-01\rstep     2/2  loss 1.0000  rate 1.00e-01\n"
    )
