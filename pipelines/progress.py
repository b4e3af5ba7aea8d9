"""Progress: one bar per stage on a terminal, one line per stage elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from columns.files import Place
from pipelines.metrics import Book
from pipelines.stage import Stage

POLL_SECONDS = 0.2
TICK_SECONDS = 1.0

_COLUMNS = (SpinnerColumn(), TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn())


@dataclass(frozen=True)
class Watch:
    """How far a stage is: units done (counted from the files that workers leave) and their total."""

    label: str
    done: Callable[[], int]
    total: int
    stage: Stage | None = None


class Observer:
    """Is told what becomes of the stages of a job; every method may be left out."""

    def listing(self) -> None:
        """Inputs are being listed."""

    def kept(self, watch: Watch) -> None:
        """A stage was finished before."""

    def began(self, watch: Watch) -> None:
        """A stage is under way."""

    def moved(self, watch: Watch, done: int) -> None:
        """So many units are done; called about every `TICK_SECONDS`."""

    def ended(self, watch: Watch, seconds: float) -> None:
        """A stage is finished; where the watch knows it, its commit is there."""

    def failed(self, watch: Watch, error: BaseException) -> None:
        """A stage ended early."""


@dataclass
class Display:
    """Shows stages on a console; quiet shows nothing. ``observers`` are told all the same."""

    console: Console
    quiet: bool = False
    observers: tuple[Observer, ...] = ()

    def note(self, text: str) -> None:
        """Say one line."""
        if not self.quiet:
            self.console.print(text, highlight=False)

    def lines(self, text: Sequence[str]) -> None:
        """Say some lines of plain text, as they are."""
        if not self.quiet:
            self.console.print("\n".join(text), highlight=False, markup=False, style="dim")

    @contextmanager
    def stage(self, watch: Watch) -> Iterator[None]:
        """Show a stage while the block runs."""
        started = time.monotonic()
        with self._observed(watch), self._displayed(watch):
            yield
        seconds = time.monotonic() - started
        for observer in self.observers:
            observer.ended(watch, seconds)
        self._finished(watch.label, seconds)

    def kept(self, watch: Watch) -> None:
        """Say that a stage was finished before."""
        self.note(f"[dim]· {watch.label:<9} done before[/dim]")
        for observer in self.observers:
            observer.kept(watch)

    @contextmanager
    def _displayed(self, watch: Watch) -> Iterator[None]:
        if self.quiet or not self.console.is_terminal:
            yield
        else:
            with self._bar(watch):
                yield

    @contextmanager
    def _observed(self, watch: Watch) -> Iterator[None]:
        """Tell the observers how far the block is, and how it fails."""
        if not self.observers:
            yield
            return
        for observer in self.observers:
            observer.began(watch)
        try:
            with _following(watch.done, TICK_SECONDS, lambda done: self._moved(watch, done)):
                yield
        except BaseException as error:
            for observer in self.observers:
                observer.failed(watch, error)
            raise

    def _moved(self, watch: Watch, done: int) -> None:
        for observer in self.observers:
            observer.moved(watch, done)

    @contextmanager
    def listing(self) -> Iterator[Callable[[int, int], None]]:
        """Show that inputs are being listed while the block runs; yields what is told how many of how many are done.

        A line is left only where it took a second or more: directories are listed in no time, crawls are not.
        """
        started = time.monotonic()
        for observer in self.observers:
            observer.listing()
        if self.quiet or not self.console.is_terminal:
            yield _unseen
        else:
            progress = Progress(*_COLUMNS, TimeElapsedColumn(), console=self.console, transient=True)
            try:
                yield _shown(progress)
            finally:
                progress.stop()
        if (seconds := time.monotonic() - started) >= 1:
            self._finished("list", seconds)

    def _finished(self, label: str, seconds: float) -> None:
        self.note(f"[green]✓[/green] {label:<9} {seconds:6.1f} s")

    @contextmanager
    def _bar(self, watch: Watch) -> Iterator[None]:
        with Progress(*_COLUMNS, TimeElapsedColumn(), console=self.console, transient=True) as progress:
            task = progress.add_task(watch.label, total=watch.total if watch.total > 1 else None)
            with _following(watch.done, POLL_SECONDS, lambda done: progress.update(task, completed=done)):
                yield


@contextmanager
def _following(done: Callable[[], int], seconds: float, tell: Callable[[int], None]) -> Iterator[None]:
    """Count every few seconds while the block runs, and hand the count on."""
    stop = threading.Event()

    def follow() -> None:
        while not stop.wait(seconds):
            with suppress(OSError):  # the folder it counts in may just be cleared
                tell(done())

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        stop.set()
        follower.join()


def _shown(progress: Progress) -> Callable[[int, int], None]:
    """What moves a bar that is there only while something is under way, so that questions can be asked between."""
    task, turn = progress.add_task("list", total=None), threading.Lock()

    def watch(done: int, wanted: int) -> None:
        with turn:
            progress.update(task, completed=done, total=wanted)
            if done >= wanted:
                progress.stop()
            elif not progress.live.is_started:
                progress.start()

    return watch


def _unseen(_done: int, _wanted: int) -> None:
    """Nobody is watching."""


@dataclass(frozen=True)
class StageRunner:
    """Runs stages unless they are finished; the first that runs takes back ``manifest`` (the commit point)."""

    display: Display
    place: Place
    manifest: tuple[str, ...]
    book: Book = field(default_factory=Book)

    def run(self, stage: Stage, watch: Watch, work: Callable[[], object]) -> dict[str, Any]:
        """Run one stage; returns what to log."""
        if stage.finished():
            self.display.kept(watch)
            return {"stage": watch.label, "seconds": 0.0, "skipped": True}
        self.place.remove(self.manifest)
        started = time.monotonic()
        self.book.taken()
        with self.display.stage(watch):
            work()
            stage.note(metrics=self.book.taken())
        return {"stage": watch.label, "seconds": round(time.monotonic() - started, 3), "skipped": False}
