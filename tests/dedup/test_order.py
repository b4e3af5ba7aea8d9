"""The order: each criterion, ties, languages, unknown facts; one total order, whatever comes in."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import get_args

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import KeepConfig, LanguageOrder, rank
from dedup.order import Criterion


def facts(**columns) -> pa.Table:
    return pa.table(columns)


def places(config: KeepConfig, **columns) -> list[int]:
    return rank(facts(**columns), config).tolist()


@pytest.mark.parametrize(
    ("criterion", "column", "values", "expected"),
    [
        ("stars", "stars", [3, None, 9], [1, 2, 0]),
        ("forks", "forks", [0, 1, None], [1, 0, 2]),
        ("licensed", "license", [None, "mit", None], [1, 0, 2]),
        ("short_path", "path", ["aaa", "éé", None], [1, 0, 2]),
        ("path", "path", ["b", "a/z", None], [1, 0, 2]),
        ("not_fork", "fork_of", ["a/b", "", None], [1, 2, 0]),
        ("repo", "repo", ["y/b", "x/c", None], [1, 0, 2]),
        (
            "newest",
            "updated",
            [datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC), None],
            [1, 0, 2],
        ),
        (
            "oldest",
            "updated",
            [datetime(2020, 1, 1, tzinfo=UTC), None, datetime(2021, 1, 1, tzinfo=UTC)],
            [0, 2, 1],
        ),
    ],
)
def test_each_criterion(criterion, column, values, expected):
    assert places(KeepConfig(order=(criterion,)), **{column: values}) == expected


def test_the_next_criterion_decides_ties():
    config = KeepConfig()
    found = places(config, stars=[5, 5, 5, 6], forks=[1, 2, 2, 0], path=["a", "bb", "b", "zzzz"])
    assert found == [3, 2, 1, 0]


def test_content_hash_then_id_then_row_come_last():
    hashes = pa.array([b"b" * 32, b"a" * 32, b"a" * 32, b"a" * 32], pa.binary(32))
    ids = pa.array([b"a" * 16, b"c" * 16, b"b" * 16, b"b" * 16], pa.binary(16))
    found = places(
        KeepConfig(order=("stars",)), stars=[1] * 4, content_hash=hashes, doc_id=ids, row=[1, 2, 4, 3]
    )
    assert found == [3, 2, 1, 0]


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | st.text("ab/", max_size=2)), max_size=12),
    st.randoms(),
)
def test_the_order_is_total_and_independent_of_the_order_of_rows(files, draw):
    table = pa.table(
        {
            "stars": pa.array([s for s, _ in files], pa.int64()),
            "forks": pa.nulls(len(files), pa.int64()),
            "path": pa.array([p for _, p in files], pa.string()),
            "doc_id": pa.array([bytes([i]) * 16 for i in range(len(files))], pa.binary(16)),
        }
    )
    found = rank(table, KeepConfig())
    order = draw.sample(range(len(files)), len(files))
    assert sorted(found.tolist()) == list(range(len(files)))
    assert rank(table.take(pa.array(order, pa.int64())), KeepConfig()).tolist() == found[order].tolist()


def test_chunks_and_batches_are_ranked_alike():
    batch = pa.RecordBatch.from_pydict({"stars": [3, 1, 2], "path": ["a", "b", "c"]})
    chunked = pa.Table.from_batches([batch.slice(0, 1), batch.slice(1)])
    config = KeepConfig(order=("stars", "path"))
    assert rank(batch, config).tolist() == rank(chunked, config).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("order", "message"), [(("size",), "expected names from"), (("stars", "stars"), "each name once")]
)
def test_impossible_orders_are_named(order, message):
    with pytest.raises(ValueError, match=message):
        KeepConfig(order=order)


def test_an_empty_order_leaves_the_content_hash():
    hashes = pa.array([b"b" * 32, b"a" * 32], pa.binary(32))
    assert places(KeepConfig(order=()), content_hash=hashes) == [1, 0]


RANKED = st.lists(
    st.tuples(
        st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, 0, 1]), st.sampled_from(["a", "b", "ab", "é"]),
        st.sampled_from([None, "mit"]), st.sampled_from([b"x" * 32, b"y" * 32]), st.binary(min_size=16, max_size=16),
    ),
    max_size=30,
)  # fmt: skip


@given(files=RANKED, order=st.permutations(["stars", "forks", "short_path", "path", "licensed"]))
def test_rank_equals_sorting_whole_rows(files, order):
    names = ("stars", "forks", "path", "license", "content_hash", "doc_id")
    kinds = (pa.int64(), pa.int64(), pa.string(), pa.string(), pa.binary(32), pa.binary(16))
    columns = list(zip(*files, strict=True)) or [()] * 6
    table = pa.table({n: pa.array(c, k) for n, c, k in zip(names, columns, kinds, strict=True)})
    table = table.append_column("row", pa.array(range(len(files)), pa.int64()))

    def key(at: int) -> tuple:
        stars, forks, path, license_, digest, identity = files[at]
        known = {
            "stars": (stars is None, -(stars or 0)), "forks": (forks is None, -(forks or 0)),
            "short_path": len(path), "path": path.encode(), "licensed": license_ is None,
        }  # fmt: skip
        return (*(known[name] for name in order), digest, identity, at)

    best_first = sorted(range(len(files)), key=key)
    places = rank(table, KeepConfig(order=tuple(order)))
    assert [int(places[at]) for at in best_first] == list(range(len(files)))


def test_rank_without_a_last_key_still_gives_every_row_a_place():
    table = pa.table({"stars": [1, 1, 2, 1]})
    assert rank(table, KeepConfig(order=("stars",))).tolist() == [1, 2, 0, 3]


@pytest.mark.parametrize(
    ("facts_", "expected"),
    [
        ({"license_permissive": [None, True, False], "license_known": [False, True, True]}, [2, 0, 1]),
        ({"license": [None, "mit", "gpl"]}, [2, 0, 1]),
        ({"license": ["mit"] * 3, "license_permissive": [None, False, None], "license_known": [None, True, False]},
         [0, 1, 2]),
        ({"license_permissive": pa.nulls(3, pa.bool_()), "license_known": pa.nulls(3, pa.bool_())}, [0, 1, 2]),
    ],
)  # fmt: skip
def test_license_class(facts_, expected):
    """Permissive, then known, then unknown; what the source states counts where nobody classified."""
    assert places(KeepConfig(order=("license_class",)), **facts_) == expected


def test_vendored_files_come_after_others_and_unknown_ones_last():
    assert places(KeepConfig(order=("not_vendored",)), vendored=[None, True, False]) == [2, 1, 0]


@pytest.mark.parametrize(("criterion", "expected"), [("longest", [1, 0, 2]), ("shortest", [0, 1, 2])])
def test_length_in_words(criterion, expected):
    assert places(KeepConfig(order=(criterion,)), words=pa.array([3, 9, None], pa.int32())) == expected


@pytest.mark.parametrize("criterion", get_args(Criterion))
def test_a_fact_that_is_not_there_is_unknown(criterion):
    assert places(KeepConfig(order=(criterion,)), row=[4, 2]) == [1, 0]


@pytest.mark.parametrize("criterion", get_args(Criterion))
def test_needs_names_every_fact_that_changes_the_order(criterion):
    config = KeepConfig(order=(criterion,))
    assert config.needs() >= {"content_hash", "doc_id"}
    assert len(config.needs()) > 2
    assert "language" not in config.needs()


def test_needs_of_languages_and_of_first():
    config = KeepConfig(order=(), languages=(LanguageOrder(("c",), ("forks",)),), first=("longest",))
    assert config.needs() == {"language", "forks", "words", "content_hash", "doc_id"}


LANGUAGES = KeepConfig(
    order=("stars",),
    languages=(LanguageOrder(("c", "c++"), ("short_path",)), LanguageOrder(("go",), ("forks",))),
)


def test_languages_have_orders_of_their_own_and_come_in_the_order_listed():
    found = places(
        LANGUAGES,
        language=["python", "go", "c++", "c", "go", None],
        stars=[9, 9, 1, 2, 3, 10],
        forks=[0, 1, 7, 8, 2, 0],
        path=["p", "q", "long", "c", "r", "s"],
    )
    assert found == [5, 3, 1, 0, 2, 4]


FILES = st.lists(
    st.tuples(
        st.sampled_from(["c", "c++", "go", "py", None]), st.integers(0, 2), st.integers(0, 2),
        st.sampled_from(["a", "bb", "b"]), st.integers(0, 3),
    ),
    max_size=20,
)  # fmt: skip


@given(FILES, st.booleans())
def test_languages_equal_a_sort_of_whole_rows(files, longest_first):
    config = KeepConfig(LANGUAGES.order, LANGUAGES.languages, ("longest",) if longest_first else ())
    names = ("language", "stars", "forks", "path", "words")
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.int32())
    columns = list(zip(*files, strict=True)) or [()] * 5
    table = pa.table({n: pa.array(c, k) for n, c, k in zip(names, columns, kinds, strict=True)})
    table = table.append_column("row", pa.array(range(len(files)), pa.int64()))

    def key(at: int) -> tuple:
        language, stars, forks, path, words = files[at]
        part = {"c": 0, "c++": 0, "go": 1}.get(language, 2)
        own = (len(path), -forks, -stars)[part]
        return (-words if longest_first else 0, part, own, at)

    best_first = sorted(range(len(files)), key=key)
    found = rank(table, config)
    assert [int(found[at]) for at in best_first] == list(range(len(files)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: LanguageOrder((), ("stars",)), "languages: expected at least one"),
        (lambda: LanguageOrder(("c",), ("size",)), "order: expected names from"),
        (lambda: KeepConfig(languages=(LanguageOrder(("c",), ()), LanguageOrder(("go", "c"), ()))), "language once"),
        (lambda: KeepConfig(first=("stars", "stars")), "first: expected each name once"),
    ],
)  # fmt: skip
def test_impossible_configurations_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_the_configuration_is_plain_data():
    assert asdict(LANGUAGES)["languages"][1] == {"languages": ("go",), "order": ("forks",)}
