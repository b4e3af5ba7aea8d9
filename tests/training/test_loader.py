from __future__ import annotations

import json
import pickle
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from columns.errors import InputError, OutputError
from training import BatchConfig, Loader, Shuffle, Stage, open_samples
from training.catalog import shard_files
from training.loader import IGNORED

ROWS = 26


def ids_of(batch) -> list[int]:
    """The first id of a row is its number in the dataset."""
    return batch["input_ids"][:, 0].tolist()


def stream_of(samples, first: int = 0) -> list[int]:
    rows = samples.take(first, samples.order.end - first)
    return rows.ids[:, 0].tolist()


def run_step(samples, batch, world: int, state, batches: int):
    """All ranks of a world make some batches; returns ``(what each global batch held, the state)``.

    The global batch is put together again from the ranks' shares: rank r holds samples r, r + w, …
    """
    loaders = [Loader(samples, batch, rank=rank, world_size=world) for rank in range(world)]
    if state is not None:
        for loader in loaders:
            loader.load_state_dict(json.loads(json.dumps(state)))
    made = []
    iterators = [iter(loader) for loader in loaders]
    for _ in range(batches):
        shares = [next(iterator, None) for iterator in iterators]
        if shares[0] is None:
            assert all(share is None for share in shares)
            break
        size = sum(len(share["input_ids"]) for share in shares)
        whole = [0] * size
        for rank, share in enumerate(shares):
            whole[rank::world] = ids_of(share)
        made.append(whole)
    states = [loader.state_dict() for loader in loaders]
    assert all(found == states[0] for found in states)
    return made, states[0]


LIVES = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 4)), max_size=6)


@given(st.integers(8, 11), st.integers(1, 3), LIVES, st.integers(0, 3), st.integers(1, 8))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_kills_and_resizes_change_nothing(dataset, size, epochs, lives, seed, last_world):
    """A run that is killed and resized at random gives the undisturbed run's global batches, one each."""
    samples = open_samples(dataset, seed=seed, epochs=epochs, verify=False)
    batch = BatchConfig(size)
    undisturbed, _ = run_step(samples, batch, 1, None, 10**6)
    made, state = [], None
    for world, batches in lives:
        more, state = run_step(samples, batch, world, state, batches)
        made += more
    more, state = run_step(samples, batch, last_world, state, 10**6)
    made += more
    assert made == undisturbed
    flat = [number for whole in made for number in whole]
    assert state["position"] == len(flat) == ROWS * epochs
    for epoch in np.array(flat).reshape(epochs, ROWS):
        assert sorted(epoch.tolist()) == list(range(ROWS))


@given(LIVES, st.integers(1, 8), st.sampled_from(["repeat", "stop"]))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mixture_survives_kills_and_resizes(dataset, make_other, lives, last_world, at_end):
    stages = [Stage({"a": 2, "b": 1}, 30, at_end), Stage({"a": 1, "b": 3}, 25)]
    samples = open_samples({"a": dataset, "b": make_other}, stages=stages, seed=5, verify=False)
    batch = BatchConfig(8, samples=True)
    undisturbed, _ = run_step(samples, batch, 1, None, 10**6)
    made, state = [], None
    for world, batches in [*lives, (last_world, 10**6)]:
        more, state = run_step(samples, batch, world, state, batches)
        made += more
    assert made == undisturbed
    assert state["position"] == samples.order.end
    flat = np.array([number for whole in made for number in whole])
    taken = samples.order.counts(samples.order.end)
    assert int((flat >= 100).sum()) == taken["b"]
    assert int((flat < 100).sum()) == taken["a"]


@pytest.fixture(scope="session")
def make_other(make_dataset):
    """Another dataset, whose rows begin with 100, 101, …"""
    place = make_dataset(train=(100, 9))
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["shards"] = [entry for entry in manifest["shards"] if entry["rows"] == 9]
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


def test_eight_ranks_become_six(dataset):
    samples = open_samples(dataset, epochs=12, seed=1)
    batch = BatchConfig(24)
    first, state = run_step(samples, batch, 8, None, 5)
    second, state = run_step(samples, batch, 6, state, 100)
    flat = [number for whole in first + second for number in whole]
    assert flat == stream_of(samples)
    assert state["position"] == 12 * ROWS


