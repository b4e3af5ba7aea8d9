from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from training.mixture import Stage
from training.order import Member, Order, Shuffle
from training.permutation import LARGEST


def one(rows: int, epochs: int = 1, **given_) -> Order:
    return Order((Member("data", rows),), (Stage({"data": 1}, epochs * rows),), **given_)


SHUFFLES = st.one_of(
    st.none(),
    st.just(Shuffle()),
    st.builds(
        lambda block, blocks: Shuffle(window_rows=block * blocks, block_rows=block),
        st.integers(1, 9),
        st.integers(1, 5),
    ),
)


@given(st.integers(1, 300), st.integers(1, 3), st.integers(0, 2**32), SHUFFLES)
@settings(deadline=None)
def test_every_epoch_has_every_row_once(rows, epochs, seed, shuffle):
    order = one(rows, epochs, seed=seed, shuffle=shuffle)
    _, found = order.locate(0, order.end)
    for epoch in found.reshape(epochs, rows):
        assert sorted(epoch.tolist()) == list(range(rows))


@given(st.integers(1, 200), st.integers(0, 5), st.data(), SHUFFLES)
@settings(deadline=None)
def test_any_piece_of_the_stream_is_a_piece_of_the_whole(rows, seed, data, shuffle):
    order = one(rows, 2, seed=seed, shuffle=shuffle)
    whole = order.locate(0, order.end)[1]
    first = data.draw(st.integers(0, order.end - 1))
    step = data.draw(st.integers(1, 7))
    count = data.draw(st.integers(0, (order.end - 1 - first) // step + 1))
    assert order.locate(first, count, step)[1].tolist() == whole[first::step][:count].tolist()


def test_epochs_and_seeds_have_different_orders():
    _, rows = one(1000, 2).locate(0, 2000)
    assert rows[:1000].tolist() != rows[1000:].tolist()
    assert one(1000, seed=1).locate(0, 1000)[1].tolist() != rows[:1000].tolist()


def test_without_shuffle_rows_come_as_they_lie():
    assert one(5, 2, shuffle=None).locate(0, 10)[1].tolist() == [*range(5), *range(5)]


def test_a_window_needs_only_its_blocks():
    """Of 100 blocks of 10 rows, a window of 5 blocks reads rows of 5 blocks."""
    order = one(1000, shuffle=Shuffle(window_rows=50, block_rows=10))
    rows = order.locate(0, 1000)[1]
    for window in rows.reshape(20, 50):
        assert len(set((window // 10).tolist())) == 5
    assert (np.abs(np.diff(rows)) == 1).mean() < 0.1


MIXTURES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=5
)  # rows and weight of each source


def mixed(
    sources: list[tuple[int, int]], *, samples: int | None, at_end: str = "repeat", seed: int = 0
) -> Order:
    members = tuple(Member(f"s{at}", rows) for at, (rows, _) in enumerate(sources))
    weights = {f"s{at}": weight for at, (_, weight) in enumerate(sources)}
    return Order(members, (Stage(weights, samples, at_end),), seed)


@given(MIXTURES, st.integers(1, 400), st.integers(0, 9))
@settings(deadline=None)
def test_accounts_of_a_mixture_are_exact(sources, samples, seed):
    order = mixed(sources, samples=samples, seed=seed)
    found, rows = order.locate(0, samples)
    total = sum(weight for _, weight in sources)
    for n in {1, samples // 2, samples}:
        taken = np.bincount(found[:n], minlength=len(sources))
        assert list(order.counts(n).values()) == taken.tolist()
        for count, (_, weight) in zip(taken.tolist(), sources, strict=True):
            assert n * weight // total <= count <= -(-n * weight // total)
    for at, (size, _) in enumerate(sources):
        mine = rows[found == at]
        for start in range(0, len(mine) - size + 1, size):
            assert sorted(mine[start : start + size].tolist()) == list(range(size))
        last = mine[len(mine) // size * size :].tolist()
        assert len(set(last)) == len(last)


@given(MIXTURES)
@settings(deadline=None)
def test_a_stage_stops_before_the_first_sample_that_is_missing(sources):
    order = mixed(sources, samples=None, at_end="stop")
    counts = list(order.counts(order.end).values())
    assert any(count == rows for count, (rows, _) in zip(counts, sources, strict=True))
    assert all(count <= rows for count, (rows, _) in zip(counts, sources, strict=True))
    found, rows = order.locate(0, order.end)
    assert len(set(zip(found.tolist(), rows.tolist(), strict=True))) == order.end


STAGES = st.lists(
    st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(1, 60), st.sampled_from(["repeat", "stop"])),
    min_size=1,
    max_size=4,
)


@given(STAGES, st.integers(1, 30), st.integers(1, 30))
@settings(deadline=None)
def test_stages_go_on_where_the_sources_stood(stages, left, right):
    laid = tuple(
        Stage({"a": a, **({"b": b} if b else {})}, samples, at_end) for a, b, samples, at_end in stages
    )
    order = Order((Member("a", left), Member("b", right)), laid)
    found, rows = order.locate(0, order.end)
    for source, size in ((0, left), (1, right)):
        mine = rows[found == source]
        for start in range(0, len(mine), size):
            epoch = mine[start : start + size].tolist()
            assert len(set(epoch)) == len(epoch)
    for position in {0, *order.starts, order.end}:
        taken = np.bincount(found[:position], minlength=2).tolist()
        assert list(order.counts(position).values()) == taken


def test_weights_change_at_the_stated_positions():
    members = (Member("web", 100), Member("code", 100))
    stages = (Stage({"web": 1}, 10), Stage({"web": 1, "code": 1}, 10), Stage({"code": 1}, 10))
    order = Order(members, stages)
    sources, _ = order.locate(0, 30)
    assert order.starts == [0, 10, 20]
    assert [np.bincount(part, minlength=2).tolist() for part in sources.reshape(3, 10)] == [
        [10, 0],
        [5, 5],
        [0, 10],
    ]


def test_adding_a_source_does_not_change_the_order_of_another():
    alone = one(50).locate(0, 50)[1]
    order = Order((Member("more", 7), Member("data", 50)), (Stage({"data": 1, "more": 1}, 100),))
    sources, rows = order.locate(0, 100)
    assert rows[sources == 1].tolist() == alone.tolist()


def test_a_stream_without_end():
    order = Order((Member("a", 3),), (Stage({"a": 1}),))
    assert order.length is None
    assert order.end == LARGEST
    assert order.counts(10**12)["a"] == 10**12
    assert sorted(order.locate(3 * 10**12, 3)[1].tolist()) == [0, 1, 2]


def test_resuming_far_out_takes_no_memory():
    """3.2e8 rows: a permutation array would take 2.6 GB."""
    one(10).locate(0, 1)
    tracemalloc.start()
    order = one(400_000_000)
    position = order.position(order.state(320_000_000))
    _, rows = order.locate(position, 512)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(rows.tolist())) == 512
    assert peak < 200_000


def test_state_is_plain_and_says_the_epoch():
    order = one(10, 3, seed=7)
    assert order.state(25) == {
        "version": 1,
        "seed": 7,
        "position": 25,
        "epochs": {"data": 2},
        "order": order.fingerprint,
    }
    assert order.position(order.state(25)) == 25


GOLDEN = "cefee80a3d641d36f734573a6e452c56"
BASE = {"members": (Member("a", 10, "x"),), "stages": (Stage({"a": 1}, 10),), "seed": 0, "shuffle": Shuffle()}


@pytest.mark.parametrize(
    "change",
    [
        {"members": (Member("a", 10, "y"),)},
        {"members": (Member("a", 11, "x"),)},
        {"stages": (Stage({"a": 1}, 11),)},
        {"shuffle": None},
        {"shuffle": Shuffle(window_rows=1024)},
    ],
)
def test_a_state_of_another_order_is_refused(change):
    state = Order(**BASE).state(5)
    with pytest.raises(InputError, match=r"order expected .* got") as caught:
        Order(**{**BASE, **change}).position(state)
    assert "other shards, stages, weights" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version expected 1, got 2"),
        ({"seed": 1}, "seed expected 0, got 1"),
        ({"position": 11}, "position expected 0 to 10, got 11"),
        ({"position": -1}, "position expected 0 to 10, got -1"),
        ({"position": "5"}, "position expected 0 to 10, got 5"),
    ],
)
def test_a_damaged_state_is_refused(change, message):
    order = Order(**BASE)
    with pytest.raises(InputError, match=message):
        order.position({**order.state(5), **change})


def test_an_empty_state_is_refused():
    with pytest.raises(InputError, match="version expected 1, got None"):
        one(3).position({})


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"members": ()}, "members: expected"),
        ({"members": (Member("a", 1), Member("a", 2))}, "members: expected"),
        ({"stages": ()}, "stages: expected at least one"),
        ({"stages": (Stage({"b": 1}, 1),)}, r"weights: expected sources of \['a'\], got \['b'\]"),
        ({"stages": (Stage({"a": 1}), Stage({"a": 1}, 1))}, "samples: expected a number"),
    ],
)
def test_what_does_not_fit_is_refused(given_, message):
    with pytest.raises(ValueError, match=message):
        Order(**{**BASE, **given_})


