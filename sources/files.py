"""Whole files as rows: what trees and git repositories have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from columns.document import document_batch
from sources.config import IngestConfig
from sources.selection import selected_language
from sources.text.decode import decode


class File(NamedTuple):
    """One file as it was read: its bytes, or the problem why there are none."""

    path: str
    size: int | None
    raw: bytes | None
    problem: str | None = None
    blob_id: str | None = None
    updated: datetime | None = None


class Origin(NamedTuple):
    """What all files of a unit share; ``provenance`` ends in "/" when each file's path follows it."""

    source: str
    repo: str
    ref: str | None
    provenance: str
    license: str | None = None


def path_text(raw: bytes) -> str:
    """A file name as text: bytes that are not UTF-8 are written as backslash escapes.

    >>> path_text(b"caf\\xe9.py")
    'caf\\\\xe9.py'
    """
    return raw.decode("utf-8", "backslashreplace")


def file_batches(
    files: Iterable[File], origin: Origin, config: IngestConfig, batch_bytes: int
) -> Iterator[pa.RecordBatch]:
    """Group files into document batches of about ``batch_bytes`` of raw bytes."""
    held: list[File] = []
    total = 0
    for file in files:
        weight = len(file.raw or b"")
        if held and total + weight > batch_bytes:
            yield _batch(held, origin, config)
            held, total = [], 0
        held.append(file)
        total += weight
    if held:
        yield _batch(held, origin, config)


def _batch(files: list[File], origin: Origin, config: IngestConfig) -> pa.RecordBatch:
    rows = len(files)
    paths = [file.path for file in files]
    text = decode(pa.array([file.raw for file in files], pa.large_binary()), config.max_bytes)
    by_file = origin.provenance.endswith("/")
    columns = {
        "repo": [origin.repo] * rows,
        "ref": [origin.ref] * rows,
        "path": paths,
        "blob_id": [file.blob_id for file in files],
        "content": text.content,
        "encoding": text.encoding,
        "lossy": text.lossy,
        "size": [file.size for file in files],
        "language": [selected_language(path, config) for path in paths],
        "license": [origin.license] * rows,
        "updated": [file.updated for file in files],
        "source": [origin.source] * rows,
        "provenance": [origin.provenance + path if by_file else origin.provenance for path in paths],
        "problem": pc.coalesce(pa.array([file.problem for file in files], pa.string()), text.problem),
    }
    return document_batch(columns, rows)


def problem_row(
    source: str, path: str, provenance: str, problem: str, size: int | None = None
) -> pa.RecordBatch:
    """One row that stands for what could not be read of a file."""
    columns = {
        "path": [path],
        "lossy": [False],
        "size": [size],
        "source": [source],
        "provenance": [provenance],
        "problem": [problem],
    }
    return document_batch(columns, 1)
