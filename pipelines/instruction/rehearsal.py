"""Rehearsal: older texts to mix in, read from JSON lines and Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from columns.errors import InputError

CODE, LANGUAGE = "code", "language"
_COLUMNS = ("text", "content")


def read_texts(paths: Iterable[str]) -> tuple[dict[str, str], int]:
    """Distinct texts by a hash of them, in the order of files, and how many rows had none.

    A row's text is its ``text`` or ``content``. `InputError` for a file that is neither JSON lines nor Parquet, or in
    which no row has a text.
    """
    found: dict[str, str] = {}
    unusable = 0
    for path in paths:
        usable = 0
        for text in _texts(Path(path)):
            if isinstance(text, str) and text.strip():
                usable += 1
                found.setdefault(
                    f"text-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}", text
                )
            else:
                unusable += 1
        if not usable:
            raise InputError(
                f"{path}: no rows with a text", hint='expected {"text": …} or {"content": …} in each row'
            )
    return found, unusable


def _texts(path: Path) -> Iterator[Any]:
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for file in files:
        yield from _parquet(file) if file.suffix == ".parquet" else _lines(file)


def _lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as source:
        for line in source:
            if line.strip():
                yield _text(line)


def _text(line: bytes) -> Any:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return next((row[name] for name in _COLUMNS if name in row), None) if isinstance(row, dict) else None


def _parquet(path: Path) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path) as parquet:
            name = next((one for one in _COLUMNS if one in parquet.schema_arrow.names), None)
            if name is None:
                raise InputError(
                    f"{path}: no column text or content", hint=f"it has {parquet.schema_arrow.names}"
                )
            for batch in parquet.iter_batches(columns=[name]):
                yield from batch.column(0).to_pylist()
    except ArrowException as error:
        raise InputError(f"{path}: not Parquet: {str(error)[:200]}") from None
