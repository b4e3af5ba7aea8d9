"""Functions taken out of their modules: what comes along, in which order, and what cannot be taken out."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.tracing.modules import Module, Modules, own_packages
from instruct.tracing.standalone import REASONS, standalone


def taken(folder, files, name="f", path="pkg/a.py", **options):
    for file, text in files.items():
        place = folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return standalone(Modules(folder), path, name, **options)


def run(code, name, *args):
    space = {"__name__": "problem"}
    exec(compile(code, "<made>", "exec", dont_inherit=True), space)
    return space[name](*args)


MODULE = '''"""A module."""
import os
import re as regex
from math import floor, pi

LIMIT = 3
UNUSED = os.getcwd()
TABLE = {"a": LIMIT}

class Error(ValueError):
    """Its own."""

def helper(x):
    if x is None:
        raise Error("none")
    return floor(x * pi) + LIMIT

@staticmethod
def other(x):
    return x

def f(x, y=TABLE["a"]):
    """Say something.

    >>> f(1)
    9
    """
    # a comment that stays
    return helper(x) + y if regex.match("a", "a") else f(x)
'''


def test_a_function_brings_what_it_needs_and_no_more(tmp_path):
    made = taken(tmp_path, {"pkg/a.py": MODULE})
    assert made.reason == ""
    assert run(made.code, "f", 1) == 9
    assert "# a comment that stays" in made.body
    assert made.docstring.startswith("Say something.")
    assert made.prompt.endswith('    """\n')
    for absent in ("UNUSED", "import os", "other", "floor, pi"):
        assert absent not in made.code
    assert made.prompt.startswith(
        "import re as regex\nfrom math import floor\nfrom math import pi\n\nLIMIT = 3"
    )


def test_names_of_the_projects_own_modules_are_followed(tmp_path):
    files = {
        "pkg/a.py": "from .low.deep import twice\nfrom pkg.b import START\n\ndef f(x):\n"
        "    'Doc.'\n    return twice(x) + START\n",
        "pkg/b.py": "from pkg.low.deep import twice\nSTART = twice(4)\n",
        "pkg/low/__init__.py": "",
        "pkg/low/deep.py": "import operator\n\ndef twice(x):\n    return operator.mul(x, 2)\n",
    }
    made = taken(tmp_path, files)
    assert made.reason == ""
    assert run(made.code, "f", 1) == 10
    assert made.code.count("def twice") == 1


def test_a_module_that_is_used_comes_before_those_that_use_it(tmp_path):
    files = {
        "pkg/a.py": "from pkg.c import base\nfrom pkg.b import START\n\ndef f(x):\n    return base(x) + START\n",
        "pkg/b.py": "from pkg.c import base\nSTART = base(4)\n",
        "pkg/c.py": "from pkg.d import K\ndef base(x):\n    return x + K\n",
        "pkg/d.py": "K = 5\n",
    }
    assert run(taken(tmp_path, files).code, "f", 1) == 15


def test_locals_that_share_a_name_with_the_module_bring_nothing(tmp_path):
    text = "import requests\ndata = requests.get\n\ndef f(x):\n    data = [x for requests in [1]]\n    return data\n"
    assert taken(tmp_path, {"pkg/a.py": text}).reason == ""


