"""Verification: the tests that count, the solution that passes them, and whether it does every time.

Source: Codex, arXiv 2107.03374, sections 4.1 (tests from wrong solutions) and 4.3 (verification run several times, to
leave out what is stateful or not deterministic).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from columns.fingerprint import fingerprint
from instruct.evaluation import Attempt, Runs, judge, program
from instruct.evaluation.judging import compared
from instruct.problems import PROBLEM, STDIN
from instruct.sandbox import Outcome, Script

NO_TESTS, NO_SOLUTION, SOLUTION_FAILS = "no_tests", "no_solution", "solution_fails"
NOT_REPEATABLE, DUPLICATE = "not_repeatable", "duplicate"
RULES = (NO_TESTS, NO_SOLUTION, SOLUTION_FAILS, NOT_REPEATABLE)


@dataclass(frozen=True)
class VerifyConfig:
    """How problems are verified.

    * ``runs``: a solution must pass every test so many times.
    * ``most_solutions``: of a contest task's solutions so many are tried, in order, until one passes.
    * ``most_wrong``, ``most_cases``: so many wrong solutions are run on so many hidden cases to choose from these.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    runs: int = 3
    most_solutions: int = 5
    most_wrong: int = 10
    most_cases: int = 30

    def __post_init__(self) -> None:
        for name in ("runs", "most_solutions", "most_wrong", "most_cases"):
            if getattr(self, name) < 1:
                raise ValueError(f"verify.{name}: expected at least 1, got {getattr(self, name)}")


def choose_cases(problems: pa.Table, sandbox: Runs, config: VerifyConfig) -> tuple[pa.Table, Counter[str]]:
    """Keep a program's shown cases, and those hidden ones that a wrong solution fails.

    Hidden cases of a task without wrong solutions stay only where none is shown. Rows that are dropped stay as they
    are. Counts ``cases.kept`` and ``cases.left_out``. Runs at most ``most_wrong x most_cases`` programs a task.
    """
    rows = problems.to_pylist()
    open_rows = [row for row in rows if row["dropped"] is None and row["io_format"] == STDIN and row["cases"]]
    counts: Counter[str] = Counter()
    plans = [_Plan.of(row, config) for row in open_rows]
    ran = sandbox.run(script for plan in plans for script in plan.scripts)
    for plan in plans:
        failed = [not _passes(next(ran), case) for case in plan.hidden for _ in plan.wrong]
        chosen = [
            case for at, case in enumerate(plan.hidden)
            if any(failed[at * len(plan.wrong) : (at + 1) * len(plan.wrong)])
        ]  # fmt: skip
        _keep(plan, chosen, counts)
    return pa.Table.from_pylist(rows, schema=PROBLEM), counts


@dataclass(frozen=True)
class _Plan:
    row: dict[str, Any]
    hidden: Sequence[Mapping[str, Any]]
    wrong: Sequence[str]

    @classmethod
    def of(cls, row: dict[str, Any], config: VerifyConfig) -> _Plan:
        hidden = [case for case in row["cases"] if not case["shown"]][: config.most_cases]
        return cls(row, hidden, row["wrong"][: config.most_wrong])

    @property
    def scripts(self) -> Iterable[Script]:
        programs = [program(self.row, text) for text in self.wrong]
        return (Script(text, case["stdin"]) for case in self.hidden for text in programs)


def _passes(ran: Any, case: Mapping[str, Any]) -> bool:
    return compared([ran], [case["stdout"]]).outcome is Outcome.ALL_PASS


def _keep(plan: _Plan, chosen: Sequence[Mapping[str, Any]], counts: Counter[str]) -> None:
    row = plan.row
    shown = [case for case in row["cases"] if case["shown"]]
    kept = [*shown, *chosen] if plan.wrong else shown or list(plan.hidden)
    counts["cases.kept"] += len(kept)
    counts["cases.left_out"] += len(row["cases"]) - len(kept)
    if chosen:
        row["tests_from"] = "wrong_solutions"
    row["cases"], row["n_tests"] = kept, len(kept)