def test_batches_are_what_the_stream_holds(dataset):
    samples = open_samples(dataset, seed=2)
    loader = Loader(samples, BatchConfig(10, samples=True))
    found = list(loader)
    assert [len(batch["input_ids"]) for batch in found] == [10, 10, 6]
    assert [number for batch in found for number in ids_of(batch)] == stream_of(samples)
    assert np.concatenate([batch["samples"] for batch in found]).tolist() == list(range(ROWS))
    assert found[0]["sources"].dtype == np.int32


def test_a_rank_without_a_share_of_the_last_batch_still_has_the_batch(dataset):
    """25 samples in batches of 8 over 8 ranks leave one sample for the last batch: all ranks make four batches."""
    samples = open_samples(dataset, stages=[Stage({"data": 1}, 25)])
    sizes = [
        [len(batch["input_ids"]) for batch in Loader(samples, BatchConfig(8), rank=rank, world_size=8)]
        for rank in range(8)
    ]
    assert sizes[0] == [1, 1, 1, 1]
    assert sizes[1:] == [[1, 1, 1, 0]] * 7


def test_drop_last(dataset):
    loader = Loader(open_samples(dataset), BatchConfig(10, drop_last=True))
    assert len(loader) == 2
    assert [len(batch["input_ids"]) for batch in loader] == [10, 10]
    assert loader.position == 20


def test_length_counts_what_is_left(dataset):
    loader = Loader(open_samples(dataset), BatchConfig(10))
    assert len(loader) == 3
    next(iter(loader))
    assert len(loader) == 2
    endless = Loader(open_samples(dataset, epochs=None), BatchConfig(10))
    with pytest.raises(TypeError, match="no end"):
        len(endless)


def test_iterating_again_goes_on(dataset):
    samples = open_samples(dataset)
    loader = Loader(samples, BatchConfig(10))
    first = ids_of(next(iter(loader)))
    rest = [number for batch in loader for number in ids_of(batch)]
    assert first + rest == stream_of(samples)
    assert list(loader) == []


def test_arrays_and_padding(dataset):
    """Each shard's last row holds 6 tokens of 16."""
    loader = Loader(open_samples(dataset, shuffle=None), BatchConfig(10, documents=True))
    batch = next(iter(loader))
    assert {name: (a.dtype, a.shape) for name, a in batch.items() if name != "max_seqlen"} == {
        "input_ids": (np.dtype(np.int64), (10, 16)),
        "labels": (np.dtype(np.int64), (10, 16)),
        "segment_ids": (np.dtype(np.int64), (10, 16)),
        "position_ids": (np.dtype(np.int64), (10, 16)),
        "cu_seqlens": (np.dtype(np.int32), (22,)),
    }
    assert (batch["labels"][:9] == batch["input_ids"][:9]).all()
    assert batch["labels"][9].tolist() == [*batch["input_ids"][9, :6].tolist(), *[IGNORED] * 10]
    assert batch["segment_ids"][0].tolist() == [0] * 5 + [1] * 11
    assert batch["segment_ids"][9].tolist() == [0] * 5 + [1] + [-1] * 10
    assert batch["position_ids"][0].tolist() == [*range(5), *range(11)]
    assert batch["cu_seqlens"][-4:].tolist() == [144, 149, 150, 160]
    assert batch["max_seqlen"] == 11


def test_arrays_are_the_callers_own(dataset):
    samples = open_samples(dataset, shuffle=None)
    loader = Loader(samples, BatchConfig(10))
    first, second = list(loader)[:2]
    first["input_ids"][:] = 0
    assert second["input_ids"][0, 0] == 10
    assert first["labels"][0, 1] != 0


def test_only_what_is_asked_for_is_made(dataset):
    batch = next(iter(Loader(open_samples(dataset), BatchConfig(4, labels=False))))
    assert list(batch) == ["input_ids"]


def test_without_shuffle_rows_come_as_the_shards_hold_them(dataset):
    assert stream_of(open_samples(dataset, shuffle=None)) == list(range(ROWS))


