"""Through Ray Train: a worker is killed, and the curve is that of an undisturbed run."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("torch")
pytest.importorskip("pandas")

from columns.errors import EnvironmentProblem, InputError
from training import train_gpt
from training.learner import LearnConfig
from training.steplog import read_steps
from training.train_gpt import Job

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

LEARN = LearnConfig(steps=11, batch_size=6, width=16, layers=1, heads=2, warmup=2, seed=3)


def job_in(dataset: Path, output: Path, **changes) -> Job:
    return replace(Job(str(dataset), str(output), LEARN, every=4), **changes)


def killed_once(config) -> None:
    """Rank 1 kills itself behind step 6, the first time; the last checkpoint is that of step 4."""
    import ray.train

    job = config["job"]
    rank = ray.train.get_context().get_world_rank()
    Path(job.output, f"began-{rank}-{os.getpid()}").touch()
    mark = Path(job.output, "killed")
    for line in train_gpt.ray_steps(job):
        if rank == 1 and line["step"] == 6 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_killed_worker_leaves_no_trace_in_the_curve(ray_session, dataset, tmp_path, monkeypatch):
    """The second run's paths are relative; workers run in another directory."""
    whole, killed, alone = (job_in(dataset, tmp_path / name) for name in ("whole", "killed", "alone"))
    train_gpt.fit(whole, 2)
    (tmp_path / "killed").mkdir()
    monkeypatch.chdir(tmp_path)
    train_gpt.fit(replace(killed, output="killed"), 2, loop=killed_once)
    assert (tmp_path / "killed" / "killed").exists()
    assert len(list((tmp_path / "killed").glob("began-*"))) == 4
    undisturbed = read_steps(whole.log)
    assert [line["step"] for line in undisturbed] == list(range(1, 12))
    assert read_steps(killed.log) == undisturbed

    list(train_gpt.work(alone))
    for one, two in zip(read_steps(alone.log), undisturbed, strict=True):
        assert one["tokens"] == two["tokens"]
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-5)


def fails(config) -> None:
    for line in train_gpt.ray_steps(config["job"]):
        if line["step"] == 2:
            raise InputError("rows went bad\nsomewhere", hint="none")


@pytest.mark.long
def test_one_failure_too_many_is_told(ray_session, dataset, tmp_path):
    with pytest.raises(EnvironmentProblem, match=r"training failed: .*rows went bad") as caught:
        train_gpt.fit(job_in(dataset, tmp_path), 1, failures=0, loop=fails)
    assert "somewhere" not in caught.value.what
    assert "go on from the last checkpoint" in str(caught.value.hint)


@pytest.mark.long
def test_two_workers_go_on_where_one_stopped(ray_session, dataset, tmp_path):
    whole, changed = job_in(dataset, tmp_path / "whole"), job_in(dataset, tmp_path / "changed")
    list(train_gpt.work(whole))
    for line in train_gpt.work(changed):
        if line["step"] == 5:
            break
    train_gpt.fit(changed, 2)
    for one, two in zip(read_steps(whole.log), read_steps(changed.log), strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-5)


@pytest.mark.parametrize("workers", [0, 7])
def test_workers_fit_the_batch(dataset, tmp_path, workers):
    with pytest.raises(InputError, match="workers: expected 1 to 6"):
        train_gpt.fit(job_in(dataset, tmp_path), workers)


def test_more_workers_than_cpus_are_refused(ray_session, dataset, tmp_path):
    with pytest.raises(EnvironmentProblem, match="5 workers need as many CPUs, Ray has 2"):
        train_gpt.fit(job_in(dataset, tmp_path), 5)
