"""Samples: the global stream of a dataset, or of a mixture of datasets, with the rows themselves.

`open_samples` reads manifests only; a shard is opened when a row of it is first asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from training.cache import CacheConfig
from training.catalog import ShardFile, Source, shard_files
from training.mixture import Stage, epoch_stages
from training.order import Member, Order, Shuffle
from training.store import Rows, RowStore

ONLY = "data"


class Located(NamedTuple):
    """Samples of the stream by number: ``sources int32[n]`` and ``rows int64[n]``, numbered over all sources."""

    sources: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Samples:
    """An `Order` over the rows of a `RowStore`; small to pickle, since open shards are not sent along."""

    order: Order
    store: RowStore

    @cached_property
    def _bases(self) -> np.ndarray:
        return np.cumsum([0, *(member.rows for member in self.order.members)], dtype=np.int64)

    def locate(self, first: int, count: int, step: int = 1) -> Located:
        """Samples ``first, first + step, …``; see `Order.locate`, whose rows are numbered by source."""
        sources, rows = self.order.locate(first, count, step)
        if len(self._bases) > 2:
            rows += self._bases[sources]
        return Located(sources, rows)

    def take(
        self, first: int, count: int, step: int = 1, *, dtype: Any = np.int64, documents: bool = False
    ) -> Rows:
        """The rows of those samples; errors are those of `Order.locate` and `RowStore.gather`."""
        return self.store.gather(self.locate(first, count, step).rows, dtype, documents=documents)


def open_samples(
    datasets: Source | Mapping[str, Source],
    *,
    split: str = "train",
    epochs: int | Mapping[str, float] | None = 1,
    stages: Sequence[Stage] | None = None,
    seed: int = 0,
    shuffle: Shuffle | None = Shuffle(),  # noqa: B008
    verify: bool = True,
    cache: CacheConfig | None = None,
) -> Samples:
    """The stream of one dataset for ``epochs`` epochs (None: for ever), or of several by ``stages`` or epochs.

    ``datasets``: a directory, URL or list of shard files, or such by name. One dataset gives all its rows once per
    epoch, or what ``stages`` say (its name is ``data``); several need stages, or ``epochs`` by name,
    ``{"code": 2, "prose": 0.5}``, which mixes that many of each evenly (`training.mixture.epoch_stages`).
    ``shuffle=None`` keeps the order of the shards. ``verify``, ``cache``: see `RowStore`. Cost: a manifest per dataset.

    Raises `columns.errors.OutputError` for an unfinished dataset and ValueError for stages that do not fit::

        stages = [Stage({"code": 0.85, "prose": 0.15}, samples=1_000_000), Stage({"code": 1}, samples=200_000)]
        samples = open_samples({"code": "build/code", "prose": "s3://bucket/prose"}, stages=stages,
                               cache=CacheConfig("/scratch/shards"))
    """
    named = datasets if isinstance(datasets, Mapping) else {ONLY: datasets}
    files = {name: shard_files(source, split) for name, source in named.items()}
    store = RowStore([file for found in files.values() for file in found], verify=verify, cache=cache)
    members = _members(files, store)
    if stages is None:
        stages = _stages(members, epochs)
    return Samples(Order(members, tuple(stages), seed, shuffle), store)


def _stages(members: Sequence[Member], epochs: int | Mapping[str, float] | None) -> list[Stage]:
    """Epochs as stages: of each source by name, or of the only one."""
    if isinstance(epochs, Mapping):
        return epoch_stages({member.name: member.rows for member in members}, epochs)
    if len(members) > 1:
        names = [member.name for member in members]
        raise ValueError(f"stages: expected stages, or epochs by name, for {names}, got none")
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs: expected at least 1 or none, got {epochs}")
    return [Stage({members[0].name: 1}, epochs and epochs * members[0].rows)]


def _members(files: Mapping[str, Sequence[ShardFile]], store: RowStore) -> tuple[Member, ...]:
    """The sources with the rows that the store has counted where the manifest does not state them."""
    counted = iter(store.shards)
    found = []
    for name, listed in files.items():
        shards = [next(counted) for _ in listed]
        said = json.dumps([[shard.name, shard.rows, shard.size, shard.sha256] for shard in shards])
        rows = sum(shard.rows or 0 for shard in shards)
        found.append(Member(name, rows, hashlib.sha256(said.encode()).hexdigest()[:32]))
    return tuple(found)
