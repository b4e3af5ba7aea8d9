"""OpenCoder's rules in plain Python, written from their published definition.

OpenCoder-llm/opc_data_filtering: pipeline/code_filter_config.py, quality_signals/code.py, doc.py and
code_specific/python.py, document.py, with RedPajama-Data's repetition signals. Comments are told from code by
Pygments, as upstream does; a language that Pygments does not know has no answer here (upstream then guesses, see
peers: one line that starts with '#', '//' or '--' makes the rest of the file a comment). A value that upstream
cannot compute (no words, no code) fails no rule. Upstream rounds shares to 8 digits; so do we.
"""

from __future__ import annotations

import ast
import re
import string
import unicodedata
import warnings
from collections import Counter
from functools import lru_cache

import pygments
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Literal
from pygments.util import ClassNotFound

from tests.conformance.files import File, OracleRule, newline_lines, page_text
from tests.conformance.oracle_stack_v2 import encoded

DATA = frozenset({"json", "yaml", "xml", "toml", "css", "scss", "graphql", "protocol buffer", "csv", "ini"})
UPSTREAM_NAMES = {"c++": "cpp", "c#": "csharp"}
REMOVED = {chr(code): "" for code in [*range(8), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x202C]}
REMOVED |= {"\u2009": " ", "\u200b": " "}
HALF_WIDTH = dict(zip("。、《》【】「」“”￥‘’", ".,\"\"[]''\"\"¥''", strict=True))
HALF_WIDTH |= {chr(ord(mark) + 0xFEE0): mark for mark in string.punctuation}
NORMAL = str.maketrans(REMOVED | HALF_WIDTH)
BLANKED = str.maketrans(dict.fromkeys(string.punctuation, " "))
COMMENTS = (Comment.Multiline, Comment.Single, Comment.Hashbang, Comment.Special, Literal.String.Doc)
STRINGS = re.compile(r"'''(.*?)'''|\"\"\"(.*?)\"\"\"|'([^\n]*?)'|\"([^\n]*?)\"", re.DOTALL)
LONG_STRINGS = re.compile(r"'''(.*?)'''|\"\"\"(.*?)\"\"\"|'(.*?)'|\"(.*?)\"", re.DOTALL)


@lru_cache(maxsize=2)
def words(text: str) -> tuple[str, ...]:
    """The words of all lines, each line normalised by itself: NLTK's wordpunct."""
    found: list[str] = []
    for line in newline_lines(text):
        plain = line.translate(NORMAL).translate(BLANKED).lower().strip()
        plain = unicodedata.normalize("NFKC", re.sub(r"\s+", " ", plain))
        found += re.findall(r"\w+|[^\w\s]+", plain)
    return tuple(found)


@lru_cache(maxsize=2)
def parted(text: str, language: str | None) -> tuple[str, str] | None:
    """Code and comments, by Pygments; None for a language that it does not know."""
    try:
        lexer = get_lexer_by_name(UPSTREAM_NAMES.get(language or "", language or ""))
    except ClassNotFound:
        return None
    parts: tuple[list[str], list[str]] = ([], [])
    for kind, token in pygments.lex(text, lexer):
        parts[kind in COMMENTS].append(token)
    return "".join(parts[0]), "".join(parts[1])


def filled_lines(text: str) -> list[str]:
    return [line for line in newline_lines(text) if line.strip()]


def above(part: float, whole: float, limit: float) -> bool:
    """Whether a share is over a limit; never without a whole."""
    return bool(whole) and round(part / whole, 8) > limit


def visible(text: str) -> str:
    return re.sub(r"\s+", "", text)


def in_group(file: File, *languages: str) -> bool:
    return file.language in languages or ("data" in languages and file.language in DATA)


def word_mean(file: File) -> float | None:
    found = words(file.text)
    return round(sum(map(len, found)) / len(found), 8) if found else None


def word_mean_min(file: File) -> bool:
    mean = word_mean(file)
    return mean is not None and mean < 2


def word_mean_max(file: File) -> bool:
    mean = word_mean(file)
    return mean is not None and mean > 10


def unique_words_data(file: File) -> bool:
    found = words(file.text)
    return in_group(file, "data") and bool(found) and round(len(set(found)) / len(found), 8) < 0.4


def top_share(text: str, n: int) -> float:
    """The share of the most frequent n-gram's characters; 0 when none occurs twice."""
    found = words(text)
    grams = Counter(zip(*(found[at:] for at in range(n)), strict=False))
    if not grams:
        return 0.0
    gram, count = grams.most_common(1)[0]
    total = sum(map(len, found))
    return round(sum(map(len, gram)) * count / total, 8) if count > 1 else 0.0


def repeated_share(text: str, n: int) -> float:
    """The share of characters in words that lie in an n-gram which occurs twice."""
    found = words(text)
    grams = list(zip(*(found[at:] for at in range(n)), strict=False))
    counts = Counter(grams)
    covered = {at + step for at, gram in enumerate(grams) if counts[gram] > 1 for step in range(n)}
    total = sum(map(len, found))
    return round(sum(len(found[at]) for at in covered) / total, 8) if total else 0.0


