"""Facts of the syntax tree: golden files per language, hostile texts, the batch law, and slow twins."""

from __future__ import annotations

import ast
import io
import random
import re
import tokenize
import warnings

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import syntax
from columns.fingerprint import fingerprint
from columns.testing import assert_batch_law, documents
from syntax import LANGUAGES, SYNTAX, SyntaxConfig, measure_syntax, syntax_identity
from syntax.languages import GRAMMARS, grammar_index
from syntax.queries import QUERIES
from syntax.records import MEMORY, VALIDITY, VERDICTS, Record
from syntax.sandbox import Sandbox
from syntax.trees import Reader

TIGHT = SyntaxConfig(memory_bytes=1 << 30, seconds=20)
HASTY = SyntaxConfig(memory_bytes=1 << 30, seconds=1)


def batch_of(texts, languages, paths=None):
    batch = documents(texts, paths)
    at = batch.schema.get_field_index("language")
    return batch.set_column(at, batch.schema.field(at), pa.array(languages, pa.string()))


def facts(text, language, path="a.txt", config=TIGHT):
    return measure_syntax(batch_of([text], [language], [path]), config).to_pylist()[0]


PYTHON = '''#!/usr/bin/env python
"""Module text."""
import os
from sys import (
    argv,
    path,
)

class A:
    """Class text."""
    size = 1
    name: str = "import pass"

    def get(self):
        return self.size  # short

    async def run(self, a, b=2):
        """Text."""
        for i in range(a):
            pass
        return (
            a
        )
'''

JAVA = """package a;
import java.util.List;
import static a.B.*;
/* text
   return; */
public class A {
    private int size;
    private String name = "x";
    public A() { size = 1; }
    public int size() { return size; }
    void run() {
        int i;
        if (a) return;
        else if (b(c)) { return; }
    }
    int sum(int a, int b) { return a + b; }
}
"""

C = """#include <stdio.h>
#include "a.h"
// text
int size;
static int add(int a, int b);
int (*pointer)(int);
struct point { int x; int y; };
int main(int argc, char **argv) {
    int i = 0, j;
    char *name = "main(){";
    return 0;
}
static int add(int a, int b) {
    return a + b;
}
"""

CPP = """#include <string>
class A : public B {
public:
    A();
    ~A() {}
    int size() const { return size_; }
    bool operator==(const A& other) const;
private:
    int size_;
};
A::A() {}
auto main() -> int {
    bool ok;
    std::string text = "x";
    const int& r = 1;
    return true;
}
"""

CSHARP = """using System;
using System.Linq;
class A {
    int size;
    string name = "x";
    public A() {}
    public int Size() { return size + 1; }
    void Run() { int Local() { return 1; } var x = 1; bool b; }
}
"""

JAVASCRIPT = """#!/usr/bin/env node
import a from "a";
var size, name = "x", sum = 1 + 2, f = function () { return -1; };
let arrow = () => { return; };
module.exports.go = function () { return a(b); };
other.exports.go = function () {};
function* named() { return named; }
class A { run() { return "x"; } }
"""

GO = """package main
import "os"
import (
    "fmt"
    x "io"
)
type A struct { size int }
type B interface { Size() int }
type C int
var size int
var text = "x"
func main() {
    a := 1
    return
}
func (a *A) Size() int { return a.size + 1 }
"""

GOLDEN = [
    (
        "python",
        PYTHON,
        {
            "lines": 16,
            "functions": 2,
            "imports": 2,
            "returns": 2,
            "single": 1,
            "passes": 1,
            "plain": 2 + 2 + 1 + 2 + 2,
        },
    ),
    ("java", JAVA, {"lines": 15, "functions": 3, "imports": 2, "returns": 4, "plain": 3 + 2 + 1 + 3 + 2}),
    (
        "c",
        C,
        {"lines": 14, "functions": 3, "imports": 2, "returns": 2, "mains": 1, "plain": 3 + 2 + 1 + 1 + 3},
    ),
    (
        "c++",
        CPP,
        {"lines": 17, "functions": 6, "imports": 1, "returns": 2, "mains": 1, "plain": 6 + 1 + 1 + 2 + 2},
    ),
    ("c#", CSHARP, {"lines": 9, "functions": 3, "imports": 2, "returns": 2, "plain": 3 + 2 + 1 + 2 + 2}),
    (
        "javascript",
        JAVASCRIPT,
        {"lines": 7, "functions": 3, "imports": 1, "returns": 5, "plain": 3 + 1 + 1 + 4 + 2},
    ),
    ("go", GO, {"lines": 16, "functions": 2, "imports": 3, "returns": 2, "plain": 2 + 3 + 2 + 2 + 1}),
]