def test_annotations_count_unless_they_are_postponed(tmp_path):
    text = "from numpy import ndarray\n\ndef f(x: ndarray) -> ndarray:\n    return x\n"
    assert taken(tmp_path, {"pkg/a.py": text}).reason == "imports_beyond_stdlib"
    made = taken(tmp_path, {"pkg/b.py": "from __future__ import annotations\n" + text}, path="pkg/b.py")
    assert made.reason == ""
    assert run(made.code, "f", 1) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import numpy\ndef f(x):\n    return numpy.array(x)", "imports_beyond_stdlib"),
        ("def f(x):\n    import numpy\n    return x", "imports_beyond_stdlib"),
        ("try:\n    import numpy\nexcept ImportError:\n    numpy = 1\ndef f(x):\n    return numpy",
         "imports_beyond_stdlib"),
        ("import pkg.b\ndef f(x):\n    return pkg.b.g(x)", "imports_project"),
        ("from . import b\ndef f(x):\n    return b.g(x)", "imports_project"),
        ("from .b import g as h\ndef f(x):\n    return h(x)", "imports_project"),
        ("from .b import missing\ndef f(x):\n    return missing(x)", "imports_project"),
        ("from ....b import g\ndef f(x):\n    return g(x)", "imports_project"),
        ("def f(x):\n    from .b import g\n    return g(x)", "imports_project"),
        ("def f(x):\n    return missing(x)", "unresolved"),
        ("from os import *\ndef f(x):\n    return getcwd()", "star_import"),
        ("N = 0\ndef f(x):\n    global N\n    N += x\n    return N", "global_state"),
        ("def f(x):\n    return __file__", "module_state"),
        ("def f(x):\n    return 1\nf = len", "redefined"),
        ("def f(x):\n    return 1\ndef f(x):\n    return 2", "redefined"),
        ("if 1:\n    def f(x):\n        return 1", "source"),
        ("f = lambda x: x", "source"),
        ("async def f(x):\n    return 1", "source"),
        ("def g(x):\n    return 1", "source"),
        ("def f(x:\n", "source"),
        ("def f(x):\n    '''Only words.'''", "empty"),
        ("def f(x):\n    return '" + "a" * 9000 + "'", "too_long"),
        ("from .b import g\nfrom .c import h\ndef f(x):\n    return g(x) + h(x)", "name_conflict"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_out_says_why(tmp_path, text, reason):
    files = {
        "pkg/a.py": text,
        "pkg/b.py": "X = 1\ndef g(x):\n    return X",
        "pkg/c.py": "X = 2\ndef h(x):\n    return X",
    }
    made = taken(tmp_path, files)
    assert made.reason == reason
    assert reason in REASONS
    assert made.code == ""


@pytest.mark.parametrize(
    "text",
    [
        "def f(x): return x + 1\n",
        "def f(x): 'Doc.'; return x + 1\n",
        "def f(x):\n    'Doc.'; y = 1; return x + y\n",
        "a = 1; b = 2\ndef f(x): return x + a\n",
        "def f(\n    x,\n):\n    '''Doc.'''\n\n    return x + 1",
        "def f(x):\r\n    '''Doc.'''\r\n    return x + 1\r\n",
        "\ufeffdef f(x):\n\t'''Doc.'''\n\treturn x + 1\n",
        "import functools\n@functools.lru_cache\ndef f(x):\n"
        "    @functools.cache\n    def g(): return 1\n    return x + g()\n",
        "def f(x):\n    '''Form\x0cfeed\u2028.'''\n    return x + 1\n",
    ],
)
def test_every_layout_of_a_function_is_cut_in_two(tmp_path, text):
    made = taken(tmp_path, {"pkg/a.py": text})
    assert made.reason == ""
    assert run(made.code, "f", 1) == 2
    assert made.body.startswith(("    ", "\t", "\n"))
    assert ast.parse(made.prompt + "    pass\n" if "\t" not in made.body else made.prompt + "\tpass\n")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_content_raises(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.py").write_bytes(data)
    assert standalone(Modules(folder), "a.py", "f").reason in REASONS


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "[" * 100_000, "-" * 200_000 + "1", "f(" * 3000, "a." * 50_000 + "b", "\0"],
    ids=lambda text: text[0],
)
def test_sources_that_break_parsers_are_one_reason(tmp_path, text):
    (tmp_path / "a.py").write_text(text)
    code = "import sys, pathlib; from instruct.tracing.modules import Modules\n"
    code += "from instruct.tracing.standalone import standalone\n"
    code += "print(standalone(Modules(pathlib.Path(sys.argv[1])), 'a.py', 'f').reason)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "source"


def test_files_outside_the_project_are_not_read(tmp_path):
    (tmp_path / "out.py").write_text("def f(x):\n    return x\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.py").symlink_to(tmp_path / "out.py")
    for path in ("a.py", "../out.py", "missing.py", "/etc/passwd"):
        assert standalone(Modules(tree), path, "f").reason == "source"


def test_statements_bind_what_a_module_binds():
    text = "import a.b, c as d\nfrom e import g as h\nfor i in x:\n    j = 1\nwith k as l: pass\n"
    text += "class M:\n    n = 1\no: int = 1\nif 1:\n    def p(): q = 1\n"
    found = [sorted(one.binds) for one in Module("a.py", text).statements]
    assert found == [["a"], ["d"], ["h"], ["i", "j"], ["l"], ["M"], ["o"], ["p"]]


def test_own_packages_are_those_of_the_root_and_of_src(tmp_path):
    for file in ("pkg/__init__.py", "src/low/__init__.py", "src/one.py", "tests/__init__.py", "docs/__init__.py",
                 "setup.py", "single.py", "plain/a.py", "test_x.py"):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    (tmp_path / "linked").symlink_to(tmp_path / "pkg")
    assert own_packages(tmp_path) == ("pkg/", "single.py", "src/low/", "src/one.py")
