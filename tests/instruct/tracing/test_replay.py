"""Noted calls made again: as values and as assertions, in the sandbox, and what does not come through."""

from __future__ import annotations

import ast
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.sandbox import Limits, Returned, Sandbox
from instruct.tracing.calls import call_of
from instruct.tracing.records import Noted
from instruct.tracing.replay import Work, replay
from instruct.tracing.tracer import literal


def signature(text):
    return ast.parse(f"def f({text}): ...").body[0]


def noted(value="0", /, **arguments):
    return Noted(tuple(arguments.items()), value)


@pytest.mark.parametrize(
    ("spec", "arguments", "text"),
    [
        ("a, b", {"a": "1", "b": "[2]"}, "1, [2]"),
        ("a, b=2", {"a": "1", "b": "2"}, "1"),
        ("a, b=2", {"a": "1", "b": "2.0"}, "1, 2.0"),
        ("a, b=1", {"a": "1", "b": "True"}, "1, True"),
        ("a=1, b=2", {"a": "1", "b": "3"}, "b=3"),
        ("a, b=[]", {"a": "1", "b": "[]"}, "1, []"),
        ("a, b=M", {"a": "1", "b": None}, "1"),
        ("a, b=M, c=3", {"a": "1", "b": None, "c": "4"}, "1, c=4"),
        ("a, *r, k, **m", {"a": "1", "k": "2", "r": "(3, 'x')", "m": "{'z': 5}"}, "1, 3, 'x', k=2, z=5"),
        ("a=1, *r", {"a": "1", "r": "(2,)"}, "1, 2"),
        ("a, b=1, /, c=2", {"a": "0", "b": "1", "c": "3"}, "0, 1, 3"),
        ("*, k=None", {"k": "None"}, ""),
        ("", {}, ""),
    ],
)
def test_a_call_is_written_as_its_signature_allows(spec, arguments, text):
    node = signature(spec)
    call = call_of(node, noted("7", **arguments))
    assert call.text == text
    assert call.test == f"assert candidate({text}) == 7"


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        ("a", {"b": "1"}),
        ("a, b", {"a": "1"}),
        ("a", {"a": "1", "b": "2"}),
        ("*r", {"r": "[1]"}),
        ("*r", {"r": None}),
        ("**m", {"m": "{1: 2}"}),
        ("**m", {"m": "{'class': 2}"}),
        ("a, **m", {"a": "1", "m": "{'a': 2}"}),
        ("**m", {"m": "{'x y': 2}"}),
        ("a=M, *r", {"a": None, "r": "(1,)"}),
        ("a=M, b=M, /", {"a": None, "b": "1"}),
        ("a", {"a": "nan"}),
    ],
)
def test_a_note_that_does_not_fit_is_no_call(spec, arguments):
    assert call_of(signature(spec), noted("7", **arguments)) is None


def test_a_note_without_a_value_is_no_call():
    assert call_of(signature("a"), Noted((("a", "1"),), None, raised="E")) is None


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=3)
    | st.lists(st.integers(0, 3), max_size=3)
)
SPECS = (
    "a, b",
    "a, b=1",
    "a=1, b='x', *rest",
    "a, /, b=None, *, c=2, **more",
    "*rest, c=3",
    "a=0, *, b=1, c=True",
)


@given(st.sampled_from(SPECS), st.data())
def test_the_text_of_a_call_binds_the_same_arguments(spec, data):
    space = {}
    exec(f"def f({spec}): return locals()", space)
    names = inspect.signature(space["f"]).parameters
    given_values = {
        name: tuple(data.draw(st.lists(VALUES, max_size=2))) if one.kind is one.VAR_POSITIONAL
        else data.draw(st.dictionaries(st.sampled_from(["x", "y"]), VALUES)) if one.kind is one.VAR_KEYWORD
        else data.draw(VALUES)
        for name, one in names.items()
    }  # fmt: skip
    call = call_of(signature(spec), noted("0", **{name: literal(one) for name, one in given_values.items()}))
    assert eval(f"f({call.text})", space) == given_values
    assert space["f"](*call.args, **dict(call.kwargs)) == given_values