def test_windows_hold_every_row_once(dataset):
    samples = open_samples(dataset, shuffle=Shuffle(window_rows=8, block_rows=4))
    assert sorted(stream_of(samples)) == list(range(ROWS))


def test_the_validation_split(dataset):
    assert stream_of(open_samples(dataset, split="validation", shuffle=None)) == [26, 27, 28, 29, 30]


def test_files_without_a_manifest(dataset):
    paths = [shard.path for shard in shard_files(dataset)]
    assert stream_of(open_samples(paths, seed=4)) == stream_of(open_samples(dataset, seed=4))


def test_a_state_of_another_dataset_is_refused(dataset, make_dataset):
    state = Loader(open_samples(dataset), BatchConfig(4)).state_dict()
    other = Loader(open_samples(make_dataset(ids=pa.uint32())), BatchConfig(4))
    with pytest.raises(InputError, match="loader state: order expected"):
        other.load_state_dict(state)


def test_a_state_fits_another_batch_size(dataset):
    samples = open_samples(dataset)
    _, state = run_step(samples, BatchConfig(10), 2, None, 1)
    made, _ = run_step(samples, BatchConfig(5), 3, state, 100)
    assert [number for whole in made for number in whole] == stream_of(samples)[10:]


def test_the_state_is_small_and_plain(dataset):
    loader = Loader(open_samples(dataset, epochs=3, seed=9), BatchConfig(30))
    next(iter(loader))
    state = loader.state_dict()
    assert state == {
        "version": 1,
        "seed": 9,
        "position": 30,
        "epochs": {"data": 1},
        "order": loader.order.fingerprint,
    }
    assert len(json.dumps(state)) < 200


def test_a_pickled_loader_goes_on(dataset):
    loader = Loader(open_samples(dataset), BatchConfig(10))
    next(iter(loader))
    again = pickle.loads(pickle.dumps(loader))
    assert [ids_of(batch) for batch in again] == [ids_of(batch) for batch in loader]


def test_a_missing_shard_stops_the_run_with_its_name(make_dataset):
    place = make_dataset()
    samples = open_samples(place)
    (place / "shards" / "train-00002-of-00003.arrow").unlink()
    with pytest.raises(InputError, match=r"train-00002-of-00003\.arrow: shard is missing"):
        list(Loader(samples, BatchConfig(4)))


@pytest.mark.parametrize(
    ("rank", "world", "message"),
    [
        (1, 1, "rank: expected 0 to 0, got 1"),
        (-1, 2, "rank: expected 0 to 1, got -1"),
        (0, 5, "world_size: expected at most batch_size 4, got 5"),
    ],
)
def test_a_world_that_does_not_fit_is_refused(dataset, rank, world, message):
    with pytest.raises(ValueError, match=message):
        Loader(open_samples(dataset), BatchConfig(4), rank=rank, world_size=world)


def test_what_cannot_be_opened_is_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match="batch_size: expected at least 1"):
        BatchConfig(0)
    with pytest.raises(ValueError, match="epochs: expected at least 1"):
        open_samples(dataset, epochs=0)
    with pytest.raises(ValueError, match=r"stages: expected stages, or epochs by name, for \['a', 'b'\]"):
        open_samples({"a": dataset, "b": dataset})
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        open_samples(tmp_path)


def test_batches_that_are_kept_stay_as_they_were(dataset):
    """Memory of batches is used again, but never that of a batch, or a part of one, that is still held."""
    samples = open_samples(dataset, epochs=8, seed=1)
    kept = [batch["labels"][:, :1] for batch in Loader(samples, BatchConfig(4, documents=True))]
    flat = [number for part in kept for number in part[:, 0].tolist()]
    assert flat == stream_of(samples)


def test_epochs_by_source(dataset, make_dataset):
    sources = {"a": dataset, "b": make_dataset(train=(8,))}
    samples = open_samples(sources, epochs={"a": 2, "b": 0.5}, seed=3)
    assert samples.order.counts(samples.order.end) == {"a": 52, "b": 4}
    batches = list(Loader(samples, BatchConfig(10, samples=True)))
    rows = Counter(
        row for batch in batches for row in batch["input_ids"][batch["sources"] == 0][:, 0].tolist()
    )
    assert rows == Counter(dict.fromkeys(range(26), 2))