@pytest.mark.parametrize(("language", "text", "wanted"), GOLDEN, ids=[row[0] for row in GOLDEN])
def test_golden_files_of_the_opencoder_languages(language, text, wanted):
    found = facts(text, language)
    lines = wanted["lines"]
    assert (found["parse"], found["unparsed"], found["syntax_error_fraction"]) == ("ok", False, 0.0)
    assert found["functions"] == wanted["functions"]
    assert found["function_line_fraction"] == wanted["functions"] / lines
    assert found["import_line_fraction"] == wanted["imports"] / lines
    assert found["return_fraction"] == wanted["returns"] / lines
    assert found["no_logic_score"] == wanted["plain"] / lines
    assert found["no_variable"] is False
    assert found["main_functions"] == wanted.get("mains")
    one, passes = wanted.get("single"), wanted.get("passes")
    assert found["single_return_function_fraction"] == (None if one is None else one / lines)
    assert found["pass_line_fraction"] == (None if passes is None else passes / lines)
    assert found["python_valid"] == (True if language == "python" else None)


OTHERS = [
    (
        "typescript",
        "a.ts",
        "import a from 'a';\nconst f = (x: number): number => { return x; };\nclass A { m() {} }",
        2,
        1,
        1,
    ),
    ("typescript", "a.tsx", "const A = () => { return <div>{1}</div>; };", 1, 0, 1),
    ("rust", "a.rs", "use std::io;\n/// text\nfn main() { return; }\n", 1, 1, 1),
    ("ruby", "a.rb", "class A\n  def a; return 1; end\n  def self.b; end\nend\n", 2, None, 1),
    (
        "php",
        "a.php",
        "<?php\nuse A\\B;\nrequire 'x';\nfunction f() { return 1; }\nclass A { function g() {} }\n",
        2,
        2,
        1,
    ),
    ("shell", "a.sh", "# text\nf() { echo 1; }\n", 1, None, None),
    ("scala", "a.scala", "import a.b\nobject A { def f(x: Int): Int = { return x } }\n", 1, 1, 1),
    ("lua", "a.lua", "local function f(x)\n  return x\nend\n", 1, None, 1),
    ("kotlin", "a.kt", "import a.b\nfun f(x: Int): Int { return x }\n", 1, 1, 1),
    ("html", "a.html", "<p>x</p>\n<!-- y -->", None, None, None),
    ("css", "a.css", "a { b: c; }", None, None, None),
    ("json", "a.json", '{"a": [1, 2]}', None, None, None),
    ("yaml", "a.yml", "a:\n  - 1\n", None, None, None),
    ("toml", "a.toml", "a = 1\n", None, None, None),
]


@pytest.mark.parametrize(("language", "path", "text", "functions", "imports", "returns"), OTHERS)
def test_golden_files_of_the_other_languages(language, path, text, functions, imports, returns):
    found = facts(text, language, path)
    assert (found["parse"], found["syntax_error_fraction"], found["functions"]) == ("ok", 0.0, functions)
    assert (found["import_line_fraction"] is None) == (imports is None)
    assert (found["return_fraction"] is None) == (returns is None)
    if imports:
        assert found["import_line_fraction"] > 0
    if returns:
        assert found["return_fraction"] > 0
    assert found["no_logic_score"] is found["no_variable"] is found["python_valid"] is None


