from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch

from columns.errors import InputError
from training import learner as module
from training import open_samples
from training.learner import LearnConfig, Learner, prepare

CONFIG = LearnConfig(steps=8, batch_size=6, width=16, layers=1, heads=2, warmup=2, seed=1)


@pytest.fixture(autouse=True)
def exact():
    prepare()
    yield
    torch.use_deterministic_algorithms(False)


def learner_of(dataset, config=CONFIG, vocab_size=64, **more):
    return Learner(config, open_samples(dataset, epochs=None, seed=config.seed), vocab_size, **more)


def test_steps_tell_what_they_did(dataset):
    lines = list(learner_of(dataset).run())
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert set(lines[0]) == {"step", "loss", "rate", "norm", "tokens"}
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_the_same_run_twice_is_the_same(dataset):
    one, two = (list(learner_of(dataset).run()) for _ in range(2))
    assert one == two
    other = list(learner_of(dataset, replace(CONFIG, seed=2)).run())
    assert [line["loss"] for line in other] != [line["loss"] for line in one]


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_a_state_goes_on_as_if_nothing_had_happened(dataset, stop):
    whole = list(learner_of(dataset).run())
    first, second = learner_of(dataset), learner_of(dataset)
    for line in first.run():
        if line["step"] == stop:
            break
    second.load_state_dict(first.state_dict())
    assert list(second.run()) == whole[stop:]


def test_a_finished_run_does_nothing(dataset):
    done = learner_of(dataset)
    list(done.run())
    assert list(done.run()) == []


class Together:
    """An all-reduce among threads of one process, one thread a rank: each adds what all have given."""

    def __init__(self, world: int) -> None:
        self._barrier, self._given = threading.Barrier(world, timeout=60), []

    def all_reduce(self, tensor):
        self._given.append(tensor.clone())
        self._barrier.wait()
        tensor.copy_(torch.stack(self._given).sum(dim=0))
        if self._barrier.wait() == 0:
            self._given.clear()
        self._barrier.wait()


def run_together(dataset, world, state=None):
    """All ranks' lines, and the state of the first rank."""
    ranks = [learner_of(dataset, rank=rank, world_size=world) for rank in range(world)]
    for one in ranks:
        if state is not None:
            one.load_state_dict(deepcopy(state))
    with ThreadPoolExecutor(world) as pool:
        return list(pool.map(lambda one: list(one.run()), ranks)), ranks[0].state_dict()


@pytest.mark.parametrize("world", [2, 3, 5, 6])
def test_any_number_of_ranks_has_the_losses_of_one(dataset, monkeypatch, world):
    alone = list(learner_of(dataset).run())
    monkeypatch.setattr(module.distributed, "all_reduce", Together(world).all_reduce)
    lines, _ = run_together(dataset, world)
    assert all(line == lines[0] for line in lines)
    for one, two in zip(lines[0], alone, strict=True):
        assert one["tokens"] == two["tokens"]
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-5)
        assert one["norm"] == pytest.approx(two["norm"], rel=1e-4)


def test_ranks_come_and_go(dataset, monkeypatch):
    """One rank stops behind step 3; four go on."""
    alone, first = list(learner_of(dataset).run()), learner_of(dataset)
    for line in first.run():
        if line["step"] == 3:
            break
    monkeypatch.setattr(module.distributed, "all_reduce", Together(4).all_reduce)
    lines, state = run_together(dataset, 4, first.state_dict())
    assert [line["loss"] for line in lines[0]] == pytest.approx(
        [line["loss"] for line in alone[3:]], rel=1e-5
    )
    assert state["step"] == 8
    assert state["loader"]["position"] == 48


def test_gradients_are_added_as_one_tensor(dataset, monkeypatch):
    """What a collective does to the flat tensor comes back into every gradient."""
    seen = []

    def doubled(tensor):
        seen.append(tuple(tensor.shape))
        tensor.mul_(2)

    monkeypatch.setattr(module.distributed, "all_reduce", doubled)
    shared = learner_of(dataset, world_size=2)
    said = torch.tensor([3.0, 4.0])
    gradients = [torch.ones(2, 3), torch.full((4,), 5.0)]
    shared._add_up(said, gradients)
    assert seen == [(2,), (10,)]
    assert said.tolist() == [6.0, 8.0]
    assert gradients[0].tolist() == [[2.0] * 3] * 2
    assert gradients[1].tolist() == [10.0] * 4


def test_matrices_decay_and_norms_do_not(dataset):
    groups = learner_of(dataset)._optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {weight.dim() for weight in groups[0]["params"]} == {2}
    assert {weight.dim() for weight in groups[1]["params"]} == {1}


def test_rows_are_cut_to_the_context(dataset):
    whole, cut = learner_of(dataset), learner_of(dataset, replace(CONFIG, context=4))
    tokens = [next(iter(one.run()))["tokens"] for one in (whole, cut)]
    assert tokens[1] < tokens[0]
    with pytest.raises(InputError, match="context: expected a divisor of the rows' 16 tokens, got 5"):
        learner_of(dataset, replace(CONFIG, context=5))


def test_epochs_are_counted(dataset):
    one = learner_of(dataset)
    assert one.epochs() == 0
    list(one.run())
    assert one.epochs() == pytest.approx(48 / 26)


def test_a_state_of_another_run_is_refused(dataset, make_dataset):
    state = learner_of(dataset).state_dict()
    with pytest.raises(InputError, match=r"of another run: rate 0\.003, not 0\.1, seed 1, not 5"):
        learner_of(dataset, replace(CONFIG, rate=0.1, seed=5)).load_state_dict(state)
    with pytest.raises(InputError, match="vocab_size 64, not 70"):
        learner_of(dataset, vocab_size=70).load_state_dict(state)
    with pytest.raises(InputError):
        learner_of(make_dataset(train=(8,))).load_state_dict(state)


def test_rates_rise_and_fall():
    config = LearnConfig(steps=100, warmup=10, rate=1.0, final=0.1)
    rates = [config.rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1.0
    assert all(one > two for one, two in zip(rates[10:], rates[11:], strict=False))
    assert rates[55] == pytest.approx(0.55)
    assert 0.1 < rates[-1] < 0.101
    assert LearnConfig(steps=3, warmup=0).rate_at(0) == 3e-3
    assert LearnConfig(steps=3, warmup=10).rate_at(2) == pytest.approx(9e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"context": 1}, "context: expected at least 2, got 1"),
        ({"rate": 0.0}, "rate: expected more than 0, got 0.0"),
        ({"clip": float("nan")}, "clip: expected more than 0, got nan"),
        ({"warmup": -1}, "warmup: expected at least 0, got -1"),
    ],
)
def test_impossible_values_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        LearnConfig(**changes)
