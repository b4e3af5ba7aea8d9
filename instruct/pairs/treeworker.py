"""The process that parses for `instruct.pairs.trees`: texts in over standard input, nodes out as JSON.

tree-sitter's grammars are C, and that of Bash is known to spoil memory on some texts. What dies here is this process.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson
import tree_sitter
import tree_sitter_bash
import tree_sitter_python

HEAD = struct.Struct(">BI")
SIZE = struct.Struct(">I")
READY = b"ready"
NAMED, ERROR, MISSING = 1, 2, 4
GRAMMARS = ("python", "bash")


def main() -> None:
    """Answer texts until the input ends."""
    languages = (tree_sitter_python.language(), tree_sitter_bash.language())
    parsers = [tree_sitter.Parser(tree_sitter.Language(language)) for language in languages]
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(READY)
    sink.flush()
    while head := source.read(HEAD.size):
        grammar, size = HEAD.unpack(head)
        _answer(sink, orjson.dumps(list(_nodes(parsers[grammar].parse(source.read(size))))))


def _answer(sink: BinaryIO, text: bytes) -> None:
    sink.write(SIZE.pack(len(text)) + text)
    sink.flush()


def _nodes(tree: tree_sitter.Tree) -> Iterator[tuple[Any, ...]]:
    """All nodes, a parent before its children: type, the parent's number (-1: none), start, end, what it is."""
    cursor, parents, number = tree.walk(), [-1], 0
    while True:
        node = cursor.node
        assert node is not None
        kind = NAMED * node.is_named | ERROR * node.is_error | MISSING * node.is_missing
        yield node.type, parents[-1], node.start_byte, node.end_byte, kind
        number += 1
        if cursor.goto_first_child():
            parents.append(number - 1)
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            parents.pop()


if __name__ == "__main__":
    main()