def verify(problems: pa.Table, sandbox: Runs, config: VerifyConfig) -> tuple[pa.Table, Counter[str]]:
    """Find each problem's first solution that passes every test, and see that it does so every time.

    It becomes ``canonical_solution``; ``verify_runs`` says how often it passed. Rows without are dropped by one of
    `RULES`; counts are rows per rule and ``verified``.
    """
    rows = problems.to_pylist()
    counts: Counter[str] = Counter()
    waiting = []
    for row in rows:
        if row["dropped"] is None and not _refused(row):
            row["verify_runs"] = None
            waiting.append(row)
    passed = _first_passing(waiting, sandbox, config)
    for _ in range(config.runs - 1):
        verdicts = judge([Attempt(row, row["canonical_solution"]) for row in passed], sandbox)
        for row, verdict in zip(passed, list(verdicts), strict=True):
            row["verify_runs"] += verdict.outcome is Outcome.ALL_PASS
    for row in passed:
        if row["verify_runs"] < config.runs:
            row["dropped"] = NOT_REPEATABLE
    before = problems["dropped"].to_pylist()
    counts.update(_counts(rows, before))
    return pa.Table.from_pylist(rows, schema=PROBLEM), counts


def _refused(row: dict[str, Any]) -> bool:
    if not row["n_tests"]:
        row["dropped"] = NO_TESTS
    elif not (row["canonical_solution"] or row["solutions"]):
        row["dropped"] = NO_SOLUTION
    return row["dropped"] is not None


def _first_passing(
    rows: Sequence[dict[str, Any]], sandbox: Runs, config: VerifyConfig
) -> list[dict[str, Any]]:
    """Rows whose first passing solution was found, in order; the others are marked."""
    choices = {id(row): _solutions(row)[: config.most_solutions] for row in rows}
    waiting = list(rows)
    for turn in range(config.most_solutions):
        trying = [row for row in waiting if turn < len(choices[id(row)])]
        verdicts = judge([Attempt(row, choices[id(row)][turn]) for row in trying], sandbox)
        for row, verdict in zip(trying, list(verdicts), strict=True):
            if verdict.outcome is Outcome.ALL_PASS:
                row["canonical_solution"], row["verify_runs"] = choices[id(row)][turn], 1
            elif turn == 0:
                row["problem"] = f"{verdict.reason} {verdict.error}".strip()[:200] or None
        waiting = [row for row in waiting if row["verify_runs"] is None]
    for row in waiting:
        row["dropped"], row["verify_runs"] = SOLUTION_FAILS, 0
    found = [row for row in rows if row["dropped"] is None]
    for row in found:
        row["problem"] = None
    return found


def _solutions(row: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(code for code in [row["canonical_solution"], *row["solutions"]] if code))


def _counts(rows: Sequence[Mapping[str, Any]], before: Sequence[str | None]) -> Counter[str]:
    now = [row["dropped"] for row, then in zip(rows, before, strict=True) if then is None]
    return Counter(rule or "verified" for rule in now)


def mark_duplicates(problems: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """Drop every problem whose prompt and solution an earlier kept one has, spaces at the ends apart.

    Needs all problems of the set at once; which is earlier is a matter of ``task_id``, never of the table's order.
    """
    rows = problems.to_pylist()
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for row in sorted((row for row in rows if row["dropped"] is None), key=lambda row: row["task_id"]):
        text = fingerprint([row["prompt"].strip(), row["canonical_solution"].strip()])
        kept = first.setdefault(text, row["task_id"])
        if kept != row["task_id"]:
            row["dropped"], row["duplicate_of"] = DUPLICATE, kept
            counts[DUPLICATE] += 1
    return pa.Table.from_pylist(rows, schema=PROBLEM), counts
