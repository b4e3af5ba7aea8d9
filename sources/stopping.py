"""Stopping: work in threads that ends soon when the caller is interrupted, with every program it started."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

GRACE_SECONDS = 1.0

Item = TypeVar("Item")
Found = TypeVar("Found")


class Stopped(Exception):
    """The caller was interrupted; nothing more is to be done."""


class Stop:
    """Tells threads to end, and ends the programs they wait for."""

    def __init__(self) -> None:
        self._said = threading.Event()
        self._turn = threading.Lock()
        self._enders: dict[object, Callable[[], None]] = {}

    def check(self) -> None:
        """Raise `Stopped` once the stop is said."""
        if self._said.is_set():
            raise Stopped

    def say(self) -> None:
        """Stop: what threads wait for is ended now, and what they begin later ends at once."""
        self._said.set()
        with self._turn:
            for end in self._enders.values():
                end()

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """While inside, a stop calls ``end``, which must not wait."""
        key = object()
        with self._turn:
            self._enders[key] = end
        try:
            if self._said.is_set():
                end()
            yield
        finally:
            with self._turn:
                del self._enders[key]


def each(work: Callable[[Item], Found], items: Sequence[Item], *, threads: int, stop: Stop) -> list[Found]:
    """The results of some work, several at a time, in the items' order; the first error stops all and is raised.

    After an interruption or an error threads get a second to end; one that waits for a silent server is left to
    itself: it is a daemon, and ends at its next look at ``stop``.

    >>> each(abs, [-1, 2, -3], threads=2, stop=Stop())
    [1, 2, 3]
    """
    found: dict[int, Found] = {}
    ended: SimpleQueue[BaseException | None] = SimpleQueue()
    waiting, turn = iter(enumerate(items)), threading.Lock()

    def take() -> tuple[int, Item] | None:
        with turn:
            return next(waiting, None)

    def run() -> None:
        try:
            while (entry := take()) is not None:
                stop.check()
                found[entry[0]] = work(entry[1])
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    workers = [threading.Thread(target=run, daemon=True) for _ in range(min(threads, len(items)))]
    try:
        for worker in workers:
            worker.start()
        for _ in workers:
            if (error := ended.get()) is not None:
                raise error
    except BaseException:
        stop.say()
        _join(workers)
        raise
    return [found[index] for index in range(len(items))]


def _join(workers: Sequence[threading.Thread]) -> None:
    last = time.monotonic() + GRACE_SECONDS
    for worker in workers:
        if worker.ident is not None:
            worker.join(max(0.0, last - time.monotonic()))
