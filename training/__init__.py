"""Training: Thresher's shards as a Ray dataset and as torch batches.

The map of the room:

* `shard_files`      the shards of a dataset as its manifest lists them, each a `ShardFile`
* `ShardDatasource`  the shards as a `ray.data.Datasource`, one read task per shard or run of shards
* `read_shards`      a dataset directory as a `ray.data.Dataset`, in the manifest's order
* `iter_batches`     torch batches from a directory (in this process) or from a Ray dataset
* `training.example` a small language model trained over them: ``python -m training.example DIR``

Ray and torch come with the extra ``thresher[train]``. This module imports without them: they are
loaded when a name that needs them is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.batches import iter_batches
    from training.catalog import ShardFile, shard_files
    from training.datasource import ShardDatasource, read_shards

__all__ = ["ShardDatasource", "ShardFile", "iter_batches", "read_shards", "shard_files"]

_HOME = {
    "ShardDatasource": "training.datasource",
    "ShardFile": "training.catalog",
    "iter_batches": "training.batches",
    "read_shards": "training.datasource",
    "shard_files": "training.catalog",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
