"""Folded tables: one row per repository with a list of its files, as The Stack v2 is published; unfolded by file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.tables.headers import require_content, resolve

FILES = "files"


class Header(NamedTuple):
    """Document column to the table's column: of each file, and of the repository where the file has none."""

    file: Mapping[str, str]
    repository: Mapping[str, str]


class Unfolded(NamedTuple):
    """Files as rows under document column names; ``row`` is each one's row in the table, ``file`` its place there."""

    columns: dict[str, pa.Array]
    row: np.ndarray
    file: np.ndarray


def inner_names(schema: pa.Schema, chosen: Iterable[tuple[str, str]] = ()) -> list[str] | None:
    """What a table's files have, or None where a row is a file itself.

    >>> inner_names(pa.schema({"repo": pa.string(), "files": pa.list_(pa.struct({"path": pa.string()}))}))
    ['path']
    """
    if FILES not in schema.names or "content" in resolve(schema.names, chosen):
        return None
    kind = schema.field(FILES).type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(
        kind.value_type
    ):
        return None
    return [field.name for field in kind.value_type]


def read_header(
    name: str, outer: Iterable[str], inner: Iterable[str], chosen: Iterable[tuple[str, str]] = ()
) -> Header:
    """Which columns are which; a file's own win. `InputError` when the files have no contents."""
    pairs, within = list(chosen), list(inner)
    file = require_content(
        f"{name}: {FILES}", within, [(ours, theirs) for ours, theirs in pairs if theirs in within]
    )
    outer = resolve([column for column in outer if column != FILES], pairs)
    return Header(file, {ours: theirs for ours, theirs in outer.items() if ours not in file})


def unfold(batch: pa.RecordBatch, header: Header) -> Unfolded:
    """The files of a batch of repositories, by list offsets; a repository's own columns are repeated."""
    files = batch.column(FILES)
    row = np.asarray(pc.list_parent_indices(files)).astype(np.int64)
    first = np.r_[0, np.flatnonzero(np.diff(row)) + 1] if len(row) else np.zeros(0, np.int64)
    counts = np.diff(np.r_[first, len(row)])
    file = np.arange(len(row)) - np.repeat(first, counts)
    inner = files.flatten()
    fields = dict(zip([field.name for field in inner.type], inner.flatten(), strict=True))
    columns = {ours: fields[theirs] for ours, theirs in header.file.items()}
    columns |= {ours: batch.column(theirs).take(pa.array(row)) for ours, theirs in header.repository.items()}
    return Unfolded(columns, row, file)


def files_of(value: Mapping[str, Any], chosen: Iterable[tuple[str, str]] = ()) -> list[Any] | None:
    """The files of a JSON object, each with what it has itself under document column names, then its repository's.

    None where the object is a file. An entry that is no object stays as it is.
    """
    files = value.get(FILES)
    if not isinstance(files, list) or "content" in resolve(value, chosen):
        return None
    outer = {key: kept for key, kept in value.items() if key != FILES}
    shared = {ours: outer[theirs] for ours, theirs in resolve(outer, chosen).items()}
    return [_named(one, shared, chosen) if isinstance(one, dict) else one for one in files]


def _named(file: dict[str, Any], shared: dict[str, Any], chosen: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {**shared, **{ours: file[theirs] for ours, theirs in resolve(file, chosen).items()}}


def empty(batch: pa.RecordBatch) -> int:
    """How many repositories of a batch have no files."""
    lengths = pc.fill_null(pc.list_value_length(batch.column(FILES)), 0)
    return int(np.count_nonzero(np.asarray(lengths) == 0))


def places(name: str, first: int, found: Unfolded) -> Iterator[str]:
    """The provenance of each file: FILE#row=12 file=3, both counted from 0."""
    pairs = zip(found.row.tolist(), found.file.tolist(), strict=True)
    return (f"{name}#row={first + row} file={file}" for row, file in pairs)
