"""Training: Thresher's shards as batches, in an order that a run keeps whatever happens to it.

The map of the room. The core needs NumPy, Arrow and Numba alone:

* `permutation`, `mixture`  a shuffle that is computed, and weights that are kept exactly
* `Order`                   which row of which source is sample k: `Stage`, `Shuffle`, state, accounts
* `shard_files`             the shards of a dataset as its manifest lists them, each a `ShardFile`
* `cache`                   `CacheConfig`: shards of an object store on the local disk
* `mapped`, `gather`        shards as addresses, rows by a compiled copy; `RowStore` puts them together
* `open_samples`            `Samples`: an order with its rows, of one dataset or a mixture
* `Loader`, `BatchConfig`   batches of one rank as NumPy arrays, with a state of a few numbers
* `pool`                    batches whose memory is used again once nobody holds them
* `boundaries`              segment ids, position ids and ``cu_seqlens`` from where documents begin

For torch and Ray:

* `TokenLoader`             the same batches as tensors, by any number of DataLoader workers
* `TokenDataset`            the torch `IterableDataset` behind it
* `rank_loader`             a `TokenLoader` for the rank of a Ray Train worker
* `read_shards`             a dataset or `Samples` as a `ray.data.Dataset`
* `ShardDatasource`, `SampleDatasource`  the Ray datasources behind it
* `iter_batches`            torch batches in the manifest's order, without state
* `model`, `learner`         a small language model, and one rank of its training, a global batch at a time
* `checkpoint`, `steplog`    what a run leaves on disk, so that it can go on
* `training.train_gpt`      ``python -m training.train_gpt DIR OUTPUT``: trained over shards, through Ray Train
* `evaluation`, `ablation`   bits per byte on held-out documents, of models trained on several datasets
* `training.ablate`         ``python -m training.ablate DIR DIR``: which dataset teaches a tiny model more

Ray and torch come with the extra ``thresher[train]``. This module imports without them: they are
loaded when a name that needs them is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.batches import iter_batches
    from training.cache import CacheConfig
    from training.catalog import ShardFile, shard_files
    from training.datasource import SampleDatasource, ShardDatasource, read_shards
    from training.loader import BatchConfig, Loader
    from training.mixture import Stage
    from training.order import Order, Shuffle
    from training.ranks import rank_loader
    from training.samples import Samples, open_samples
    from training.store import RowStore
    from training.streams import TokenDataset, TokenLoader

__all__ = [
    "BatchConfig",
    "CacheConfig",
    "Loader",
    "Order",
    "RowStore",
    "SampleDatasource",
    "Samples",
    "ShardDatasource",
    "ShardFile",
    "Shuffle",
    "Stage",
    "TokenDataset",
    "TokenLoader",
    "iter_batches",
    "open_samples",
    "rank_loader",
    "read_shards",
    "shard_files",
]

_HOME = {
    "BatchConfig": "training.loader",
    "CacheConfig": "training.cache",
    "Loader": "training.loader",
    "Order": "training.order",
    "RowStore": "training.store",
    "SampleDatasource": "training.datasource",
    "Samples": "training.samples",
    "ShardDatasource": "training.datasource",
    "ShardFile": "training.catalog",
    "Shuffle": "training.order",
    "Stage": "training.mixture",
    "TokenDataset": "training.streams",
    "TokenLoader": "training.streams",
    "iter_batches": "training.batches",
    "open_samples": "training.samples",
    "rank_loader": "training.ranks",
    "read_shards": "training.datasource",
    "shard_files": "training.catalog",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
