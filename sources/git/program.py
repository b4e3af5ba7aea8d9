"""The git program, kept away from the user's configuration and from what a hostile repository asks for.

No prompts, no system or user configuration, no replacement objects, no transport that runs programs
(``ext::``), and none at all while reading. Text from users always comes after ``--`` or is refused
when it starts with "-".
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from columns.errors import EnvironmentProblem, InputError
from sources.stopping import Stop

PROTOCOLS = ("http", "https", "git", "ssh", "file")

_SETTINGS = (
    "safe.directory=*",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
    "core.bigFileThreshold=32m",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)


def refuse_option(what: str, text: str) -> str:
    """Return the text, unless git could take it for an option or it holds control characters."""
    if text.startswith("-") or any(ord(c) < 32 for c in text):
        raise InputError(
            f"{what} {text!r}: refused", hint=f"a {what} cannot start with '-' or hold control characters"
        )
    return text


def run_git(arguments: Sequence[str], *, folder: str | None = None, network: bool = False) -> str:
    """Run git to its end and return its output; `InputError` with git's own last words when it fails."""
    done = subprocess.run(
        _command(arguments, folder),
        env=_environment(folder, network=network),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {_last_words(done.stderr)}")
    return done.stdout.decode("utf-8", "backslashreplace")


def start_git(
    arguments: Sequence[str], *, folder: str, stdin: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start a reading git whose output is streamed; it can reach no network."""
    return subprocess.Popen(
        _command(arguments, folder),
        env=_environment(folder, network=False),
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=1 << 18,
    )


def feed_git(
    arguments: Sequence[str],
    blocks: Iterable[bytes],
    *,
    folder: str,
    memory_bytes: int,
    seconds: float,
    stop: Stop,
) -> None:
    """Run git on bytes that arrive over time, within limits of memory and time and without a network.

    ``stop`` kills it.
    `InputError` with git's own last words when it fails or is stopped; what ``blocks`` raises passes
    through.
    """
    process = subprocess.Popen(
        _command(arguments, folder),
        env=_environment(folder, network=False),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _limit_memory(process.pid, memory_bytes)
    watch = threading.Timer(seconds, process.kill)
    watch.daemon = True
    watch.start()
    try:
        with stop.ending(process.kill):
            stderr = _feed(process, blocks)
        if process.wait() < 0:
            stop.check()
            raise InputError(f"git {arguments[0]}: stopped by signal {-process.returncode}")
        if process.returncode:
            raise InputError(f"git {arguments[0]}: {_last_words(stderr)}")
    finally:
        watch.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stderr):
            if stream is not None:
                _close(stream)


def _feed(process: subprocess.Popen[bytes], blocks: Iterable[bytes]) -> bytes:
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        for block in blocks:
            process.stdin.write(block)
            process.stdin.flush()
        process.stdin.close()
    except BrokenPipeError:
        _close(process.stdin)
    return process.stderr.read()


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def _limit_memory(process: int, memory_bytes: int) -> None:
    if hasattr(resource, "prlimit"):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _command(arguments: Sequence[str], folder: str | None) -> list[str]:
    program = shutil.which("git")
    if program is None:
        raise EnvironmentProblem("git is not installed", hint="install git, or give the files as tree:PATH")
    place = ["-C", folder] if folder is not None else []
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return [program, *settings, *place, *arguments]


def _environment(folder: str | None, *, network: bool) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith("GIT_") and key != "SSH_ASKPASS"
    }
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS) if network else "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        "GIT_CEILING_DIRECTORIES": str(Path(folder).parent) if folder else "",
        "LC_ALL": "C",
    }


def _last_words(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or ["it failed without a word"])[-1]