def test_every_language_has_a_grammar_a_query_and_a_golden_file():
    assert set(QUERIES) == set(LANGUAGES) == {row[0] for row in GOLDEN} | {row[0] for row in OTHERS}
    assert len(LANGUAGES) >= 14
    for grammar in GRAMMARS:
        Reader(grammar)


def test_tsx_is_read_by_its_own_grammar():
    text = "const a = <div>{1}</div>;"
    assert facts(text, "typescript", "a.tsx")["syntax_error_fraction"] == 0.0
    assert facts(text, "typescript", "a.ts")["syntax_error_fraction"] > 0.0


def test_no_grammar_is_not_unparsed():
    found = facts("x", "cobol")
    assert (found["parse"], found["unparsed"]) == ("none", False)
    assert all(value is None for name, value in found.items() if name not in ("parse", "unparsed"))
    assert facts("x = 1", None)["parse"] == "none"


def test_languages_can_be_chosen():
    config = SyntaxConfig(languages=("python",))
    assert facts("x = 1", "python", config=config)["parse"] == "ok"
    assert facts("int x;", "c", config=config)["parse"] == "none"


def test_null_content_gives_nulls_and_keeps_the_rows_aligned():
    rows = measure_syntax(batch_of(["x = 1", None, "def f(): pass"], ["python"] * 3), TIGHT).to_pylist()
    assert rows[1] == dict.fromkeys(SYNTAX.names)
    assert [row["functions"] for row in rows] == [0, None, 1]
    assert measure_syntax(documents([])).schema == SYNTAX


def test_empty_text_is_pinned():
    found = facts("", "python")
    assert found["parse"] == "ok"
    assert (found["no_variable"], found["python_valid"], found["functions"]) == (True, True, 0)
    assert {found[name] for name in SYNTAX.names if name.endswith(("_fraction", "_score"))} == {0.0}


def test_only_comments_have_no_lines():
    assert facts("# return\n\n  # import\n'''def f(): pass'''\n", "python")["no_logic_score"] == 0.0


@pytest.mark.parametrize(("text", "share"), [("x = 1\n", 0.0), ("x = (\n", 5 / 6), ("x = 1\n$$$$\n", 4 / 11)])
def test_error_share_is_in_bytes(text, share):
    assert facts(text, "python")["syntax_error_fraction"] == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "none"),
    [
        ("print(1)\n", True),
        ("self.x = 1\n", True),
        ("x = 1\n", False),
        ("x: int = 1\n", False),
        ("a, b = c\n", False),
        ("[a, b] = c\n", False),
        ("for i in x: print(i)\n", False),
        ("def f(): print(1)\n", True),
        ("def f(a): print(1)\n", False),
        ("def f(*, a=1): print(1)\n", False),
        ("if (n := 3): print(1)\n", False),
    ],
)
def test_what_binds_a_python_variable(text, none):
    assert facts(text, "python")["no_variable"] is none


@pytest.mark.parametrize(
    ("language", "text", "none"),
    [
        ("java", "class A { void f(int a) { g(); } }", True),
        ("java", "class A { void f() { var a = 1; } }", False),
        ("c#", "class A { void F(int a) { G(); } }", True),
        ("c#", "class A { void F() { var a = 1; } }", False),
        ("go", "package a\nfunc f(a int) { g() }", True),
        ("go", "package a\nfunc f() { a := 1 }", False),
        ("go", "package a\nconst a = 1", False),
        ("javascript", "function f(a) { g(); }", True),
        ("javascript", "const f = function () {};", False),
        ("javascript", "let a;", False),
    ],
)
def test_no_variable_works_where_upstream_never_fires(language, text, none):
    assert facts(text, language)["no_variable"] is none


# -- hostile texts

