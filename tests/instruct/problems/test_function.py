"""Functions and methods of contest solutions in HumanEval's layout: they still do what they did."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.problems.function import function_parts, method_parts


def ran(parts):
    space = {"__name__": "candidate"}
    exec("".join(parts), space)
    return space


@pytest.mark.parametrize("indent", ["  ", "    ", "\t"])
def test_function_parts_run_whatever_the_indent(indent):
    code = (
        f"def f(x):\n{indent}'''old'''\n{indent}if x:\n{indent}{indent}return [1,\n  2]\n{indent}return 0\n"
    )
    function = ran(function_parts(code, "f", "New."))["f"]
    assert (function(1), function(0)) == ([1, 2], 0)
    assert function.__doc__.strip() == "New."


def test_a_body_keeps_its_comments_and_blank_lines():
    code = 'def f(x):\n    """Old."""\n    # first\n    y = x  # same\n\n    return y\n'
    _, body = function_parts(code, "f", "New.")
    assert body == "    # first\n    y = x  # same\n\n    return y\n"


@pytest.mark.parametrize("indent", ["    ", "  "])
def test_the_decorator_of_a_body_s_first_function_stays(indent):
    code = (
        f"from functools import lru_cache\ndef f(x):\n{indent}@lru_cache(None)\n{indent}def g(y):\n"
        f"{indent * 2}return y\n{indent}return g(x), g.cache_info().misses\n"
    )
    assert ran(function_parts(code, "f", "New."))["f"](3) == (3, 1)


def test_helpers_keep_decorators_and_comments():
    code = (
        "import functools\n@functools.cache\ndef helper(x):\n    # why\n    return [x]\ndef f(x):\n"
        "    return helper(x) is helper(x)\n"
    )
    parts = function_parts(code, "f", "New.")
    assert "    # why\n" in parts[1]
    assert ran(parts)["f"](1) is True


def test_other_line_ends_do_not_shift_lines():
    code = "def g():\r    return 1\rdef f(x):\r    y = g()\r    return x + y\r"
    assert ran(function_parts(code, "f", "New."))["f"](1) == 2
    assert ran(function_parts(code.replace("\r", "\r\n"), "f", "New."))["f"](1) == 2


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("def f(x): return x + 1", 2),
        ("def f(x): 'old'; return x + 1", 2),
        ("def f(x):\n    'old'; y = x\n    return y", 1),
        ("def f(x):\n    'old'", None),
        ("def f(x):\n    pass", None),
        ("def f(x, *, y=[1]):\n    z = y; return z", [1]),
        ("def f(x: 'int') -> 'int':\n    \"\"\"é\"\"\"\n    return 'ü' and x", 1),
    ],
)
def test_bodies_of_all_forms(code, value):
    assert ran(function_parts(code, "f", "New."))["f"](1) == value


@pytest.mark.parametrize(
    "code",
    [
        "@print\ndef f(x):\n    return x",
        "async def f(x):\n    return x",
        "def f(x):\n    return x\ndef f(x):\n    return 2",
        "def g(x):\n    return x",
        "def f(x):\n    return x\nf(1)",
        "if True:\n    def f(x):\n        return x",
        "",
    ],
)
def test_what_is_not_taken(code):
    assert function_parts(code, "f", "New.") is None


@given(st.text(max_size=40), st.sampled_from(["    ", "  "]))
def test_any_statement_compiles_before_any_body(statement, indent):
    text = statement.encode("utf-8", "replace").decode()
    prompt, body = function_parts(f"def f(x):\n{indent}return x\n", "f", text)
    assert ran((prompt, body))["f"](statement) == statement
    assert isinstance(ast.parse(prompt).body[-1], ast.FunctionDef)


def test_imports_that_apps_gives_are_written_out_where_they_are_needed():
    code = "def f(x: List[int]):\n    heapq.heapify(x)\n    return Counter(x), gcd(4, 6), heappop(x)\n"
    prompt, _ = parts = function_parts(code, "f", "New.")
    assert prompt.split("\n\n\n")[0].split("\n") == [
        "from collections import Counter", "from heapq import heappop", "from math import gcd",
        "from typing import List", "import heapq",
    ]  # fmt: skip
    assert ran(parts)["f"]([2, 1]) == ({1: 1, 2: 1}, 2, 1)


@pytest.mark.parametrize(
    "code",
    [
        "def f(gcd):\n    return gcd",
        "def f(x):\n    gcd = x\n    return gcd",
        "from math import gcd\ndef f(x):\n    return gcd(x, 2)",
        "import math as gcd\ndef f(x):\n    return gcd",
        "def gcd(x):\n    return x\ndef f(x):\n    return gcd(x)",
        "class gcd:\n    pass\ndef f(x):\n    return gcd",
        "def f(x):\n    return 'gcd'",
    ],
)
def test_names_that_a_program_binds_are_not_imported_for_it(code):
    prompt, _ = function_parts(code, "f", "New.")
    assert prompt.count("import") == code.count("import")


def test_imports_of_the_future_stay_first():
    code = "from __future__ import annotations\ndef f(x: List[Missing]):\n    return x\n"
    prompt, _ = parts = function_parts(code, "f", "New.")
    assert prompt.startswith("from __future__ import annotations\nfrom typing import List\n")
    assert ran(parts)["f"](1) == 1


@pytest.mark.parametrize(
    ("signature", "front", "call"),
    [
        ("self, x", "x", "x"),
        ("self", "", ""),
        ("this, x=1, y=2", "x=1, y=2", "x, y"),
        ("self, x, /, y=2", "x, /, y=2", "x, y"),
        ("self, /, x", "x", "x"),
        ("self, *args, k=1, **more", "*args, k=1, **more", "*args, k=k, **more"),
        ("self, *, k", "*, k", "k=k"),
        ("self=None, x=2", "x=2", "x"),
    ],
)
def test_signatures_of_methods(signature, front, call):
    code = f"class Solution:\n    def f({signature}):\n        return 1\n"
    prompt, body = method_parts(code, "f", "New.")
    assert prompt.startswith(f"def f({front}):\n")
    assert body.startswith(f"    return Solution().f({call})\n")
    compile(prompt + body, "made", "exec")


@pytest.mark.parametrize(
    ("decorator", "signature"), [("@staticmethod", "x"), ("@classmethod", "cls, x"), ("", "self, x")]
)
def test_every_kind_of_method_is_called(decorator, signature):
    code = f"class Solution:\n    {decorator}\n    def f({signature}):\n        return x * 2\n"
    assert ran(method_parts(code, "f", "New."))["f"]("ab") == "abab"


def test_every_call_has_an_object_of_its_own():
    code = (
        "class Solution:\n    def __init__(self):\n        self.seen = []\n"
        "    def f(self, x):\n        self.seen.append(x)\n        return self.seen\n"
    )
    function = ran(method_parts(code, "f", "New."))["f"]
    assert [function(1), function(2)] == [[1], [2]]


def test_a_method_beside_helpers_and_other_classes():
    code = (
        "import math\nclass Node:\n    value = 3\ndef helper(x):\n    return x + Node.value\n"
        "class Solution:\n    def g(self, x):\n        return helper(x)\n    def f(self, x):\n"
        "        return math.floor(self.g(x))\n"
    )
    parts = method_parts(code, "f", "New.")
    assert parts[0].startswith("import math\n\n\ndef f(x):\n")
    assert ran(parts)["f"](1.5) == 4


@pytest.mark.parametrize(
    "code",
    [
        "class Solution:\n    def g(self, x):\n        return x",
        "class Other:\n    def f(self, x):\n        return x",
        "class Solution:\n    def f(self):\n        return 1\nclass Solution:\n    def f(self):\n        return 2",
        "class Solution:\n    def f(self):\n        return 1\n    def f(self, x):\n        return 2",
        "class Solution:\n    def f():\n        return 1",
        "class Solution:\n    @property\n    def f(self):\n        return 1",
        "class Solution:\n    @a.b\n    def f(self):\n        return 1",
        "class Solution:\n    async def f(self):\n        return 1",
        "class Solution:\n    f = print",
        "class Solution:\n    def f(self):\n        return 1\nclass f:\n    pass",
        "class Solution:\n    def f(self):\n        return 1\nasync def f():\n    pass",
        "class Solution:\n    def f(self):\n        return 1\nprint(Solution().f())",
        "if True:\n    class Solution:\n        def f(self):\n            return 1",
        "class Solution:\n    def f(self",
    ],
)
def test_methods_that_are_not_taken(code):
    assert method_parts(code, "f", "New.") is None


def test_a_method_with_the_name_of_its_class():
    assert (
        method_parts("class Solution:\n    def Solution(self):\n        return 1", "Solution", "New.") is None
    )
