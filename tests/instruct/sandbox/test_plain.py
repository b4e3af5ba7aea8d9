"""Plain data as bytes: everything plain comes back the same, and nothing else gets through, whatever the bytes."""

from __future__ import annotations

import collections
import enum
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.sandbox.inside import plain
from instruct.sandbox.inside.candidate import plained

HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
    | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=8,
)  # fmt: skip
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner, max_size=4) | st.sets(HASHABLE, max_size=4)
    | st.dictionaries(HASHABLE, inner, max_size=4) | st.tuples(inner, inner), max_leaves=12,
)  # fmt: skip


def shape(value):
    """A value with the types of all its parts: 1, 1.0 and True are not the same."""
    kind = type(value)
    if kind is dict:
        return kind, [(shape(key), shape(item)) for key, item in value.items()]
    if kind in (set, frozenset):
        return kind, sorted(repr(shape(item)) for item in value)
    if kind in (list, tuple):
        return kind, [shape(item) for item in value]
    return kind, repr(value)


@given(VALUES)
def test_plain_data_comes_back_the_same(value):
    assert shape(plain.decode(plain.encode(value))) == shape(value)


@given(VALUES)
def test_every_shorter_text_is_malformed(value):
    data = plain.encode(value)
    for end in {0, len(data) // 2, len(data) - 1}:
        with pytest.raises(plain.Malformed):
            plain.decode(data[:end])
    with pytest.raises(plain.Malformed):
        plain.decode(data + b"N")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_plain_value_or_malformed(data):
    try:
        value = plain.decode(data)
    except plain.Malformed:
        return
    plain.encode(value)


@given(VALUES, st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_a_plain_value_or_malformed(value, at, byte):
    data = bytearray(plain.encode(value))
    data[at % len(data)] = byte
    test_any_bytes_are_a_plain_value_or_malformed.hypothesis.inner_test(bytes(data))


@given(st.sets(HASHABLE))
def test_equal_sets_have_equal_bytes(values):
    other = set()
    for value in sorted(values, key=repr, reverse=True):
        other.add(value)
    assert plain.encode(values) == plain.encode(other)


class Number(int):
    pass


class Colour(enum.IntEnum):
    RED = 3


@pytest.mark.parametrize(
    "value", [Number(1), collections.Counter(), collections.OrderedDict(), object(), range(3), iter(()), int, len,
              bytearray(), {1: [Number(1)]}, (1, {2: object()}), Colour.RED, memoryview(b"")]
)  # fmt: skip
def test_other_types_are_not_plain(value):
    with pytest.raises(plain.NotPlain):
        plain.encode(value)


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_below_at_and_above_the_bound():
    for depth in (plain.DEPTH - 1, plain.DEPTH):
        assert plain.decode(plain.encode(nested(depth))) == nested(depth)
    with pytest.raises(plain.NotPlain):
        plain.encode(nested(plain.DEPTH + 1))
    data = b"l\0\0\0\1" * plain.DEPTH + b"N"
    with pytest.raises(plain.Malformed):
        plain.decode(data)


@pytest.mark.parametrize(
    "value", ["x" * 100, b"x" * 100, [1] * 20, {1: 2, 3: 4, 5: "x" * 60}, 1 << 800, set(range(50))]
)
def test_size_at_and_above_the_bound(value):
    size = len(plain.encode(value))
    assert plain.encode(value, limit=size) == plain.encode(value)
    with pytest.raises(plain.NotPlain):
        plain.encode(value, limit=size - 1)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"i", b"s\xff\xff\xff\xff", b"l\xff\xff\xff\xff", b"s\0\0\0\1\xff", b"f123",
             b"S\0\0\0\1l\0\0\0\0", b"d\0\0\0\1l\0\0\0\0N", b"l\0\0\0\1"]
)  # fmt: skip
def test_malformed(data):
    with pytest.raises(plain.Malformed):
        plain.decode(data)


def test_not_a_number_and_signs_survive():
    assert math.isnan(plain.decode(plain.encode(math.nan)))
    assert math.copysign(1, plain.decode(plain.encode(-0.0))) == -1


def test_lone_surrogates_survive():
    assert plain.decode(plain.encode("a\ud800b")) == "a\ud800b"


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(collections.Counter("aab"), {"a": 2, "b": 1}), (Point(1, [Number(2)]), (1, [2])), (Colour.RED, 3),
     (collections.defaultdict(list, {1: [Colour.RED]}), {1: [3]}), (bytearray(b"a"), b"a"), ({Point(1, 2)}, {(1, 2)}),
     (True, True), ([None, 1.5], [None, 1.5]), (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2})],
)  # fmt: skip
def test_subclasses_become_what_they_hold(value, expected):
    assert shape(plained(value)) == shape(expected)
    assert value == expected


@pytest.mark.parametrize("value", [range(3), collections.deque([1]), {}.keys(), object(), iter([1]), len])
def test_what_compares_otherwise_stays_what_it_is(value):
    assert plained(value) is value
    with pytest.raises(plain.NotPlain):
        plain.encode(plained(value))
