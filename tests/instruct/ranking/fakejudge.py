"""A judge without a sandbox, for programs that these tests wrote themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from instruct.sandbox import Outcome, Trial, Verdict


class FakeJudge:
    def __init__(self) -> None:
        self.trials: list[Trial] = []

    def judge(self, trials: Iterable[Trial]) -> Iterator[Verdict]:
        for trial in trials:
            self.trials.append(trial)
            yield judged(trial)


def judged(trial: Trial) -> Verdict:
    count = len(trial.tests)
    nothing = (False,) * count
    try:
        program = compile(trial.code, "candidate", "exec")
    except SyntaxError as error:
        return Verdict(Outcome.COMPILE_ERROR, 0, count, nothing, "syntax", str(error))
    room: dict[str, Any] = {}
    try:
        exec(program, room)
    except Exception as error:
        return Verdict(Outcome.RUNTIME_ERROR, 0, count, nothing, "exception", str(error))
    exec(trial.setup, room)
    passed = tuple(passes(test, room) for test in trial.tests)
    good = sum(one is True for one in passed)
    raised = any(one is None for one in passed)
    outcome = Outcome.ALL_PASS if good == count else Outcome.SOME_PASS if good else Outcome.RUNTIME_ERROR
    reason = "" if good == count else "exception" if raised else "assertion"
    return Verdict(outcome, good, count, tuple(bool(one) for one in passed), reason, "")


def passes(test: str, room: dict[str, Any]) -> bool | None:
    """True, False where the assertion fails, None where something else is raised."""
    try:
        exec(test, dict(room))
    except AssertionError:
        return False
    except Exception:
        return None
    return True
