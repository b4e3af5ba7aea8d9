"""Batches: the blocks of a Ray dataset as the same torch batches that a `Loader` gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from columns.batch import concat
from shards.reader import ids_view
from training.extra import require
from training.loader import BatchConfig, batch_arrays
from training.pool import Pool
from training.store import Rows

if TYPE_CHECKING:
    import torch

_READ = ["input_ids", "n_tokens", "doc_starts"]


def iter_batches(dataset: Any, batch: BatchConfig) -> Iterator[dict[str, torch.Tensor]]:
    """Torch batches of the rows of a `ray.data.Dataset` from `read_shards`, in its order.

    They are those of a `Loader` of one rank over the same rows: see `BatchConfig` for what is in them. Ray's workers
    read; here blocks are cut to batches, and the ids widened, which is the only copy where a batch lies in one
    block. A dataset that was changed on the way (``map_batches``…) needs the columns ``input_ids``, ``n_tokens``
    and ``doc_starts`` still.

    ValueError for ``samples``, whose columns (``sample``, ``source``) the dataset has itself::

        for batch in iter_batches(read_shards("build/demo"), BatchConfig(8)):
            loss = model(batch["input_ids"], labels=batch["labels"]).loss
    """
    if batch.samples:
        raise ValueError("samples: expected False, got True: read the dataset's columns sample and source")
    require("torch")
    return _tensors(regroup(_rows(dataset), batch.batch_size), batch)


def _rows(dataset: Any) -> Iterator[pa.RecordBatch]:
    for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from block.select(_READ).to_batches()


def _tensors(batches: Iterable[pa.RecordBatch], config: BatchConfig) -> Iterator[dict[str, torch.Tensor]]:
    from training.streams import tensors

    pool = Pool()
    for batch in batches:
        if batch.num_rows == config.batch_size or not config.drop_last:
            yield tensors(batch_arrays(rows_of(batch, pool), config, pool))


def regroup(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Cut and join batches so that each has ``size`` rows, the last one perhaps fewer.

    >>> two = [pa.record_batch({"x": [1, 2, 3]}), pa.record_batch({"x": [4]})]
    >>> [batch.column("x").to_pylist() for batch in regroup(two, 2)]
    [[1, 2], [3, 4]]
    """
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, size - rows)
            held.append(piece)
            start, rows = start + piece.num_rows, rows + piece.num_rows
            if rows == size:
                yield concat(held, batch.schema)
                held, rows = [], 0
    if held:
        yield concat(held, held[0].schema)


def rows_of(batch: pa.RecordBatch, pool: Pool) -> Rows:
    """A record batch of a shard as gathered rows, ids widened to int64 in memory of the pool."""
    view = ids_view(batch.column("input_ids"))
    ids = pool.empty(view.shape, np.int64)
    np.copyto(ids, view)
    starts = batch.column("doc_starts")
    pieces = np.asarray(starts.value_lengths()).astype(np.int64)
    return Rows(ids, _spans(batch, pieces), pieces, np.asarray(starts.flatten()))


def _spans(batch: pa.RecordBatch, pieces: np.ndarray) -> np.ndarray:
    """Where the text of each row begins, with its first piece, and where it ends: ``int32[n, 2]``."""
    starts, lengths = np.asarray(batch.column("doc_starts").flatten()), np.asarray(batch.column("n_tokens"))
    firsts = np.cumsum(pieces) - pieces
    begins = np.zeros(len(lengths), np.int32)
    begins[pieces > 0] = starts[firsts[pieces > 0]]
    return np.stack([begins, begins + lengths], axis=1)
