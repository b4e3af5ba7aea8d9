"""Progress: one bar per stage on a terminal, one line per stage elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
from pipelines.stage import Stage

POLL_SECONDS = 0.2

_COLUMNS = (SpinnerColumn(), TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn())


@dataclass(frozen=True)
class Watch:
    """How far a stage is: units done (counted from the files that workers leave) and their total."""

    label: str
    done: Callable[[], int]
    total: int


@dataclass
class Display:
    """Shows stages on a console; quiet shows nothing."""

    console: Console
    quiet: bool = False

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
        if self.quiet or not self.console.is_terminal:
            yield
        else:
            with self._bar(watch):
                yield
        self._finished(watch.label, time.monotonic() - started)

    @contextmanager
    def listing(self) -> Iterator[Callable[[int, int], None]]:
        """Show that inputs are being listed while the block runs; yields what is told how many of how many are done.

        A line is left only where it took a second or more: directories are listed in no time, crawls are not.
        """
        started = time.monotonic()
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
            stop = threading.Event()

            def follow() -> None:
                while not stop.wait(POLL_SECONDS):
                    with suppress(OSError):  # the folder it counts in may just be cleared
                        progress.update(task, completed=watch.done())

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

    def run(self, stage: Stage, watch: Watch, work: Callable[[], object]) -> dict[str, Any]:
        """Run one stage; returns what to log."""
        if stage.finished():
            self.display.note(f"[dim]· {watch.label:<9} done before[/dim]")
            return {"stage": watch.label, "seconds": 0.0, "skipped": True}
        self.place.remove(self.manifest)
        started = time.monotonic()
        with self.display.stage(watch):
            work()
        return {"stage": watch.label, "seconds": round(time.monotonic() - started, 3), "skipped": False}
