"""The shards of a dataset as a Ray Data source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from training.catalog import ShardFile, Source, shard_files
from training.extra import require
from training.samples import Samples

_ray_data = require("ray.data")
_ray_block = require("ray.data.block")
_ray_datasource = require("ray.data.datasource")

SAMPLE_ROWS = 4096
TASK_BYTES = 64 << 20
_Item = TypeVar("_Item")


class ShardDatasource(_ray_datasource.Datasource):  # type: ignore[name-defined]
    """Ray reads one task per shard, or per run of neighbouring shards when it asks for fewer tasks.

    Each block is one record batch of a shard (up to 1,024 rows) with the shard's own columns:
    ``input_ids`` fixed-size list of uint16 or uint32, ``n_tokens``, ``doc_ids``, ``doc_starts`` and
    ``doc_offsets``. On the worker it is a view of the memory-mapped file; Ray copies it once, into
    its object store. With ``verify`` every task hashes its shards before it reads them.

    Raises `columns.errors.OutputError` on the driver, before any task starts, when a shard is
    missing or has another size than the manifest states.
    """

    def __init__(self, source: Source, *, split: str = "train", verify: bool = False) -> None:
        super().__init__()
        self._shards = shard_files(source, split)
        self._verify = verify

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all shards: uncompressed Arrow takes as much memory as disk."""
        return sum(shard.size for shard in self._shards)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[Any]:
        """At most ``parallelism`` read tasks; joined in order they give the shards in order."""
        groups = runs(self._shards, parallelism)
        return [_read_task(group, verify=self._verify, row_limit=per_task_row_limit) for group in groups]


