"""Trees: tree-sitter's leaves of short Python and Bash code, walked without recursion.

Snippets are untrusted, so what is parsed is bounded by `MOST_BYTES` before the parser sees it; incomplete code gives a
tree with error nodes, never an exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import tree_sitter
import tree_sitter_bash
import tree_sitter_python

from instruct.pairs.pair import BASH, PYTHON

MOST_BYTES = 4096

_GRAMMARS = {PYTHON: tree_sitter_python.language, BASH: tree_sitter_bash.language}


@cache
def _parser(lang: str) -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(_GRAMMARS[lang]()))


def tree_of(data: bytes, lang: str) -> tree_sitter.Tree | None:
    """The tree of a text; None for one over `MOST_BYTES`."""
    return _parser(lang).parse(data) if len(data) <= MOST_BYTES else None


def nodes(tree: tree_sitter.Tree) -> Iterator[tuple[tree_sitter.Node, str]]:
    """All nodes in the order of their starts, a parent before its children, each with the type of its parent.

    >>> [node.type for node, _ in nodes(tree_of(b"x", PYTHON))]
    ['module', 'expression_statement', 'identifier']
    """
    cursor, parents = tree.walk(), [""]
    while True:
        node = cursor.node
        assert node is not None
        yield node, parents[-1]
        if cursor.goto_first_child():
            parents.append(node.type)
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            parents.pop()
