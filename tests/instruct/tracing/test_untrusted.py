"""Trees that were made to stop whoever reads them: links in circles, endless names, texts that cost their square."""

from __future__ import annotations

import os

import orjson
import pytest

from instruct.sandbox import Ran
from instruct.tracing import TracedProject, make_problems, read_plan, standalone
from instruct.tracing.ci import Command, PassedOver, Plan, plan
from instruct.tracing.ci.project import LINE_CHARS, ini
from instruct.tracing.ci.toxini import ENVIRONMENTS, read_tox
from instruct.tracing.ci.workflow import read_travis, read_workflow
from instruct.tracing.functions import function_table
from instruct.tracing.identity import distribution_files
from instruct.tracing.making import ProblemConfig, Project
from instruct.tracing.modules import Modules, own_packages
from instruct.tracing.project import TestRun as Run
from instruct.tracing.project import _outcome
from tests.instruct.tracing.test_pieces import Echo


def write(folder, files):
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


LOOPS = ("tox.ini", "setup.cfg", "pyproject.toml", "PKG-INFO", ".travis.yml", "a.py", "pkg", "reqs.txt")


def test_links_in_a_circle_are_files_that_cannot_be_read(tmp_path):
    for name in LOOPS:
        (tmp_path / name).symlink_to(name)
    (tmp_path / ".github").symlink_to(".github")
    write(tmp_path, {"pytest.ini": "[pytest]\n"})
    assert [one.file for one in read_plan(tmp_path).commands] == ["pytest.ini"]
    assert distribution_files(tmp_path) == {}
    assert own_packages(tmp_path) == ()
    assert standalone(Modules(tmp_path), "a.py", "f").reason == "source"


def test_a_line_of_an_ini_file_that_is_too_long_is_left_out_alone():
    long = "a" * LINE_CHARS
    text = f"[testenv]\ndeps = {long}\ncommands =\n  pytest one\n  {long}\n  pytest two\n"
    assert [one.text for one in read_tox(text, "tox.ini")] == ["pytest one", "pytest two"]
    assert ini(f"[a]\nb{' ' * (LINE_CHARS - 3)}=1")["a"]["b"] == "1"
    assert ini(f"[a]\nb{' ' * (LINE_CHARS - 2)}=1").options("a") == []


def test_a_million_spaces_in_a_line_cost_nothing(tmp_path):
    """The parser of INI files goes over them once for each."""
    write(tmp_path, {"setup.cfg": f"[metadata]\nname = x\nversion{' ' * 1_000_000}y\n"})
    assert list(distribution_files(tmp_path)) == ["x-0.dist-info/METADATA"]


def test_environments_of_tox_are_counted():
    text = "".join(f"[testenv:py{n}]\ncommands = pytest a{n}\n" for n in range(ENVIRONMENTS + 9))
    found = list(read_tox(f"[other]\na = b\n{text}", "tox.ini"))
    assert [one.text for one in found] == [f"pytest a{n}" for n in range(ENVIRONMENTS)]


def test_a_file_of_requirements_is_read_once_however_often_it_is_named(tmp_path, monkeypatch):
    lines = "".join("        pip install -r a.txt -rb.txt\n" for _ in range(50))
    write(tmp_path, {
        "tox.ini": "[testenv]\ndeps =\n  -r a.txt\n  py3: -ra.txt\n",
        ".github/workflows/a.yml": f"jobs:\n  a:\n    steps:\n    - run: |\n{lines}        pytest\n",
        "a.txt": "six\n", "b.txt": "attrs\nsix\n",
    })  # fmt: skip
    asked = []
    whole = plan.read_requirements
    monkeypatch.setattr(plan, "read_requirements", lambda text, file: asked.append(file) or whole(text, file))
    found = read_plan(tmp_path)
    assert [(one.name, one.file) for one in found.requirements] == [("six", "a.txt"), ("attrs", "b.txt")]
    assert asked == ["a.txt", "b.txt"]


def test_many_files_of_requirements_are_not_all_read(tmp_path):
    lines = "".join(f"  -r {'./' * n}a.txt\n" for n in range(1, 80))
    write(tmp_path, {"tox.ini": f"[testenv]\ncommands = pytest\ndeps =\n{lines}  -r last.txt\n  six\n"})
    write(tmp_path, {"a.txt": "attrs\n", "last.txt": "mock\n"})
    assert [one.name for one in read_plan(tmp_path).requirements] == ["attrs", "six"]


MARKED = {
    "tox.ini": "\ufeff[testenv]\ndeps = -r reqs.txt\ncommands = pytest one\n",
    "reqs.txt": "\ufeffsix\nattrs\n",
    "pyproject.toml": '\ufeff[project]\nname = "words"\nversion = "2"\n',
}


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path):
    write(tmp_path, MARKED)
    found = read_plan(tmp_path)
    assert [one.argv for one in found.commands] == [("-m", "pytest", "one")]
    assert [one.name for one in found.requirements] == ["six", "attrs"]
    assert list(distribution_files(tmp_path)) == ["words-2.dist-info/METADATA"]


