"""Modules as text: what a statement binds, what comes along with a function, and sources that cost their square."""

from __future__ import annotations

import warnings
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.tracing import Traced, make_problems, standalone
from instruct.tracing.making import ProblemConfig, Project
from instruct.tracing.modules import Module, Modules
from instruct.tracing.records import Noted
from tests.instruct.tracing.test_pieces import Echo, notes


def write(folder, files):
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"from {'a' * 300} import x\ndef f(n):\n    return x", "imports_beyond_stdlib"),
        (f"from .{'a' * 300} import x\ndef f(n):\n    return x", "imports_project"),
        (f"import {'a' * 300} as x\ndef f(n):\n    return x", "imports_beyond_stdlib"),
        ("a = 1; b = " + "1+" * 700 + "1\ndef f(n):\n    return n", "source"),
        ("from b import x\ndef f(n):\n    return x", "unresolved"),
    ],
    ids=range(5),
)
def test_names_and_nests_that_are_too_large_lose_their_function_alone(tmp_path, text, reason):
    write(tmp_path, {"a.py": text, "b.py": "from c import x\n", "c.py": "from b import x\n"})
    write(tmp_path, {"good.py": "def f(x):\n    'Doc.'\n    return x\n"})
    line = text[: text.index("def f")].count("\n") + 1
    traced = [Traced("a.py", "f", line, "", notes("1")), Traced("good.py", "f", 1, "", notes("1"))]
    functions, problems = make_problems(traced, Modules(tmp_path), Echo(), ProblemConfig(), Project("p"))
    assert functions["reason"].to_pylist() == [reason, None]
    assert problems.num_rows == 1


@pytest.mark.parametrize("path", ["./a.py", "low/../a.py", "low//b.py", "low/./b.py", "a.py/", ""])
def test_a_file_counts_under_its_one_name(tmp_path, path):
    """A trace that was forged could else have a problem for every way to write a path."""
    write(tmp_path, {"a.py": "def f(x): return x\n", "low/b.py": "def f(x): return x\n"})
    modules = Modules(tmp_path)
    assert (modules.module("a.py").problem, modules.module("low/b.py").problem) == ("", "")
    assert modules.module(path).problem == "unreadable"
    assert modules.module(f"{tmp_path.resolve()}/a.py").problem == "unreadable"


def test_statements_that_look_alike_are_each_taken_along(tmp_path):
    write(tmp_path, {"a.py": "x = 1; x += 1; x += 1\ndef f(n):\n    return n * x\n"})
    space = {}
    exec(standalone(Modules(tmp_path), "a.py", "f").code, space)
    assert space["f"](10) == 30


class Counted(Modules):
    """Modules that count how often an import is followed."""

    followed = 0

    def named(self, path, node):
        self.followed += 1
        return super().named(path, node)


def test_imports_that_multiply_are_followed_once(tmp_path):
    depth, wide = 6, 5
    for at in range(depth):
        write(tmp_path, {f"m{at}.py": f"from m{at + 1} import x\n" * wide})
    write(tmp_path, {f"m{depth}.py": "x = 7\n", "a.py": "from m0 import x\ndef f(n):\n    return n + x\n"})
    modules = Counted(tmp_path)
    made = standalone(modules, "a.py", "f")
    assert made.code.count("x = 7") == 1
    assert modules.followed == 1 + depth * wide


def test_every_module_on_the_way_comes_before_those_that_use_it(tmp_path):
    """A name that is asked for twice still says whose modules come first."""
    write(tmp_path, {
        "a.py": "from b import B\nfrom c import C\nfrom k import K\ndef f(n):\n    return B, C, K\n",
        "b.py": "from c import C\nfrom k import K\nB = C + K\n", "c.py": "from k import K\nC = K + 1\n",
        "k.py": "K = 1\n",
    })  # fmt: skip
    space = {}
    exec(standalone(Modules(tmp_path), "a.py", "f").code, space)
    assert space["f"](0) == (3, 2, 1)


STRICT = 'PATTERN = "\\d"\ndef f(n):\n    """Doc \\d."""\n    return n is 3 or PATTERN\n'


def test_a_result_does_not_depend_on_how_warnings_are_shown(tmp_path):
    write(tmp_path, {"a.py": STRICT})
    seen = []
    for action in ("ignore", "error", "always"):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter(action)
            assert Module("a.py", STRICT).problem == ""
            seen.append(standalone(Modules(tmp_path), "a.py", "f").code)
        assert told == []
    assert seen[0] == seen[1] == seen[2] != ""


NAMES = st.sampled_from(["a", "b", "c"])
STATEMENTS = st.one_of(
    st.builds("{} = 1".format, NAMES),
    st.builds("{} += 1".format, NAMES),
    st.builds("import {}".format, NAMES),
    st.builds("from os import {}".format, NAMES),
    st.just("from os import *"),
    st.builds("def {}(): pass".format, NAMES),
    st.builds("for {} in (): pass".format, NAMES),
)


@given(st.lists(STATEMENTS, max_size=8))
def test_bindings_are_those_of_a_search_through_all_statements(lines):
    module = Module("a.py", "\n".join(lines))
    for name in ("a", "b", "c", "d", "*"):
        assert module.binding(name) == [one for one in module.statements if name in one.binds]
    assert module.star == any("*" in one for one in lines)
    assert [module.places[one] for one in module.statements] == list(range(len(module.statements)))


@given(st.lists(st.tuples(st.sampled_from(["a.py", "b.py", "a.py"]), st.sampled_from(["f", "f", "f", "g", "C.m"]),
                          st.integers(1, 4), st.sampled_from(["", "", "", "generator"]), st.integers(0, 2)),
                max_size=6, unique_by=lambda row: row[:3]), st.randoms(use_true_random=False))  # fmt: skip
def test_every_function_is_in_the_funnel_once_in_whatever_order_it_was_met(tmp_path_factory, rows, chance):
    folder = tmp_path_factory.mktemp("met")
    write(
        folder,
        {
            "a.py": "def f(x):\n    'Doc.'\n    return x\ndef g(x): return x\n",
            "b.py": "x = y\ndef g(x): return 1",
        },
    )
    some = (Noted((("x", "1"),), "1"), Noted((("x", "2"),), None, "E"))
    traced = [Traced(file, name, line, why, some[:size]) for file, name, line, why, size in rows]
    mixed = chance.sample(traced, len(traced))
    config = ProblemConfig(runs=1)
    functions, problems = make_problems(traced, Modules(folder), Echo(), config, Project("p"))
    assert make_problems(mixed, Modules(folder), Echo(), config, Project("p")) == (functions, problems)
    lost = Counter(functions["lost"].to_pylist())
    assert sum(lost.values()) == len(traced)
    assert lost[None] == problems.num_rows == len(set(problems["task_id"].to_pylist()))
    assert functions["task_id"].drop_null().to_pylist() == problems["task_id"].to_pylist()
    assert [(one is None) for one in functions["lost"].to_pylist()] == [
        one is None for one in functions["reason"].to_pylist()
    ]
