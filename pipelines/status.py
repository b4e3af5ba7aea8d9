"""Status: how the last job of a dataset stands, told from the files in its directory, and what to do next.

Reads ``job.json`` (`pipelines.journal`), the lease, the stages' records and commits; writes nothing. A job on this
machine lives when its process does; of one elsewhere it is watched whether its journal moves: up to half a minute.
"""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from columns.errors import OutputError
from columns.files import TEMPORARY, Place
from columns.versions import Versions
from pipelines.build import STAGES
from pipelines.dataset import FOLDERS, MANIFEST, Dataset
from pipelines.journal import FAILED, FINISHED, INTERRUPTED, JOB, LIST, RUNNING
from pipelines.lease import BEAT_SECONDS, Holder, holder, lives
from pipelines.metrics import slowest
from pipelines.stage import COMMIT, read_json, stage_counts, unit_records
from pipelines.wording import count, counted, plain, problem, some, step_title

UNFINISHED = "unfinished"
EXIT_CODES: Mapping[str, int] = {FINISHED: 0, FAILED: 2, INTERRUPTED: 2, UNFINISHED: 2, RUNNING: 3}
"""What ``thresher status`` ends with."""
MOST_RECORDS = 256
NAMED = 8


@dataclass(frozen=True)
class StageState:
    """One stage: ``finished``, ``kept`` (done by an earlier job), ``running``, ``failed`` or ``stopped``."""

    stage: str
    state: str
    done: int
    total: int
    since: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Status:
    """How the last job of a dataset stands; ``next`` are the commands or steps to take, the first one first.

    ``marked``: rows without text, by problem. ``dropped``: files that decide dropped, by rule. Both as far as is known.
    ``kernels``: the seconds that each took when facts were last measured, the slowest first.
    """

    state: str
    version: int
    readable: bool
    command: str
    since: str
    ended: str
    stages: tuple[StageState, ...]
    error: Mapping[str, str] | None
    marked: Mapping[str, int]
    dropped: Mapping[str, int]
    kernels: Mapping[str, float]
    lease: Holder | None
    jobs: tuple[Mapping[str, str], ...]
    next: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 finished, 3 running, 2 anything else."""
        return EXIT_CODES[self.state]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return asdict(self)


def status(
    root: Place, *, seconds: float = BEAT_SECONDS, wait: Callable[[float], None] = time.sleep
) -> Status:
    """How the last job of the dataset at ``root`` stands. `OutputError` where there is neither dataset nor job."""
    job = read_json(root, JOB) or {}
    versions = Versions(root).numbers()
    places = [root, *(Versions(root).at(number) for number in [*versions[-1:], (versions or [1])[-1] + 1])]
    working = next((place for place in reversed(places) if _folders(place)), root)
    current = Versions(root).at(versions[-1]) if versions else root
    held, readable = holder(root, seconds=seconds, wait=wait), current.exists(MANIFEST)
    stages = tuple(_stages(root, job, working))
    if not (job or readable or stages):
        raise OutputError(
            f"{root.url}: neither a dataset nor a job here",
            hint="name the directory of --output, or build one: thresher build",
        )
    state = _state(root, job, held, stages, seconds, wait, readable=readable)
    marked, dropped = _marked(working)
    return Status(
        state, versions[-1] if versions else int(readable), readable, _command(job), job.get("since", ""),
        job.get("ended") or "", _settled(stages, state), job.get("error"), marked, dropped, kernel_seconds(working),
        held, tuple(job.get("jobs", ())), tuple(_next(root, state, job, stages)),
    )  # fmt: skip


def _folders(place: Place) -> list[str]:
    return [name for name in FOLDERS if place.child(name).exists(COMMIT) or _started(place.child(name))]


def _started(place: Place) -> dict[str, Any]:
    return read_json(place.child(".done"), "started.json") or {}


def kernel_seconds(place: Place) -> dict[str, float]:
    """The seconds that each kernel took when the facts of a dataset were last measured, the slowest first."""
    commit = read_json(Dataset(place).facts, COMMIT) or {}
    return dict(slowest(commit.get("metrics", {})))


def kernels_line(kernels: Mapping[str, float]) -> str:
    """The slowest kernels in a line.

    >>> kernels_line({"text": 12.0, "privacy": 3.25})
    'text 12.0 s, privacy 3.2 s'
    """
    return some([f"{plain(name)} {seconds:,.1f} s" for name, seconds in kernels.items()], NAMED)


def _units(place: Place) -> int:
    return sum(name[:5].isdigit() for name in place.child(".done").names() if not name.startswith(TEMPORARY))


def _stages(root: Place, job: Mapping[str, Any], working: Place) -> Iterator[StageState]:
    """The stages of the journal, counted anew where one is not done; without a journal, those that left files."""
    for entry in job.get("stages", ()):
        done = entry["done"]
        if entry["state"] not in (FINISHED, "kept") and entry.get("folder"):
            done = max(done, _units(root.child(entry["folder"])))
        yield StageState(
            entry["stage"], entry["state"], done, entry["total"], entry["since"], entry.get("seconds", 0.0)
        )
    for name in [] if job else FOLDERS:
        place = working.child(name)
        if place.exists(COMMIT):
            yield StageState(name, FINISHED, 0, 0)
        elif begun := _started(place):
            yield StageState(name, RUNNING, _units(place), begun["units"])


def _state(
    root: Place,
    job: Mapping[str, Any],
    held: Holder | None,
    stages: Sequence[StageState],
    seconds: float,
    wait: Callable[[float], None],
    *,
    readable: bool,
) -> str:
    """The state of the job as a whole."""
    if job.get("state") == RUNNING:
        return RUNNING if lives(root, JOB, seconds, wait) else INTERRUPTED
    if held is not None and held.alive:
        return RUNNING
    if job.get("state") in (FAILED, INTERRUPTED):
        return str(job["state"])
    if not job and any(stage.state == RUNNING for stage in stages):
        return INTERRUPTED
    return FINISHED if readable else UNFINISHED


def _settled(stages: Sequence[StageState], state: str) -> tuple[StageState, ...]:
    """A stage cannot be running when its job is not."""
    if state == RUNNING:
        return tuple(stages)
    return tuple(
        StageState(**{**asdict(stage), "state": "stopped"}) if stage.state == RUNNING else stage
        for stage in stages
    )


def _marked(working: Place) -> tuple[dict[str, int], dict[str, int]]:
    """Rows without text by problem, and dropped files by rule."""
    read, decided = (_counts_so_far(working.child(name)) for name in ("documents", "ledger"))
    return _of(read, "problem."), _of(decided, "files.")


def _counts_so_far(place: Place) -> Mapping[str, int]:
    """What a stage counted: in its commit, or in the records of the units that are done."""
    if place.exists(COMMIT):
        return stage_counts(place)
    total: Counter[str] = Counter()
    for record in unit_records(place, MOST_RECORDS):
        total.update(record["counts"])
    return total


def _of(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {
        name.removeprefix(prefix): number
        for name, number in counts.items()
        if name.startswith(prefix) and number
    }


def _command(job: Mapping[str, Any]) -> str:
    """The command of the job as it can be typed here."""
    if not job:
        return ""
    folder, typed = job["folder"], shlex.join(job["command"])
    return typed if folder == str(Path.cwd()) else f"cd {shlex.quote(folder)} && {typed}"


def _next(root: Place, state: str, job: Mapping[str, Any], stages: Sequence[StageState]) -> Iterator[str]:
    """What to do, in the order to do it."""
    where = shlex.quote(root.url)
    if state == RUNNING:
        yield f"wait; ask again: thresher status {where}"
        return
    if state == FINISHED:
        yield f"thresher inspect {where}"
        return
    if hint := (job.get("error") or {}).get("hint"):
        yield hint
    if "…" in _command(job):
        yield "put in what stands as … below: logins and signatures are not kept"
    yield (_after(job) if state == UNFINISHED else _command(job)) or "the command that was run before, again"


def _after(job: Mapping[str, Any]) -> str:
    """What follows a finished ``thresher run STAGE``: the next stage, and after the last one the whole build."""
    command = list(job.get("command", ()))
    if command[1:2] != ["run"] or not set(command[2:]) & set(STAGES):
        return _command(job)
    at = next(at for at, word in enumerate(command) if word in STAGES)
    if command[at] == STAGES[-1]:
        del command[at]
        command[1] = "build"
    else:
        command[at] = STAGES[STAGES.index(command[at]) + 1]
    return _command({**job, "command": command})


def lines(found: Status) -> list[str]:
    """A status in plain lines."""
    said = [f"{found.state:<10} {found.command or 'no notes of a job here'}"]
    said += (
        [f"since      {found.since}{f', until {found.ended}' if found.ended else ''}"] if found.since else []
    )
    said += [f"stage      {_stage(stage)}" for stage in found.stages]
    said += [f"error      {found.error['what']}"] if found.error else []
    said += [f"job        {job['id']} ({job['stage']}) {job['url']}" for job in found.jobs]
    said += [
        f"marked     {count(number)} {plain(name)}: {problem(name)}" for name, number in _most(found.marked)
    ]
    said += [f"dropped    {count(number)} {plain(step_title(name))}" for name, number in _most(found.dropped)]
    if found.kernels:
        said.append(f"kernels    {kernels_line(found.kernels)}")
    said += [f"lease      {_lease(found.lease)}"] if found.lease else []
    if found.readable and found.state != FINISHED:
        said.append(f"dataset    version {found.version} is whole and can be read")
    return [*said, *(f"next       {step}" for step in found.next)]


def _stage(stage: StageState) -> str:
    much = f", {count(stage.done)} of {counted(stage.total, 'unit')}" if stage.total else ""
    took = f", {stage.seconds:,.1f} s" if stage.seconds else ""
    since = f", since {stage.since}" if stage.state == RUNNING and stage.stage != LIST else ""
    return f"{stage.stage}: {stage.state}{much}{took}{since}"


def _most(numbers: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(numbers.items(), key=lambda item: (-item[1], item[0]))[:NAMED]


def _lease(held: Holder) -> str:
    life = "alive" if held.alive else "dead: the next run takes over"
    return f"{held.doing}, process {held.pid} on {held.host}, since {held.since}: {life}"