RANDOM = random.Random(0).randbytes(400_000).decode("latin-1")
NESTED = "(" * 100_000
HOSTILE = [
    ("random bytes", "python", RANDOM, "ok"),
    ("random bytes", "shell", RANDOM, "ok"),
    ("open brackets", "python", NESTED, "unparsed:timeout"),
    ("open brackets", "c", NESTED, "unparsed:timeout"),
    ("open brackets", "shell", NESTED, "unparsed:timeout"),
    ("closed brackets", "python", "(" * 50_000 + ")" * 50_000, "ok"),
    ("unary chain", "python", "x = " + "-" * 100_000 + "1", "ok"),
    ("not chain", "python", "x = " + "not " * 50_000 + "1", "ok"),
    ("attribute chain", "python", "x = a" + ".b" * 100_000, "ok"),
    ("sum", "python", "x = 1" + " + 1" * 100_000, "ok"),
    ("unary chain", "c", "int x = " + "~" * 100_000 + "1;", "ok"),
    ("else chain", "c", "void f(){" + "if(x){}else " * 50_000 + "{}}", "ok"),
    ("nested lists", "json", "[1," * 100_000 + "1" + "]" * 100_000, "ok"),
    ("deep indent", "python", "".join(" " * n + "if x:\n" for n in range(1000)), "ok"),
    (
        "deep indent crashes the scanner",
        "yaml",
        "".join(" " * n + "a:\n" for n in range(1000)),
        "unparsed:error",
    ),
    ("type arguments", "java", "a<" * 3000, None),
    ("here-documents hang the scanner", "shell", "<<a\n" * 100_000, "unparsed:timeout"),
    ("here-document junk", "shell", "cat <<A $(( `\n" * 700_000, "unparsed:size"),
    ("too large", "python", "x = 1\n" * 200_000, "unparsed:size"),
    ("NUL", "python", "x = 1\0\n", "ok"),
    ("lone surrogates replaced", "python", "x = '\ufffd'\n", "ok"),
]


@pytest.mark.parametrize(
    ("language", "text", "verdict"),
    [row[1:] for row in HOSTILE],
    ids=[f"{row[1]}: {row[0]}" for row in HOSTILE],
)
def test_hostile_texts_have_a_verdict_and_the_next_file_goes_on(language, text, verdict):
    config = HASTY if verdict == "unparsed:timeout" else TIGHT
    rows = measure_syntax(
        batch_of(["x = 1", text, "y = 2"], ["python", language, "python"]), config
    ).to_pylist()
    assert [rows[0]["parse"], rows[2]["parse"]] == ["ok", "ok"]
    assert rows[1]["parse"] in VERDICTS
    assert verdict is None or rows[1]["parse"] == verdict
    assert rows[1]["unparsed"] == (rows[1]["parse"] != "ok")


def test_the_budget_of_work_decides_the_same_way_every_time():
    text = "x = (1 + 2) * f(3)\n" * 400
    found = [
        facts(text, "python", config=SyntaxConfig(work=n, work_per_byte=0))["parse"]
        for n in (100, 3000, 10**6)
    ]
    assert found == ["unparsed:timeout", "unparsed:timeout", "ok"]
    again = [
        facts(text, "python", config=SyntaxConfig(work=n, work_per_byte=0))["parse"]
        for n in (100, 3000, 10**6)
    ]
    assert again == found


def test_a_stopped_parse_leaves_nothing_in_the_parser():
    config = SyntaxConfig(work=3000, work_per_byte=0)
    big, small = "x = (1 + 2) * f(3)\n" * 400, "def f(a):\n    return a\n"
    mixed = measure_syntax(batch_of([small, big, small, big, small], ["python"] * 5), config).to_pylist()
    assert [row["parse"] for row in mixed] == ["ok", "unparsed:timeout"] * 2 + ["ok"]
    assert mixed[0] == mixed[2] == mixed[4]


# -- the law, the configuration

SNIPPETS = [
    "def f(a):\n    return a\n",
    "x = (",
    "",
    "int main() { return 0; }",
    "\0é中",
    None,
    "# c\n",
    "import a\npass\n",
]
rows = st.lists(
    st.tuples(st.sampled_from(SNIPPETS), st.sampled_from(["python", "c", "go", "cobol", "shell"])), max_size=8
)


@settings(max_examples=25)
@given(rows, st.integers(0, 8))
def test_batch_law(found, cut):
    batch = batch_of([text for text, _ in found], [language for _, language in found])
    assert_batch_law(measure_syntax, batch, min(cut, len(found)))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.text(max_size=60), st.sampled_from(LANGUAGES)), max_size=6))
