"""One sandbox: a bubblewrap process with a warm interpreter inside, and the control socket to it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO

from columns.errors import EnvironmentProblem
from instruct.sandbox import init, syscalls
from instruct.sandbox.cgroups import Group
from instruct.sandbox.compiled import compiled
from instruct.sandbox.inside import plain
from instruct.sandbox.interpreter import interpreter
from instruct.sandbox.launch import INSIDE, Mounts, start
from instruct.sandbox.limits import Limits

_START_S = 30.0
_STOP_S = 10.0
_BOOT = (
    f"import sys; sys.path.insert(0, {INSIDE!r}); from inside import server; sys.path.pop(0); server.main()"
)


class Cell:
    """One warm isolated interpreter; jobs one after the other, each in a process of its own.

    Raises:
        EnvironmentProblem: it does not start; bubblewrap's own words are in the message.
    """

    def __init__(self, limits: Limits, preload: Sequence[str] = ()) -> None:
        self.limits = limits
        self.preload = tuple(preload)
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._group: Group | None = None
        self._init: int | None = None
        self._errors: IO[bytes] | None = None
        self.facts: dict[str, object] = {}

    def begin(self, role: str, sockets: Sequence[socket.socket | int]) -> None:
        """Start a job of a role (``candidate``, ``judge`` or ``script``) with these descriptors."""
        self.open()
        fds = [each if isinstance(each, int) else each.fileno() for each in sockets]
        try:
            socket.send_fds(self._live(), [role.encode()], fds)
        except OSError:
            self.close()
            self.open()
            socket.send_fds(self._live(), [role.encode()], fds)

    def end(self) -> int | None:
        """End the job and everything it left; its wait status, None where the sandbox had to be killed."""
        try:
            self._live().send(b"stop")
            status, clean = plain.decode(self._live().recv(1 << 12))
        except (OSError, plain.Malformed):
            self.close()
            return None
        if clean is not True:
            self.close()
        return int(status)

    def close(self) -> None:
        """Kill the sandbox."""
        if self._control is not None:
            self._control.close()
            self._control = None
        init.kill(self._init)
        self._init = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._group is not None:
            self._group.close()
            self._group = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        self.facts = {}

    def start(self) -> None:
        """Start the sandbox if it is not running, without waiting for it."""
        if self._control is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_START_S)
        init.expect(ours)
        self._control, self._errors, self._group = ours, tempfile.TemporaryFile(), Group(self.limits)  # noqa: SIM115
        with theirs:
            self._process = start(
                _mounts(self.limits), _program(theirs.fileno()), fds=[theirs.fileno()], group=self._group,
                filtered=syscalls.program(functions=False), errors=self._errors.fileno(),
            )  # fmt: skip
        with contextlib.suppress(OSError):
            ours.send(self._config())

    def open(self) -> dict[str, object]:
        """Start the sandbox if it is not running, and wait for it; what its first process says of itself."""
        self.start()
        if not self.facts:
            try:
                said, outer_uid, self._init = init.greeted(self._live())
                self.facts = {**plain.decode(said), "outer_uid": outer_uid}
                self._live().settimeout(_STOP_S)
            except (OSError, TypeError, plain.Malformed):
                words = self._words()
                self.close()
                raise EnvironmentProblem(
                    f"the sandbox does not start: {words}", hint="see docs/sandbox.md, What it needs"
                ) from None
        return self.facts

    def _words(self) -> str:
        """What bubblewrap said when it failed."""
        if self._errors is None:
            return "no answer"
        self._errors.seek(0)
        return self._errors.read(2000).decode(errors="replace").strip() or "no answer"

    def _live(self) -> socket.socket:
        if self._control is None:
            raise OSError("the sandbox is closed")
        return self._control

    def _config(self) -> bytes:
        strict = syscalls.program(functions=self.limits.processes == 0)
        return plain.encode({"limits": self.limits.rlimits(), "filter": strict, "preload": self.preload})


def _program(fd: int) -> list[str]:
    flags = ["-s", "-S", "-P", "-B", "-X", "utf8"]
    return [interpreter().executable, *flags, "-c", _BOOT, str(fd)]


def _mounts(limits: Limits) -> Mounts:
    mounts = Mounts(interpreter())
    mounts.bind(compiled(), f"{INSIDE}/inside")
    mounts.arguments += ["--setenv", "PYTHONHASHSEED", "0"]
    mounts.arguments += ["--size", str(limits.disk_mb << 20), "--tmpfs", "/tmp"]
    return mounts


def died(status: int | None) -> str:
    """Why a process ended by itself: ``timeout`` (processor time), ``memory``, ``died``; "" for exit code 0."""
    if status is None:
        return "died"
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) == signal.SIGXCPU else "died"
    return "died" if os.waitstatus_to_exitcode(status) else ""
