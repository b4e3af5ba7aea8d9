"""A language model trained over shards: ``python -m training.train_gpt DIR OUTPUT --steps 200 --workers 2``.

Through Ray Train with ``--workers``, in this process without. OUTPUT, on a disk that all workers see, gets
``steps.jsonl`` and ``checkpoints/``. Started again, or restarted by Ray after a worker died, a run goes on from its
last checkpoint and its log is that of an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from columns.errors import EnvironmentProblem, InputError, ThresherError
from columns.files import Place
from columns.versions import current_place
from shards.manifest import read_manifest
from training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint, sweep
from training.extra import require
from training.learner import LearnConfig, Learner, default_device, prepare
from training.samples import open_samples
from training.steplog import Line, StepLog, followed

_OBJECT_STORE = 80 << 20


@dataclass(frozen=True)
class Job:
    """A run: the dataset ``data``, the directory ``output``, how to learn, and what changes no result.

    A checkpoint is written after every ``every`` steps and the last one; ``keep`` of them stay. ``threads`` per worker.
    """

    data: str
    output: str
    learn: LearnConfig = field(default_factory=LearnConfig)
    every: int = 50
    keep: int = 2
    threads: int = 1

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("every", "keep", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")

    def absolute(self) -> Job:
        """The job with absolute paths: Ray's workers run in another directory."""
        local = Place(self.data).local
        data = self.data if local is None else str(local.absolute())
        return replace(self, data=data, output=str(Path(self.output).absolute()))

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are."""
        return Path(self.output) / "checkpoints"

    @property
    def log(self) -> Path:
        """A line of JSON per step."""
        return Path(self.output) / "steps.jsonl"


def work(job: Job, *, rank: int = 0, world_size: int = 1, device: str | None = None) -> Iterator[Line]:
    """One worker's run from the last checkpoint to the end; yields the facts of each step when it is logged.

    With more than one rank a process group of torch must be there. `InputError` for a checkpoint of another run.
    """
    prepare(job.threads)
    learner = _open(job, rank=rank, world_size=world_size, device=device or default_device())
    if rank:
        yield from learner.run()
        return
    sweep(job.checkpoints)
    log = StepLog(job.log, learner.step)
    for line in learner.run():
        log.write(line)
        if learner.step % job.every == 0 or learner.step == job.learn.steps:
            log.sync()
            save_checkpoint(job.checkpoints, learner.state_dict(), keep=job.keep)
        yield line
    log.close()


def _open(job: Job, *, rank: int, world_size: int, device: str) -> Learner:
    """The learner where the last checkpoint left it."""
    samples = open_samples(job.data, epochs=None, seed=job.learn.seed)
    learner = Learner(
        job.learn, samples, vocabulary(job.data), rank=rank, world_size=world_size, device=device
    )
    newest = newest_checkpoint(job.checkpoints)
    if newest is not None:
        learner.load_state_dict(load_checkpoint(newest))
    return learner


def vocabulary(data: str) -> int:
    """Rows of the embedding for a dataset's ids."""
    said = read_manifest(current_place(Place(data))).tokenizer
    return int(said.get("padded_vocab_size", said["vocab_size"]))


def ray_worker(config: Mapping[str, Any]) -> None:
    """The training function of a Ray Train worker; ``config["job"]`` is the `Job`."""
    for _ in ray_steps(config["job"]):
        pass


def ray_steps(job: Job) -> Iterator[Line]:
    """`work` for the Ray Train worker that calls this: rank, world size and device come from Ray."""
    context = require("ray.train").get_context()
    device = str(require("ray.train.torch").get_device())
    rank, size = context.get_world_rank(), context.get_world_size()
    yield from work(job, rank=rank, world_size=size, device=device)


def fit(
    job: Job,
    workers: int,
    *,
    failures: int = 3,
    loop: Callable[[Mapping[str, Any]], None] = ray_worker,
) -> None:
    """Train with so many Ray Train workers, each on a GPU where there are enough, else on a CPU.

    When a worker dies, Ray starts all of them again, up to ``failures`` times, and they go on from the last checkpoint.
    Starts a small Ray on this machine unless one is running or ``RAY_ADDRESS`` names one.
    `EnvironmentProblem` when training failed once more than that, or there are too few CPUs.
    """
    if not 1 <= workers <= job.learn.batch_size:
        raise InputError(f"workers: expected 1 to {job.learn.batch_size}, the batch size, got {workers}")
    _open(job, rank=0, world_size=1, device="cpu")
    require("pandas")
    train, torch_train = require("ray.train"), require("ray.train.torch")
    gpu = _start_ray(workers)
    trainer = torch_train.TorchTrainer(
        loop,
        train_loop_config={"job": job.absolute()},
        scaling_config=train.ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=train.RunConfig(
            name=uuid.uuid4().hex,
            storage_path=str(Path(job.output).absolute() / "ray"),
            failure_config=train.FailureConfig(max_failures=failures),
        ),
    )
    try:
        trainer.fit()
    except train.TrainingFailedError as error:
        raise EnvironmentProblem(
            f"training failed: {_first_line(error)}",
            hint="start it again with the same options to go on from the last checkpoint",
        ) from error


