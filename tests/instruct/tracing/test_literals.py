"""Literals: what is plain is written so that it reads back bit by bit; nothing else is touched."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.tracing.records import read_literal
from instruct.tracing.replay import exactly
from instruct.tracing.tracer import BITS, CHARS, DEPTH, NODES, NotPlain, literal

COMPLEX = st.builds(complex, *[st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)] * 2)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | COMPLEX
    | st.text(max_size=20)
    | st.binary(max_size=20)
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
    ),
    max_leaves=20,
)


def same(one, other):
    """Equality by exact type and bits: the slow twin of comparing literals."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, set):
        return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
    if isinstance(one, dict):
        found = [(a, b) for a in one for b in other if same(a, b)]
        return len(one) == len(other) == len(found) and all(same(one[a], other[b]) for a, b in found)
    return one == other


@given(PLAIN)
def test_a_plain_value_reads_back_with_the_same_types(value):
    assert same(read_literal(literal(value)), value)


@given(PLAIN)
def test_a_literal_is_what_its_own_value_is_written_as(value):
    text = literal(value)
    assert literal(read_literal(text)) == text


@given(PLAIN, PLAIN)
def test_exact_equality_is_that_of_the_slow_twin(one, other):
    assert exactly(one, other) == same(one, other)
    assert exactly(one, one)


@given(st.sets(HASHABLE, max_size=6))
def test_a_set_is_written_the_same_in_whatever_order_it_was_made(found):
    again = set()
    for one in sorted(found, key=repr, reverse=True):
        again.add(one)
    assert literal(found) == literal(again)


class Liar:
    """Says that it is an int and that it equals everything; remembers who asked."""

    asked = 0

    @property
    def __class__(self):
        Liar.asked += 1
        return int

    def __eq__(self, other):
        Liar.asked += 1
        return True

    def __hash__(self):
        Liar.asked += 1
        return 1

    def __repr__(self):
        Liar.asked += 1
        raise SystemExit

    def __len__(self):
        Liar.asked += 1
        return 0


class Text(str):
    def __repr__(self):
        raise SystemExit


class Table(dict):
    def items(self):
        raise SystemExit


class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit


class Odd(metaclass=Meta):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Liar(),
        [Liar()],
        {"a": Liar()},
        (1, (2, Liar())),
        Text("a"),
        {Text("a"): 1},
        Table(a=1),
        Odd(),
        [Odd()],
        float("nan"),
        [float("nan")],
        frozenset({1}),
        complex(0.0, -0.0),
        complex(math.inf, 1),
        len,
        int,
        ...,
        bytearray(b"a"),
        range(3),
        memoryview(b"a"),
        Exception("x"),
    ],
    ids=lambda _: "value",
)
def test_what_is_not_plain_is_refused_and_none_of_its_code_is_called(value):
    before = Liar.asked
    with pytest.raises(NotPlain):
        literal(value)
    assert Liar.asked == before


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("fits", "over"),
    [
        ("a" * (CHARS - 2), "a" * (CHARS - 1)),
        ([0] * (NODES - 1), [0] * NODES),
        (nested(DEPTH), nested(DEPTH + 1)),
        ((1 << BITS) - 1, 1 << BITS),
        (b"a" * (CHARS - 3), b"a" * (CHARS - 2)),
    ],
)
def test_limits_hold_on_the_value_itself(fits, over):
    assert exactly(read_literal(literal(fits)), fits)
    with pytest.raises(NotPlain):
        literal(over)


def test_what_holds_itself_is_too_large():
    one = []
    one.append(one)
    with pytest.raises(NotPlain):
        literal(one)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "1 + 1",
        "(lambda: 1)()",
        "nan",
        "{1: 2, **{}}",
        "[1,2]",
        " 1",
        "1 ",
        "0x10",
        "'a' 'b'",
        "",
        "(" * 500,
        "[" * 300 + "]" * 300,
        "-" * 3000 + "1",
        "f'{1}'",
        "1e400",
        "{2, 1}",
        "'\\x61'",
        "1j+1",
        "\x00",
        "9" * 5000,
        "frozenset()",
        "True if 1 else 0",
        '"a"',
    ],
)
def test_any_other_text_is_no_literal(text):
    with pytest.raises(ValueError, match="not a literal"):
        read_literal(text)


@pytest.mark.parametrize(
    "text",
    [
        "1e999",
        "-1e999",
        "-0.0",
        "set()",
        "{1, 2}",
        "(1+2j)",
        "(1,)",
        "1j",
        "(0-1j)",
        "(-1-1j)",
        "'\\ud800'",
        "b'\\x00'",
    ],
)
def test_the_odd_ones_are_literals(text):
    assert literal(read_literal(text)) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0.0, -0.0), (1, 1.0), ([1], (1,)), ({1}, {1.0}), ({1: 2}, {True: 2}), ("a", b"a")],
)
def test_what_python_calls_equal_need_not_be_exactly_so(one, other):
    assert not exactly(one, other)


def test_dicts_are_equal_in_any_order_and_recorded_in_their_own():
    assert exactly({"a": 1, "b": {"x": 1, "y": 2}}, {"b": {"y": 2, "x": 1}, "a": 1})
    assert literal({"b": 1, "a": 2}) == "{'b': 1, 'a': 2}"


def test_values_that_are_not_plain_are_never_exactly_equal():
    assert not exactly(Liar(), Liar())
    assert not exactly(float("nan"), float("nan"))


def test_the_limit_on_digits_of_the_interpreter_is_never_met():
    assert BITS * 0.302 < sys.get_int_max_str_digits()
