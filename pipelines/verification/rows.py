"""Rows: what each row of a shard says of itself, and the pieces of documents that all shards hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from columns.errors import OutputError
from columns.files import PartName
from pipelines.finished import Finished
from pipelines.verification.check import Check, Watch, some
from pipelines.verification.notes import joined_notes, note_columns, notes_of, wrong_notes
from pipelines.wording import counted
from shards import Shard, open_shard, order_keys, shard_of


class Span(NamedTuple):
    """The pieces of some rows: ``document`` binary ids, then ``int64[p]`` each.

    ``offset`` is which of the document's tokens the piece begins with, ``last`` the id of its last token.
    """

    document: pa.Array
    shard: np.ndarray
    row: np.ndarray
    start: np.ndarray
    length: np.ndarray
    offset: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class Pieces:
    """Every piece of every shard that could be read; ``shard`` in ``span`` numbers ``names``.

    ``notes`` (`pipelines.verification.notes.NOTED`) has a row for each piece, where documents were transformed.
    ``grouped``: files of a repository were joined, so shards are ranges of repositories.
    """

    names: tuple[str, ...]
    span: Span
    unread: tuple[str, ...]
    notes: pa.Table | None = None
    grouped: bool = False

    def splits(self) -> np.ndarray:
        """The split of each piece, as text."""
        stems = np.array([PartName.parse(name).stem for name in self.names] or [""])
        return stems[self.span.shard]

    def final(self, eot: int) -> np.ndarray:
        """Which pieces end their document, ``bool[p]``: by the end of text, and by its length where shards note it."""
        ended: np.ndarray = self.span.last == eot
        if self.notes is None:
            return ended
        whole = self.span.offset + self.span.length == np.asarray(self.notes.column("length"))
        return np.asarray(whole if self.grouped else whole & ended)


def check_rows(dataset: Finished, watch: Watch) -> tuple[Check, Pieces]:
    """Look into every shard; returns the pieces of documents found on the way. Memory: 64 bytes a piece."""
    listed = list(dataset.section("shards") or [])
    problems, found, unread, rows = [], [_no_pieces()], [], 0
    notes: list[pa.RecordBatch | None] = []
    grouped = False
    for number, entry in enumerate(listed):
        watch("rows", number, len(listed))
        try:
            shard = open_shard(dataset.place.child("shards"), entry["name"])
            spans, noted, said = _look(shard, number, entry, dataset.section("recipe", "pack"))
        except (OutputError, pa.ArrowException, OSError, LookupError, ValueError) as error:
            unread.append(entry["name"])
            problems.append(f"shards/{entry['name']}: cannot be read: {' '.join(str(error).split())}")
            continue
        found += spans
        notes += noted
        grouped = grouped or shard.metadata.get("thresher.grouped") == "1"
        problems += [f"shards/{entry['name']}: {line}" for line in said]
        rows += entry["rows"]
    if len({one is None for one in notes}) > 1:
        problems.append("shards: some note transforms of their documents and some do not")
        notes = []
    names = tuple(entry["name"] for entry in listed)
    pieces = Pieces(names, _joined(found), tuple(unread), joined_notes(notes), grouped)
    return Check("rows and spans", counted(rows, "row"), some(problems)), pieces


def _look(
    shard: Shard, number: int, entry: Mapping[str, Any], pack: Mapping[str, Any]
) -> tuple[list[Span], list[pa.RecordBatch | None], list[str]]:
    eot, width, first = int(shard.metadata["thresher.eot"]), shard.seq_len, 0
    spans: list[Span] = []
    notes: list[pa.RecordBatch | None] = []
    problems = [] if width == pack.get("seq_len", width) else [f"rows of {width} ids, not {pack['seq_len']}"]
    tokens = 0
    for batch, ids in zip(shard.batches, shard.views, strict=True):
        batch.validate(full=True)
        span, noted, wrong = pieces_of(batch, ids, number, first)
        problems += [
            f"row {first + row}: {what}" for row, what in [*wrong, *_padding(batch, ids, span, first, eot)]
        ]
        spans.append(span)
        notes.append(noted)
        tokens += int(np.asarray(batch.column("n_tokens")).sum(dtype=np.int64))
        first += batch.num_rows
    for name, got in (("rows", first), ("tokens", tokens)):
        if got != entry[name]:
            problems.append(f"{got:,} {name}, the manifest says {entry[name]:,}")
    return spans, notes, [*problems, *_misplaced(shard, spans)]


def pieces_of(
    batch: pa.RecordBatch, ids: np.ndarray, shard: int, first: int
) -> tuple[Span, pa.RecordBatch | None, list[tuple[int, str]]]:
    """The pieces of a record batch, whose first row is row ``first`` of the shard; their notes; rows that are wrong."""
    lists = [batch.column(name) for name in ("doc_ids", "doc_starts", "doc_offsets")]
    every = [*lists, *note_columns(batch)]
    bounds, *others = (np.asarray(one.offsets).astype(np.int64) - one.offsets[0].as_py() for one in every)
    if any(not np.array_equal(bounds, one) for one in others):
        raise OutputError("doc_ids, doc_starts and what else pieces have are not equally long")
    counts = np.asarray(batch.column("n_tokens")).astype(np.int64)
    starts, offsets = (np.asarray(one.flatten()).astype(np.int64) for one in lists[1:])
    row = np.repeat(np.arange(batch.num_rows), np.diff(bounds))
    there = np.diff(bounds) > 0
    ends = np.append(starts[1:], 0)
    ends[bounds[1:][there] - 1] = starts[bounds[:-1][there]] + counts[there]
    wrong = [(at, "holds no document") for at in np.flatnonzero(~there).tolist()]
    bad = (starts < 0) | (ends <= starts) | (ends > ids.shape[1]) | (offsets < 0)
    outside = zip(*(column[bad].tolist() for column in (row, starts, ends)), strict=True)
    wrong += [(at, f"a piece from {start} to {end} in a row of {ids.shape[1]}") for at, start, end in outside]
    good = ~bad
    row, starts, ends, offsets = row[good], starts[good], ends[good], offsets[good]
    document = lists[0].flatten().filter(pa.array(good)).cast(pa.binary())
    last = ids[row, ends - 1].astype(np.int64)
    span = Span(document, np.full(len(row), shard), row + first, starts, ends - starts, offsets, last)
    notes = notes_of(batch)
    if notes is not None:
        notes = notes.filter(pa.array(good))
        wrong += wrong_notes(notes, row, offsets + span.length)
    return span, notes, wrong


def _padding(
    batch: pa.RecordBatch, ids: np.ndarray, span: Span, first: int, eot: int
) -> Iterator[tuple[int, str]]:
    """Rows whose padding is something else than the end of text."""
    counts = np.asarray(batch.column("n_tokens")).astype(np.int64)
    begin = np.zeros(len(counts), np.int64)
    begin[(span.row - first)[::-1]] = span.start[::-1]
    for row in np.flatnonzero(counts < ids.shape[1]).tolist():
        text = slice(begin[row], begin[row] + counts[row])
        if np.any(np.delete(ids[row], text) != eot):
            yield row, "padding that is not the end of text"


def _misplaced(shard: Shard, spans: list[Span]) -> Iterator[str]:
    """Documents whose key belongs into another shard; a pool holds some of all, and joined files have other keys."""
    part, pooled = PartName.parse(shard.name), int(shard.metadata["thresher.pooled"])
    if shard.metadata["thresher.split"] != part.stem:
        yield f"says it is of split {shard.metadata['thresher.split']}"
    if (pooled and part.index == part.count - 1) or shard.metadata.get("thresher.grouped") == "1":
        return
    documents = _joined([_no_pieces(), *spans]).document
    keys = order_keys(documents, int(shard.metadata["thresher.shuffle_seed"]))
    away = int(np.count_nonzero(shard_of(keys, part.count - pooled) != part.index)) if len(keys) else 0
    if away:
        yield f"{counted(away, 'piece')} of documents that belong into another shard"


def _no_pieces() -> Span:
    return Span(pa.array([], pa.binary()), *(np.zeros(0, np.int64) for _ in Span._fields[1:]))


def _joined(spans: list[Span]) -> Span:
    columns = [list(column) for column in zip(*spans, strict=True)]
    return Span(pa.concat_arrays(columns[0]), *(np.concatenate(column) for column in columns[1:]))
