"""Extraction: the program in a model's answer, wherever the model put it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from instruct.evolve.refusal import is_refusal
from instruct.problems import parsed

PROBLEMS: Mapping[str, str] = {
    "no_answer": "the model gave no text",
    "refusal": "an apology or a word about being a model, in fewer than 80 words",
    "no_code": "nothing in the answer is code",
    "not_python": "the only blocks of code are marked as another language",
    "syntax": "the code is not Python that parses",
    "no_function": "the code defines no function",
    "entry_point": "the code defines functions, but not the one asked for",
    "too_long": "over max_tokens tokens",
}
"""What can be wrong with an answer, in the order in which it is looked for (`too_long` by who counts tokens)."""

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})(?![`~])[ \t]*+([\w+#.-]*+)[^\n]*+\n(.*?)(?:^[ \t]*\1[`~]*+[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_PYTHON = frozenset({"", "python", "py", "python3", "py3", "python2", "pycon", "text", "plaintext"})
_STARTS = re.compile(r"^(?:def |async def |class |import |from \w|@\w|\"\"\"|''')", re.MULTILINE)
_MOST_TRIMS = 60
_MOST_CHARS = 1 << 18


@dataclass(frozen=True)
class Extracted:
    """The code of an answer (empty where there is none), how it stood there, and what is wrong with it, or nothing.

    ``how``: fenced, bare, embedded (between prose without a fence), continued (the body of a given signature), or none.
    """

    code: str
    how: str
    problem: str


def extract(text: str, entry_point: str = "", signature: str = "") -> Extracted:
    """The Python program in an answer: of fenced blocks the first that defines the entry point, or else a function.

    Answers may also be bare code, such as a docstring with code below it, code between lines of prose, or only the body
    of ``signature``. The text is parsed, never run. Costs some parses of the text; over 256 KiB it is cut there.

    >>> extract("Sure!\\n```python\\ndef f(x):\\n    return x\\n```\\n", "f")
    Extracted(code='def f(x):\\n    return x\\n', how='fenced', problem='')
    >>> extract("I am sorry.").problem
    'refusal'
    """
    text = text[:_MOST_CHARS].replace("\r\n", "\n")
    if not text.strip():
        return Extracted("", "none", "no_answer")
    found = list(_candidates(text, signature))
    if not found:
        refused = is_refusal(text)
        foreign = _FENCE.search(text) is not None
        return Extracted("", "none", "refusal" if refused else "not_python" if foreign else "no_code")
    judged = [Extracted(code, how, _problem(code, entry_point)) for how, code in found]
    order = ["", "entry_point", "no_function", "syntax"]
    return min(judged, key=lambda one: order.index(one.problem))


def defined(code: str) -> list[str]:
    """The names of the functions at the top level of a program, in order; none where it does not parse.

    >>> defined("def f(): pass\\nclass A:\\n    def g(self): pass\\n")
    ['f']
    """
    tree = parsed(code)
    return [] if tree is None else [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def _problem(code: str, entry_point: str) -> str:
    if parsed(code) is None:
        return "syntax"
    names = defined(code)
    if not names:
        return "no_function"
    return "entry_point" if entry_point and entry_point not in names else ""


def _candidates(text: str, signature: str) -> Iterator[tuple[str, str]]:
    """Ways to read an answer as code, the likeliest first."""
    blocks = [(match[2].lower(), match[3]) for match in _FENCE.finditer(text)]
    fenced = [block for language, block in blocks if language in _PYTHON and block.strip()]
    yield from (("fenced", block) for block in fenced)
    if signature:
        yield from (
            ("continued", code) for code in _continued(fenced or ([] if blocks else [text]), signature)
        )
    if blocks:
        return
    if parsed(text) is not None and _is_code(text):
        yield "bare", text
    elif (start := _STARTS.search(text)) is not None:
        yield "embedded", _trimmed(text[start.start() :])


def _continued(texts: list[str], signature: str) -> Iterator[str]:
    """Signatures with an answer that is only their body, which begins indented."""
    for text in texts:
        body = text.lstrip("\n")
        if body[:1] in (" ", "\t"):
            yield f"{signature.rstrip()}\n{_trimmed(body, signature.rstrip())}"


def _is_code(text: str) -> bool:
    """Whether a text that parses is a program; a word of prose parses as a name."""
    tree = parsed(text)
    return tree is not None and any(not isinstance(node, ast.Expr) for node in tree.body)


def _trimmed(text: str, before: str = "") -> str:
    """The longest run of whole lines from the start that parses, looked for from the end; the text where none does."""
    lines = text.splitlines(keepends=True)
    for end in range(len(lines), max(0, len(lines) - _MOST_TRIMS), -1):
        code = "".join(lines[:end])
        if parsed(f"{before}\n{code}" if before else code) is not None:
            return code
    return text
