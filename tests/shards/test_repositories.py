"""Repositories: what files import, which files that is, and the order that follows."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.repositories import RepositoryConfig, import_order, imports_of, resolve, tree_order
from shards.repositories.imports import MOST

PYTHON = """
import os, sys as system
import a.b.c
from . import d
from ..e import (
    f,
    g as h,
)
from i import j, k  # l
"""
SCRIPT = """
import x from './a'; import '../b.js'
export { y } from "./c/d"
const z = require('./e'), w = await import('./f'), v = require('fs')
"""
GO = """
package main
import "fmt"
import (
\t"example.com/u/r/util"
\tm "example.com/u/r/m"
)
"""
C = '#include <stdio.h>\n#  include "x.h"\n// #include in words\n'
JAVA = "package p;\nimport a.b.C;\nimport static a.b.D.e;\nimport x.y.*;\n"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", PYTHON, {"os", "sys", "a.b.c", ".", ".d", "..e", "..e.f", "..e.g", "i", "i.j", "i.k"}),
        ("javascript", SCRIPT, {"./a", "../b.js", "./c/d", "./e", "./f"}),
        ("typescript", SCRIPT, {"./a", "../b.js", "./c/d", "./e", "./f"}),
        ("go", GO, {"fmt", "example.com/u/r/util", "example.com/u/r/m"}),
        ("java", JAVA, {"a.b.C", "a.b.D.e", "x.y.*"}),
        ("c", C, {"stdio.h", "x.h"}), ("c++", C, {"stdio.h", "x.h"}),
        ("rust", "use a;", set()), (None, "import a", set()),
    ],
)  # fmt: skip
def test_imports_are_read(language, text, expected):
    assert imports_of(language, text) == sorted(expected)


def test_no_file_has_endless_imports():
    assert len(imports_of("python", "".join(f"import m{n}\n" for n in range(3 * MOST)))) == MOST
    assert len(imports_of("python", "from a import (" * 50_000)) <= MOST
    assert len(imports_of("go", "import (\n" * 50_000)) <= MOST


@given(st.sampled_from(["python", "javascript", "go", "java", "c"]), st.text())
def test_any_text_is_read(language, text):
    found = imports_of(language, text)
    assert resolve(["a/b", "c"], [language] * 2, [found, found]) is not None


FILES = [
    "pkg/__init__.py", "pkg/a.py", "pkg/sub/b.py", "src/pkg/c.py",
    "web/a.ts", "web/lib/index.js", "web/b.tsx",
    "main/java/p/C.java", "main/java/p/D.java",
    "util/u.go", "util/u_test.go", "cmd/main.go",
    "inc/x.h", "lib/x.h", "lib/y.c",
]  # fmt: skip
LANGUAGES = ["python"] * 4 + ["typescript"] * 3 + ["java"] * 2 + ["go"] * 3 + ["c"] * 3


@pytest.mark.parametrize(
    ("file", "name", "meant"),
    [
        ("pkg/sub/b.py", "pkg.a", ["pkg/a.py"]), ("pkg/sub/b.py", "..a", ["pkg/a.py"]),
        ("pkg/a.py", ".", ["pkg/__init__.py"]), ("pkg/a.py", "pkg.c", ["src/pkg/c.py"]), ("pkg/a.py", "os", []),
        ("pkg/a.py", "pkg", ["pkg/__init__.py"]), ("pkg/a.py", "...far.away", []),
        ("web/a.ts", "./lib", ["web/lib/index.js"]), ("web/a.ts", "./b.js", ["web/b.tsx"]),
        ("web/lib/index.js", "../a", ["web/a.ts"]), ("web/a.ts", "./none", []),
        ("main/java/p/C.java", "p.D", ["main/java/p/D.java"]),
        ("main/java/p/C.java", "p.D.run", ["main/java/p/D.java"]),
        ("main/java/p/C.java", "p.*", ["main/java/p/D.java"]), ("main/java/p/C.java", "java.util.List", []),
        ("cmd/main.go", "example.com/u/r/util", ["util/u.go"]), ("cmd/main.go", "fmt", []),
        ("lib/y.c", "x.h", ["lib/x.h"]), ("lib/y.c", "inc/x.h", ["inc/x.h"]), ("lib/y.c", "stdio.h", []),
    ],
)  # fmt: skip
def test_imports_mean_files_of_the_repository(file, name, meant):
    imports = [[name] if path == file else [] for path in FILES]
    found = resolve(FILES, LANGUAGES, imports)
    assert [FILES[at] for at in found[FILES.index(file)]] == meant


GRAPHS = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, n - 1), max_size=4), min_size=n, max_size=n)
)


def slow_order(paths: list[str], imports: list[list[int]]) -> list[int]:
    """The definition: again and again the file that waits for the fewest, then the first by path."""
    left, placed = list(range(len(paths))), []
    while left:
        best = min(left, key=lambda at: (len({*imports[at]} & {*left}), paths[at], at))
        left.remove(best)
        placed.append(best)
    return placed


@given(GRAPHS)
def test_order_is_that_of_the_definition(imports):
    paths = [f"f{number:02d}" for number in range(len(imports))]
    imports = [[one for one in found if one != at] for at, found in enumerate(imports)]
    assert import_order(paths, imports) == slow_order(paths, imports)


@given(GRAPHS)
def test_without_circles_every_import_comes_first(imports):
    imports = [[one for one in found if one < at] for at, found in enumerate(imports)]
    names = [f"f{number}" for number in range(len(imports))]
    random.Random(len(imports)).shuffle(names)
    place = {at: number for number, at in enumerate(import_order(names, imports))}
    assert all(place[one] < place[at] for at, found in enumerate(imports) for one in found)
    assert len(place) == len(imports)


def test_a_tree_is_read_folder_by_folder():
    paths = ["b.py", "a/z.py", "a/b/c.py", "a.py", "a/a.py"]
    assert [paths[at] for at in tree_order(paths)] == ["a.py", "b.py", "a/a.py", "a/z.py", "a/b/c.py"]


def test_the_switch_is_off_and_orders_have_names():
    assert not RepositoryConfig().join
    assert RepositoryConfig(token="<file_sep>").special_tokens() == ()
    with pytest.raises(ValueError, match="order: expected imports or tree"):
        RepositoryConfig(order="random")
