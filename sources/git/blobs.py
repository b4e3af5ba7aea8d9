"""Blobs: contents out of a git object store, through one ``git cat-file --batch``."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from sources.files import File, path_text
from sources.git.program import start_git


class Blob(NamedTuple):
    """One file of a commit: its path as git stores it, its blob id in hex and its size in bytes."""

    path: bytes
    blob_id: str
    size: int


def read_blobs(
    folder: str, blobs: Sequence[Blob], max_bytes: int, *, filtered: bool = False
) -> Iterator[File]:
    """Read blobs in order; one over the limit is not read, one that stops git does not cost the rest.

    ``filtered``: blobs over the limit were left out of the store when it was fetched, so one that is missing is
    "too_large"; such a row has no size, whether the store holds the blob or not.
    """
    pending = list(blobs)
    while pending:
        done = 0
        for file in _read_until_failure(folder, pending, max_bytes):
            done += 1
            yield _left_out(file) if filtered else file
        if done < len(pending):
            yield _failed(pending[done], "unreadable: git cannot read the blob")
        pending = pending[done + 1 :]


def _read_until_failure(folder: str, blobs: Sequence[Blob], max_bytes: int) -> Iterator[File]:
    with tempfile.TemporaryFile() as requests:
        requests.writelines(f"{blob.blob_id}\n".encode() for blob in blobs if blob.size <= max_bytes)
        requests.seek(0)
        process = start_git(["cat-file", "--batch"], folder=folder, stdin=requests)
        try:
            yield from _answers(process, blobs, max_bytes)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _answers(process: subprocess.Popen[bytes], blobs: Sequence[Blob], max_bytes: int) -> Iterator[File]:
    assert process.stdout is not None
    for blob in blobs:
        if blob.size > max_bytes:
            yield _failed(blob, "too_large")
            continue
        file = _answer(process.stdout, blob, max_bytes)
        if file is None:
            return
        yield file


def _answer(stream: IO[bytes], blob: Blob, max_bytes: int) -> File | None:
    head = stream.readline().split()
    if head[1:] == [b"missing"]:
        return _failed(blob, "missing")
    if len(head) != 3 or head[0] != blob.blob_id.encode():
        return None
    size = int(head[2])
    if size > max_bytes:
        return None
    raw = stream.read(size + 1)
    return File(path_text(blob.path), size, raw[:-1], None, blob.blob_id) if len(raw) == size + 1 else None


def _left_out(file: File) -> File:
    gone = file.problem in ("missing", "too_large")
    return file._replace(size=None, problem="too_large") if gone else file


def _failed(blob: Blob, problem: str) -> File:
    size = blob.size if problem == "too_large" else None
    return File(path_text(blob.path), size, None, problem, blob.blob_id)
