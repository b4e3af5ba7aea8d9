"""The tracer beside real test runs, on every interpreter there is: what it notes, what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.tracing import tracer
from instruct.tracing.records import Noted, Trace, Traced, joined, read_trace

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")


def other_pythons():
    """Interpreters of other versions, as they are found on the path or beside this one's folder."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": Path(sys.executable)}
    beside = Path(sys.base_prefix).parent
    for version in VERSIONS:
        places = [shutil.which(f"python{version}"), *sorted(beside.glob(f"{version}.*/bin/python"))]
        for place in filter(None, places):
            done = subprocess.run([place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                  capture_output=True, text=True, check=False)  # fmt: skip
            if done.stdout.strip() == version:
                found.setdefault(version, Path(place))
                break
    return found


PYTHONS = other_pythons()

PACKAGE = """\
import functools, threading

MARK = object()

def plain(a, b=2, *rest, c=None, **more):
    return [a, b, rest, c, more]

def marked(a, b=MARK):
    return a if b is MARK else b

def changes(values):
    values.append(1)
    return values

def fails(x):
    raise ValueError(x)

def fails_below(x):
    return fails(x)

def nothing(x):
    return None

def makes(x):
    return object()

def takes(x):
    return 1

def counts(n):
    return 0 if n == 0 else 1 + counts(n - 1)

def yields(x):
    yield x

async def waits(x):
    return x

def outer(x):
    def inner(y):
        return x + y
    def free(y):
        return y
    return inner(1) + free(1)

def caught(x):
    keep = lambda: x
    return keep()

@functools.lru_cache(maxsize=None)
def cached(x):
    return x * 2

def after_raise(x):
    try:
        fails(x)
    except ValueError:
        return None

class Thing:
    kind = "thing"
    def method(self, x):
        return x
    @staticmethod
    def still(x):
        return x

def in_thread(x):
    return x + 1

later = lambda x: x
"""

TESTS = """\
import asyncio, threading, unittest
import pkg.mod as m

class All(unittest.TestCase):
    def test_calls(self):
        m.plain(1); m.plain(1, 3, 4, c={2, 1}, d="x"); m.plain(a=[{"k": (1.5, -0.0)}])
        m.plain(1)
        m.marked(1); m.marked(1, 2)
        values = [0]
        m.changes(values); m.changes(values)
        for call in (m.fails, m.fails_below):
            with self.assertRaises(ValueError):
                call(7)
        m.after_raise(8)
        m.nothing(1); m.makes(1); m.takes(object()); m.counts(4); list(m.yields(1))
        asyncio.run(m.waits(1)); m.outer(1); m.caught(5); m.cached(4); m.later(1)
        m.Thing().method(1); m.Thing.still(1)
        one = threading.Thread(target=m.in_thread, args=(41,))
        one.start(); one.join()

    def test_many(self):
        for n in range(5000):
            m.plain(n)
"""


def settings(tree, **changed):
    values = {"out": str(tree / "trace.jsonl"), "roots": [f"{tree}/pkg/"], "skip": ["tests"], "calls": 50,
              "patience": 1000, "limit": 1 << 24, "path": [str(tree)]}  # fmt: skip
    return json.dumps(values | changed)


def run(tree, *command, python=sys.executable, **changed):
    env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    program = [python, tracer.__file__, settings(tree, **changed), *command]
    return subprocess.run(
        program, cwd=tree, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def traced(tree):
    return read_trace((tree / "trace.jsonl").read_bytes())


def project(folder, text=PACKAGE, tests=TESTS):
    for name, content in {
        "pkg/__init__.py": "",
        "pkg/mod.py": text,
        "tests/__init__.py": "",
        "tests/test_m.py": tests,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.fixture(scope="module", params=sorted(PYTHONS))
def found(request, tmp_path_factory):
    tree = project(tmp_path_factory.mktemp("tree"))
    done = run(tree, "-m", "unittest", "-q", "tests.test_m", python=PYTHONS[request.param])
    assert done.returncode == 0, done.stderr
    trace = traced(tree)
    assert trace.complete
    assert trace.spoiled == 0
    if request.param in ("3.9", "3.10"):
        assert {one.why for one in trace.functions} >= {"", "generator", "method"}
    return {
        one.qualname.rpartition(".")[2] if one.why == "method" else one.qualname: one
        for one in trace.functions
    }


def calls(one):
    return [(dict(noted.arguments), noted.value) for noted in one.calls]


def test_arguments_are_noted_by_name_and_defaults_with_them(found):
    assert calls(found["plain"])[:3] == [
        ({"a": "1", "b": "2", "c": "None", "rest": "()", "more": "{}"}, "[1, 2, (), None, {}]"),
        ({"a": "1", "b": "3", "c": "{1, 2}", "rest": "(4,)", "more": "{'d': 'x'}"}, "[1, 3, (4,), {1, 2}, {'d': 'x'}]"),
        ({"a": "[{'k': (1.5, -0.0)}]", "b": "2", "c": "None", "rest": "()", "more": "{}"},
         "[[{'k': (1.5, -0.0)}], 2, (), None, {}]"),
    ]  # fmt: skip


def test_the_first_distinct_calls_are_noted_and_then_no_more(found):
    texts = [noted.arguments for noted in found["plain"].calls]
    assert len(texts) == len(set(texts)) == 50
    assert found["plain"].looked < 100


def test_a_default_that_is_no_literal_is_noted_as_left_out(found):
    assert calls(found["marked"]) == [({"a": "1", "b": None}, "1"), ({"a": "1", "b": "2"}, "2")]


def test_arguments_are_noted_before_the_function_changes_them(found):
    assert calls(found["changes"]) == [({"values": "[0]"}, "[0, 1]"), ({"values": "[0, 1]"}, "[0, 1, 1]")]


def test_exceptions_are_told_from_a_returned_none(found):
    assert [(noted.value, bool(noted.raised)) for noted in found["fails"].calls] == [(None, True)] * 2
    assert [(noted.value, bool(noted.raised)) for noted in found["fails_below"].calls] == [(None, True)]
    assert calls(found["nothing"]) == [({"x": "1"}, "None")]
    assert calls(found["after_raise"]) == [({"x": "8"}, "None")]


def test_values_that_are_not_plain_are_said_to_be_lost(found):
    assert [noted.lost for noted in found["makes"].calls] == ["object"]
    assert found["takes"].calls == ()
    assert (found["takes"].looked, found["takes"].refused) == (1, 1)


def test_recursion_threads_and_decorated_functions_are_seen(found):
    assert [value for _, value in calls(found["counts"])] == ["0", "1", "2", "3", "4"]
    assert calls(found["in_thread"]) == [({"x": "41"}, "42")]
    assert calls(found["cached"]) == [({"x": "4"}, "8")]
    assert calls(found["caught"]) == [({"x": "5"}, "5")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("yields", "generator"),
        ("waits", "coroutine"),
        ("method", "method"),
        ("still", "method"),
        ("<lambda>", "lambda"),
    ],
)
def test_what_cannot_be_a_problem_has_a_reason_and_no_calls(found, name, why):
    one = found[name]
    assert one.why == why
    assert one.calls == ()


def test_the_tests_themselves_are_not_traced(found):
    assert {one.file for one in found.values()} == {"pkg/mod.py"}


def test_every_interpreter_notes_the_same(tmp_path):
    pythons = [PYTHONS[version] for version in sorted(PYTHONS) if version not in ("3.9", "3.10")]
    if len(pythons) < 2:
        pytest.skip("only one interpreter of 3.11 or newer")
    seen = []
    for at, python in enumerate(pythons):
        tree = project(tmp_path / str(at))
        run(tree, "-m", "unittest", "-q", "tests.test_m", python=python)
        whole = traced(tree).functions
        seen.append({(one.qualname, one.why): [noted for noted in one.calls if noted.value] for one in whole})
    assert all(one == seen[0] for one in seen)


def test_pytest_and_scripts_run_under_it(tmp_path):
    tree = project(tmp_path)
    done = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert len(traced(tree).functions) > 15
    (tree / "tests/script_test.py").write_text(
        "import sys\nimport pkg.mod\nprint(pkg.mod.nothing(9), sys.argv[1:])\n"
    )
    (tree / "trace.jsonl").unlink()
    assert run(tree, "tests/script_test.py", "x").stdout == "None ['x']\n"
    assert [one.qualname for one in traced(tree).functions] == ["nothing"]


def test_failing_tests_keep_their_exit_code_and_what_was_noted(tmp_path):
    tree = project(tmp_path, tests="import pkg.mod\npkg.mod.nothing(1)\ndef test_x(): assert 0\n")
    assert run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider").returncode == 1
    assert [one.qualname for one in traced(tree).functions] == ["nothing"]


def test_tests_that_draw_their_inputs_draw_the_same_ones_every_time(tmp_path):
    text = "import random\nimport pkg.mod\npkg.mod.nothing(random.random())\n"
    seen = []
    for name in ("a", "b"):
        tree = project(tmp_path / name, tests=text)
        run(tree, "-m", "tests.test_m")
        seen.append([one.calls for one in traced(tree).functions])
    assert seen[0] == seen[1] != []


def test_what_a_test_draws_does_not_hang_on_the_one_before(tmp_path):
    """Threads of one test that draw as often as time lets them would change what all later tests are given."""
    text = """\
import random, sys
import pkg.mod
def test_one():
    for _ in range(int(sys.argv[1])):
        random.random()
def test_two():
    pkg.mod.nothing(random.random())
test_one(); test_two()
"""
    seen = []
    for drawn in ("1", "7"):
        tree = project(tmp_path / drawn, tests=text)
        run(tree, "tests/test_m.py", drawn)
        seen.append([one.calls for one in traced(tree).functions])
    assert seen[0] == seen[1] != []


CROWD = """\
import os, sys, threading
import pkg.mod
sys.setswitchinterval(1e-6)
start = threading.Barrier(8)
def work():
    start.wait()
    for number in range(40):
        getattr(pkg.mod, f"f{number}")(number)
threads = [threading.Thread(target=work) for _ in range(8)]
for one in threads: one.start()
for _ in range(3):
    if os.fork() == 0: pkg.mod.f0(-1); os._exit(0)
    assert os.wait()[1] == 0
for one in threads: one.join()
"""


@pytest.mark.parametrize("version", [one for one in sorted(PYTHONS) if one not in ("3.9", "3.10")])
def test_threads_that_meet_functions_at_once_lose_and_mix_none(tmp_path, version):
    functions = "".join(f"def f{number}(x): return x + {number}\n" for number in range(40))
    tree = project(tmp_path, functions, CROWD)
    done = run(tree, "-m", "tests.test_m", python=PYTHONS[version])
    assert done.returncode == 0, done.stderr
    trace = traced(tree)
    assert sorted(one.qualname for one in trace.functions) == sorted(f"f{number}" for number in range(40))
    for one in trace.functions:
        number = int(one.qualname[1:])
        assert one.looked == 8, one.qualname
        assert calls(one) == [({"x": str(number)}, str(2 * number))]


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_what_was_noted_stays_when_the_run_is_killed(tmp_path, end):
    tree = project(tmp_path, tests=f"import os\nimport pkg.mod\npkg.mod.nothing(1)\n{end}\n")
    run(tree, "-m", "tests.test_m")
    trace = traced(tree)
    assert [len(one.calls) for one in trace.functions] == [1]
    assert not trace.complete


def test_a_fork_notes_nothing(tmp_path):
    text = "import os\nimport pkg.mod\nif os.fork() == 0:\n    pkg.mod.nothing(5)\n    os._exit(0)\n"
    text += "os.wait()\npkg.mod.nothing(6)\n"
    tree = project(tmp_path, tests=text)
    run(tree, "-m", "tests.test_m")
    assert [calls(one) for one in traced(tree).functions] == [[({"x": "6"}, "None")]]


def test_the_file_never_grows_over_its_limit(tmp_path):
    tests = "import pkg.mod as m\nfor n in range(300):\n    m.nothing('x' * 3000 + str(n))\n"
    tree = project(tmp_path, tests=tests)
    run(tree, "-m", "tests.test_m", calls=1000, patience=10_000, limit=20_000)
    assert 10_000 < (tree / "trace.jsonl").stat().st_size <= 20_000


def test_a_function_that_never_gets_plain_values_is_given_up(tmp_path):
    tree = project(tmp_path, tests="import pkg.mod as m\nfor n in range(5000):\n    m.takes(object())\n")
    run(tree, "-m", "tests.test_m", patience=100)
    assert [(one.looked, one.refused) for one in traced(tree).functions] == [(100, 100)]


HOSTILE = """\
class Liar:
    @property
    def __class__(self): return int
    def __eq__(self, other): return True
    def __hash__(self): raise SystemExit
    def __repr__(self): raise SystemExit
    def __len__(self): raise SystemExit
    def __iter__(self): raise SystemExit
class Text(str):
    def __repr__(self): raise SystemExit
def f(x): return x
def deep(x): return x
"""


def test_objects_that_lie_are_never_asked(tmp_path):
    tests = (
        "import pkg.mod as m\nloop = []\nloop.append(loop)\nnest = []\nfor _ in range(5000): nest = [nest]\n"
        "for x in (m.Liar(), [m.Liar()], m.Text('a'), {1: m.Text('b')}, loop, nest, 'x' * 10**7, 1 << 10**6,\n"
        "          [0] * 10**6, 3):\n"
        "    m.f(x)\nprint('end')\n"
    )
    tree = project(tmp_path, HOSTILE, tests)
    done = run(tree, "-m", "tests.test_m")
    assert done.stdout == "end\n", done.stderr
    one = {one.qualname: one for one in traced(tree).functions}["f"]
    assert calls(one) == [({"x": "3"}, "3")]
    assert (one.looked, one.refused) == (10, 9)


def line(**note):
    return json.dumps(note).encode() + b"\n"


FUNCTION = {"kind": "function", "id": 0, "file": "a.py", "name": "f", "line": 1, "why": ""}
CALL = {"kind": "call", "id": 0, "args": '{"x":"1"}', "value": "2"}


def test_a_trace_is_read():
    counts = {"kind": "counts", "id": 0, "looked": 3, "refused": 1, "full": False}
    trace = read_trace(line(**FUNCTION) + line(**CALL) + line(**CALL) + line(**counts) + line(kind="end"))
    assert trace == Trace((Traced("a.py", "f", 1, "", (Noted((("x", "1"),), "2"),), 3, 1),), True, 0)


BAD_CALLS = [
    *({"id": bad} for bad in (9, "0", True, -1)),
    *(
        {"args": bad}
        for bad in (3, "[]", '{"x": 1}', '{"x-": "1"}', '{"x": "__import__(1)"}', '{"x":' * 3000)
    ),
    *({"value": bad} for bad in ("open()", 3, "[1,2]", None)),
    *({"raised": bad} for bad in (1, "E")),
    {"value": None, "raised": "a\nb"},
    *({"kind": bad} for bad in ("other", [])),
]
BAD_FUNCTIONS = [
    *({"file": bad} for bad in ("", 3)),
    *({"line": bad} for bad in (-1, 1.5, 1 << 40)),
    *({"id": 0}, {"name": None}, {"why": "a" * 2000}),
]
BAD = [
    *(b"\xff\n", b"[]\n", b"1\n", b"null\n", b"{}\n"),
    *(b"{" * 10_000 + b"\n", b'{"kind":' * 5000 + b"\n", b"x" * (1 << 21) + b"\n"),
    *(line(**(CALL | change)) for change in BAD_CALLS),
    *(line(**(FUNCTION | {"id": 1} | change)) for change in BAD_FUNCTIONS),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad[:30]))
def test_lines_that_no_tracer_writes_are_counted_and_harm_nothing(bad):
    trace = read_trace(line(**FUNCTION) + bad + line(**CALL))
    assert trace.spoiled == 1
    assert [len(one.calls) for one in trace.functions] == [1]


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data):
    trace = read_trace(data)
    assert trace.functions == ()


def test_functions_met_twice_are_put_together_and_cut():
    again = FUNCTION | {"id": 1}
    other = CALL | {"id": 1, "args": '{"x":"2"}'}
    trace = read_trace(
        line(**FUNCTION) + line(**again) + line(**CALL) + line(**other) + line(**(CALL | {"id": 1}))
    )
    assert [len(one.calls) for one in trace.functions] == [2]
    assert [len(one.calls) for one in joined([trace, trace], calls=1).functions] == [1]
