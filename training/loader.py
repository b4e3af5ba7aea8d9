"""Loader: the batches of one rank as NumPy arrays, in an order that no number of ranks or workers changes.

The stream is cut into *global* batches of ``batch_size`` samples; of each, rank r of w takes samples r, r + w, … The
state is the stream's position, so it fits any number of ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from training.boundaries import boundaries
from training.order import Order
from training.pool import Pool
from training.samples import Located, Samples
from training.store import Rows

IGNORED = -100
_AHEAD = 4096


@dataclass(frozen=True)
class BatchConfig:
    """What a batch is.

    ``batch_size`` samples over all ranks; a multiple of every world size keeps the ranks' shares equal.
    ``labels``: the ids once more, -100 on padding, not shifted. ``documents``: segment ids, position ids,
    ``cu_seqlens`` and ``max_seqlen`` (`training.boundaries`). ``samples``: each row's number in the stream
    and its source. ``drop_last`` leaves out a last batch that is not full.
    """

    batch_size: int
    labels: bool = True
    documents: bool = False
    samples: bool = False
    drop_last: bool = False

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {self.batch_size}")


class Loader:
    """Batches of one rank, from where the state says to the end of the stream.

    Each batch is a dict: ``input_ids`` and ``labels`` int64 ``[n, seq_len]``; with ``documents``
    ``segment_ids``, ``position_ids`` (int64 ``[n, seq_len]``), ``cu_seqlens`` int32 and ``max_seqlen`` int;
    with ``samples`` ``samples`` int64 ``[n]`` and ``sources`` int32 ``[n]``. n is the rank's share of the global
    batch; it may be 0 in a last batch that is not full. Iterating again goes on where the last one stopped; a
    stream that has ended gives nothing until a state is loaded. Arrays are the caller's own for
    as long as it keeps them; their memory is used again afterwards (`Pool`)::

        loader = Loader(open_samples("build/demo", seed=1), BatchConfig(512), rank=0, world_size=8)
        for batch in loader:
            ...
            save(loader.state_dict())

    ValueError for a rank outside the world or more ranks than samples in a batch; `InputError` for a damaged
    shard or a state of another order.
    """

    def __init__(self, samples: Samples, batch: BatchConfig, *, rank: int = 0, world_size: int = 1) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank: expected 0 to {world_size - 1}, got {rank}")
        if world_size > batch.batch_size:
            raise ValueError(f"world_size: expected at most batch_size {batch.batch_size}, got {world_size}")
        self.samples = samples
        self.batch = batch
        self.rank = rank
        self.world_size = world_size
        self.position = 0

    @property
    def order(self) -> Order:
        """The order of the stream, with its accounts (`Order.counts`)."""
        return self.samples.order

    def __len__(self) -> int:
        """Global batches that are left; TypeError for a stream without an end."""
        length = self.order.length
        if length is None:
            raise TypeError("the stream has no end")
        left, size = length - self.position, self.batch.batch_size
        return left // size if self.batch.drop_last else -(-left // size)

    def state_dict(self) -> dict[str, Any]:
        """A few plain values, the same on every rank; see `Order.state`."""
        return self.order.state(self.position)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the state was saved, whatever the number of ranks then and now; costs microseconds."""
        self.position = self.order.position(state)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for after, found in self.run(self.position, self.batch.batch_size):
            self.position = after
            yield found

    def run(self, first: int, stride: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """The global batches that begin at ``first, first + stride, …``, each with the position behind it.

        It neither reads nor moves this loader's position. Workers of one process each run a part.
        """
        end, size = self.order.end, self.batch.batch_size
        while first < end and not (self.batch.drop_last and first + size > end):
            for located in self._ahead(first, stride):
                after = min(first + size, end)
                yield after, self._batch(range(first + self.rank, after, self.world_size), located)
                first += stride

    def _ahead(self, first: int, stride: int) -> list[Located]:
        """Where the samples of the next batches are: of several at once where they are evenly spaced."""
        size, world, end = self.batch.batch_size, self.world_size, self.order.end
        share, rest = divmod(size, world)
        full = 1 if rest or stride != size else min(_AHEAD // share, (end - first) // size)
        if full < 2:
            mine = range(first + self.rank, min(first + size, end), world)
            return [self.samples.locate(mine.start, len(mine), world)]
        sources, rows = self.samples.locate(first + self.rank, full * share, world)
        cuts = range(0, full * share, share)
        return [Located(sources[at : at + share], rows[at : at + share]) for at in cuts]

    def _batch(self, samples: range, located: Located) -> dict[str, Any]:
        store = self.samples.store
        rows = store.gather(located.rows, documents=self.batch.documents)
        found = batch_arrays(rows, self.batch, store.pool)
        if self.batch.samples:
            found |= {"samples": np.array(samples, np.int64), "sources": located.sources}
        return found


def batch_arrays(rows: Rows, config: BatchConfig, pool: Pool) -> dict[str, Any]:
    """The arrays of a batch (`Loader`) but for the rows' numbers; ``pool`` gives the memory."""
    found: dict[str, Any] = {"input_ids": rows.ids}
    if config.labels:
        labels = pool.empty(rows.ids.shape, rows.ids.dtype)
        np.copyto(labels, rows.ids)
        found["labels"] = padded(labels, rows.spans, IGNORED)
    if config.documents:
        marks = boundaries(rows.starts, rows.pieces, rows.spans, rows.ids.shape[1], pool)
        found |= marks._asdict()
    return found


def padded(values: np.ndarray, spans: np.ndarray, mark: int) -> np.ndarray:
    """Write ``mark`` before and behind each row's span, in place; full rows cost nothing.

    >>> padded(np.array([[1, 2], [3, 4], [5, 6]]), np.array([[0, 2], [0, 1], [1, 2]]), -100).tolist()
    [[1, 2], [3, -100], [-100, 6]]
    """
    short = np.flatnonzero(spans[:, 1] - spans[:, 0] < values.shape[1])
    for row, (begin, end) in zip(short.tolist(), spans[short].tolist(), strict=True):
        values[row, :begin] = mark
        values[row, end:] = mark
    return values