def _first_line(error: Exception) -> str:
    """What the first worker that failed has said, in a line."""
    failures = getattr(error, "worker_failures", {})
    cause = failures[min(failures)] if failures else error
    lines = str(getattr(cause, "cause", cause)).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__


def _start_ray(workers: int) -> bool:
    """Start Ray where none runs; whether it has a GPU for every worker."""
    ray = require("ray")
    if not ray.is_initialized():
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if "RAY_ADDRESS" not in os.environ:
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            options |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE}
        ray.init(**options)
    there = ray.cluster_resources()
    gpu = bool(there.get("GPU", 0) >= workers)
    if not gpu and there.get("CPU", 0) < workers:
        cpus = int(there.get("CPU", 0))
        raise EnvironmentProblem(
            f"{workers} workers need as many CPUs, Ray has {cpus}", hint=f"--workers {cpus}"
        )
    return gpu


def main(argv: list[str] | None = None) -> int:
    """The command line; returns its exit code, 2 for a dataset or an environment to mend."""
    given = _parser().parse_args(argv)
    say = _sayer(as_json=given.json, steps=given.steps)
    try:
        learn = LearnConfig(**{item.name: getattr(given, item.name) for item in fields(LearnConfig)})
        job = Job(given.directory, given.output, learn, given.every, given.keep, given.threads)
        _train(job, given.workers, say)
    except ThresherError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except ValueError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


def _train(job: Job, workers: int, say: Callable[[Line], None]) -> None:
    """Train and say the steps; what Ray prints by itself, of dead workers say, goes to the standard error."""
    if workers:
        with followed(job.log, say), redirect_stdout(sys.stderr):
            fit(job, workers)
        return
    for line in work(job):
        say(line)


def _sayer(*, as_json: bool, steps: int) -> Callable[[Line], None]:
    """What is printed of a step: JSON, a line that is overwritten on a terminal, or a line."""
    out = sys.stdout
    over = out.isatty() and not as_json

    def say(line: Line) -> None:
        told = f"step {line['step']:5d}/{steps}  loss {line['loss']:.4f}  rate {line['rate']:.2e}"
        end = "\r" if over and line["step"] < steps else "\n"
        print(json.dumps(line) if as_json else told, end=end, file=out, flush=True)

    return say


def _parser() -> argparse.ArgumentParser:
    about = "Train a language model over shards, through Ray Train or in this process."
    parser = argparse.ArgumentParser(
        prog="python -m training.train_gpt",
        description=about,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("directory", help="a dataset made by thresher build")
    parser.add_argument("output", help="the run's directory, on a disk that all workers see")
    parser.add_argument(
        "--workers", type=int, default=0, help="Ray Train workers; 0: in this process, without Ray"
    )
    parser.add_argument("--every", type=int, default=Job.every, help="steps between checkpoints")
    parser.add_argument("--keep", type=int, default=Job.keep, help="checkpoints that stay")
    parser.add_argument("--threads", type=int, default=Job.threads, help="threads of each worker")
    parser.add_argument("--json", action="store_true", help="a line of JSON per step")
    add_learning(parser)
    return parser


def add_learning(parser: argparse.ArgumentParser, said: Mapping[str, str] | None = None) -> None:
    """The options of `LearnConfig`, one per field; ``said`` replaces what is said of some."""
    about = {
        "steps": "global batches",
        "batch_size": "rows of a global batch, over all workers",
        "context": "tokens a row is cut to, a divisor of the dataset's seq_len; not given: not cut",
        "width": "of the model",
        "layers": "of the model",
        "heads": "of attention",
        "rate": "highest learning rate",
        "warmup": "steps",
        "final": "last learning rate, as a share of the highest",
        "decay": "weight decay of matrices",
        "clip": "largest norm of a gradient",
        "seed": "of the first weights and the order of the data",
    }
    for item in fields(LearnConfig):
        kind = float if isinstance(item.default, float) else int
        flag = f"--{item.name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=item.default, help=(about | dict(said or {}))[item.name])


if __name__ == "__main__":
    sys.exit(main())