def test_arbitrary_text_is_measured_within_bounds(found):
    for row in measure_syntax(
        batch_of([text for text, _ in found], [language for _, language in found])
    ).to_pylist():
        assert row["parse"] == "ok"
        assert 0.0 <= row["syntax_error_fraction"] <= 1.0
        assert row["syntax_nodes"] >= 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"languages": ("cobol",)}, "languages: expected some of .*, got 'cobol'"),
        ({"max_bytes": -1}, "max_bytes: expected 0 or more, got -1"),
        ({"work": 0}, "work: expected 1 or more, got 0"),
        ({"work_per_byte": -1}, "work_per_byte: expected 0 or more, got -1"),
        ({"memory_bytes": 1000}, "memory_bytes: expected 268435456 or more, got 1000"),
        ({"seconds": 0}, "seconds: expected 1 or more, got 0"),
    ],
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SyntaxConfig(**values)


def test_configuration_has_a_fingerprint_that_changes_with_it():
    assert fingerprint(SyntaxConfig()) != fingerprint(SyntaxConfig(work=2))


def test_identity_names_every_version():
    identity = syntax_identity()
    assert identity.startswith("python 3.")
    assert all(f"{grammar.distribution} " in identity for grammar in GRAMMARS)
    assert "tree-sitter " in identity


def test_every_fact_says_what_it_is():
    assert all(field.metadata and field.metadata[b"about"] for field in SYNTAX)


def test_public_names():
    assert set(syntax.__all__) == {
        "DEFINED", "DEFINITIONS", "LANGUAGES", "SYNTAX", "SyntaxConfig", "definitions", "measure_syntax",
        "syntax_identity",
    }  # fmt: skip


# -- the slow twin: OpenCoder's Python rules by `ast` and `tokenize`


class Twin(ast.NodeVisitor):
    """Python's rules, read off the `ast` of the standard library."""

    def __init__(self, text: str) -> None:
        self.functions = self.single = self.imports = self.passes = self.returns = self.classes = (
            self.fields
        ) = 0
        self.variables = 0
        self.docstrings: list[tuple[int, int, int, int]] = []
        self.visit(ast.parse(text))

    def visit_FunctionDef(self, node):
        self.functions += 1
        self.single += len(node.body) == 1 and isinstance(node.body[0], ast.Return)
        a = node.args
        self.variables += len([*a.posonlyargs, *a.args, *a.kwonlyargs]) + bool(a.vararg) + bool(a.kwarg)
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        self.classes += 1
        for item in node.body:
            targets = item.targets[:1] if isinstance(item, ast.Assign) else [getattr(item, "target", None)]
            if isinstance(item, ast.Assign | ast.AnnAssign):
                self.fields += isinstance(targets[0], ast.Name)
        self.generic_visit(node)

    def visit_Assign(self, node):
        self.variables += any(isinstance(target, ast.Name | ast.Tuple | ast.List) for target in node.targets)
        self.generic_visit(node)

    def visit_AnnAssign(self, node):
        self.variables += isinstance(node.target, ast.Name)
        self.generic_visit(node)

    def visit_For(self, node):
        self.variables += 1
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def visit_NamedExpr(self, node):
        self.variables += 1
        self.generic_visit(node)

    def visit_Import(self, node):
        self.imports += 1

    visit_ImportFrom = visit_Import

    def visit_Pass(self, node):
        self.passes += 1

    def visit_Return(self, node):
        self.returns += 1
        self.generic_visit(node)

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str | bytes):
            value = node.value
            self.docstrings.append((value.lineno, value.col_offset, value.end_lineno, value.end_col_offset))
        self.generic_visit(node)