def top_rule(n: int, limit: float) -> OracleRule:
    return lambda file: top_share(file.text, n) > limit


def repeated_rule(n: int, limit: float, *, html: bool | None) -> OracleRule:
    """``html``: for HTML only, for all but HTML, or for every file."""
    return lambda file: html in (None, file.language == "html") and repeated_share(file.text, n) > limit


def dup_lines(file: File) -> bool | None:
    both = parted(file.text, file.language)
    if both is None:
        return None
    counts = Counter(re.sub(r"\s+", "", line) for line in filled_lines(both[0]))
    twice = sum(n for line, n in counts.items() if n > 1 and line != "}," and len(line) != 1)
    return above(twice, sum(counts.values()), 0.7)


def line_mean_of(text: str) -> float:
    found = newline_lines(text)
    return round(sum(map(len, found)) / len(found), 8) if found else 0


def low_alpha(file: File) -> bool:
    seen = visible(file.text)
    return round(sum(c.isalpha() for c in seen) / len(seen), 8) < 0.5 if seen else True


def digit_share(text: str) -> float:
    seen = visible(text)
    return round(sum(c.isdigit() for c in seen) / len(seen), 8) if seen else 1.0


def whitespace(file: File) -> bool:
    return above(len(re.findall(r"\s", file.text)), len(file.text), 0.5) if file.text else True


def comments(file: File) -> bool | None:
    if file.language == "html" or not file.text:
        return False
    if file.language == "python":
        return above(len(python_prose(file.text)), len(file.text), 0.8)
    both = parted(file.text, file.language)
    return None if both is None else above(len(both[1]), len(file.text), 0.8)


def python_prose(text: str) -> str:
    """Docstrings and comments without '#': BigCode's extraction, by ast and tokenize."""
    import io
    import tokenize

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kinds = (ast.ClassDef, ast.FunctionDef, ast.Module)
            nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
        docs = [found for node in nodes if (found := ast.get_docstring(node))]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        docs = []
    try:
        tokens = [
            (token.type, token.string)
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        ]
        notes = tokenize.untokenize(tokens).replace("#", "")
    except (tokenize.TokenError, SyntaxError, IndentationError):
        notes = ""
    return ("\n".join(docs) + "\n" + notes).strip()


def autogenerated(file: File) -> bool:
    head = file.text[:200].lower()
    marks = ("auto-generated", "generate", "autogen", "do not edit")
    return any(mark in head for mark in marks)


def literals(pattern: re.Pattern[str], code: str) -> list[str]:
    return [group for found in pattern.findall(code) for group in found if group]


def long_string_lines(file: File) -> bool | None:
    both = parted(file.text, file.language)
    if both is None or in_group(file, "data", "shell", "html"):
        return None if both is None else False
    pieces = [piece for found in literals(LONG_STRINGS, both[0]) for piece in found.split("\n")]
    long = sum(len(re.findall(r"\w+|[^\w\s]+", piece)) > 20 for piece in pieces)
    return above(long, len(filled_lines(both[0])), 0.2)


def strings(file: File) -> bool | None:
    both = parted(file.text, file.language)
    if both is None or in_group(file, "data", "shell", "html"):
        return None if both is None else False
    return above(sum(map(len, literals(STRINGS, both[0]))), len(both[0]), 0.6)


def long_words(file: File) -> bool | None:
    both = parted(file.text, file.language)
    if both is None or file.language == "html":
        return None if both is None else False
    found = [word for literal in literals(STRINGS, both[0]) for word in literal.split()]
    long = [word for word in found if len(word) > 20 and not re.match(r".*https?://\S+.*", word)]
    return above(sum(map(len, long)), len(both[0]), 0.4)


def hex_words(file: File) -> bool | None:
    both = parted(file.text, file.language)
    if both is None:
        return None
    return above(sum(map(len, re.findall(r"\b0[xX][0-9a-fA-F]+\b", both[0]))), len(both[0]), 0.4)


def prompt_comments(file: File) -> bool | None:
    both = parted(file.text, file.language)
    if both is None or in_group(file, "data", "html"):
        return None if both is None else False
    marks = ("your code here", "fixme", "todo")
    said = sum(any(mark in line.lower() for mark in marks) for line in filled_lines(both[1]))
    return above(said, len(newline_lines(file.text)), 0.01)


def code_lines_with(file: File, marks: tuple[str, ...], limit: float, *, lower: bool) -> bool | None:
    """Whether the share of code lines with one of the marks is over the limit."""
    both = parted(file.text, file.language)
    if both is None:
        return None
    found = [line.lower() if lower else line for line in filled_lines(both[0])]
    return above(sum(any(mark in line for mark in marks) for line in found), len(found), limit)


def asserts(file: File) -> bool | None:
    if in_group(file, "data", "shell", "html", "go"):
        return False
    return code_lines_with(file, ("assert",), 0.4, lower=True)


