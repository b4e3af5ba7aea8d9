from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.mixture import LONGEST_CYCLE, Cycle, Stage, deal, epoch_stages, whole_weights

WEIGHTS = st.lists(st.integers(1, 60), min_size=1, max_size=8)


def shares_are_kept(cycle: Cycle, weights: list[int]) -> bool:
    """After every n samples each source has floor or ceil of its share."""
    total = sum(weights)
    served = np.cumsum(np.eye(len(weights), dtype=np.int64)[cycle.sources], axis=0)
    ideal = np.arange(1, total + 1)[:, None] * np.array(weights)
    return bool(((served >= ideal // total) & (served <= -(-ideal // total))).all())


@given(WEIGHTS)
@settings(deadline=None)
def test_after_any_number_of_samples_every_source_has_its_share(weights):
    assert shares_are_kept(Cycle.of(weights), weights)


@pytest.mark.parametrize(
    "weights",
    [[85, 8, 7], [1] * 64, [999_998, 1, 1], [500_000, 300_000, 199_999, 1], [1, 2, 4, 8, 16, 32, 64, 128]],
)
def test_shares_of_uneven_and_many_sources(weights):
    assert shares_are_kept(Cycle.of(weights), weights)


@given(WEIGHTS, st.integers(0, 500))
@settings(deadline=None)
def test_counts_are_those_of_replaying(weights, samples):
    cycle = Cycle.of(weights)
    replayed = np.resize(cycle.sources, samples) if samples else np.zeros(0, np.int64)
    assert cycle.counts(samples) == np.bincount(replayed, minlength=len(weights)).tolist()


@given(WEIGHTS, st.integers(0, 300), st.data())
@settings(deadline=None)
def test_position_is_where_a_turn_comes(weights, turn, data):
    source = data.draw(st.integers(0, len(weights) - 1))
    cycle = Cycle.of(weights)
    at = cycle.position(source, turn)
    assert cycle.sources[at % len(cycle.sources)] == source
    assert cycle.counts(at)[source] == turn


def test_counts_far_out_need_no_replay():
    assert Cycle.of([85, 8, 7]).counts(10**15) == [85 * 10**13, 8 * 10**13, 7 * 10**13]


def test_a_source_without_weight_is_never_served():
    cycle = Cycle.of([0, 2, 0, 1])
    assert set(cycle.sources.tolist()) == {1, 3}
    assert cycle.counts(9) == [0, 6, 0, 3]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([0.85, 0.08, 0.07], [85, 8, 7]),
        ([85, 8, 7], [85, 8, 7]),
        ([2, 4], [1, 2]),
        ([0.1, 0.2], [1, 2]),
        ([3], [1]),
        ([1e-3, 1], [1, 1000]),
        (list(np.array([0.5, 0.25])), [2, 1]),
    ],
)
def test_weights_mean_what_is_written(weights, expected):
    assert whole_weights(weights) == expected


def test_weights_with_too_many_digits_are_refused():
    with pytest.raises(ValueError, match=f"cycle of at most {LONGEST_CYCLE} samples"):
        whole_weights([1 / 3, 1])


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"weights": {}}, "weights: expected positive numbers"),
        ({"weights": {"a": 0}}, "weights: expected positive numbers"),
        ({"weights": {"a": -1}}, "weights: expected positive numbers"),
        ({"weights": {"a": 1}, "samples": 0}, "samples: expected at least 1"),
        ({"weights": {"a": 1}, "at_end": "wait"}, "at_end: expected repeat or stop"),
        ({"weights": {"a": 1 / 3, "b": 1}}, "cycle of at most"),
    ],
)
def test_a_stage_says_what_it_expects(given_, message):
    with pytest.raises(ValueError, match=message):
        Stage(**given_)


def test_equal_weights_take_turns():
    assert deal([1, 1, 1]).tolist() == [0, 1, 2]
    assert deal([1]).tolist() == [0]


def taken(stages):
    """How many samples of each source the stages have, by dealing them out."""
    found = {}
    for stage in stages:
        names = list(stage.weights)
        counts = Cycle.of(whole_weights([stage.weights[name] for name in names])).counts(stage.samples)
        found |= {name: found.get(name, 0) + count for name, count in zip(names, counts, strict=True)}
    return found


SOURCES = st.dictionaries(
    st.sampled_from("abcd"),
    st.tuples(st.integers(1, 10**10), st.sampled_from([0.25, 1, 2.03, 3])),
    min_size=1,
)


@settings(max_examples=60, deadline=None)
@given(SOURCES)
def test_epochs_give_each_source_its_number_of_samples_exactly(sources):
    rows = {name: rows for name, (rows, _) in sources.items()}
    epochs = {name: number for name, (_, number) in sources.items()}
    wanted = {name: round(Fraction(str(number)) * rows[name]) for name, number in epochs.items()}
    if not any(wanted.values()):
        return
    stages = epoch_stages(rows, epochs)
    assert taken(stages) == {name: count for name, count in wanted.items() if count}
    rest = sum(stage.samples for stage in stages[1:])
    assert rest <= len(rows) * (sum(wanted.values()) // LONGEST_CYCLE + 1)


def test_one_stage_is_enough_where_its_cycle_is_short():
    assert len(epoch_stages({"a": 10**9, "b": 10**6}, {"a": 1, "b": 2})) == 1
    assert len(epoch_stages({"a": 10**9 + 7, "b": 10**6}, {"a": 1, "b": 2})) > 1


@pytest.mark.parametrize("epochs", [{}, {"a": 0}, {"a": -1}, {"a": 1, "z": 1}])
def test_epochs_that_make_no_sense_are_refused(epochs):
    with pytest.raises(ValueError, match=r"epochs: expected positive numbers for sources of \['a', 'b'\]"):
        epoch_stages({"a": 5, "b": 6}, epochs)


def test_epochs_of_nothing_are_refused():
    with pytest.raises(ValueError, match="epochs: expected at least one sample"):
        epoch_stages({"a": 1}, {"a": 0.25})
