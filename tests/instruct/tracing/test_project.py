"""Projects traced end to end in the sandbox: what comes of good ones, and that bad ones do no harm."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from columns.errors import EnvironmentProblem, InputError
from instruct.problems import PROBLEM, humaneval_row
from instruct.sandbox import Returned
from instruct.tracing import (
    FUNCTION,
    ProblemConfig,
    Project,
    TraceConfig,
    Traced,
    funnel,
    make_problems,
    trace_project,
    wheels,
)
from instruct.tracing.ci import Requirement
from instruct.tracing.functions import STEPS
from instruct.tracing.identity import distribution_files
from instruct.tracing.modules import Modules
from instruct.tracing.records import Noted

CONFIG = TraceConfig(wall_s=30.0, memory_mb=1024, disk_mb=32, replay_s=1.0)
MODULE = '''\
"""Words."""
import random
import re
from importlib.metadata import version
from .low import double

_SPACE = re.compile(r"\\s+")
__version__ = version("words")


def squeeze(text, *, mark=" "):
    """Put one mark in the place of every run of white space."""
    return _SPACE.sub(mark, text)


def twice(values):
    """Every value doubled, in order."""
    values = [double(one) for one in values]
    return values


def chance(n):
    """A number."""
    return random.randrange(10**9) + n


def bare(x):
    return x + 1


def letters(word):
    """The letters of a word, in an order that depends on hashes."""
    return list(set(word))


def shout(text):
    """Nothing to return."""
    print(text)


def pairs(n):
    """Pairs."""
    for one in range(n):
        yield one, one


class Bag:
    def add(self, x):
        return x
'''
TESTS = """\
from words.text import *
import words.text as m

def test_squeeze():
    assert squeeze("a  b") == "a b"
    assert squeeze("a \\t b", mark="-") == "a-b"
    assert squeeze("a  b") == "a b"

def test_twice():
    assert twice([1, 2.5]) == [2, 5.0]
    assert m.__version__ == "1.2"

def test_rest():
    assert chance(1) >= 1 and bare(1) == 2 and len(letters("abcdefgh")) == 8
    shout("x"); list(pairs(2)); m.Bag().add(1)
