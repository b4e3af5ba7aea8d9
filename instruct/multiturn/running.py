"""Running: the programs that dialogues come to, in the sandbox, and the share that prints what it should.

Source of the measure: CodeGen, arXiv 2203.13474, section 4.2: the pass rate over a problem's cases and samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from statistics import fmean
from typing import Any, Protocol

from columns.errors import InputError
from instruct.multiturn.agreeing import agrees
from instruct.multiturn.answers import Answered
from instruct.multiturn.dialogue import Dialogue
from instruct.sandbox import Calls, Limits, Returned

ENTRY = "last_print"
LIMITS = Limits(wall_s=20.0, cpu_s=20.0, memory_mb=2048)
WRONG_VALUE, NO_PRINT = "wrong_value", "no_print"


class Calling(Protocol):
    """What is asked of a sandbox here: `instruct.sandbox.Sandbox`, or a double in tests."""

    def call(self, calls: Iterable[Calls]) -> Iterator[tuple[Returned, ...]]:
        """What the calls return, in order."""


@dataclass(frozen=True)
class Printed:
    """How one program did; ``reason`` is empty where it passed."""

    id: str
    input_ix: int
    sample_ix: int
    passed: bool
    reason: str
    error: str


@dataclass(frozen=True)
class Rates:
    """Pass rates from 0 to 1 of each problem and category, and over attempted problems.

    ``unattempted`` problems have no answer at all.
    """

    problems: Mapping[str, float]
    categories: Mapping[str, float]
    overall: float
    answers: int
    unattempted: int

    def row(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def numpy_there(sandbox: Calling) -> bool:
    """Whether programs in the sandbox can import NumPy, as the published preamble does."""
    probe = Calls("def probe():\n    import numpy\n    return int(numpy.int64(1))\n", "probe", (((), {}),))
    (found,) = next(iter(sandbox.call([probe])))
    return not found.problem and found.value == 1


def run_answers(
    answers: Sequence[Answered],
    dialogues: Sequence[Dialogue],
    sandbox: Calling,
    told: Callable[[int, int], None] | None = None,
) -> Iterator[Printed]:
    """Run every distinct program once and compare its last printed value; in the order of the answers.

    ``told`` hears how many programs were run, of how many.
    """
    wanted = {one.id: one.outputs for one in dialogues}
    harness = (resources.files("instruct.multiturn") / "lastprint.py").read_text(encoding="utf-8")
    jobs = {_job(answer, wanted): None for answer in answers}
    calls = (Calls(harness, ENTRY, (((program, kind), {}),)) for program, kind in jobs)
    ran: dict[tuple[str, str], Returned] = {}
    for done, (job, (returned,)) in enumerate(zip(jobs, sandbox.call(calls), strict=True), 1):
        ran[job] = returned
        if told:
            told(done, len(jobs))
    for answer in answers:
        yield _printed(answer, ran[_job(answer, wanted)], wanted[answer.id][answer.input_ix])


def _job(answer: Answered, wanted: Mapping[str, Sequence[Any]]) -> tuple[str, str]:
    return answer.program, type(wanted[answer.id][answer.input_ix]).__name__


def _printed(answer: Answered, returned: Returned, wanted: Any) -> Printed:
    reason, value = returned.problem, returned.value
    if not reason:
        fine = type(value) is dict and value.get("printed") is True and "value" in value
        reason = ("" if agrees(value["value"], wanted) else WRONG_VALUE) if fine else NO_PRINT  # type: ignore[index]
    return Printed(answer.id, answer.input_ix, answer.sample_ix, not reason, reason, returned.error)


def rates(printed: Iterable[Printed], dialogues: Sequence[Dialogue]) -> Rates:
    """Pass rates: of a problem over all its cases' samples, of a category and overall the mean over problems.

    A case without any answer counts as failed once the problem has one for another. Raises `InputError` for none.
    """
    found: dict[str, dict[int, list[bool]]] = {}
    answers = 0
    for one in printed:
        found.setdefault(one.id, {}).setdefault(one.input_ix, []).append(one.passed)
        answers += 1
    if not found:
        raise InputError("no answers to the benchmark's problems")
    tried = [dialogue for dialogue in dialogues if dialogue.id in found]
    problems = {each.id: _problem_rate(found[each.id], len(each.inputs)) for each in tried}
    groups: dict[str, list[float]] = {}
    for each in tried:
        groups.setdefault(each.category, []).append(problems[each.id])
    categories = {name: fmean(values) for name, values in sorted(groups.items())}
    return Rates(problems, categories, fmean(problems.values()), answers, len(dialogues) - len(tried))


def _problem_rate(cases: Mapping[int, Sequence[bool]], count: int) -> float:
    return sum(fmean(passed) for passed in cases.values()) / count
