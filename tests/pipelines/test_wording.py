"""Words: every reason that sources count, and every problem, is said in plain words where people see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from columns.document import PROBLEMS
from pipelines import summary, wording
from sources.github.refusals import STATES
from tests.pipelines.building import ROOT

MODULES = sorted((ROOT / "sources").rglob("*.py"))
KINDS = {"_KINDS", "_SKIPPED_MODES"}
DECIDERS = {"_kind", "_refusal"}
READ = {"file", "folder", "done", "moved"}
BY_NAME = {"trees/source.py", "git/source.py", "archives/choice.py"}


def texts(node: ast.AST) -> Iterator[str]:
    """The texts that an expression can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))
    elif isinstance(node, ast.JoinedStr) and len(node.values) == 2:
        yield from (
            f"{first}{state}" for first in texts(node.values[0]) for state in STATES if state not in READ
        )


def counted(node: ast.AST, file: str) -> Iterator[str]:
    """Reasons that a piece of code counts or hands to the code that counts."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("skipped"):
        found = list(texts(node.slice))
        assert found or file in BY_NAME, f"{file}: {ast.unparse(node)}: a reason that this test cannot see"
        yield from found
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Counter":
        yield from (str(keyword.arg) for keyword in node.keywords)
    elif isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} & KINDS:
        assert isinstance(node.value, ast.Dict)
        yield from (text for value in node.value.values for text in texts(value))
    elif isinstance(node, ast.FunctionDef) and node.name in DECIDERS:
        returns = (
            one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None
        )
        assigned = (one.value for one in ast.walk(node) if isinstance(one, ast.Assign))
        yield from (text for value in (*returns, *assigned) for text in texts(value))


def reasons() -> set[str]:
    room = ROOT / "sources"
    trees = ((path.relative_to(room).as_posix(), ast.parse(path.read_text("utf-8"))) for path in MODULES)
    nodes = ((node, file) for file, tree in trees for node in ast.walk(tree))
    return {reason for node, file in nodes for reason in counted(node, file)} - READ


def test_every_reason_of_the_sources_has_words_and_no_other() -> None:
    assert reasons() == set(wording.SKIPPED)


def test_the_walk_sees_a_new_reason() -> None:
    tree = ast.parse('skipped["new_one"] += 1\nskipped[f"repository_{state}"] += 1\nCounter(third=1)\n')
    found = {reason for node in ast.walk(tree) for reason in counted(node, "new.py")}
    assert {"new_one", "repository_gone", "third"} <= found
    with pytest.raises(AssertionError, match="cannot see"):
        list(counted(ast.parse("skipped[reason]", mode="eval").body, "new.py"))


@pytest.mark.parametrize("words", [*wording.SKIPPED.values(), *PROBLEMS.values()])
def test_words_are_words(words: str) -> None:
    assert " " in words
    assert "_" not in words.replace("max_bytes", "").replace("opt_out", "")
    assert not words.endswith(".")


def test_words_are_said_in_the_summary(tmp_path: Path) -> None:
    said = Path(tmp_path, "said.txt")
    with said.open("w") as out:
        summary.render_left(
            {"problems": {"binary": 2}, "skipped": {"symlink": 3, "x\x1b[31m": 1}}, Console(file=out)
        )
    assert said.read_text().splitlines() == [
        "problem    binary: 2 files, not text: NUL bytes in an undeclared encoding",
        "left out   symlink: 3, symbolic links, not followed",
        "left out   x␛[31m: 1, x␛[31m",
    ]