class Inside:
    """A sandbox's double: runs programs right here, which the programs of these tests allow."""

    def __init__(self, answers=None):
        self.seen, self.answers = [], answers

    def call(self, calls):
        for one in calls:
            self.seen.append(one)
            if self.answers is not None:
                yield self.answers(one)
                continue
            space = {}
            exec(one.code, space)
            yield tuple(Returned(space[one.entry_point](*a, **k), "", "", False) for a, k in one.calls)


def work(code, *pairs, spec="x"):
    node = signature(spec)
    calls = tuple(call_of(node, Noted((("x", literal(x)),), literal(value))) for x, value in pairs)
    return Work(code, "f", calls)


def test_calls_that_return_the_same_are_kept():
    [found] = replay(Inside(), [work("def f(x): return x + 1", (1, 2), (2, 3), (3, 5))])
    assert [call.text for call in found.kept] == ["1", "2"]
    assert found.reasons == (("differs", 1),)
    assert found.reason == "differs"


def test_each_run_has_an_order_of_its_own():
    inside = Inside()
    replay(inside, [work("def f(x): return x", *((n, n) for n in range(6)))])
    orders = [[a[0] for a, _ in one.calls] for one in inside.seen]
    assert orders[0] == list(range(6))
    assert orders[1] == list(range(6))[::-1]
    assert sorted(orders[2]) == list(range(6))
    assert orders[2] not in orders[:2]


def test_a_function_that_remembers_calls_does_not_come_through():
    code = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)"
    [found] = replay(Inside(), [work(code, (5, 1), (6, 2), (7, 3))])
    assert [call.text for call in found.kept] == []


@pytest.mark.parametrize("value", [True, 1.0, "1", [1], None])
def test_a_value_of_another_type_differs(value):
    [found] = replay(Inside(lambda one: (Returned(value, "", "", False),)), [work("", (0, 1))])
    assert found.reason == "differs"


def test_answers_that_are_missing_or_problems_are_counted():
    def answers(one):
        return (Returned(None, "timeout", "", False),) if len(one.calls) == 2 else ()

    first, second = replay(Inside(answers), [work("", (0, 1), (1, 2)), work("", (0, 1))])
    assert first.reasons == (("timeout", 2),) or first.reasons == (("died", 1), ("timeout", 1))
    assert second.reasons == (("died", 1),)
    assert first.kept == second.kept == ()


HOSTILE = {
    "never ends": "def f(x):\n    while True: pass",
    "lies": "class L(int):\n    def __eq__(s, o): return True\n    __hash__ = None\ndef f(x): return L(7)",
    "subclass": "class T(str): pass\ndef f(x): return T('1')",
    "exits": "import os\ndef f(x): os._exit(0)",
    "time": "import time\ndef f(x): return time.time_ns()",
    "chance": "import random\ndef f(x): return random.random()",
    "does not compile": "def f(x: return 1",
    "recursion": "def f(x): return f(x)",
    "names": "def g(x): return 1",
}


@pytest.fixture(scope="module")
def strict(isolation):
    with Sandbox(limits=Limits(wall_s=1.0, cpu_s=1.0), workers=2) as opened:
        yield opened


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_hostile_functions_are_refuted_in_the_sandbox(strict, kind):
    [found] = replay(strict, [work(HOSTILE[kind], (0, 1), (1, 1))])
    assert found.kept == ()
    assert found.reason


def test_the_sandbox_keeps_what_is_true_for_any_number_of_workers(isolation):
    works = [
        work(f"def f(x):\n    x.append({n})\n    return x[::-1]", ([1], [n, 1]), ([], [n])) for n in range(6)
    ]
    works.append(work("def f(x): return list({'a', 'b', 'c', x})", ("d", ["no", "order"])))
    seen = []
    for workers in (1, 2):
        with Sandbox(limits=Limits(wall_s=5.0, cpu_s=5.0), workers=workers) as sandbox:
            seen.append(replay(sandbox, works))
    assert seen[0] == seen[1]
    assert [len(one.kept) for one in seen[0]] == [2] * 6 + [0]
    assert all(one.mutated for one in seen[0][:6])