@lru_cache(maxsize=2)
def tree(text: str) -> ast.Module | None:
    """The syntax tree, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def html_visible_fraction(file: File) -> bool:
    shown = page_text(file.text, scripts=True) if file.language == "html" else None
    return bool(file.text) and shown is not None and round(len(shown) / len(file.text), 8) < 0.2


def html_visible_chars(file: File) -> bool:
    shown = page_text(file.text, scripts=True) if file.language == "html" else None
    return shown is not None and len(shown) < 100


def python_invalid(file: File) -> bool:
    return file.language == "python" and tree(file.text) is None


def python_share(file: File, count: int, limit: float) -> bool | None:
    """Whether a count by lines of code is over a limit, for Python files with a syntax tree."""
    both = parted(file.text, file.language)
    return None if both is None else above(count, len(filled_lines(both[0])), limit)


def python_nodes(file: File, kind: type[ast.AST]) -> list[ast.AST]:
    parsed = tree(file.text) if file.language == "python" else None
    return [node for node in ast.walk(parsed) if isinstance(node, kind)] if parsed else []


def function_lines(file: File) -> bool | None:
    if file.language != "python":
        return None
    return python_share(file, len(python_nodes(file, ast.FunctionDef)), 0.2)


def single_return(file: File) -> bool | None:
    if file.language != "python":
        return False
    found = [node for node in python_nodes(file, ast.FunctionDef) if len(node.body) == 1]  # type: ignore[attr-defined]
    simple = sum(isinstance(node.body[0], ast.Return) for node in found)  # type: ignore[attr-defined]
    return python_share(file, simple, 0.1)


def pass_lines(file: File) -> bool | None:
    return code_lines_with(file, ("pass",), 0.05, lower=True) if file.language == "python" else False


def import_lines(file: File) -> bool | None:
    return code_lines_with(file, ("import",), 0.3, lower=True) if file.language == "python" else False


def prints(file: File) -> bool | None:
    marks = {"python": ("print",), "c": ("printf",), "c++": ("cout", "printf")}.get(file.language or "")
    if marks is None:
        return None if in_group(file, "c#", "java", "javascript", "go") else False
    return code_lines_with(file, marks, 0.4, lower=False)


def mains(file: File) -> bool | None:
    if not in_group(file, "c", "c++"):
        return False
    both = parted(file.text, file.language)
    return None if both is None else len(re.findall(r"\bmain\s*\([^)]*\)\s*\{", both[0])) > 1


ORACLE: dict[str, OracleRule] = {
    "size_scope": lambda file: len(file.text.encode()) > 8e6,
    "replacement": lambda file: above(file.text.count("\ufffd"), len(file.text), 0.01),
    "words_min": lambda file: len(words(file.text)) < 30,
    "chars_min": lambda file: len(file.text) < 50,
    "chars_max_data": lambda file: in_group(file, "data") and len(file.text) > 5000,
    "word_mean_min": word_mean_min,
    "word_mean_max": word_mean_max,
    "unique_words_data": unique_words_data,
    **{f"top_{n}grams": top_rule(n, limit) for n, limit in ((2, 0.20), (3, 0.18), (4, 0.16))},
    "dup_5grams": repeated_rule(5, 0.8, html=False),
    **{f"dup_{n}grams": repeated_rule(n, 0.7, html=False) for n in range(6, 10)},
    "dup_10grams": repeated_rule(10, 0.6, html=None),
    **{f"dup_{n}grams_html": repeated_rule(n, 0.6, html=True) for n in range(5, 10)},
    "dup_lines": dup_lines,
    "size": lambda file: len(file.text.encode()) > 3e6,
    "lines_min": lambda file: len(newline_lines(file.text)) < 10,
    "lines_max": lambda file: len(newline_lines(file.text)) > 100000,
    "line_max": lambda file: max(map(len, newline_lines(file.text)), default=0) > 1000,
    "line_mean_min": lambda file: line_mean_of(file.text) < 5,
    "line_mean_max": lambda file: line_mean_of(file.text) > 100,
    "low_alpha": low_alpha,
    "digits": lambda file: file.language != "sql" and digit_share(file.text) > 0.2,
    "digits_sql": lambda file: file.language == "sql" and digit_share(file.text) > 0.3,
    "whitespace": whitespace,
    "comments": comments,
    "xml": lambda file: "<?xml version=" in file.text[:100],
    "autogenerated": autogenerated,
    "long_string_lines": long_string_lines,
    "strings": strings,
    "long_words": long_words,
    "encoded_run": lambda file: any(found > 1024 for found in encoded(file.text)),
    "encoded_share": lambda file: bool(file.text) and sum(encoded(file.text)) / len(file.text) > 0.5,
    "hex_words": hex_words,
    "prompt_comments": prompt_comments,
    "asserts": asserts,
    "html_visible_fraction": html_visible_fraction,
    "html_visible_chars": html_visible_chars,
    "python_invalid": python_invalid,
    "function_lines": function_lines,
    "single_return": single_return,
    "pass_lines": pass_lines,
    "import_lines": import_lines,
    "prints": prints,
    "mains": mains,
}
