"""Retained: what the version before already has of token parts and shards, so that only what changed is made again.

A document's tokens follow from its text, what is replaced and cut in it, its language, and what transforms read.
Where all of that is the same, its row is taken from the old part of the same number. A shard whose key range holds no
row that came, went or changed is the old shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.tables import read_arrow, read_whole
from pipelines.dataset import Dataset, Names
from pipelines.redacting import Texts
from pipelines.reuse import positions
from pipelines.stage import COMMIT, outputs_fingerprint, read_json
from shards import key_range

MADE_BY, PACKED_BY, SINCE, TOUCHED = "made_by", "packed_by", "since", "touched"
_IDENTITY = frozenset({"content_hash", "repo", "path"})


@dataclass(frozen=True)
class Past:
    """The dataset before. ``linked``: its files may be linked, as versions of one directory do.

    ``keep_tokenizer``: its trained tokenizer is used again.
    """

    dataset: Dataset
    linked: bool = False
    keep_tokenizer: bool = False

    def tokens(self, made_by: str, parts: int) -> dict[str, Any] | None:
        """What the token stage left, where its parts would be these; else None."""
        commit = read_json(self.dataset.tokens, COMMIT)
        same = commit is not None and commit.get(MADE_BY) == made_by and len(commit["units"]) == parts
        return commit if same and self.dataset.parts() == parts else None

    def shards(self, packed_by: str, units: int) -> dict[str, Any] | None:
        """What the shard stage left, where it packed the same way into as many shards; else None."""
        commit = read_json(self.dataset.shards, COMMIT)
        same = commit is not None and commit.get(PACKED_BY) == packed_by and len(commit["units"]) == units
        return commit if same and self.linked else None


class Taken(NamedTuple):
    """Rows of a new part whose tokens are known (``int64[n]``), where in the old part, and the old part's rows."""

    rows: np.ndarray
    at: np.ndarray
    tokens: list[pa.RecordBatch]


@dataclass(frozen=True)
class OldTokens:
    """The token parts of the version before; ``columns`` of documents are what tokens are made from beside texts."""

    old: Dataset
    new: Dataset
    names: Names
    columns: tuple[str, ...]
    linked: bool

    def take(self, part: int, kept: np.ndarray) -> Taken:
        """The kept rows of a new part whose tokens the old part has."""
        stored = list(read_arrow(self.old.tokens, self.names.tokens(part)))
        documents = self._documents(self.new, part)
        if not stored:
            return Taken(np.zeros(0, np.int64), np.zeros(0, np.int64), stored)
        ids = pa.concat_arrays([batch.column("doc_id").cast(pa.binary()) for batch in stored])
        at = _where(documents.column("doc_id"), ids)
        same = kept & (at >= 0) & self._unchanged(part, documents)
        rows = np.flatnonzero(same)
        return Taken(rows, at[rows], stored)

    def _documents(self, dataset: Dataset, part: int) -> pa.Table:
        read = [name for name in self.columns if name not in _IDENTITY]
        return read_whole(
            dataset.documents, self.names.part(part), list(dict.fromkeys(["doc_id", "language", *read]))
        )

    def _unchanged(self, part: int, documents: pa.Table) -> np.ndarray:
        """Rows that were there before with equal columns and equal edits."""
        at = positions(documents, self._documents(self.old, part))
        return (at >= 0) & self._equally_edited(part, at)

    def _equally_edited(self, part: int, at: np.ndarray) -> np.ndarray:
        was, now = (Texts(dataset, self.names).edits(part) for dataset in (self.old, self.new))
        same = np.ones(len(at), np.bool_)
        for row in now:
            same[row] = was.get(int(at[row])) == now[row]
        edited = np.isin(at, np.array([*was], np.int64))
        same[edited & ~np.isin(np.arange(len(at)), np.array([*now], np.int64))] = False
        return same


def _where(ids: pa.ChunkedArray, among: pa.Array) -> np.ndarray:
    """The first position of each id, -1 where there is none."""
    found = pc.index_in(ids.cast(pa.binary()), value_set=among.cast(pa.binary()))
    return np.asarray(pc.fill_null(found, -1)).astype(np.int64)


def touched(tokens: pa.Table, taken: Taken | None) -> dict[str, list[int]] | None:
    """The keys, by split, of rows of a part that are not the old part's, and of old rows that are gone.

    ``tokens`` are the rows that were made anew. None where there is no old part: all are.
    """
    if taken is None:
        return None
    stored = pa.Table.from_batches(taken.tokens) if taken.tokens else tokens.slice(0, 0)
    used = np.bincount(taken.at, minlength=stored.num_rows)
    changed = stored.select(["split", "key"]).filter(pa.array(used != 1)).combine_chunks()
    both = pa.concat_tables([changed, tokens.select(["split", "key"]).cast(changed.schema)])
    keys = {split: set[int]() for split in ("train", "validation")}
    for split, key in zip(both.column("split").to_pylist(), both.column("key").to_pylist(), strict=True):
        keys[split].add(key)
    return {split: sorted(found) for split, found in keys.items()}


def untouched(
    tokens: Mapping[str, Any], past: Mapping[str, Any], plan: Sequence[tuple[str, int]]
) -> list[int]:
    """The shards, as units in the order of ``plan``, whose key range no part of ``tokens`` has touched.

    Empty where what is noted is about other token parts than ``past``.
    """
    noted = [one.get(TOUCHED) for one in tokens["units"]]
    if tokens.get(SINCE) != outputs_fingerprint(past) or any(one is None for one in noted):
        return []
    found, unit = [], 0
    for split, total in plan:
        keys = np.array(sorted({key for one in noted for key in one[split]}), np.uint64)
        for index in range(total):
            low, high = key_range(index, total)
            first = np.searchsorted(keys, np.uint64(low))
            last = len(keys) if high is None else np.searchsorted(keys, np.uint64(high))
            found += [unit] if first == last else []
            unit += 1
    return found
