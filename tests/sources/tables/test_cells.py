from __future__ import annotations

import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.tables.cells import (
    READERS,
    column,
    column_type,
    flag,
    from_values,
    integer,
    mended,
    moment,
    text,
)

UTC = datetime.UTC
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(READERS)), st.lists(anything, max_size=5))
def test_nothing_raises(name: str, values: list[object]) -> None:
    found = from_values(name, values)
    assert found.type == column_type(name)
    found.validate(full=True)


@given(
    st.sampled_from(sorted(READERS)),
    st.sampled_from(
        [
            pa.array(["1", "x", None]),
            pa.array([1, None, 3]),
            pa.array([1.5, float("nan"), None]),
            pa.array([b"\xff", b"a", None]),
            pa.array([True, None, False]),
            pa.array([["a", None], [], None]),
            pa.array([{"a": 1}, None, {"a": 2}]),
            pa.array(["a", None, "a"]).dictionary_encode(),
            pa.nulls(3),
            pa.array([b"\xff", b"a", None]).view(pa.string()),
            pa.array([datetime.datetime(2024, 1, 1)] * 3),
            pa.array([datetime.date(2024, 1, 1)] * 3),
            pa.array([2**64 - 1] * 3, pa.uint64()),
            pa.array([[1], [2], []], pa.list_(pa.int64())),
        ]
    ),
)
def test_no_column_raises(name: str, values: pa.Array) -> None:
    found = column(name, values)
    assert (found.type, len(found)) == (column_type(name), len(values))
    found.validate(full=True)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("stars", pa.array(["1", "x", None]), [1, None, None]),
        ("stars", pa.array([1.0, 2.0]), [1, 2]),
        ("repo", pa.array([1, None]), ["1", None]),
        ("license", pa.array([["MIT", None, "0BSD"], [], None]), ["MIT, 0BSD", None, None]),
        ("path", pa.array([b"caf\xe9"]), ["caf\\xe9"]),
        ("lossy", pa.array(["yes"]), [None]),
        ("binary", pa.array([True, None]), [True, None]),
        ("updated", pa.array([datetime.datetime(2024, 1, 1)]), [datetime.datetime(2024, 1, 1, tzinfo=UTC)]),
        ("updated", pa.array(["2024-01-01", "no"]), [datetime.datetime(2024, 1, 1, tzinfo=UTC), None]),
        ("updated", pa.array([17]), [None]),
    ],
)
def test_columns(name: str, values: pa.Array, expected: list[object]) -> None:
    assert column(name, values).to_pylist() == expected


def test_scalars() -> None:
    assert [text(v) for v in ("a", 1, 1.5, True, None, ["a", 1, "b"], {})] == [
        "a",
        "1",
        "1.5",
        None,
        None,
        "a, b",
        None,
    ]
    assert [integer(v) for v in ("7", 7.9, True, 2**63, -(2**63), "1e3", float("inf"))] == [
        7,
        7,
        None,
        None,
        -(2**63),
        None,
        None,
    ]
    assert [flag(v) for v in (True, False, 1, None)] == [True, False, None, None]
    assert moment("2024-05-01T12:00:00+02:00") == datetime.datetime(2024, 5, 1, 10, tzinfo=UTC)


@given(st.text(alphabet=st.characters(), max_size=20))
def test_mended_changes_only_surrogates(value: str) -> None:
    mended(value).encode()
    if not any("\ud800" <= c <= "\udfff" for c in value):
        assert mended(value) == value