def test_bytes_that_are_no_utf_8_spoil_their_line_alone(tmp_path):
    latin = "[metadata]\nname = words\nauthor = J\xe9\n[options]\ninstall_requires =\n  six\n  caf\xe9\n[tool:pytest]\n"
    write(tmp_path, {"setup.cfg": latin.encode("latin-1")})
    found = read_plan(tmp_path)
    assert [(one.file, one.line) for one in found.commands] == [("setup.cfg", 8)]
    assert [one.name for one in found.requirements] == ["six", "caf"]
    assert list(distribution_files(tmp_path)) == ["words-0.dist-info/METADATA"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x: &s\n- run: pytest a\njobs:\n  a: {steps: *s}\n  b: {steps: *s}\n", ["pytest a"]),
        ("x: &j\n  steps: [{run: pytest a}]\njobs:\n  a: *j\n  b:\n    <<: *j\n", ["pytest a"]),
        ("jobs:\n  a:\n\tsteps: []\n", []),
        ("jobs:\n  a:\n    steps:\n    - run: pytest\ta\n", []),
        ("jobs:\n  a:\n    steps:\n    - {run: 'pytest ${{ matrix.x }}', run: make}\n", ["pytest ${{ matrix.x }}"]),
        ("jobs:\n  ? [a, b]\n  : {steps: [{? [run] : x, run: pytest}]}\n", ["pytest"]),
        ("jobs: {a: {steps: [run, [run: x], {run: ~}, {run: !x pytest}]}}\n", ["~", "pytest"]),
        ("\ufeffjobs: {a: {steps: [{run: pytest}]}}\r\n", ["pytest"]),
        ("jobs: {a: &a {steps: [*a, {run: pytest}]}}\n", ["pytest"]),
        ("jobs: {a: {steps: [{run: \"a \\\\\\n\\\\\\n  b\"}]}}\n", ["a     b"]),
    ],
)  # fmt: skip
def test_odd_corners_of_yaml(text, found):
    assert [one.text for one in read_workflow(text, "ci.yml")] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("script: &x pytest\ninstall: *x\n", ["pytest"]), ("script: |\n  a\n  b\n", ["a", "b"]), ("script:\n", []),
     ("script: [[a], {b: c}, d]\n", ["d"]), ("script: 3\nscript: 4\n", ["3"]), ("[script]: a\n", [])],
)  # fmt: skip
def test_odd_corners_of_travis(text, found):
    assert [one.text for one in read_travis(text, ".travis.yml")] == found


def summary(*passed, file="a", outcome="1 passed"):
    command = Command(("-m", "pytest", file), file, 0)
    rows = function_table([])
    empty = make_problems([], None, Echo(), ProblemConfig(), Project("p"))[1]
    whole = TracedProject(
        Plan((command,), (), passed), (Run(command, "", outcome),), (), rows, empty, complete=True, spoiled=0
    )
    return orjson.loads(orjson.dumps(whole.summary))


def test_a_summary_can_be_written_whatever_files_are_called(tmp_path):
    (tmp_path / os.fsdecode(b"\xff") / "tests").mkdir(parents=True)
    (tmp_path / ".travis.yml").write_text('script: ["make \\uD800", "pytest \\uD800 \\0"]\n')
    found = read_plan(tmp_path)
    assert found.commands[0].argv == ("-m", "pytest")
    told = summary(*found.passed_over, file=os.fsdecode(b"\xff/tests"), outcome="\udc80 passed")
    assert told["commands"][0] == {
        "command": "python -m pytest ?/tests", "from": "?/tests", "outcome": "? passed", "problem": ""}  # fmt: skip
    assert told["passed_over"] == [".travis.yml:1: make ?: a Makefile is not followed"]


def test_a_line_that_is_told_has_its_place():
    told = summary(PassedOver("make", "ci.yml", 10, "why"), file="tests")
    assert told["passed_over"] == ["ci.yml:10: make: why"]
    assert told["commands"][0]["from"] == "tests"


def ran(stdout="", stderr=""):
    return Ran(stdout, stderr, "", truncated=False)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (ran("=== 3 passed, 1 skipped in 0.12s ==="), "3 passed, 1 skipped"),
        (ran("1 failed in 1.0s\n2 passed in 1:02 (0:01:02)"), "2 passed in 1:02 (0:01:02)"),
        (ran("5 passed in 61.20s (0:01:01)"), "5 passed"),
        (ran("noise", "Ran 2 tests in 0.001s\n\nOK"), "Ran 2 tests"),
        (
            ran("", "Ran 2 tests in 0.001s\n\nFAILED (failures=1, errors=3)\n"),
            "Ran 2 tests FAILED (failures=1, errors=3)",
        ),
        (ran("Ran 1 test in " * 18_000), "Ran 1 test"),
        (ran("no tests ran in 0.01s"), "no tests counted: no tests ran"),
        (ran("a", "b\nc  "), "no tests counted: c"),
        (ran(), "no tests counted"),
        (ran("x" * 500), "no tests counted: " + "x" * 200),
        (ran("1 passed" + "x" * 500), "1 passed" + "x" * 192),
        (ran("1234567890123 passed"), "no tests counted: 1234567890123 passed"),
        (ran("1" * 200_000), "no tests counted: " + "1" * 200),
    ],
    ids=range(13),
)
def test_an_outcome_is_told_without_times_and_not_at_any_length(told, outcome):
    assert _outcome(told) == outcome
