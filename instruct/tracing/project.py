"""A project's tests run and traced in the sandbox, and what comes of it: the whole of Codex-S's second part.

Source: Codex, arXiv 2107.03374, section 4.2: continuous integration's commands are followed, inputs and outputs of
functions are traced, functions become problems. What the paper does not say is declared in `TraceConfig`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from columns.errors import InputError
from instruct.sandbox import Limits, ProjectRun, Ran, Sandbox, run_project
from instruct.sandbox.project import EXTRA, PROJECT
from instruct.tracing import tracer
from instruct.tracing.ci import Command, Plan, read_plan
from instruct.tracing.functions import funnel
from instruct.tracing.identity import distribution_files
from instruct.tracing.making import ProblemConfig, Project, make_problems
from instruct.tracing.modules import NOT_OURS, Modules, own_packages
from instruct.tracing.records import Trace, agreed, joined, read_trace
from instruct.tracing.replay import Caller
from instruct.tracing.wheels import fetch_wheels, installed, own_pytest, site_of

__all__ = ["TestRun", "TraceConfig", "TracedProject", "command_of", "trace_project"]

_TRACER = "thresher/tracer.py"
_ENVIRONMENT = {
    "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "HOME": "/tmp", "TZ": "UTC",
    "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "CI": "true", "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
    "MALLOC_ARENA_MAX": "1",
}  # fmt: skip
_PYTEST = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist",
           "-o", "addopts=", "-o", "filterwarnings=", "-o", "required_plugins=")  # fmt: skip
_SUMMARY = re.compile(
    r"(?<!\d)\d{1,9} (?:passed|failed|error|skipped)[^\n]*"
    r"|Ran \d{1,9} tests?(?: in [^\n]{1,40}\s{1,4}FAILED \([^)\n]{1,80}\))?"
)


@dataclass(frozen=True)
class TraceConfig:
    """How a project's tests are run and traced. None of these values is published; they are ours.

    Attributes:
        rounds: how often the tests are run. A call counts when every round noted it: tests that draw their inputs from
            the clock or the system's randomness would give other problems each time.
        calls: distinct calls that are noted of each function, the first ones.
        patience: calls of a function that are looked at for them.
        trace_mb: largest trace of one command.
        wall_s, memory_mb, processes, disk_mb: limits of each test command. Threads count as processes: tests of locks
            start dozens at once, and one that cannot start would change what is noted.
        replay_s: seconds of processor time for all calls of one function in one replay. Generous, and of time on the
            clock three times as much: what ends near a limit would not be the same in every run.
        problem: what is asked of a problem.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rounds: int = 2
    calls: int = 50
    patience: int = 1_000
    trace_mb: int = 32
    wall_s: float = 300.0
    memory_mb: int = 2_048
    processes: int = 256
    disk_mb: int = 256
    replay_s: float = 20.0
    problem: ProblemConfig = field(default_factory=ProblemConfig)

    @property
    def limits(self) -> Limits:
        """Limits of a test command."""
        return Limits(wall_s=self.wall_s, cpu_s=self.wall_s, memory_mb=self.memory_mb, processes=self.processes,
                      disk_mb=self.disk_mb, output_kb=256)  # fmt: skip


_DEFAULT = TraceConfig()


@dataclass(frozen=True)
class TestRun:
    """One command that ran: the plan's, why it stopped ("" where it ended by itself), and how its tests went."""

    __test__ = False

    command: Command
    problem: str
    outcome: str


@dataclass(frozen=True)
class TracedProject:
    """All that tracing a project found; ``functions`` and ``problems`` are tables of `FUNCTION` and `PROBLEM`.

    ``missing``: requirements that are not installed where the tests ran. ``complete``: every tracer came to its end.
    ``spoiled``: lines of traces that no tracer wrote. ``problem``: why nothing was run, or "".
    """

    plan: Plan
    runs: tuple[TestRun, ...]
    missing: tuple[str, ...]
    functions: pa.Table
    problems: pa.Table
    complete: bool
    spoiled: int
    problem: str = ""

    @property
    def summary(self) -> dict[str, object]:
        """What is told of it, the same in every run."""
        return {
            "commands": [
                {
                    "command": _shown(" ".join(("python", *run.command.argv))),
                    "from": _shown(f"{run.command.file}:{run.command.line}".removesuffix(":0")),
                    "outcome": _shown(run.outcome),
                    "problem": run.problem,
                }
                for run in self.runs
            ],
            "passed_over": [
                _shown(f"{one.file}:{one.line}: {one.text}: {one.why}") for one in self.plan.passed_over
            ],
            "requirements": [one.name for one in self.plan.requirements],
            "missing": list(self.missing),
            "funnel": funnel(self.functions),
            "problems": self.problems.num_rows,
            "tests": sum(self.problems["n_tests"].to_pylist()),
            "complete": self.complete,
            "spoiled": self.spoiled,
            "problem": self.problem,
        }  # fmt: skip


