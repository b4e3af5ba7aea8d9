"""Lease: one writer of a dataset at a time, on any filesystem, and no lock that outlives its holder for ever.

The lease is a numbered file in ``.lease/`` that is made only where there is none of its number. Its holder writes it
anew every few seconds with another count. Who finds a lease asks whether its holder lives: on the same machine by the
process, elsewhere by whether the count still moves (never by comparing clocks). A dead holder's lease is overtaken by
making the next number, which one of several gets; a holder that slept and was overtaken sees that before it commits.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from columns.errors import OutputError
from columns.files import TEMPORARY, Place
from pipelines.stage import read_json

BEAT_SECONDS = 5.0
PATIENCE = 6
"""Beats without a change after which a holder on another machine counts as dead."""


@dataclass
class Lease:
    """The right to write versions of one dataset, held until it is released or overtaken."""

    place: Place
    name: str
    about: dict[str, Any]
    _stop: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """`OutputError` when somebody else has overtaken this lease, so nothing may be committed any more."""
        names = _names(self.place)
        if not names or names[-1] != self.name or not self._mine():
            raise OutputError(
                f"{self.place.url}: another run has taken over, since this one gave no sign of life",
                hint="nothing was changed; run it again when the other one is done",
            )

    def _mine(self) -> bool:
        return (read_json(self.place, self.name) or {}).get("token") == self.about["token"]

    def beat(self, seconds: float) -> None:
        """Show that the holder lives until `release`."""
        while not self._stop.wait(seconds):
            self.about["beat"] += 1
            with suppress(Exception):  # a storage that fails for a moment; `check` decides
                if self._mine():
                    self.place.write_bytes(self.name, orjson.dumps(self.about))

    def stop(self) -> None:
        """Show no more signs of life."""
        self._stop.set()

    def release(self) -> None:
        """Let the next one in; no empty directory stays behind."""
        if self._mine():
            self.place.remove([self.name])
            if self.place.local is not None:
                with suppress(OSError):
                    self.place.local.rmdir()


@contextmanager
def leased(
    root: Place, doing: str, *, seconds: float = BEAT_SECONDS, wait: Callable[[float], None] = time.sleep
) -> Iterator[Lease]:
    """Hold the lease of a dataset while the block runs; `OutputError` when a living process holds it.

    ``doing`` is what the other one is told. Where the holder is on another machine, the question whether it lives takes
    up to ``PATIENCE`` beats of ``seconds``.
    """
    lease = _take(root, doing, seconds, wait)
    beats = threading.Thread(target=lease.beat, args=(seconds,), daemon=True)
    beats.start()
    try:
        yield lease
    finally:
        lease.stop()
        beats.join()
        lease.release()


def _take(root: Place, doing: str, seconds: float, wait: Callable[[float], None]) -> Lease:
    place = root.child(".lease")
    names = _names(place)
    held = read_json(place, names[-1]) if names else None
    if held is not None and lives(place, names[-1], seconds, wait):
        holder = f"process {held['pid']} on {held['host']}, since {held['since']}"
        raise OutputError(
            f"{root.url}: {held['doing']} is under way ({holder})",
            hint="one run at a time changes a dataset; run this one when that is done",
        )
    since = datetime.now(UTC).isoformat(timespec="seconds")
    about = {
        "token": uuid.uuid4().hex, "doing": doing, **signature(), "since": since, "beat": 0,
    }  # fmt: skip
    name = f"{1 + (int(names[-1][:6]) if names else 0):06d}.json"
    if not _made(place, name, about):
        raise OutputError(f"{root.url}: another run has just begun", hint="run this one when that is done")
    if _names(place)[-1:] != [
        name
    ]:  # a listing during another's change may have shown neither its file nor the last
        place.remove([name])
        raise OutputError(f"{root.url}: another run has just begun", hint="run this one when that is done")
    place.remove(names)
    return Lease(place, name, about)


def _made(place: Place, name: str, about: dict[str, Any]) -> bool:
    """Make the file; False where there is one, or the directory was removed by another's release meanwhile."""
    try:
        return place.create(name, orjson.dumps(about))
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Holder:
    """Who holds, or held, the right to write: what it does, its process, since when, and whether it lives."""

    doing: str
    host: str
    pid: int
    since: str
    alive: bool


def holder(
    root: Place, *, seconds: float = BEAT_SECONDS, wait: Callable[[float], None] = time.sleep
) -> Holder | None:
    """Who holds the lease of a dataset; None where nobody does. Of another machine it takes as long as `leased`."""
    place = root.child(".lease")
    names = _names(place)
    held = read_json(place, names[-1]) if names else None
    if held is None:
        return None
    alive = lives(place, names[-1], seconds, wait)
    return Holder(held["doing"], held["host"], held["pid"], held["since"], alive)


def signature() -> dict[str, Any]:
    """What tells this process from every other: host, number and start; see `lives`."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "process": _process(os.getpid())}


def _names(place: Place) -> list[str]:
    return [name for name in place.names() if not name.startswith(TEMPORARY)]


def lives(place: Place, name: str, seconds: float, wait: Callable[[float], None] = time.sleep) -> bool:
    """Whether the process that writes a file of this kind (see `signature`) gives a sign of life."""
    first = read_json(place, name)
    if first is None:
        return False
    if first["host"] == socket.gethostname():
        return _process(first["pid"]) == first["process"]
    for _ in range(PATIENCE):
        wait(seconds)
        now = read_json(place, name)
        if now != first:
            return now is not None
    return False


def _process(pid: int) -> str:
    """What tells a process from a later one of the same number; empty when there is none.

    >>> _process(os.getpid()) == _process(os.getpid()) != ""
    True
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return _named(pid) if not Path("/proc/self").exists() else ""
    return "" if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _named(pid: int) -> str:
    """Without /proc: whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return str(pid)
