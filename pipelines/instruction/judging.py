"""Judging: what runs a part's programs; no sandbox is started for a part that has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from instruct.ranking import Judge
from instruct.sandbox import Limits, Trial, Verdict
from pipelines.instruction.steps import Context


@contextmanager
def judging(context: Context, limits: Limits, *, programs: bool) -> Iterator[Judge]:
    """A sandbox, open, where there are programs to run."""
    if not programs:
        yield _Nobody()
        return
    with context.sandbox(limits) as sandbox:
        yield sandbox


class _Nobody:
    def judge(self, trials: Iterable[Trial]) -> Iterator[Verdict]:
        """Verdicts on nothing."""
        for trial in trials:
            raise AssertionError(f"a program for which there is no sandbox: {trial.entry_point}")
        return iter(())
