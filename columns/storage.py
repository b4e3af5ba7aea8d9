"""Storage: what fails for a moment on the way to a distant filesystem is tried again, here and nowhere else.

Object stores answer 429 and 503 when they are busy, connections break, bodies end early. `steady` does a thing again
after a pause, each twice as long as the one before, and says so in the log; after `TRIES` it raises one error that
names the file and the cause. `StableFile` reads exactly what was asked for. What is not there, or forbidden, fails
at once.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from columns.errors import EnvironmentProblem
from columns.urls import without_login

TRIES = 6
FIRST_PAUSE = 0.5
"""Seconds before the second try; 15 in all. Filesystems that try again themselves do so within each try."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOMENTARY = frozenset({
    errno.EBUSY, errno.EAGAIN, errno.EIO, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNRESET, errno.ECONNREFUSED,
    errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT,
})  # fmt: skip
_CARRIERS = frozenset({"aiohttp", "requests", "urllib3", "botocore", "http", "ssl", "socket"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_GO_ON = "run the same command again: finished work is kept"

Done = TypeVar("Done")
_log = logging.getLogger("thresher.storage")
logging.getLogger("gcsfs").setLevel(
    logging.CRITICAL
)  # it prints a traceback for what `steady` says in a line


class ShortRead(OSError):
    """Fewer bytes came than the file has there."""


class LostAnswer(OSError):
    """Something is gone already: a try before did it, though no answer came; all of it is done again."""


def momentary(error: BaseException) -> bool:
    """Whether a try later may do better: an answer of a busy service, a broken connection, one that ends early.

    >>> momentary(ConnectionResetError()), momentary(TimeoutError()), momentary(FileNotFoundError())
    (True, True, False)
    """
    status = getattr(error, "status", None) or getattr(error, "code", None)
    if str(status).isdigit():
        return int(str(status)) in _BUSY
    if isinstance(error, OSError) and error.errno is not None:
        return isinstance(error, ConnectionError | TimeoutError) or error.errno in _MOMENTARY
    if isinstance(error, ConnectionError | TimeoutError | ShortRead | LostAnswer | json.JSONDecodeError):
        return True
    return any(kind.__module__.partition(".")[0] in _CARRIERS for kind in type(error).__mro__) or (
        type(error).__name__ == "ChecksumError"
    )


def steady(name: str, do: Callable[[], Done], wait: Callable[[float], object] = time.sleep) -> Done:
    """``do()``, tried again where it fails for a moment; ``name`` is the file it is about, which messages say.

    ``do`` must come out the same when it is done twice. `EnvironmentProblem` when all tries failed.
    """
    for tried in range(1, TRIES + 1):
        try:
            return do()
        except Exception as error:
            if not momentary(error):
                raise
            said = cause(error)
            if tried == TRIES:
                raise EnvironmentProblem(
                    f"{without_login(name)}: the storage failed {TRIES} times: {said}", hint=_GO_ON
                ) from error
            pause = FIRST_PAUSE * 2 ** (tried - 1)
            _log.error("%s: %s; try %d of %d in %g s", without_login(name), said, tried + 1, TRIES, pause)
            wait(pause)
    raise AssertionError("unreachable")


def cause(error: BaseException) -> str:
    """An error in a few words on one line, without a login."""
    words = " ".join(str(error).split()) or type(error).__name__
    return without_login(words)[:200]


def no_room(path: str, error: OSError) -> EnvironmentProblem | None:
    """What to say where an error means that a disk is full; None for any other error."""
    if error.errno not in _FULL:
        return None
    there = next(parent for parent in Path(path).absolute().parents if parent.exists())
    usage = shutil.disk_usage(there)
    return EnvironmentProblem(
        f"{path}: no room on the disk: {error.strerror}",
        hint=f"{usage.free / 1e6:,.0f} MB of {usage.total / 1e6:,.0f} MB are free and this file needs more: "
        f"make room, then {_GO_ON}",
    )


class StableFile(io.RawIOBase):
    """A distant file opened for reading: every read gives all the bytes asked for, up to the end, or fails.

    ``start`` opens it. After a momentary failure or a short read it is opened again, so nothing of a cache is kept.
    A stream of unknown size cannot be read again from the middle; its reads are handed on as they are.
    """

    def __init__(self, name: str, start: Callable[[], Any]) -> None:
        self._name, self._start = name, start
        self._file = steady(name, start)
        self._size: int | None = getattr(self._file, "size", None)
        self._at = 0

    @classmethod
    def opened(cls, name: str, start: Callable[[], Any]) -> Any:
        """The file, which is handed on as it is where its size is not known."""
        file = cls(name, start)
        return file._file if file._size is None else file

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is read."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size or 0}[whence]
        return self._at

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def readall(self) -> bytes:
        """All bytes up to the end."""
        return self.read(-1)

    def read(self, size: int | None = -1) -> bytes:
        """``size`` bytes, fewer only at the end; all that are left for -1."""
        left = max(0, (self._size or 0) - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        data = steady(self._name, lambda: self._exactly(wanted)) if wanted else b""
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            self._file.close()
        super().close()

    def _exactly(self, wanted: int) -> bytes:
        try:
            self._file.seek(self._at)
            data = bytes(self._file.read(wanted))
            if len(data) != wanted:
                raise ShortRead(f"{len(data)} bytes of {wanted} at {self._at}")
        except Exception as error:
            if momentary(error):
                self._file = self._start()
            raise
        return data
