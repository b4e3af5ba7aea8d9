"""Process 1 of a project's sandbox: unpack a source tree, run commands in it one after the other, hand back files."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import selectors
import signal
import stat
import subprocess
import sys
import tarfile
import time
from typing import Any

from . import frames, plain

ROOT = "/project"
_CHUNK = 1 << 16


def main() -> None:
    """Read the job and the tree from their descriptors, run everything, and send one frame per result."""
    channel, tree = int(sys.argv[1]), int(sys.argv[2])
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.write(channel, b"ready")
    job: dict[str, Any] = plain.decode(frames.receive(channel))
    os.set_inheritable(channel, False)
    problem = _unpacked(tree)
    for command in job["commands"] if not problem else ():
        frames.send(channel, plain.encode(_ran(command, job, channel), limit=1 << 30))
    frames.send(channel, plain.encode(problem or "end"))
    for name in job["collect"] if not problem else ():
        frames.send(channel, plain.encode(_collected(name, job["file_limit"]), limit=1 << 30))


def _unpacked(tree: int) -> str:
    try:
        with os.fdopen(tree, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            archive.extraction_filter = lambda member, path: member
            archive.extractall(ROOT)
    except (OSError, tarfile.TarError) as error:
        return f"the tree cannot be unpacked: {error}"[:200]
    return ""


def _ran(command: list[str], job: dict[str, Any], channel: int) -> tuple[bytes, bytes, str, int, bool]:
    """Standard output and error, the problem, the exit code, and whether output was cut; nothing is left running."""
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, env=job["env"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=lambda: _limited(job["limits"]), start_new_session=True,  # noqa: PLW1509
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return b"", str(error).encode("utf-8", "replace")[:1000], "not_found", 127, False
    out, err, late, cut = _read(process, job["wall_s"], job["output_limit"], channel)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    code = process.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return out, err, _problem(code, late=late), code, cut


def _limited(limits: dict[str, tuple[int, int]]) -> None:
    for name, pair in limits.items():
        resource.setrlimit(getattr(resource, name), pair)


def _read(
    process: subprocess.Popen[bytes], wall_s: float, limit: int, channel: int
) -> tuple[bytes, bytes, bool, bool]:
    """Both outputs up to the limit, until the command ends or its time is over; the rest is thrown away."""
    deadline = time.monotonic() + wall_s
    read: dict[Any, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    cut = False
    with selectors.DefaultSelector() as selector:
        for stream in read:
            selector.register(stream, selectors.EVENT_READ)
        ended = os.pidfd_open(process.pid)
        selector.register(channel, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ready = [key for key, _ in selector.select(max(deadline - time.monotonic(), 0))]
            if any(key.fd == channel for key in ready):
                os._exit(0)
            outputs = [key for key in ready if key.fd != ended]
            if ready and not outputs:
                break
            for key in outputs:
                part = os.read(key.fd, _CHUNK)
                into = read[key.fileobj]
                cut = cut or len(into) + len(part) > limit
                into += part[: limit - len(into)]
                if not part:
                    selector.unregister(key.fileobj)
    os.close(ended)
    late = process.poll() is None
    out, err = (bytes(part) for part in read.values())
    return out, err, late, cut


def _problem(code: int, *, late: bool) -> str:
    if late or code == -signal.SIGXCPU:
        return "timeout"
    return "died" if code < 0 else "exception" if code else ""


def _collected(name: str, limit: int) -> tuple[str, bytes | None]:
    """A regular file below the tree; None where there is none, or it is larger than the limit."""
    try:
        fd = os.open(os.path.join(ROOT, name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return name, None
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
        os.close(fd)
        return name, None
    with os.fdopen(fd, "rb") as file:
        data = file.read(limit + 1)
    return name, data if len(data) <= limit else None
