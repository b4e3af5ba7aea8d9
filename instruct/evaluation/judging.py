"""Judging: answers put behind their prompts and run against a problem's tests or cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from instruct.evaluation.samples import Sample
from instruct.evaluation.truncation import truncated
from instruct.problems.problem import STDIN
from instruct.sandbox import Outcome, Ran, Script, Trial, Verdict

WRONG_OUTPUT = "wrong_output"

VERDICT = pa.schema(
    [
        pa.field("task_id", pa.string(), metadata={"about": "the task"}),
        pa.field(
            "sample_ix", pa.int32(), metadata={"about": "number of the sample among its task's, from 0"}
        ),
        pa.field("stop", pa.string(), metadata={"about": "stop sequence it was cut at; null: not cut"}),
        pa.field("outcome", pa.string(), metadata={"about": "compile_error … all_pass; no_tests"}),
        pa.field("n_pass", pa.int32(), metadata={"about": "tests that pass"}),
        pa.field("n_tests", pa.int32(), metadata={"about": "tests of the task"}),
        pa.field("reason", pa.string(), metadata={"about": "why it does not pass all; '' where it does"}),
        pa.field("error", pa.string(), metadata={"about": "one line of the error; '' without one"}),
        pa.field(
            "same_as", pa.int32(), metadata={"about": "earlier sample with this text, run in its place"}
        ),
    ]
)


class Runs(Protocol):
    """What is asked of a sandbox here: `instruct.sandbox.Sandbox`, or a double in tests."""

    def judge(self, trials: Iterable[Trial]) -> Iterator[Verdict]:
        """Verdicts in the order of the trials."""

    def run(self, scripts: Iterable[Script]) -> Iterator[Ran]:
        """What each program printed, in order."""


class Attempt(NamedTuple):
    """A problem (a row of `PROBLEM`) and an answer: what follows its prompt."""

    problem: Mapping[str, Any]
    answer: str


@dataclass(frozen=True)
class Cut:
    """A sample as it is run: cut at a stop, and the number of the earlier sample it repeats."""

    sample: Sample
    answer: str
    stop: str | None
    same_as: int | None


def program(problem: Mapping[str, Any], answer: str) -> str:
    """The whole program: prompt, answer and harness.

    >>> program({"prompt": "def f():\\n", "harness": ""}, "    return 1")
    'def f():\\n    return 1\\n'
    """
    after = problem.get("harness") or ""
    return f"{problem['prompt']}{answer}\n" + (f"\n\n{after}" if after else "")


def judge(attempts: Iterable[Attempt], sandbox: Runs) -> Iterator[Verdict]:
    """A verdict per attempt, in order, for functions with tests and programs with cases alike.

    A program's output is right where its words are; space between them does not count (ours: contest sites differ).
    """
    for form, group in groupby(attempts, key=lambda attempt: attempt.problem["io_format"]):
        if form == STDIN:
            yield from _judge_programs(list(group), sandbox)
        else:
            yield from sandbox.judge(_trial(attempt) for attempt in group)


def _trial(attempt: Attempt) -> Trial:
    problem = attempt.problem
    code = program(problem, attempt.answer)
    return Trial(code, problem["entry_point"], tuple(problem["tests"]), problem["setup"])


def _judge_programs(attempts: Sequence[Attempt], sandbox: Runs) -> Iterator[Verdict]:
    ran = sandbox.run(
        Script(program(*attempt), case["stdin"]) for attempt in attempts for case in attempt.problem["cases"]
    )
    for attempt in attempts:
        cases = attempt.problem["cases"]
        yield compared(list(islice(ran, len(cases))), [case["stdout"] for case in cases])


def compared(ran: Sequence[Ran], wanted: Sequence[str]) -> Verdict:
    """What a program's runs come to, each against the output it should have.

    >>> compared([Ran("4\\n", "", "", False)], ["4"]).outcome.value
    'all_pass'
    """
    passed = tuple(
        not one.problem and not one.truncated and one.stdout.split() == right.split()
        for one, right in zip(ran, wanted, strict=True)
    )
    failed = next((one for one, fine in zip(ran, passed, strict=True) if not fine), None)
    if not passed:
        return Verdict(Outcome.NO_TESTS, 0, 0, (), "", "")
    if failed is None:
        return Verdict(Outcome.ALL_PASS, len(passed), len(passed), passed, "", "")
    outcome = Outcome.SOME_PASS if any(passed) else Outcome.RUNTIME_ERROR
    if failed.problem == "syntax":
        outcome = Outcome.COMPILE_ERROR
    reason = failed.problem or ("output" if failed.truncated else WRONG_OUTPUT)
    last = failed.stderr.strip().rpartition("\n")[2][:200]
    return Verdict(outcome, sum(passed), len(passed), passed, reason, last)


def cuts(samples: Iterable[Sample], stops: Sequence[str]) -> Iterator[Cut]:
    """Samples cut at stops; one that repeats an earlier text of its task says so."""
    first: dict[tuple[str, str], int] = {}
    for sample in samples:
        answer, stop = truncated(sample.completion, stops)
        same = first.setdefault((sample.task_id, answer), sample.sample_ix)
        yield Cut(sample, answer, stop, same if same != sample.sample_ix else None)


def judge_samples(
    problems: Mapping[str, Mapping[str, Any]],
    samples: Iterable[Sample],
    sandbox: Runs,
    stops: Sequence[str] = (),
    told: Callable[[int, int], None] | None = None,
) -> pa.Table:
    """Run every distinct answer once; `VERDICT` rows in the order of the samples.

    ``told`` hears how many distinct answers were run, of how many. A sample's task must be one of ``problems``.
    """
    every = list(cuts(samples, stops))
    distinct = [cut for cut in every if cut.same_as is None]
    found: dict[tuple[str, int], Verdict] = {}
    verdicts = judge((Attempt(problems[cut.sample.task_id], cut.answer) for cut in distinct), sandbox)
    for done, (cut, verdict) in enumerate(zip(distinct, verdicts, strict=True), 1):
        found[cut.sample.task_id, cut.sample.sample_ix] = verdict
        if told:
            told(done, len(distinct))
    return pa.Table.from_pylist([_row(cut, found) for cut in every], schema=VERDICT)


def _row(cut: Cut, found: Mapping[tuple[str, int], Verdict]) -> dict[str, Any]:
    task, number = cut.sample.task_id, cut.sample.sample_ix
    verdict = found[task, number if cut.same_as is None else cut.same_as]
    return {
        "task_id": task,
        "sample_ix": number,
        "stop": cut.stop,
        "outcome": verdict.outcome.value,
        "n_pass": verdict.n_pass,
        "n_tests": verdict.n_tests,
        "reason": verdict.reason,
        "error": verdict.error,
        "same_as": cut.same_as,
    }