def lines_slow(text: str, docstrings: list[tuple[int, int, int, int]]) -> int:
    """Lines of code: the text without comments and bare strings, cut out by position, blank lines not counted."""
    source = text.encode().split(b"\n")
    starts = [0]
    for line in source:
        starts.append(starts[-1] + len(line) + 1)
    cuts = [(starts[a - 1] + b, starts[c - 1] + d) for a, b, c, d in docstrings]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            begin = starts[row - 1] + len(text.split("\n")[row - 1][:column].encode())
            cuts.append((begin, begin + len(token.string.encode())))
    data = bytearray(text.encode())
    for begin, end in sorted(cuts, reverse=True):
        del data[begin:end]
    return sum(bool(line.strip()) for line in bytes(data).split(b"\n"))


def twin(text: str) -> dict[str, object]:
    found = Twin(text)
    lines = lines_slow(text, found.docstrings)
    plain = found.functions + found.imports + found.classes + found.returns + found.fields
    share = {
        "function_line_fraction": found.functions,
        "import_line_fraction": found.imports,
        "return_fraction": found.returns,
        "single_return_function_fraction": found.single,
        "pass_line_fraction": found.passes,
        "no_logic_score": plain,
    }
    fractions = {name: part / lines if lines else 0.0 for name, part in share.items()}
    return {"functions": found.functions, "no_variable": found.variables == 0, **fractions}


@pytest.mark.parametrize(
    "text", [PYTHON, "def f(): return 1; \nclass A: x = y = 1\n", "def f(\n  a,\n):\n  # c\n  return a\n"]
)
def test_python_facts_equal_the_slow_twin(text):
    found, wanted = facts(text, "python"), twin(text)
    assert {name: found[name] for name in wanted} == wanted


def sample(path, language, rows):
    table = pq.read_table(path, columns=["path", "content", "language"])
    table = table.filter(pc.equal(pc.utf8_lower(table["language"]), language)).slice(0, rows)
    return batch_of(table["content"].to_pylist(), [language] * table.num_rows, table["path"].to_pylist())


def test_python_facts_agree_with_the_slow_twin_on_real_files(github_sample):
    batch = sample(github_sample, "python", 500)
    measured = measure_syntax(batch).to_pylist()
    agree, total = dict.fromkeys(twin("x = 1"), 0), 0
    for row, text in zip(measured, batch.column("content").to_pylist(), strict=True):
        if not row["python_valid"] or re.search("[\r\f\x1c-\x1e\x85\u2028\u2029\ufeff]", text):
            continue
        total += 1
        for name, value in twin(text).items():
            agree[name] += row[name] == value
    assert total > 300
    shares = ", ".join(f"{name} {count / total:.2%}" for name, count in agree.items())
    assert min(agree.values()) >= 0.99 * total, f"of {total} files, as the slow twin says: {shares}"


def test_python_validity_equals_ast_on_real_files(github_sample):
    batch = sample(github_sample, "python", 800)
    assert [row["python_valid"] for row in measure_syntax(batch).to_pylist()] == [
        accepted(text) for text in batch.column("content").to_pylist()
    ]


def accepted(text):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def test_a_file_whose_validity_cannot_be_told_is_unparsed(monkeypatch):
    dead = "y = 2"

    def measure(self, requests):
        answers = original(self, requests)
        lost = [what == VALIDITY and bytes(text).decode() == dead for what, text in requests]
        return [Record(MEMORY) if gone else answer for gone, answer in zip(lost, answers, strict=True)]

    original = Sandbox.measure
    monkeypatch.setattr(Sandbox, "measure", measure)
    rows = measure_syntax(
        batch_of(["x = 1", dead, dead], ["python", "python", "javascript"]), TIGHT
    ).to_pylist()
    assert [row["parse"] for row in rows] == ["ok", "unparsed:memory", "ok"]
    assert {value for name, value in rows[1].items() if name not in ("parse", "unparsed")} == {None}
    assert [row["python_valid"] for row in rows] == [True, None, None]


def test_real_files_of_every_language_are_parsed(github_sample):
    for language in ("java", "javascript", "go", "c", "shell"):
        found = measure_syntax(sample(github_sample, language, 60))
        assert set(found.column("parse").to_pylist()) == {"ok"}, language


def test_grammar_of_an_unknown_language():
    assert grammar_index(None, None) == -1
