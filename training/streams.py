"""Streams: the loader as a torch dataset, with any number of DataLoader workers in the same global order.

Worker i of n makes global batches i, i + n, …, and `torch.utils.data.DataLoader` takes its workers by turns, so
batches come in the stream's order. The main process counts what it has handed out: prefetched batches
are not part of the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from training.extra import require
from training.loader import Loader

_data = require("torch.utils.data")


class TokenDataset(_data.IterableDataset):  # type: ignore[name-defined]
    """The batches of a `Loader` as dicts of torch tensors; give it to a DataLoader with ``batch_size=None``.

    `state_dict` and `load_state_dict` follow torchdata's convention: a `StatefulDataLoader` saves one state per
    worker and must be loaded with as many workers. `TokenLoader` has one state for any number of workers.
    """

    def __init__(self, loader: Loader) -> None:
        super().__init__()
        self.loader = loader
        self._next: int | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = _data.get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        size = self.loader.batch.batch_size
        first = self.loader.position + worker * size if self._next is None else self._next
        stride = workers * size
        for number, (_, batch) in enumerate(self.loader.run(first, stride), start=1):
            self._next = first + number * stride
            yield tensors(batch)
        self._next = None

    def state_dict(self) -> dict[str, Any]:
        """The order, and where this worker's next batch begins (None: it has not begun)."""
        return {**self.loader.state_dict(), "next": self._next}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the same worker of the same number of workers; `InputError` for another order."""
        self.loader.load_state_dict(state)
        self._next = state["next"]


class TokenLoader:
    """Torch batches with a state that is exact for any number of workers, ranks and batches in flight::

        loader = TokenLoader(Loader(samples, BatchConfig(512), rank=rank, world_size=8), num_workers=2)
        for batch in loader:
            loss = model(batch["input_ids"].cuda(non_blocking=True), …)
            torch.save({"loader": loader.state_dict(), …}, path)

    ``options`` go to `torch.utils.data.DataLoader` (``num_workers``, ``prefetch_factor``, ``pin_memory``…).
    ValueError for options that would change the order. Iterating again goes on where the last one stopped.
    """

    def __init__(self, loader: Loader, **options: Any) -> None:
        for name in ("batch_size", "shuffle", "sampler", "batch_sampler", "in_order", "persistent_workers"):
            if name in options:
                raise ValueError(
                    f"{name}: expected not to be set, got {options[name]!r}: the loader sees to it"
                )
        self.loader = loader
        self._options = options

    def __iter__(self) -> Iterator[dict[str, Any]]:
        dataset = TokenDataset(self.loader)
        size, end = self.loader.batch.batch_size, self.loader.order.end
        for batch in _data.DataLoader(dataset, batch_size=None, **self._options):
            self.loader.position = min(self.loader.position + size, end)
            yield batch

    def __len__(self) -> int:
        return len(self.loader)

    def state_dict(self) -> dict[str, Any]:
        """The stream's position behind the last batch handed out; the same on every rank."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same order; `InputError` otherwise."""
        self.loader.load_state_dict(state)


def tensors(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays as tensors over the same memory; other values as they are."""
    from_numpy = require("torch").from_numpy
    return {name: from_numpy(v) if isinstance(v, np.ndarray) else v for name, v in batch.items()}
