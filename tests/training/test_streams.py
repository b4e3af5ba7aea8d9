from __future__ import annotations

from itertools import chain

import pytest

pytest.importorskip("torch")

import torch

from columns.errors import InputError
from training import BatchConfig, Loader, Stage, TokenDataset, TokenLoader, open_samples


def loader_of(dataset, size: int = 4, rank: int = 0, world: int = 1, **given_) -> Loader:
    samples = open_samples(dataset, **{"seed": 3, "epochs": 2, **given_})
    return Loader(samples, BatchConfig(size, documents=True), rank=rank, world_size=world)


def ids_of(batches) -> list[list[int]]:
    return [batch["input_ids"][:, 0].tolist() for batch in batches]


@pytest.fixture(scope="module")
def expected(dataset):
    return ids_of(loader_of(dataset))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_any_number_of_workers_gives_the_same_batches(dataset, expected, workers):
    assert ids_of(TokenLoader(loader_of(dataset), num_workers=workers)) == expected


def test_more_workers_than_batches(dataset):
    loader = TokenLoader(loader_of(dataset, size=30), num_workers=3)
    assert len(loader) == 2
    assert [len(ids) for ids in ids_of(loader)] == [30, 22]


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (2, 1), (1, 2)])
def test_resuming_with_another_number_of_workers(dataset, expected, before, after):
    """Batches in flight in the workers are not part of the state."""
    first = TokenLoader(loader_of(dataset), num_workers=before)
    taken = []
    for batch in first:
        taken.append(batch)
        if len(taken) == 5:
            break
    state = first.state_dict()
    assert state["position"] == 20
    second = TokenLoader(loader_of(dataset), num_workers=after)
    second.load_state_dict(state)
    assert ids_of(taken) + ids_of(second) == expected


def test_eight_ranks_become_six_with_workers(dataset):
    whole = ids_of(loader_of(dataset, size=24))
    first, state = [], None
    for rank in range(8):
        loader = TokenLoader(loader_of(dataset, 24, rank, 8))
        first.append(ids_of([next(iter(loader))])[0])
        state = loader.state_dict()
    rest = []
    for rank in range(6):
        loader = TokenLoader(loader_of(dataset, 24, rank, 6), num_workers=rank % 2)
        loader.load_state_dict(state)
        rest.append(ids_of(loader))
    again = [sorted(chain.from_iterable(share[at] for share in rest)) for at in range(2)]
    assert sorted(chain.from_iterable(first)) == sorted(whole[0])
    assert again == [sorted(ids) for ids in whole[1:]]


def test_values_are_tensors_over_the_same_memory(dataset):
    batch = next(iter(TokenLoader(loader_of(dataset))))
    kinds = {name: getattr(value, "dtype", type(value)) for name, value in batch.items()}
    assert kinds == {
        "input_ids": torch.int64,
        "labels": torch.int64,
        "segment_ids": torch.int64,
        "position_ids": torch.int64,
        "cu_seqlens": torch.int32,
        "max_seqlen": int,
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mixture_with_workers(dataset, make_dataset, workers):
    sources = {"a": dataset, "b": make_dataset(train=(5,))}
    stages = [Stage({"a": 3, "b": 1}, 40), Stage({"a": 1, "b": 1}, 21)]
    samples = open_samples(sources, stages=stages, verify=False)
    plain = ids_of(Loader(samples, BatchConfig(8)))
    assert ids_of(TokenLoader(Loader(samples, BatchConfig(8)), num_workers=workers)) == plain


@pytest.mark.parametrize(
    "option", [{"shuffle": True}, {"batch_size": 4}, {"in_order": False}, {"persistent_workers": True}]
)
def test_options_that_would_change_the_order_are_refused(dataset, option):
    (name,) = option
    with pytest.raises(ValueError, match=f"{name}: expected not to be set"):
        TokenLoader(loader_of(dataset), **option)


def test_a_state_of_another_seed_is_refused(dataset):
    state = TokenLoader(loader_of(dataset)).state_dict()
    with pytest.raises(InputError, match="seed expected 4, got 3"):
        TokenLoader(loader_of(dataset, seed=4)).load_state_dict(state)


def test_an_error_in_a_worker_reaches_the_run(make_dataset):
    place = make_dataset()
    loader = TokenLoader(loader_of(place), num_workers=1)
    (place / "shards" / "train-00001-of-00003.arrow").unlink()
    with pytest.raises(InputError, match=r"train-00001-of-00003\.arrow: shard is missing"):
        list(loader)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_the_dataset_alone_has_a_state(dataset, expected, taken):
    first = TokenDataset(loader_of(dataset))
    iterator = iter(first)
    found = [next(iterator) for _ in range(taken)]
    second = TokenDataset(loader_of(dataset))
    second.load_state_dict(first.state_dict())
    assert ids_of(found) + ids_of(second) == expected


def test_a_dataset_state_of_another_order_is_refused(dataset):
    state = TokenDataset(loader_of(dataset)).state_dict()
    with pytest.raises(InputError, match="order expected"):
        TokenDataset(loader_of(dataset, epochs=3)).load_state_dict(state)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("taken", [1, 4, 7])
def test_torchdata_resumes_it(dataset, expected, workers, taken):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def fresh():
        return stateful.StatefulDataLoader(
            TokenDataset(loader_of(dataset)), batch_size=None, num_workers=workers
        )

    first = fresh()
    iterator = iter(first)
    found = [next(iterator) for _ in range(taken)]
    state = first.state_dict()
    second = fresh()
    second.load_state_dict(state)
    assert ids_of(found) + ids_of(second) == expected