@pytest.mark.parametrize("given_", [{"block_rows": 0}, {"window_rows": 0}, {"window_rows": 1000}])
def test_a_shuffle_says_what_it_expects(given_):
    with pytest.raises(ValueError, match="_rows: expected"):
        Shuffle(**given_)


def test_samples_beyond_the_end_are_refused():
    order = one(10)
    for first, count in ((0, 11), (10, 1), (-1, 1)):
        with pytest.raises(ValueError, match="samples: expected 0 to 9"):
            order.locate(first, count)
    with pytest.raises(ValueError, match="position: expected 0 to 10"):
        order.counts(11)
    assert order.locate(10, 0)[1].tolist() == []


def test_members_without_rows_are_refused():
    with pytest.raises(ValueError, match="rows: expected 1"):
        Member("a", 0)


def test_a_pickled_order_is_the_same():
    order = one(100, 2, seed=3)
    order.locate(0, 5)
    again = pickle.loads(pickle.dumps(order))
    assert again.fingerprint == order.fingerprint
    assert again.locate(0, 200)[1].tolist() == order.locate(0, 200)[1].tolist()


def test_fingerprint_is_pinned():
    """Saved states depend on it; it changes only with `PERMUTATION` or the meaning of a stage."""
    assert Order(**BASE).fingerprint == GOLDEN
