"""The shards of a dataset as a Ray Data source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from training.catalog import ShardFile, Source, shard_files
from training.extra import require

_ray_data = require("ray.data")
_ray_block = require("ray.data.block")
_ray_datasource = require("ray.data.datasource")


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


def read_shards(
    source: Source, split: str = "train", *, verify: bool = False, preserve_order: bool = True, **options: Any
) -> Any:
    """A dataset directory, or a list of shard files, as a lazy `ray.data.Dataset`.

    Rows come in the manifest's order, which the build has shuffled already. ``preserve_order=False``
    lets Ray give blocks as they finish, which is a little faster and not repeatable. ``options`` go
    to `ray.data.read_datasource` (``override_num_blocks``, ``concurrency``, ``num_cpus``…)::

        for batch in read_shards("build/demo").iter_batches(batch_size=8, batch_format="pyarrow"):
            ...

    Raises `columns.errors.OutputError` for an unfinished or damaged dataset and
    `columns.errors.EnvironmentProblem` when Ray is not installed.
    """
    datasource = ShardDatasource(source, split=split, verify=verify)
    dataset = _ray_data.read_datasource(datasource, **options)
    dataset.context.execution_options.preserve_order = preserve_order
    return dataset


def runs(shards: Sequence[ShardFile], parallelism: int) -> list[Sequence[ShardFile]]:
    """Cut the shards into at most ``parallelism`` runs of neighbours whose lengths differ by one at most.

    >>> runs("abcde", 2)
    ['ab', 'cde']
    >>> runs("ab", 9)
    ['a', 'b']
    """
    count = max(1, min(parallelism, len(shards)))
    cuts = [len(shards) * index // count for index in range(count + 1)]
    return [shards[start:stop] for start, stop in pairwise(cuts)]


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
