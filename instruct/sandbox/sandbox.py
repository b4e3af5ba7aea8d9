"""Sandbox: trials, calls and scripts in warm isolated interpreters, in order, on any number of workers."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

from instruct.sandbox import jobs
from instruct.sandbox.cell import Cell
from instruct.sandbox.isolation import isolation_problem
from instruct.sandbox.limits import Limits
from instruct.sandbox.trial import Calls, Ran, Returned, Script, Trial, Verdict

Given = TypeVar("Given")
Result = TypeVar("Result")
_DEFAULT = Limits()


class Sandbox:
    """Runs untrusted programs: a pair of isolated interpreters per worker, one for programs and one for tests.

    Args:
        limits: what one job may use.
        workers: pairs of interpreters; 0: as many as this process may use processors.
        preload: modules of the standard library that are imported before the first job.

    Each job runs in a fresh process forked from a warm interpreter that has seen no other job; what a job leaves
    behind is killed, and a sandbox whose directory was touched is replaced. Results do not depend on the workers.

    >>> from instruct.sandbox import Sandbox, Trial, isolation_problem
    >>> trial = Trial(code="def f(x): return x + 1", entry_point="f", tests=("assert f(1) == 2", "assert f(1) == 3"))
    >>> if isolation_problem() is None:
    ...     with Sandbox(workers=1) as sandbox:
    ...         [verdict] = sandbox.judge([trial])
    ...     assert (verdict.passed, verdict.reason) == ((True, False), "assertion")

    Raises:
        EnvironmentProblem: programs cannot be isolated on this machine; its hint says what to install.
    """

    def __init__(self, *, limits: Limits = _DEFAULT, workers: int = 0, preload: tuple[str, ...] = ()) -> None:
        problem = isolation_problem()
        if problem is not None:
            raise problem
        self.limits = limits
        self.workers = workers or len(os.sched_getaffinity(0))
        self._preload = preload
        self._local = threading.local()
        self._cells: list[Cell] = []
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all sandboxes."""
        self._pool.shutdown(cancel_futures=True)
        for cell in self._cells:
            cell.close()
        self._cells.clear()

    def judge(self, trials: Iterable[Trial]) -> Iterator[Verdict]:
        """The verdict of each trial, in order. A verdict needs the judge's own word for each test that passes."""
        return self._each(
            lambda trial: jobs.judged(trial, self._cell("program"), self._cell("tests")), trials
        )

    def call(self, calls: Iterable[Calls]) -> Iterator[tuple[Returned, ...]]:
        """What each call returned, in order: plain data, or the problem."""
        return self._each(lambda each: jobs.called(each, self._cell("program")), calls)

    def run(self, scripts: Iterable[Script]) -> Iterator[Ran]:
        """What each whole program wrote, in order."""
        return self._each(lambda script: jobs.ran(script, self._cell("program")), scripts)

    def _each(self, work: Callable[[Given], Result], given: Iterable[Given]) -> Iterator[Result]:
        waiting: collections.deque[Future[Result]] = collections.deque()
        for each in given:
            waiting.append(self._pool.submit(work, each))
            if len(waiting) > 4 * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _cell(self, name: str) -> Cell:
        """This thread's sandbox of a name: the kernel ends a sandbox together with the thread that started it."""
        cell: Cell | None = getattr(self._local, name, None)
        if cell is None:
            cell = Cell(self.limits, self._preload)
            self._cells.append(cell)
            setattr(self._local, name, cell)
        return cell
