"""Pieces of a traced function put together: closures, records of several runs, the funnel's sums."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.sandbox import Returned
from instruct.tracing import ProblemConfig, Project, Trace, Traced, funnel, make_problems
from instruct.tracing.functions import FUNCTION, STEPS, function_table
from instruct.tracing.modules import Module, Modules
from instruct.tracing.records import Noted, agreed, joined
from instruct.tracing.replay import Replayed
from instruct.tracing.standalone import REASONS, standalone


def taken(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return standalone(Modules(folder), "a.py", "f")


def value(made, *args):
    space = {"__name__": "problem"}
    exec(compile(made.code, "<made>", "exec", dont_inherit=True), space)
    return space["f"](*args)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 2\ndef f(n):\n    return P(n).x", 3),
        ("def two(g):\n    return lambda n: g(n) * 2\n@two\ndef h(n):\n    return n\ndef f(n):\n    return h(n)", 6),
        ("def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\n"
         "def f(n):\n    return odd(n)", True),
        ("from typing import Optional\nNum = Optional[int]\ndef f(n: Num) -> Num:\n    return n", 3),
        ("match 3:\n    case [*rest]:\n        k = 0\n    case {'a': 1, **more}:\n        k = 1\n    case other:\n"
         "        k = other\ndef f(n):\n    return k + other", 6),
        ("A = [i for i in range(4)]\ndef f(n):\n    return A[n]", 3),
        ("if (size := 3) > 2:\n    BIG = True\ndef f(n):\n    return size", 3),
        ("import sys\nif sys.version_info > (3,):\n    def h(n):\n        return n\nelse:\n    h = None\n"
         "def f(n):\n    return h(n)", 3),
        ("try:\n    import json as j\nexcept ImportError:\n    j = None\ndef f(n):\n    return j.dumps(n)", "3"),
        ("class E(Exception):\n    pass\ndef f(n):\n    try:\n        raise E\n    except E:\n        return n", 3),
        ("def f(n, *, k=__name__):\n    return k", "problem"),
    ],
)  # fmt: skip
def test_what_a_function_needs_comes_along(tmp_path, text, expected):
    made = taken(tmp_path, a=text)
    assert made.reason == ""
    assert value(made, 3) == expected


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("A = [i for i in B]", "B"), ("A = {i for i in B}", "B"), ("A = {i: j for i, j in B if i}", "B"),
        ("A = [i for i in B] + [i]", "B i"), ("A = [[i for i in j] for j in [k for k in B]]", "B"),
        ("class A:\n    x = [i for i in B]\n    y = i", "B i"), ("A = lambda: {i: C for i in B}", "B C"),
        ("A = [(b := i) for i in B]", "B"), ("def f(a):\n    return [g for g in a if h(g)]", "h"),
        ("@d([i for i in B])\ndef f(a): pass", "B d"), ("A = (i for i in B)", "B"),
    ],
)  # fmt: skip
def test_variables_of_comprehensions_are_nobodys_need_in_any_version(text, needs):
    [one] = Module("a.py", text).statements
    assert one.needs(future=False) - {"A"} == set(needs.split())
    assert one.needs(future=True) - {"A"} == set(needs.split())


def test_names_inside_comprehensions_are_no_conflict(tmp_path):
    made = taken(
        tmp_path,
        a="from b import B\nA = {i: j for i, j in B}\ndef f(n):\n    return A[n]",
        b="B = [(i, j) for i in range(4) for j in range(i + 1) if i]",
    )
    assert made.reason == ""
    assert value(made, 3) == 3


@pytest.mark.parametrize(
    ("text", "binds"),
    [
        ("A = [i for i in b]", {"A"}),
        ("A = {(j := i) for i in b if (k := i)}", {"A", "j", "k"}),
        ("try:\n    x = 1\nexcept E as e:\n    pass", {"x"}),
        ("match x:\n    case {'a': p, **q}: pass\n    case [r, *s]: pass\n    case _: t = 1",
         {"p", "q", "r", "s", "t"}),
        ("a.b = c[d] = 1", set()),
        ("x, (y, *z) = 1", {"x", "y", "z"}),
        ("async def g(): h = 1", {"g"}),
        ("del w", {"w"}),
    ],
)  # fmt: skip
def test_what_a_statement_binds(text, binds):
    [one] = Module("a.py", text).statements
    assert one.binds == binds


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type aliases came with Python 3.12")
def test_type_aliases_come_along(tmp_path):
    made = taken(tmp_path, a="type N = int\ndef f(n: N) -> N:\n    return n")
    assert (made.reason, value(made, 3)) == ("", 3)


def test_modules_that_import_each_other_end(tmp_path):
    found = taken(tmp_path, a="from b import x\ndef f(n):\n    return x", b="from a import x")
    assert found.reason in REASONS
    made = taken(
        tmp_path,
        a="from b import g\nK = 2\ndef f(n):\n    return g(n)",
        b="from a import K\ndef g(n):\n    return K * n",
    )
    assert value(made, 3) == 6


CALLS = st.lists(
    st.builds(Noted, st.just((("x", "1"),)), st.sampled_from("123456")), max_size=4, unique=True
).map(tuple)
FUNCTIONS = st.lists(
    st.builds(Traced, st.sampled_from(["a.py", "b.py"]), st.just("f"), st.integers(1, 2), st.just(""), CALLS,
              st.integers(0, 9), st.integers(0, 9)), max_size=4).map(tuple)  # fmt: skip
TRACES = st.builds(Trace, FUNCTIONS, st.booleans(), st.integers(0, 3))


def key(one):
    return one.file, one.qualname, one.line


@given(st.lists(TRACES, max_size=3), st.integers(1, 4))
def test_traces_that_are_joined_lose_nothing_but_what_is_too_much(traces, calls):
    whole = joined(traces, calls=calls)
    every = [one for trace in traces for one in trace.functions]
    assert [key(one) for one in whole.functions] == list(dict.fromkeys(map(key, every)))
    for one in whole.functions:
        same = [each for each in every if key(each) == key(one)]
        distinct = list(dict.fromkeys(call for each in same for call in each.calls))
        assert list(one.calls) == distinct[:calls]
        assert one.looked == sum(each.looked for each in same)
    assert whole.spoiled == sum(trace.spoiled for trace in traces)
    assert whole.complete == all(trace.complete for trace in traces)


@given(TRACES, TRACES)
def test_only_calls_of_both_runs_are_agreed(first, again):
    found = agreed(joined([first], calls=9), joined([again], calls=9))
    known = {(key(one), call) for one in again.functions for call in one.calls}
    mine = {(key(one), call) for one in first.functions for call in one.calls}
    assert {(key(one), call) for one in found.functions for call in one.calls} == mine & known
    assert found.complete == (first.complete and again.complete)


ROWS = st.lists(st.sampled_from([None, *STEPS]), max_size=20)


@given(ROWS, st.data())
def test_the_funnel_adds_up(lost, data):
    rows = [{"lost": step, "reason": step and data.draw(st.sampled_from("xy"))} for step in lost]
    told = funnel(function_table(rows))
    left = [told["left"][step] for step in ("traced", *STEPS)]
    assert left[0] == len(rows)
    assert left[-1] == lost.count(None)
    assert left == sorted(left, reverse=True)
    by_step = Counter(step for step in lost if step)
    assert {step: sum(why.values()) for step, why in told["lost"].items()} == by_step


@pytest.mark.parametrize(
    ("reasons", "first"),
    [((), ""), ((("died", 1), ("timeout", 1)), "died"), ((("died", 1), ("timeout", 2)), "timeout")],
)
def test_the_most_frequent_reason_is_told(reasons, first):
    assert Replayed((), reasons, mutated=False).reason == first


class Echo:
    """A sandbox whose functions return what they are given."""

    def call(self, calls):
        for one in calls:
            yield tuple(Returned(args[0], "", "", mutated=False) for args, _ in one.calls)


def notes(*values):
    return tuple(Noted((("x", text),), text) for text in values)


def test_rows_of_problems_and_of_functions_tell_the_same(tmp_path):
    (tmp_path / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "src/pkg/__init__.py").write_text(
        "def f(x):\n    'Doc.'\n    return x\n\ndef g(x):\n    return x\n"
    )
    path = "src/pkg/__init__.py"
    traced = [Traced(path, "g", 5, "", notes("1")), Traced(path, "f", 1, "", notes("1", "2", "3"), 4, 1),
              Traced(path, "C.m", 9, "", notes("1")), Traced(path, "f", 7, "", notes("1")),
              Traced(path, "h", 11, "generator")]  # fmt: skip
    config, project = ProblemConfig(max_tests=2, runs=1), Project("repo", "c0")
    functions, problems = make_problems(traced, Modules(tmp_path), Echo(), config, project)
    assert functions.schema.names == FUNCTION.names
    assert [(row["qualname"], row["lost"], row["reason"]) for row in functions.to_pylist()] == [
        ("f", None, None), ("g", "choice", "no_docstring"), ("f", "standalone", "source"), ("C.m", "level", "method"),
        ("h", "level", "generator")]  # fmt: skip
    [problem] = problems.to_pylist()
    assert problem["task_id"] == functions["task_id"][0].as_py()
    assert (problem["qualname"], problem["n_tests"], problem["verify_runs"]) == ("pkg.f", 2, 1)
    assert problem["tests"] == ["assert candidate(1) == 1", "assert candidate(2) == 2"]
    assert functions["replayed"].to_pylist() == [3, 1, None, None, None]
    again = make_problems(traced[::-1], Modules(tmp_path), Echo(), config, project)
    assert (again[0], again[1]) == (functions, problems)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"min_tests": 4}, "min_tests"), ({"min_outputs": 4}, "min_outputs"), ({"min_docstring": 9}, "min_docstring"),
     ({}, None)],
)  # fmt: skip
def test_what_a_recipe_asks_of_a_problem(tmp_path, change, reason):
    (tmp_path / "a.py").write_text("def f(x):\n    'Doc.'\n    return x\n")
    traced = [Traced("a.py", "f", 1, "", notes("1", "2", "3"))]
    config = ProblemConfig(**({"runs": 1} | change))
    functions, problems = make_problems(traced, Modules(tmp_path), Echo(), config, Project("repo"))
    assert functions["reason"].to_pylist() == [reason]
    assert problems.num_rows == (reason is None)