def trace_project(
    tree: Path,
    config: TraceConfig = _DEFAULT,
    *,
    project: Project | None = None,
    python: Path | None = None,
    site_packages: Sequence[Path] = (),
    fetch: bool = False,
    sandbox: Caller | None = None,
    workers: int = 0,
) -> TracedProject:
    """Run a project's tests in the sandbox, trace them, and make problems of functions whose calls can be replayed.

    ``python`` and ``site_packages`` are what the tests run with (this interpreter and its packages by default);
    ``fetch`` allows wheels to be downloaded for what the project requires. ``sandbox`` replays; one with ``workers`` is
    made where none is given. The project's own code runs in sandboxes only.

    Raises:
        InputError: no such folder. EnvironmentProblem: nothing can be isolated here, or there is no pytest.
    """
    if not tree.is_dir():
        raise InputError(f"{tree}: no such folder", hint="give the folder of a project's source code")
    plan = read_plan(tree)
    named = project or Project(tree.resolve().name)
    with _packages(plan, python, site_packages, fetch=fetch) as folders:
        missing = plan.missing(installed(folders))
        trace, runs, problem = run_traced(tree, plan.commands, config, python=python, folders=folders)
    modules = Modules(tree)
    if sandbox is not None:
        made = make_problems(trace.functions, modules, sandbox, config.problem, named)
    else:
        limits = Limits(wall_s=3 * config.replay_s, cpu_s=config.replay_s, output_kb=256)
        with Sandbox(limits=limits, workers=workers) as own:
            made = make_problems(trace.functions, modules, own, config.problem, named)
    return TracedProject(plan, runs, missing, *made, trace.complete, trace.spoiled, problem)


@contextmanager
def _packages(
    plan: Plan, python: Path | None, site_packages: Sequence[Path], *, fetch: bool
) -> Iterator[tuple[Path, ...]]:
    """The folders of packages that the tests may import: given, fetched, and our pytest where they hold none."""
    folders = tuple(site_packages) or site_of(python or Path(sys.executable))
    with tempfile.TemporaryDirectory(prefix="thresher-") as made:
        into = Path(made)
        if fetch:
            names = set(plan.missing(installed(folders)))
            wanted = [one for one in plan.requirements if one.name in names]
            fetch_wheels(wanted, python or Path(sys.executable), into)
            folders += (into / "site",) if (into / "site").is_dir() else ()
        asked = any("pytest" in one.argv for one in plan.commands)
        pytest = own_pytest(into / "pytest", folders) if asked else ()
        yield folders + pytest


def command_of(command: Command, settings: dict[str, object] | None) -> tuple[str, ...]:
    """The arguments that run a command of the plan, through the tracer where it has settings."""
    argv = command.argv
    if argv[:2] == ("-m", "pytest"):
        argv = (*argv[:2], *_PYTEST, *argv[2:])
    if settings is None:
        return ("python", *argv)
    return ("python", f"{EXTRA}/{_TRACER}", json.dumps(settings), *argv)


def run_traced(
    tree: Path,
    commands: Sequence[Command],
    config: TraceConfig,
    *,
    python: Path | None,
    folders: Sequence[Path],
    traced: bool = True,
) -> tuple[Trace, tuple[TestRun, ...], str]:
    """Run test commands in the sandbox: the trace, how the tests went, and why nothing ran ("" where something did).

    ``traced=False`` runs the same commands alone, to compare.
    """
    if not commands:
        return Trace((), complete=False, spoiled=0), (), "no test command is understood"
    whole = list(commands) * config.rounds
    names = [f".thresher-trace-{at}.jsonl" for at in range(len(whole))]
    settings = [_settings(tree, name, config) if traced else None for name in names]
    run = ProjectRun(
        tree=tree,
        commands=tuple(command_of(*pair) for pair in zip(whole, settings, strict=True)),
        env={**_ENVIRONMENT, "PYTHONPATH": f"{PROJECT}:{PROJECT}/src"},
        site_packages=tuple(folders),
        files={_TRACER: Path(tracer.__file__).read_bytes(), **distribution_files(tree)},
        collect=tuple(names) if traced else (),
        python=python,
    )
    result = run_project(run, config.limits)
    traces = [read_trace(result.files.get(name, b"")[: config.trace_mb << 20]) for name in names]
    runs = [
        TestRun(one, ran.problem, _outcome(ran)) for one, ran in zip(commands, result.finished, strict=False)
    ]
    size = len(commands)
    rounds = [joined(traces[at : at + size], calls=config.calls) for at in range(0, len(traces), size)]
    return reduce(agreed, rounds), tuple(runs), result.problem


def _settings(tree: Path, name: str, config: TraceConfig) -> dict[str, object]:
    return {
        "out": f"{PROJECT}/{name}",
        "roots": [f"{PROJECT}/{one}" for one in own_packages(tree)],
        "skip": sorted(NOT_OURS),
        "calls": config.calls,
        "patience": config.patience,
        "limit": config.trace_mb << 20,
        "path": [PROJECT, f"{PROJECT}/src"],
    }


def _shown(text: str) -> str:
    """A text that can be written down: names of files and escapes in YAML may hold halves of characters."""
    return text.encode("utf-8", "replace").decode()


def _outcome(ran: Ran) -> str:
    """What a test runner counts in the end, without its time."""
    found = _SUMMARY.findall(ran.stdout) or _SUMMARY.findall(ran.stderr)
    said = found[-1] if found else (ran.stderr.strip() or ran.stdout.strip()).split("\n")[-1]
    told = " ".join(re.sub(r" in [\d.]+s.*", "", said).split()).strip(" =")[:200]
    return told if found else f"no tests counted: {told}".removesuffix(": ")