"""
TREE = {
    "tox.ini": "[testenv]\ndeps = pytest\n  nowhere-to-be-found\ncommands = pytest -n 4 {posargs:tests}\n",
    "pyproject.toml": '[project]\nname = "words"\nversion = "1.2"\n',
    "src/words/__init__.py": "",
    "src/words/low.py": "def double(x):\n    'Twice.'\n    return x * 2\n",
    "src/words/text.py": MODULE,
    "tests/test_text.py": TESTS,
}


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def traced(tree, sandbox, config=CONFIG, **options):
    return trace_project(tree, config, sandbox=sandbox, **options)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tree") / "words", TREE)


@pytest.fixture(scope="module")
def found(tree, sandbox):
    return traced(tree, sandbox, project=Project("me/words", "c0ffee"))


def rows(table):
    return {row["qualname"].rpartition(".")[2]: row for row in table.to_pylist()}


def test_the_plan_is_followed(found):
    [run] = found.runs
    assert run.command.argv == ("-m", "pytest", "tests")
    assert run.outcome == "3 passed"
    assert found.missing == ("nowhere-to-be-found",)
    assert found.complete
    assert found.problem == ""


def test_every_function_has_a_row_and_a_reason(found):
    assert found.functions.schema == FUNCTION
    lost = {name: (row["lost"], row["reason"]) for name, row in rows(found.functions).items()}
    assert lost == {
        "squeeze": (None, None), "twice": (None, None), "double": (None, None), "chance": ("replay", "differs"),
        "bare": ("choice", "no_docstring"), "letters": ("replay", "differs"), "shout": ("plain", "no_output"),
        "pairs": ("level", "generator"), "add": ("level", "method"),
    }  # fmt: skip
    left = funnel(found.functions)["left"]
    assert left == {"traced": 9, "level": 7, "plain": 6, "standalone": 6, "replay": 4, "choice": 3}
    assert list(left) == ["traced", *STEPS]


def test_problems_are_those_that_replay(found):
    assert found.problems.schema == PROBLEM
    made = rows(found.problems)
    assert set(made) == {"squeeze", "twice", "double"}
    one = made["squeeze"]
    assert (one["repo"], one["commit"], one["source"], one["io_format"]) == (
        "me/words",
        "c0ffee",
        "ci",
        "repr",
    )
    assert (one["path"], one["qualname"]) == ("src/words/text.py", "words.text.squeeze")
    assert one["tests"] == [
        "assert candidate('a  b') == 'a b'",
        "assert candidate('a \\t b', mark='-') == 'a-b'",
    ]
    assert (one["n_tests"], one["verify_runs"], one["dropped"]) == (2, 3, None)
    assert one["prompt"] == (
        'import re\n\n_SPACE = re.compile(r"\\s+")\n\ndef squeeze(text, *, mark=" "):\n'
        '    """Put one mark in the place of every run of white space."""\n'
    )
    assert one["canonical_solution"] == "    return _SPACE.sub(mark, text)\n"


def test_problems_pass_their_own_check_in_humanevals_layout(found):
    for row in found.problems.to_pylist():
        whole = humaneval_row(row)
        space = {}
        exec(whole["prompt"] + whole["canonical_solution"] + "\n" + whole["test"], space)
        space["check"](space[whole["entry_point"]])


def test_a_second_run_gives_the_same_tables(found, tree, sandbox):
    again = traced(tree, sandbox, project=Project("me/words", "c0ffee"))
    assert again.problems == found.problems
    assert again.functions == found.functions
    assert again.summary == found.summary


def test_nothing_of_the_tree_is_written(found, tree):
    assert sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()) == sorted(
        TREE
    )


def test_what_a_recipe_asks_is_asked(tmp_path):
    from tests.instruct.tracing.test_replay import Inside

    text = "def one(x):\n    return 1\n\ndef same(x):\n    'Doc.'\n    return 1\n\n"
    text += "def good(x):\n    'Long words.'\n    return x\n"
    write(tmp_path, {"a.py": text})
    lines = {"one": 1, "same": 4, "good": 8}
    noted = {"one": [1], "same": [1, 2], "good": [1, 2, 3]}
    value = {"one": lambda x: 1, "same": lambda x: 1, "good": lambda x: x}
    found = [
        Traced(
            "a.py", name, lines[name], "", tuple(Noted((("x", str(x)),), str(value[name](x))) for x in given)
        )
        for name, given in noted.items()
    ]

    def lost(**asked):
        functions, problems = make_problems(
            found, Modules(tmp_path), Inside(), ProblemConfig(**asked), Project("a")
        )
        assert problems.num_rows == functions["lost"].null_count
        return {row["qualname"]: row["reason"] for row in functions.to_pylist()}

    assert lost() == {"one": "no_docstring", "same": None, "good": None}
    assert lost(min_docstring=0) == {"one": None, "same": None, "good": None}
    assert lost(min_docstring=5) == {"one": "no_docstring", "same": "min_docstring", "good": None}
    assert lost(min_tests=2) == {"one": "min_tests", "same": None, "good": None}
    assert lost(min_tests=4) == dict.fromkeys(noted, "min_tests")
    assert lost(min_outputs=2) == {"one": "min_outputs", "same": "min_outputs", "good": None}
    assert lost(max_chars=20) == dict.fromkeys(["same", "good"], "too_long") | {"one": "too_long"}
    problems = make_problems(found, Modules(tmp_path), Inside(), ProblemConfig(max_tests=2), Project("a"))[1]
    assert problems["n_tests"].to_pylist() == [2, 2]


def test_rows_do_not_depend_on_the_order_of_a_trace(tmp_path):
    from tests.instruct.tracing.test_replay import Inside

    text = "".join(f"def f{n}(x):\n    'Doc.'\n    return x + {n}\n" for n in range(5))
    write(tmp_path, {"a.py": text})
    found = [Traced("a.py", f"f{n}", 3 * n + 1, "", (Noted((("x", "1"),), str(1 + n)),)) for n in range(5)]
    made = [
        make_problems(one, Modules(tmp_path), Inside(), ProblemConfig(), Project("a"))
        for one in (found, found[::-1])
    ]
    assert made[0] == made[1]
    assert len(set(made[0][1]["task_id"].to_pylist())) == 5


def test_a_forged_trace_has_one_row_at_most_that_counts_for_a_function(tmp_path):
    from tests.instruct.tracing.test_replay import Inside

    write(tmp_path, {"a.py": "@property\n@staticmethod\ndef f(x):\n    'Doc.'\n    return x\n"})
    found = [Traced("a.py", "f", line, "", (Noted((("x", "1"),), "2"),)) for line in (0, 1, 2, 3, 400)]
    inside = Inside(lambda one: (Returned(2, "", "", False),))
    functions, problems = make_problems(found, Modules(tmp_path), inside, ProblemConfig(), Project("a"))
    assert functions["reason"].to_pylist() == ["source", None, "source", "source", "source"]
    assert problems.num_rows == 1


def test_a_project_of_github_actions_with_unittest_on_every_interpreter(tmp_path, sandbox):
    from tests.instruct.tracing.test_tracer import PYTHONS

    files = {
        ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: python -m unittest discover -s tests\n",
        "words.py": "def add(a, b=1):\n    'Sum.'\n    return a + b\n",
        "tests/test_w.py": "import unittest, words\nclass T(unittest.TestCase):\n"
        "    def test(self):\n        self.assertEqual(words.add(1), 2)\n        words.add(1, b=3)\n",
    }
    write(tmp_path, files)
    seen = []
    for version in sorted(set(PYTHONS) - {"3.9", "3.10"}):
        made = traced(tmp_path, sandbox, python=PYTHONS[version])
        assert made.runs[0].outcome == "Ran 1 test", version
        seen.append(made.problems.drop_columns(["repo"]))
    assert all(one == seen[0] for one in seen)
    assert seen[0]["tests"].to_pylist() == [["assert candidate(1) == 2", "assert candidate(1, 3) == 4"]]


THREADS = """\
import threading, unittest, words
class T(unittest.TestCase):
    def test_crowd(self):
        start = threading.Barrier(106)
        def work(at):
            start.wait()
            words.add(at % 5)
        crowd = [threading.Thread(target=work, args=(at,)) for at in range(105)]
        for one in crowd: one.start()
        start.wait()
        for one in crowd: one.join()
    def test_that_fails(self):
        self.assertEqual(words.add(1), 5)
