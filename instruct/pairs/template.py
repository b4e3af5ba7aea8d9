"""Templates: a Bash command with its arguments left out, to compare what two commands do.

NL2Bash (Lin et al. 2018) compares templates: utilities, flags and the structure, with every argument
abstracted; CodeFusion measures Bash so. Their program is not this one: the tree is tree-sitter's and the choices below
are ours. Kept are names of commands, flags (without a value after ``=``), operators and reserved words, and the command
that ``-exec``, ``xargs`` and their like run; all else is ``ARG``.
"""

from __future__ import annotations

import re

from instruct.pairs.pair import BASH
from instruct.pairs.trees import Node, has_error, tree_of

ARG = "ARG"

_OPEN = frozenset({"command_substitution", "process_substitution"})
_CLOSED = frozenset(
    {
        "word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "simple_expansion",
        "expansion", "number", "variable_name", "special_variable_name", "heredoc_body", "heredoc_start",
        "regex", "extglob_pattern", "arithmetic_expansion", "brace_expression", "file_descriptor", "subscript",
    }
)  # fmt: skip
_RUNNERS = frozenset(
    {"-exec", "-execdir", "-ok", "-okdir", "xargs", "sudo", "nohup", "time", "nice", "env", "parallel"}
)
_NAME = re.compile(rb"[A-Za-z][\w.+-]*")


def template_of(code: str) -> tuple[str, ...] | None:
    """The template of a command, token by token; None for one that does not parse.

    >>> template_of("find . -name '*.c' | xargs -n 1 grep -l x")
    ('find', 'ARG', '-name', 'ARG', '|', 'xargs', '-n', 'ARG', 'grep', '-l', 'ARG')
    """
    data = code.encode("utf-8", "surrogatepass")
    tree = tree_of(data, BASH)
    if tree is None or has_error(tree) or not code.strip():
        return None
    written = _Written()
    todo: list[tuple[Node, bool]] = [(tree, False)]
    while todo:
        node, named = todo.pop()
        text = data[node.start_byte : node.end_byte]
        if node.type in _CLOSED and not (named and node.type == "word"):
            written.argument(text)
            todo += [(one, False) for one in reversed(_inside(node))]
        elif not node.children:
            written.word(text)
        else:
            keep = node.type in ("command_name", "function_definition")
            todo += [(child, keep) for child in reversed(node.children)]
    return tuple(written.tokens)


def _inside(node: Node) -> list[Node]:
    """The commands that stand inside an argument, outermost ones only."""
    found: list[Node] = []
    todo = [node]
    while todo:
        one = todo.pop()
        if one.type in _OPEN:
            found.append(one)
        else:
            todo += reversed(one.children)
    return found


class _Written:
    """The template so far, and whether a runner waits for the name of what it runs."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self._waits = False

    def word(self, text: bytes) -> None:
        """A name, an operator or a reserved word."""
        token = text.decode("utf-8", "replace").strip()
        self.tokens += [token] if token else []
        self._waits = token in _RUNNERS

    def argument(self, text: bytes) -> None:
        """An argument: a flag is kept, and so is the name that a runner waits for."""
        is_flag = text.startswith(b"-") and len(text) > 1 and not text[1:2].isdigit()
        if is_flag:
            flag, equals, _ = text.partition(b"=")
            self.tokens.append((flag + equals).decode("utf-8", "replace"))
            self._waits = self._waits or self.tokens[-1] in _RUNNERS
        elif self._waits and _NAME.fullmatch(text):
            self.word(text)
        else:
            self.tokens.append(ARG)
