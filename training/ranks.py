"""Ranks: the loader of a Ray Train worker, which needs no Ray Data and no streaming split."""

from __future__ import annotations

from typing import Any

from training.extra import require
from training.loader import BatchConfig, Loader
from training.samples import Samples
from training.streams import TokenLoader


def rank_loader(samples: Samples, batch: BatchConfig, **options: Any) -> TokenLoader:
    """The loader of the Ray Train worker that calls this: its rank and world size come from Ray.

    Every rank takes its samples of the same global batches, so ranks never differ in batches, and a run
    goes on with another number of workers from the same state. ``options`` go to `TokenLoader`::

        def train_loop(config):
            loader = rank_loader(open_samples(config["data"], seed=1), BatchConfig(512))
            loader.load_state_dict(saved["loader"])

    RuntimeError (Ray's) outside a training function.
    """
    context = require("ray.train").get_context()
    loader = Loader(samples, batch, rank=context.get_world_rank(), world_size=context.get_world_size())
    return TokenLoader(loader, **options)