class SampleDatasource(_ray_datasource.Datasource):  # type: ignore[name-defined]
    """Samples of a stream in its order: every read task gives a run of neighbouring samples.

    Starting a task and handing on a block cost Ray some 20 ms, so a task has at least ``task_rows`` samples (when
    not given, those of 64 MiB). Tables of up to 4,096 rows, which Ray joins to blocks: ``input_ids`` fixed-size
    list of uint16 or uint32, ``n_tokens`` int32, ``doc_starts`` list of int32, ``sample`` int64 (its number in the
    stream) and ``source`` string. Workers map the shards themselves. The order is that of `training.Loader`,
    whatever the number of tasks.
    """

    def __init__(self, samples: Samples, chosen: range, *, task_rows: int | None = None) -> None:
        super().__init__()
        if chosen.step != 1 or chosen.start < 0 or chosen.stop > samples.order.end:
            raise ValueError(f"order: expected a range within 0 to {samples.order.end}, got {chosen}")
        self._samples = samples
        self._chosen = chosen
        self._row_bytes = samples.store.seq_len * int(samples.store.dtype.itemsize)
        self._task_rows = task_rows or max(1, TASK_BYTES // self._row_bytes)

    @property
    def tasks(self) -> int:
        """Read tasks when as many as are useful may be made."""
        return max(1, -(-len(self._chosen) // self._task_rows))

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of the ids of all samples."""
        return len(self._chosen) * self._row_bytes

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[Any]:
        """At most ``parallelism`` read tasks; joined in order they give the samples in order."""
        pieces = [piece for piece in runs(self._chosen, min(parallelism, self.tasks)) if len(piece)]
        schema = sample_table(self._samples, self._chosen.start, min(1, len(pieces))).schema
        return [self._task(piece, schema, per_task_row_limit) for piece in pieces]

    def _task(self, piece: Sequence[int], schema: pa.Schema, row_limit: int | None) -> Any:
        samples = self._samples

        def read() -> Iterator[pa.Table]:
            for at in range(0, len(piece), SAMPLE_ROWS):
                yield sample_table(samples, piece[at], len(piece[at : at + SAMPLE_ROWS]))

        metadata = _ray_block.BlockMetadata(
            num_rows=len(piece), size_bytes=len(piece) * self._row_bytes, exec_stats=None, input_files=None
        )
        return _ray_datasource.ReadTask(read, metadata, schema=schema, per_task_row_limit=row_limit)


def sample_table(samples: Samples, first: int, count: int) -> pa.Table:
    """Samples ``first … first + count - 1`` as one table; see `SampleDatasource` for its columns."""
    located = samples.locate(first, count)
    rows = samples.store.gather(located.rows, samples.store.dtype, documents=True)
    offsets = np.concatenate([[0], np.cumsum(rows.pieces)]).astype(np.int32)
    names = pa.array([member.name for member in samples.order.members])
    columns = {
        "input_ids": pa.FixedSizeListArray.from_arrays(pa.array(rows.ids.ravel()), rows.ids.shape[1]),
        "n_tokens": pa.array(rows.spans[:, 1] - rows.spans[:, 0]),
        "doc_starts": pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.starts)),
        "sample": pa.array(np.arange(first, first + count)),
        "source": names.take(pa.array(located.sources)),
    }
    return pa.table(columns)


def read_shards(
    source: Source | Samples,
    split: str = "train",
    *,
    verify: bool = False,
    preserve_order: bool = True,
    order: range | None = None,
    **options: Any,
) -> Any:
    """A dataset directory, a list of shard files, or `Samples`, as a lazy `ray.data.Dataset`.

    Rows of a directory come in the manifest's order, which the build has shuffled already. Rows of
    `Samples` come in the stream's order, with ``order`` only those of its samples, such as
    ``range(position, end)``; ``split`` and ``verify`` are then the samples' own. ``preserve_order=False``
    lets Ray give blocks as they finish, which is a little faster and not repeatable. ``options`` go
    to `ray.data.read_datasource` (``override_num_blocks``, ``concurrency``, ``num_cpus``…)::

        for batch in read_shards("build/demo").iter_batches(batch_size=8, batch_format="pyarrow"):
            ...

    Raises `columns.errors.OutputError` for an unfinished or damaged dataset and
    `columns.errors.EnvironmentProblem` when Ray is not installed; ValueError for an endless stream
    without ``order``, or an ``order`` without `Samples`.
    """
    if isinstance(source, Samples):
        datasource: Any = SampleDatasource(source, _chosen(source, order))
        options.setdefault("override_num_blocks", datasource.tasks)
    elif order is not None:
        raise ValueError("order: expected Samples to take it from, got a dataset: see open_samples")
    else:
        datasource = ShardDatasource(source, split=split, verify=verify)
    dataset = _ray_data.read_datasource(datasource, **options)
    dataset.context.execution_options.preserve_order = preserve_order
    return dataset


def _chosen(samples: Samples, order: range | None) -> range:
    if order is None and samples.order.length is None:
        raise ValueError("order: expected a range of samples of an endless stream, got none")
    return range(samples.order.end) if order is None else order


def runs(items: Sequence[_Item], parallelism: int) -> list[Sequence[_Item]]:
    """Cut a sequence into at most ``parallelism`` runs of neighbours whose lengths differ by one at most.

    >>> runs("abcde", 2)
    ['ab', 'cde']
    >>> runs("ab", 9)
    ['a', 'b']
    """
    count = max(1, min(parallelism, len(items)))
    cuts = [len(items) * index // count for index in range(count + 1)]
    return [items[start:stop] for start, stop in pairwise(cuts)]


def _read_task(group: Sequence[ShardFile], *, verify: bool, row_limit: int | None) -> Any:
    def read() -> Iterator[pa.Table]:
        for shard in group:
            for batch in shard.batches(verify=verify):
                yield pa.Table.from_batches([batch])

    stated = [shard.rows for shard in group]
    rows = None if None in stated else sum(filter(None, stated))
    metadata = _ray_block.BlockMetadata(
        num_rows=rows,
        size_bytes=sum(shard.size for shard in group),
        exec_stats=None,
        input_files=tuple(shard.path for shard in group),
    )
    return _ray_datasource.ReadTask(read, metadata, schema=group[0].schema(), per_task_row_limit=row_limit)