"""


def test_a_crowd_of_threads_starts_and_failures_are_told(tmp_path, sandbox):
    write(tmp_path, {
        ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: python -m unittest discover -s tests\n",
        "words.py": "def add(a, b=1):\n    'Sum.'\n    return a + b\n", "tests/test_w.py": THREADS,
    })  # fmt: skip
    made = traced(tmp_path, sandbox)
    assert made.runs[0].outcome == "Ran 2 tests FAILED (failures=1)"
    assert len(made.problems["tests"].to_pylist()[0]) == 5


FORGED = (
    '{"kind":"function","id":900,"file":"mod.py","name":"f","line":1,"why":""}\\n'
    '{"kind":"call","id":900,"args":"{\\\\"x\\\\":\\\\"1\\\\"}","value":"\\\'owned\\\'"}\\n'
    '{"kind":"call","id":900,"args":"{\\\\"x\\\\":\\\\"__import__(1)\\\\"}","value":"1"}\\n'
    '{"kind":"function","id":901,"file":"../../etc/passwd","name":"root","line":1,"why":""}\\n'
    '{"kind":"call","id":901,"args":"{}","value":"1"}\\nrubbish\\n'
)
HOSTILE = {
    "floods": "import sys\nfor _ in range(3000): sys.stdout.write('x' * 100_000)\n",
    "never ends": "while True: pass\n",
    "forks": "import os\ntry:\n    while True: os.fork()\nexcept OSError: pass\n",
    "forges": f"import glob\nfor name in glob.glob('.thresher*'):\n    open(name, 'a').write('''{FORGED}''')\n",
    "fills": "import glob\nfor name in glob.glob('.thresher*'):\n    open(name, 'wb').write(b'x' * 10**7)\n",
    "links": "import glob, os\nfor name in glob.glob('.thresher*'):\n"
    "    os.unlink(name); os.symlink('/etc/passwd', name)\n",
    "removes": "import glob, os\nfor name in glob.glob('.thresher*'): os.unlink(name)\n",
    "stops the tracer": "import sys\nsys.setprofile(None)\nif hasattr(sys, 'monitoring'):\n"
    "    [sys.monitoring.free_tool_id(n) for n in range(6)]\n",
    "exits": "import os\nos._exit(0)\n",
    "writes outside": "for name in ('/etc/x', '/extra/x', '/extra/thresher/tracer.py', '/packages/0/x'):\n"
    "    try:\n        open(name, 'w').write('x')\n    except OSError: pass\n",
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_hostile_projects_do_no_harm_and_claim_nothing(tmp_path, sandbox, kind):
    files = {
        "mod.py": "def f(x):\n    'Doc.'\n    return x + 1\n",
        "tox.ini": "[testenv]\ncommands = python -m unittest tests.test_m\n",
        "tests/__init__.py": "",
        "tests/test_m.py": f"import mod\nmod.f(1)\n{HOSTILE[kind]}",
    }
    config = TraceConfig(wall_s=1.5, memory_mb=512, disk_mb=24, trace_mb=1, processes=16, replay_s=1.0)
    made = traced(write(tmp_path, files), sandbox, config)
    assert len(made.runs) == 1 or made.problem
    tests = made.problems["tests"].to_pylist()
    assert tests in ([], [["assert candidate(1) == 2"]])
    if kind in ("never ends", "exits", "writes outside"):
        assert tests == [["assert candidate(1) == 2"]]
    if kind == "forges":
        lost = rows(made.functions)
        assert lost["root"]["lost"] == "plain"
        assert made.spoiled >= 2
    assert not Path("/etc/x").exists()


@pytest.mark.parametrize(
    "files", [{}, {"a.py": "x = 1\n"}, {"tox.ini": "[testenv]\ncommands = make\n", "a.py": ""}]
)
def test_a_project_without_tests_is_an_empty_result(tmp_path, files):
    class Nobody:
        def call(self, calls):
            assert list(calls) == []
            return iter(())

    made = trace_project(write(tmp_path, files), CONFIG, sandbox=Nobody())
    assert made.problem == "no test command is understood"
    assert made.functions.num_rows == made.problems.num_rows == 0
    assert pa.Table.from_pylist([], FUNCTION) == made.functions


def test_inputs_that_tests_draw_anew_each_time_are_not_kept(tmp_path, sandbox):
    files = {
        "mod.py": "def f(x):\n    'Doc.'\n    return x\n",
        "tox.ini": "[testenv]\ncommands = python -m unittest tests.test_m\n",
        "tests/__init__.py": "",
        "tests/test_m.py": "import mod, os, time\nmod.f(os.urandom(8))\nmod.f(time.time_ns())\nmod.f(7)\n",
    }
    made = traced(write(tmp_path, files), sandbox)
    assert made.problems["tests"].to_pylist() == [["assert candidate(7) == 7"]]
    assert made.functions["recorded"].to_pylist() == [1]


def test_a_folder_that_is_not_there_is_the_users_mistake(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        trace_project(tmp_path / "no", CONFIG)


def test_an_interpreter_that_does_not_start_is_said_so(tmp_path):
    with pytest.raises(EnvironmentProblem, match="not a Python interpreter"):
        wheels.site_of(tmp_path / "python")


def test_our_pytest_takes_the_place_of_none(tmp_path):
    assert wheels.own_pytest(tmp_path / "own", [*wheels.site_of(Path(sys.executable))]) == ()
    assert wheels.own_pytest(tmp_path / "own", []) == (tmp_path / "own",)
    assert (tmp_path / "own/_pytest").is_dir()


def test_wheels_are_unpacked_and_nothing_leaves_the_folder(tmp_path, monkeypatch):
    asked = []

    class Done:
        returncode = 0
        stdout = "3.12\n"

    def run(command, **options):
        asked.append(command)
        if "--dest" not in command:
            return Done()
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "a-1-py3-none-any.whl", "w") as wheel:
            for name in ("a/__init__.py", "../out.py", "/tmp/out.py", "a-1.dist-info/METADATA"):
                wheel.writestr(name, "x = 1")
        done = Done()
        done.returncode = int(command[-1].startswith("gone"))
        return done

    monkeypatch.setattr(wheels.subprocess, "run", run)
    wanted = [
        Requirement("a", "a[x]>=1,<2 --install-option=x ; marker", "f", 1),
        Requirement("gone", "gone", "f", 2),
    ]
    assert wheels.fetch_wheels(wanted, Path("python"), tmp_path) == ("gone",)
    downloads = [command for command in asked if "--dest" in command]
    assert [command[-1] for command in downloads] == ["a[x]>=1,<2", "gone"]
    assert all(
        "--only-binary" in one and one[one.index("--python-version") + 1] == "3.12" for one in downloads
    )
    files = sorted(
        path.relative_to(tmp_path / "site").as_posix()
        for path in (tmp_path / "site").rglob("*")
        if path.is_file()
    )
    assert files == ["a-1.dist-info/METADATA", "a/__init__.py"]
    assert not (tmp_path / "out.py").exists()
    assert wheels.installed([tmp_path / "site"]) == ("a",)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"PKG-INFO": "Metadata-Version: 2.1\nName: my-words\nVersion: 3\n\nText"}, "my_words-3.dist-info"),
        ({"setup.cfg": "[metadata]\nname = words\nversion = attr: words.v\n"}, "words-0.dist-info"),
        ({"pyproject.toml": '[project]\nname = "words"\ndynamic = ["version"]'}, "words-0.dist-info"),
        ({"pyproject.toml": '[project]\nname = "../../x"'}, None),
        ({"pyproject.toml": "[project]\nname = 3", "setup.cfg": "["}, None),
        ({}, None),
    ],
)
def test_a_project_is_told_its_own_version(tmp_path, files, name):
    found = distribution_files(write(tmp_path, files))
    assert [path.partition("/")[0] for path in found] == ([] if name is None else [name])
