"""Store: the rows of many shards by number, whichever shard they lie in, local or remote.

Shards are opened, and checked, when a row of theirs is first asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from columns.errors import EnvironmentProblem, InputError, OutputError
from shards.reader import open_shard
from training.cache import CacheConfig, cached_name, fetch
from training.catalog import ShardFile
from training.gather import FOUND, IDS, OUTSIDE, address_rows, count_pieces, gather_ids, gather_starts
from training.mapped import MappedShard, map_shard
from training.pool import Pool

_NO_PIECES, _NO_STARTS = np.zeros(0, np.int64), np.zeros(0, np.int32)


class Rows(NamedTuple):
    """Gathered rows: ``ids [n, seq_len]``, ``spans int32[n, 2]`` where text begins and ends (the rest is padding), and
    the pieces of documents: ``pieces int64[n]`` per row, ``starts int32[sum(pieces)]`` where they begin (both empty
    when not asked for).
    """

    ids: np.ndarray
    spans: np.ndarray
    pieces: np.ndarray
    starts: np.ndarray


class RowStore:
    """Rows 0 … n-1 of a list of shards, in its order; cheap to pickle (what is open is not sent along).

    ``verify`` compares a shard's checksums with the manifest's when it is first opened (`ShardFile.check`; remote
    shards are always checked, when they are fetched). ``cache`` is needed for shards that are not local.
    """

    def __init__(
        self, shards: Sequence[ShardFile], *, verify: bool = True, cache: CacheConfig | None = None
    ) -> None:
        remote = [shard for shard in shards if shard.place.local is None]
        if remote and cache is None:
            raise InputError(f"{remote[0].path}: not a local file", hint="give the loader a cache directory")
        self.shards = [shard if shard.rows is not None else _counted(shard) for shard in shards]
        self.verify = verify
        self.cache = cache
        self._start()

    def _start(self) -> None:
        count = len(self.shards)
        self._row_starts = np.cumsum([0, *(shard.rows or 0 for shard in self.shards)], dtype=np.int64)
        self._open: OrderedDict[int, MappedShard] = OrderedDict()
        self._seen: tuple[int, np.dtype] | None = None
        self._tokenizer = ""
        self.pool = Pool()
        self._checked: set[int] = set()
        self._batch_starts, self._batch_rows = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._table = np.empty((0, 4), np.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {"shards": self.shards, "verify": self.verify, "cache": self.cache}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __len__(self) -> int:
        return int(self._row_starts[-1])

    @property
    def seq_len(self) -> int:
        """Ids per row; opens one shard where none was opened."""
        return self._form()[0]

    @property
    def dtype(self) -> np.dtype:
        """uint16 or uint32, as the ids are stored; opens one shard where none was opened."""
        return self._form()[1]

    def _form(self) -> tuple[int, np.dtype]:
        """What every shard must be like: the first one that was opened, or the first one with rows."""
        if self._seen is None:
            self._map([int(np.flatnonzero(np.diff(self._row_starts))[0])])
        assert self._seen is not None
        return self._seen

    def gather(self, rows: np.ndarray, dtype: Any = np.int64, *, documents: bool = False) -> Rows:
        """Rows by number, ``int64[n]``, in that order; a number may come more than once.

        Ids are widened to ``dtype`` as they are copied, which is the only copy. `InputError` names the
        shard, and the byte, that is missing, damaged or not like the others; IndexError for a row that is not there.
        """
        if not len(rows):
            ids, spans = np.empty((0, self.seq_len), dtype), np.zeros((0, 2), np.int32)
            return Rows(ids, spans, _NO_PIECES, _NO_STARTS)
        places = self._places(rows)
        ids = self.pool.empty((len(rows), self.seq_len), dtype)
        spans = np.empty((len(rows), 2), np.int32)
        gather_ids(places, self._table, self.dtype.itemsize, ids, spans)
        if not documents:
            return Rows(ids, spans, _NO_PIECES, _NO_STARTS)
        pieces = count_pieces(places, self._table)
        starts = np.empty(int(pieces.sum()), np.int32)
        gather_starts(places, self._table, starts)
        return Rows(ids, spans, pieces, starts)

    def _places(self, rows: np.ndarray) -> np.ndarray:
        places = np.empty((len(rows), 2), np.int64)
        if self.cache is not None or not self._address(rows, places):
            needed = np.unique(np.searchsorted(self._row_starts, rows, side="right") - 1).tolist()
            self._map(needed)
            self._address(rows, places)
        return places

    def _address(self, rows: np.ndarray, places: np.ndarray) -> bool:
        """Fill the places; False when a shard of theirs is not open. IndexError for a row that is not there."""
        found = address_rows(rows, self._row_starts, self._batch_starts, self._batch_rows, places)
        if found == OUTSIDE:
            raise IndexError(f"rows: expected 0 to {len(self) - 1}, got {rows.min()} to {rows.max()}")
        return bool(found == FOUND)

    def _map(self, needed: Sequence[int]) -> None:
        """Open those of the shards that are not; the table holds the batches of all that are open."""
        if self.cache is not None:
            self._make_room(needed, self.cache.max_bytes)
        missing = [at for at in needed if at not in self._open]
        for at in missing:
            self._open_one(at)
        if missing:
            tables = [mapped.table for mapped in self._open.values()]
            self._batch_starts[list(self._open)] = np.cumsum([0, *map(len, tables)])[:-1]
            self._table = np.concatenate(tables)

    def _make_room(self, needed: Sequence[int], limit: int) -> None:
        """Unmap the shards used longest ago until those of this batch fit into the cache beside the rest."""
        total = sum(self.shards[at].size for at in needed)
        if total > limit:
            raise EnvironmentProblem(
                f"one batch needs {len(needed)} shards of {total} bytes, the cache holds {limit}",
                hint="give the cache more bytes, or shuffle within windows: Shuffle(window_rows=…)",
            )
        for at in needed:
            if at in self._open:
                self._open.move_to_end(at)
        held = sum(self.shards[at].size for at in {*self._open, *needed})
        for at in [at for at in self._open if at not in set(needed)]:
            if held <= limit:
                break
            held -= self.shards[at].size
            self._open.pop(at)
            self._batch_rows[at] = 0

    def _open_one(self, at: int) -> None:
        shard = self.shards[at]
        mapped = map_shard(self._path(at), shard.path)
        if mapped.rows != shard.rows:
            raise InputError(f"{shard.path}: rows expected {shard.rows}, got {mapped.rows}")
        _expect_places(shard, mapped)
        self._seen = self._seen or (mapped.seq_len, mapped.dtype)
        if (mapped.seq_len, mapped.dtype) != self._seen:
            width, dtype = self._seen
            raise InputError(
                f"{shard.path}: expected rows of {width} {dtype}, got {mapped.seq_len} {mapped.dtype}",
                hint="sources of one mixture are tokenised alike and packed to one length",
            )
        self._tokenizer = self._tokenizer or mapped.tokenizer
        if mapped.tokenizer not in ("", self._tokenizer):
            what = (
                f"{shard.path}: expected ids of tokenizer {self._tokenizer[:12]}, got {mapped.tokenizer[:12]}"
            )
            raise InputError(
                what, hint="sources of one mixture have one tokenizer: build them with the same one"
            )
        self._open[at] = mapped
        self._batch_rows[at] = mapped.batch_rows

    def _path(self, at: int) -> Path:
        """The shard as a local file, checked once per store."""
        shard = self.shards[at]
        if shard.place.local is None and self.cache is not None:
            kept = {cached_name(self.shards[number]) for number in self._open}
            return fetch(shard, self.cache, keep=kept)
        path = Path(shard.path)
        if not path.exists() or path.stat().st_size != shard.size:
            size = path.stat().st_size if path.exists() else 0
            what = f"{shard.path}: ends at byte {size}, expected {shard.size} bytes"
            raise InputError(what if size else f"{shard.path}: shard is missing (byte 0 of {shard.size})")
        if self.verify and at not in self._checked:
            _verify(shard)
            self._checked.add(at)
        return path


def _verify(shard: ShardFile) -> None:
    try:
        shard.check()
    except OutputError as error:
        raise InputError(f"{error.what} (bytes 0 to {shard.size})", hint=error.hint) from None


def _expect_places(shard: ShardFile, mapped: MappedShard) -> None:
    """The footer, which no checksum of record batches covers, must say what the manifest says."""
    found = (mapped.table[:, IDS] - mapped.held.address).tolist()
    stated = [batch.input_ids for batch in shard.checks]
    if stated and found != stated:
        raise InputError(
            f"{shard.path}: footer: ids of record batches expected at bytes {stated}, got {found}",
            hint="the shard was changed or damaged after the build: copy or build the dataset again",
        )


def _counted(shard: ShardFile) -> ShardFile:
    """A shard whose rows no manifest states: they are read from its footer."""
    batches = open_shard(shard.place, shard.name).reader
    return replace(
        shard, rows=sum(batches.get_batch(at).num_rows for at in range(batches.num_record_batches))
    )
