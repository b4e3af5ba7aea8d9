"""Batches: rows of shards as torch tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from columns.batch import concat
from training.catalog import ShardFile, Source, shard_files
from training.extra import require
from training.loader import IGNORED, padded

if TYPE_CHECKING:
    import torch

__all__ = ["IGNORED", "arrays", "iter_batches", "regroup", "segment_ids"]

_READ = ["input_ids", "n_tokens", "doc_starts"]


def iter_batches(
    source: Source | Any,
    batch_size: int,
    split: str = "train",
    *,
    segments: bool = False,
    drop_last: bool = False,
    verify: bool = False,
) -> Iterator[dict[str, torch.Tensor]]:
    """Torch batches of the rows of a dataset, in order.

    ``source`` is a dataset directory or a list of shard files, read in this process without Ray, or a
    `ray.data.Dataset` from `read_shards`, read by Ray's workers (``split`` and ``verify`` are then
    the dataset's own). Both give the same tensors::

        input_ids    int64 [batch_size, seq_len]
        labels       int64 [batch_size, seq_len]   input_ids, -100 where the row is padding
        segment_ids  int64 [batch_size, seq_len]   with ``segments``: 0, 1, 2… by document, -1 padding

    Labels are not shifted: as in Hugging Face models, the model shifts. The last batch is shorter
    unless ``drop_last``. Widening the ids to int64 is the only copy where a batch lies in one block.

    Raises `columns.errors.OutputError` for an unfinished or damaged dataset and
    `columns.errors.EnvironmentProblem` when torch is not installed::

        for batch in iter_batches("build/demo", batch_size=8):
            loss = model(batch["input_ids"], labels=batch["labels"]).loss
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    require("torch")
    if hasattr(source, "iter_batches"):
        rows = _from_ray(source, batch_size)
    else:
        rows = regroup(_from_shards(shard_files(source, split), verify=verify), batch_size)
    return _tensors((b for b in rows if b.num_rows == batch_size or not drop_last), segments=segments)


def _tensors(batches: Iterable[pa.RecordBatch], *, segments: bool) -> Iterator[dict[str, torch.Tensor]]:
    from_numpy = require("torch").from_numpy
    for batch in batches:
        yield {name: from_numpy(array) for name, array in arrays(batch, segments=segments).items()}


def _from_shards(shards: Iterable[ShardFile], *, verify: bool) -> Iterator[pa.RecordBatch]:
    for shard in shards:
        yield from shard.batches(verify=verify)


def _from_ray(dataset: Any, batch_size: int) -> Iterator[pa.RecordBatch]:
    columns = dataset.select_columns(_READ)
    for table in columns.iter_batches(batch_size=batch_size, batch_format="pyarrow", drop_last=False):
        yield table.combine_chunks().to_batches()[0]


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


def arrays(batch: pa.RecordBatch, *, segments: bool) -> dict[str, np.ndarray]:
    """The arrays of one batch of rows, each ``int64[rows, seq_len]``; see `iter_batches`."""
    ids = batch.column("input_ids")
    input_ids = np.asarray(ids.flatten()).reshape(len(ids), ids.type.list_size).astype(np.int64)
    spans = text_spans(batch)
    found = {"input_ids": input_ids, "labels": padded(input_ids.copy(), spans, IGNORED)}
    if segments:
        numbers = segment_ids(batch.column("doc_starts"), input_ids.shape[1])
        found["segment_ids"] = padded(numbers, spans, -1)
    return found


def text_spans(batch: pa.RecordBatch) -> np.ndarray:
    """Where the text of each row begins, with its first piece, and where it ends: ``int64[n, 2]``."""
    lengths, starts = np.asarray(batch.column("n_tokens")).astype(np.int64), batch.column("doc_starts")
    begins, counts = np.zeros(len(lengths), np.int64), np.asarray(starts.value_lengths())
    offsets = np.asarray(starts.offsets)[:-1] - starts.offsets[0].as_py()
    begins[counts > 0] = np.asarray(starts.flatten())[offsets[counts > 0]]
    return np.stack([begins, begins + lengths], axis=1)


def segment_ids(starts: pa.Array, width: int) -> np.ndarray:
    """Number the documents of each row from where they start: ``list<int32>[n] -> int64[n, width]``.

    >>> segment_ids(pa.array([[0, 2], [0]], pa.list_(pa.int32())), 4).tolist()
    [[0, 0, 1, 1], [0, 0, 0, 0]]
    """
    found = np.zeros((len(starts), width), np.int64)
    rows = np.repeat(np.arange(len(starts)), np.asarray(starts.value_lengths()))
    np.add.at(found, (rows, np.asarray(starts.flatten())), 1)
    return np.cumsum(found, axis=1) - 1
