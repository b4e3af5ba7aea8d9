from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("torch")

from training import BatchConfig, Loader, open_samples, rank_loader


class Context:
    """What `ray.train.get_context` gives inside a worker."""

    def __init__(self, rank: int, size: int) -> None:
        self._rank, self._size = rank, size

    def get_world_rank(self) -> int:
        return self._rank

    def get_world_size(self) -> int:
        return self._size


@pytest.fixture
def inside(monkeypatch):
    train = pytest.importorskip("ray.train")
    return lambda rank, size: monkeypatch.setattr(train, "get_context", lambda: Context(rank, size))


def test_ranks_share_every_global_batch(dataset, inside):
    samples = open_samples(dataset, seed=2)
    shares = []
    for rank in range(3):
        inside(rank, 3)
        loader = rank_loader(samples, BatchConfig(6))
        shares.append([batch["input_ids"][:, 0].tolist() for batch in loader])
    assert [len(share) for share in shares] == [5, 5, 5]
    for at, whole in enumerate(Loader(samples, BatchConfig(6))):
        joined = [0] * len(whole["input_ids"])
        for rank in range(3):
            joined[rank::3] = shares[rank][at]
        assert joined == whole["input_ids"][:, 0].tolist()


def test_options_go_to_the_loader(dataset, inside):
    inside(0, 1)
    loader = rank_loader(open_samples(dataset), BatchConfig(6), num_workers=1)
    assert sum(len(batch["input_ids"]) for batch in loader) == 26


def _train(config) -> None:
    import ray.train

    loader = rank_loader(open_samples(config["data"], seed=2), BatchConfig(6))
    if config["state"]:
        loader.load_state_dict(config["state"])
    rank = ray.train.get_context().get_world_rank()
    found = []
    for batch in loader:
        found.append(batch["input_ids"][:, 0].tolist())
        if len(found) == config["batches"]:
            break
    said = json.dumps({"found": found, "state": loader.state_dict()})
    Path(config["out"], f"{config['name']}-{rank}.json").write_text(said)


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_ray_train_goes_on_with_another_number_of_workers(ray_session, dataset, tmp_path):
    """Two workers make three global batches, one worker makes the rest: together, the undisturbed stream."""
    pytest.importorskip("pandas")
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    made, state = [], None
    for name, workers, batches in (("first", 2, 3), ("second", 1, 100)):
        config = {
            "data": str(dataset),
            "out": str(tmp_path),
            "name": name,
            "state": state,
            "batches": batches,
        }
        scaling = ScalingConfig(num_workers=workers, use_gpu=False, resources_per_worker={"CPU": 1})
        run = RunConfig(name=name, storage_path=str(tmp_path / "runs"))
        TorchTrainer(_train, train_loop_config=config, scaling_config=scaling, run_config=run).fit()
        said = [json.loads((tmp_path / f"{name}-{rank}.json").read_text()) for rank in range(workers)]
        for shares in zip(*(one["found"] for one in said), strict=True):
            joined = [0] * sum(map(len, shares))
            for rank, share in enumerate(shares):
                joined[rank::workers] = share
            made += joined
        state = said[0]["state"]
    samples = open_samples(dataset, seed=2)
    assert made == samples.take(0, 26).ids[:, 0].tolist()
