"""Trees come from a process that may die: what kills or hangs it has no tree, and costs nothing else."""

from __future__ import annotations

import os
import signal

import pytest
import tree_sitter
import tree_sitter_bash
import tree_sitter_python
from hypothesis import given
from hypothesis import strategies as st

from instruct.pairs import trees
from instruct.pairs.trees import MOST_BYTES, has_error, nodes, tree_of

FATAL = """
import os, sys, time
sys.path[:] = {path!r} + [os.path.dirname({worker!r})]
import treeworker
parse = treeworker._nodes
def trapped(tree):
    text = tree.root_node.text
    if text == b"die":
        os.kill(os.getpid(), 11)
    if text == b"hang":
        time.sleep(60)
    if text == b"lie":
        print("nonsense, and more of it", flush=True)
    if text.startswith(b"once:") and not os.path.exists(text[5:]):
        open(text[5:], "w").close()
        os.kill(os.getpid(), 11)
    return parse(tree)
treeworker._nodes = trapped
treeworker.main()
"""


@pytest.fixture
def trapped(monkeypatch):
    """A parser that dies, hangs or lies on some texts; threads of other tests keep their own."""
    monkeypatch.setattr(trees, "_BOOT", FATAL)
    monkeypatch.setattr(trees, "SECONDS", 1.0)
    monkeypatch.setattr(trees, "_LOCAL", trees._Local())


@pytest.mark.parametrize("text", [b"die", b"hang", b"lie"])
def test_what_kills_the_parser_has_no_tree_and_the_next_text_has_one(trapped, text):
    assert tree_of(text, "bash") is None
    found = tree_of(b"ls -l", "bash")
    assert found is not None
    assert found.type == "program"


def test_a_death_that_does_not_come_again_changes_nothing(trapped, tmp_path):
    text = f"once:{tmp_path / 'died'}".encode()
    found = tree_of(text, "bash")
    assert (tmp_path / "died").exists()
    assert found is not None


def test_a_killed_process_is_replaced():
    assert tree_of(b"x", "python") is not None
    process = trees._process()._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert tree_of(b"x", "python") is not None
    assert trees._process()._process.pid != process.pid


def test_a_fork_does_not_share_the_pipes():
    tree_of(b"x", "python")
    child = os.fork()
    if child == 0:
        os._exit(0 if tree_of(b"y", "python") is not None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert tree_of(b"z", "python") is not None


def test_nothing_long_is_parsed():
    assert tree_of(b"x" * (MOST_BYTES + 1), "python") is None
    assert tree_of(b"x" * MOST_BYTES, "python") is not None


GRAMMARS = {"python": tree_sitter_python.language, "bash": tree_sitter_bash.language}
CODE = (
    "x = f(1)\n",
    "for x in y:\n    pass\n",
    "ls | wc -l",
    "echo $(date) > a.txt",
    "f(",
    "if",
    "",
    "é = 'ü'",
)


@pytest.mark.parametrize("lang", sorted(GRAMMARS))
@pytest.mark.parametrize("code", CODE)
def test_nodes_are_those_of_the_library(lang, code):
    parser = tree_sitter.Parser(tree_sitter.Language(GRAMMARS[lang]()))
    tree = parser.parse(code.encode())
    todo, there = [tree.root_node], []
    while todo:
        node = todo.pop()
        there.append(
            (node.type, node.start_byte, node.end_byte, node.is_named, node.is_error, node.is_missing)
        )
        todo += reversed(node.children)
    root = tree_of(code.encode(), lang)
    assert root is not None
    assert [
        (one.type, one.start_byte, one.end_byte, one.is_named, one.is_error, one.is_missing)
        for one, _ in nodes(root)
    ] == there
    assert has_error(root) == tree.root_node.has_error


@given(st.binary(max_size=200), st.sampled_from(sorted(GRAMMARS)))
def test_any_bytes_have_the_same_tree_or_none_again(data, lang):
    assert tree_of(data, lang) == tree_of(data, lang)


def test_deep_nesting_is_no_recursion():
    assert tree_of(b"(" * MOST_BYTES, "python") is not None
    assert tree_of(b"$(" * (MOST_BYTES // 2), "bash") == tree_of(b"$(" * (MOST_BYTES // 2), "bash")
