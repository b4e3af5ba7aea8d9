"""Control groups: memory and processes of a whole sandbox counted together, where this user may make groups."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from dataclasses import dataclass
from pathlib import Path

from instruct.sandbox.limits import Limits

_COUNTER = itertools.count()
_PREFIX = "thresher-sandbox-"
_SPARE_MB = 96
_SPARE_PROCESSES = 48
_TRIES = 200


@dataclass(frozen=True)
class Parents:
    """Directories in which groups may be made, and the version of the interface; empty where there are none."""

    memory: Path | None
    pids: Path | None
    version: int

    def __str__(self) -> str:
        held = " and ".join(name for name in ("memory", "pids") if getattr(self, name) is not None)
        return f"{held} (version {self.version})" if held else "none"


class Group:
    """One sandbox's group: ``joining`` starts a command that joins it, ``close`` removes it when it is empty."""

    def __init__(self, limits: Limits) -> None:
        found = parents()
        name = f"{_PREFIX}{os.getpid()}-{next(_COUNTER)}"
        memory = str((limits.memory_mb + limits.disk_mb + _SPARE_MB) << 20)
        pids = str(limits.processes + _SPARE_PROCESSES)
        self.paths: list[Path] = []
        if found.memory is not None:
            self._make(found.memory / name, _MEMORY[found.version], memory)
        if found.pids is not None:
            self._make(found.pids / name, "pids.max", pids)

    def _make(self, path: Path, file: str, value: str) -> None:
        with contextlib.suppress(OSError):
            path.mkdir(exist_ok=True)
            self.paths.append(path)
            (path / file).write_text(value)

    @property
    def joining(self) -> list[str]:
        """Words before a command; none where there is no group."""
        if not self.paths:
            return []
        script = 'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs"; shift; done; shift; exec "$@"'
        return ["/bin/sh", "-c", script, "sh", *map(str, dict.fromkeys(self.paths)), "--"]

    def close(self) -> None:
        """Remove the group, once its killed processes are gone; what is still left then goes with a later process."""
        for path in dict.fromkeys(self.paths):
            for _ in range(_TRIES):
                try:
                    path.rmdir()
                    break
                except OSError:
                    time.sleep(0.002)
        self.paths.clear()


_MEMORY = {1: "memory.limit_in_bytes", 2: "memory.max"}


@functools.cache
def parents() -> Parents:
    """Where groups can be made: tried once, by making one. Groups of processes that are gone are removed."""
    found = _version_2() or _version_1()
    for parent in {found.memory, found.pids} - {None}:
        _sweep(parent)  # type: ignore[arg-type]
    return found


def _version_1() -> Parents:
    own = {name: path for line in _lines("/proc/self/cgroup") for name, path in _controllers(line)}
    made = {}
    for name in ("memory", "pids"):
        root = Path("/sys/fs/cgroup") / name
        inner = root / own.get(name, "/").lstrip("/")
        parent = next((each for each in (inner, root) if name in own and _writable(each)), None)
        made[name] = parent
    return Parents(made["memory"], made["pids"], 1)


def _controllers(line: str) -> list[tuple[str, str]]:
    _, names, path = line.split(":", 2)
    return [(name, path) for name in names.split(",")]


def _version_2() -> Parents | None:
    """The nearest group above this process that hands both controllers to groups below it."""
    paths = [line.split(":", 2)[2] for line in _lines("/proc/self/cgroup") if line.startswith("0::")]
    root = Path("/sys/fs/cgroup")
    if not paths or not (root / "cgroup.controllers").is_file():
        return None
    inner = root / paths[0].lstrip("/")
    for parent in (inner, *inner.parents):
        if not parent.is_relative_to(root):
            break
        with contextlib.suppress(OSError):
            handed = (parent / "cgroup.subtree_control").read_text().split()
            if (
                {"memory", "pids"} <= set(handed)
                and _writable(parent)
                and os.access(parent / "cgroup.procs", os.W_OK)
            ):
                return Parents(parent, parent, 2)
    return Parents(None, None, 2)


def _writable(parent: Path) -> bool:
    probe = parent / f"{_PREFIX}{os.getpid()}-probe"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def _sweep(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(OSError):
                path.rmdir()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
