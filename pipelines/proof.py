"""Proof: that nothing of removed documents is left in a version: no id of theirs, and no span of their tokens.

Every token of a shard belongs to a piece of a document that the shard names, so the ids of all pieces say whose tokens
are there. Beside that the removed documents' own tokens are looked for, run by run: other documents may hold equal
runs (a licence's words, a copy that stays), and these are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.files import Place
from columns.tables import read_whole
from pipelines.dataset import Dataset, Names
from pipelines.finished import Finished, rows_where
from pipelines.stored import in_threads
from pipelines.verification.rows import Span, pieces_of
from shards import Shard, ShardSet

SPAN = 32
"""Tokens of a run that is looked for."""
NAMED = 10

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_FILTER_BITS = 26


@dataclass(frozen=True)
class Proof:
    """What was looked for and found.

    ``left``: removed ids still in documents, facts, ledger and shards; ``strangers``: pieces in shards of documents
    that the ledger does not keep; ``runs``: different runs of `SPAN` tokens of the removed documents;
    ``elsewhere``: places of such runs in other documents, and the documents with the most of them.
    """

    removed: int
    left: dict[str, int]
    shards: int
    pieces: int
    strangers: int
    runs: int
    elsewhere: int
    documents: tuple[dict[str, Any], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing of a removed document is left."""
        return not any(self.left.values()) and not self.strangers

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the report."""
        return {"holds": self.holds, **asdict(self), "documents": [*self.documents]}


def prove(before: Place, after: Place, removed: pa.Array) -> Proof:
    """Scan the version ``after`` for documents (``binary(16)`` ids) that were removed from ``before``.

    Reads the ids of all parts, every shard of ``after``, and of ``before`` the shards' pieces of these documents.
    """
    ids = removed.cast(pa.binary())
    runs = _runs_of(before, ids)
    left = {folder: _rows_left(after, folder, ids) for folder in ("documents", "facts", "ledger")}
    kept = _kept(after)
    shards = ShardSet(after).shards
    known = _Filter(runs)
    found = in_threads(lambda shard: _scan(shard, known, ids, kept), shards)
    left["shards"] = sum(one.left for one in found)
    hits: Counter[bytes] = Counter()
    for one in found:
        hits.update(one.hits)
    named = tuple(_named(after, hits.most_common(NAMED)))
    pieces, strangers = (sum(getattr(one, name) for one in found) for name in ("pieces", "strangers"))
    return Proof(len(ids), left, len(shards), pieces, strangers, len(runs), hits.total(), named)


def _rows_left(place: Place, folder: str, ids: pa.Array) -> int:
    dataset = Dataset(place)
    names, where = Names(dataset.parts()), place.child(folder)

    def here(part: int) -> int:
        column = read_whole(where, names.part(part), ["doc_id"]).column(0).cast(pa.binary())
        return int(pc.sum(pc.is_in(column, value_set=ids)).as_py() or 0)

    return sum(in_threads(here, range(names.count)))


def _kept(place: Place) -> pa.Array:
    dataset = Dataset(place)
    names = Names(dataset.parts())

    def here(part: int) -> pa.ChunkedArray:
        table = read_whole(dataset.ledger, names.part(part), ["doc_id", "kept"])
        return table.column("doc_id").filter(table.column("kept")).cast(pa.binary())

    chunks = [chunk for column in in_threads(here, range(names.count)) for chunk in column.chunks]
    return pa.concat_arrays([pa.array([], pa.binary()), *chunks])


def _spans(shard: Shard) -> Iterator[tuple[np.ndarray, Span]]:
    """The ids of each record batch and the pieces of its rows."""
    for batch, ids in zip(shard.batches, shard.views, strict=True):
        yield ids, pieces_of(batch, ids, 0, 0)[0]


def _runs_of(place: Place, removed: pa.Array) -> np.ndarray:
    """Hashes of all runs of tokens in the pieces of some documents: sorted ``uint64``."""
    found = [np.zeros(0, np.uint64)]
    for shard in ShardSet(place).shards if len(removed) else ():
        for ids, span in _spans(shard):
            for at in rows_where(pc.is_in(span.document, value_set=removed)):
                start, length = int(span.start[at]), int(span.length[at])
                if length >= SPAN:
                    found.append(_runs(ids[span.row[at] : span.row[at] + 1, start : start + length])[0])
    return np.unique(np.concatenate(found))


def _runs(ids: np.ndarray) -> np.ndarray:
    """A hash of each run of `SPAN` tokens in rows of ids: ``uint64[rows, width - SPAN + 1]``, by doubling."""
    with np.errstate(over="ignore"):
        hashes, factor, length = ids.astype(np.uint64) + np.uint64(1), _FACTOR, 1
        while length < SPAN:
            hashes = hashes[:, :-length] * factor + hashes[:, length:]
            factor, length = factor * factor, 2 * length
        return np.asarray(hashes * _FACTOR)


@dataclass(frozen=True)
class _Scanned:
    left: int
    pieces: int
    strangers: int
    hits: Counter[bytes]


def _scan(shard: Shard, known: _Filter, removed: pa.Array, kept: pa.Array) -> _Scanned:
    hits: Counter[bytes] = Counter()
    held = [pa.array([], pa.binary())]
    for ids, span in _spans(shard):
        held.append(span.document)
        if known.any and ids.shape[1] >= SPAN:
            hits.update(_hits(ids, span, known))
    pieces = pa.concat_arrays(held)
    documents = pc.unique(pieces)
    strangers = documents.filter(pc.invert(pc.is_in(documents, value_set=kept)))
    left, strange = (len(rows_where(pc.is_in(pieces, value_set=some))) for some in (removed, strangers))
    return _Scanned(left, len(pieces), strange, hits)


class _Filter:
    """Whether hashes are among some: a table of bits by their last bits first, then a search."""

    def __init__(self, runs: np.ndarray) -> None:
        self._runs, self._bits = runs, np.zeros(1 << _FILTER_BITS, np.bool_)
        self._bits[runs >> np.uint64(64 - _FILTER_BITS)] = True
        self.any = bool(len(runs))

    def where(self, hashes: np.ndarray) -> np.ndarray:
        """The flat positions of those that are."""
        at = np.flatnonzero(self._bits[hashes.ravel() >> np.uint64(64 - _FILTER_BITS)])
        found = hashes.ravel()[at]
        place = np.minimum(np.searchsorted(self._runs, found), len(self._runs) - 1)
        return np.asarray(at[self._runs[place] == found])


def _hits(ids: np.ndarray, span: Span, known: _Filter) -> Counter[bytes]:
    """How many runs each document of a batch has in common with the removed ones."""
    hashes = _runs(ids)
    row, column = np.divmod(known.where(hashes), hashes.shape[1])
    width = ids.shape[1]
    starts = span.row * width + span.start
    piece = np.searchsorted(starts, row * width + column, side="right") - 1
    inside = (piece >= 0) & (column + SPAN <= span.start[piece] + span.length[piece])
    documents = span.document.take(pa.array(piece[inside & (span.row[piece] == row)]))
    return Counter(documents.to_pylist())


def _named(place: Place, hits: Sequence[tuple[bytes, int]]) -> Iterator[dict[str, Any]]:
    known = Finished.open(place).by_doc_id([doc_id for doc_id, _ in hits])
    for doc_id, number in hits:
        found = known.get(doc_id)
        yield {
            "doc_id": doc_id.hex(),
            "repo": found.repo if found else None,
            "path": found.path if found else None,
            "runs": number,
        }
