"""Process 1 of a sandbox: a warm interpreter that forks a fresh child for every job, and cleans up after it.

One datagram over the control socket is one command: a job (with the descriptors its child gets) or ``stop``. After
``stop`` everything in the process namespace is killed and reaped; where the job touched the only writable directory,
the answer says so, and the parent throws the sandbox away instead of using it again.
"""

from __future__ import annotations

import _socket
import ctypes
import gc
import importlib
import os
import resource
import sys

from . import candidate, frames, judge, plain, script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TMP = "/tmp"
WARM = (
    "typing", "collections", "math", "re", "functools", "itertools", "heapq", "string", "bisect", "operator", "copy",
    "datetime", "dataclasses", "decimal", "fractions", "cmath", "textwrap", "collections.abc", "hashlib", "json",
)  # fmt: skip
_FOREIGN = ("/etc", "/home", "/proc", "/sys", "/var", "/run", "/boot", "/bin/sh", "/usr/bin/env")
_LIBC = ctypes.CDLL(None, use_errno=True)
_SIGINT, _SIGKILL = 2, 9
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 4, 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def main() -> None:
    """Serve jobs until the control socket is closed."""
    control = _socket.socket(fileno=int(sys.argv[1]))
    _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _LIBC.signal(_SIGINT, 0)
    os.environ.clear()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    config: dict[str, Any] = plain.decode(control.recv(1 << 18))
    touched = os.stat(TMP).st_ctime_ns
    control.send(plain.encode(_facts()))
    warm = [*WARM, *config["preload"]]
    gc.freeze()
    job = 0
    while True:
        _warm_up(control, warm)
        message, fds = _received(control)
        if not message:
            os._exit(0)
        if message == b"stop":
            status = _cleared(job)
            control.send(plain.encode((status, os.stat(TMP).st_ctime_ns == touched)))
            continue
        job = os.fork()
        if job == 0:
            _child(message.decode(), control, fds, config)
        for fd in fds:
            os.close(fd)


def _facts() -> dict[str, object]:
    """What can be seen from here, for the parent to be sure that it is little."""
    seen = [path for path in _FOREIGN if os.path.exists(path)]
    writable = [path for path in ("/", "/dev", os.path.dirname(os.__file__)) if os.access(path, os.W_OK)]
    interfaces = [name for _, name in _socket.if_nameindex()]
    return {"pid": os.getpid(), "seen": seen, "writable": writable, "interfaces": interfaces}


def _warm_up(control: _socket.socket, names: list[str]) -> None:
    """Import modules while nobody waits: a forked child has them for nothing."""
    while names and not _waits(control):
        try:
            importlib.import_module(names.pop(0))
        except ImportError:
            continue
        gc.freeze()


def _waits(control: _socket.socket) -> bool:
    """Whether a command, or the end, is there to be read."""
    try:
        control.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def _received(control: _socket.socket) -> tuple[bytes, list[int]]:
    message, ancillary, _, _ = control.recvmsg(1 << 16, _socket.CMSG_SPACE(4 * 8))
    data = ancillary[0][2] if ancillary else b""
    fds = [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data) - 3, 4)]
    return message, fds


def _cleared(job: int) -> int:
    """Kill and reap all that is left in this process namespace (process 1 is spared); the job's wait status."""
    status = 0
    while True:
        try:
            os.kill(-1, _SIGKILL)
            pid, ended = os.waitpid(-1, 0)
        except (ProcessLookupError, ChildProcessError):
            return status
        if pid == job:
            status = ended


def _child(role: str, control: _socket.socket, fds: list[int], config: dict[str, Any]) -> None:
    code = 70
    try:
        control.close()
        job: dict[str, object] = plain.decode(frames.receive(fds[0]))
        if role == "script":
            for fd, target in zip(fds[1:], (0, 1, 2), strict=False):
                os.dup2(fd, target)
                os.close(fd)
            os.close(fds[0])
        _confined(config)
        code = _run(role, job, fds)
    finally:
        os._exit(code)


def _run(role: str, job: dict[str, object], fds: list[int]) -> int:
    if role == "script":
        if not script.compiles(str(job["code"])):
            return 65
        code = script.run(job)
        sys.stdout.flush()
        sys.stderr.flush()
        return code
    if role == "judge":
        judge.run(job, fds[1], fds[0])
    else:
        os.close(fds[0])
        candidate.run(job, fds[1])
    return 0


def _confined(config: dict[str, Any]) -> None:
    """Limits and the stricter system call filter, on this process and all it may start."""
    limits: dict[str, tuple[int, int]] = config["limits"]
    for name, pair in limits.items():
        resource.setrlimit(getattr(resource, name), pair)
    program: bytes = config["filter"]
    loaded = _Program(len(program) // 8, program)
    if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _LIBC.prctl(
        _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(loaded), 0, 0
    ):
        os._exit(71)
