"""Where the product differs from a published program on purpose, and what it does instead.

``OWN`` gives, for a rule that may differ, the reason and, where it can be said in a few lines, the product's own
definition in plain Python: a verdict that differs must be the one of that definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.conformance.files import File, OracleRule, page_text


class Reason(NamedTuple):
    """Why verdicts may differ; ``ours`` is the product's definition, None where it is not a few lines."""

    text: str
    ours: OracleRule | None = None


def digit_share(text: str) -> float:
    visible = [c for c in text if not c.isspace()]
    return sum(c in "0123456789" for c in visible) / len(visible) if visible else 0.0


def shown(file: File) -> int:
    return len(page_text(file.text, scripts=False) or "")


def by_newlines(file: File) -> bool:
    lines = file.text.split("\n")
    count = len(lines) - (not lines[-1])
    return count > 0 and len(file.text) / count > 100


NO_WORDS = "Upstream has no value, and so no verdict, for a file without words; here it is 0."
DIGITS = (
    "Upstream counts all Unicode digits and gives a file without visible characters the share 1; here digits are "
    "[0-9], and such a file has the share 0 and is dropped by other rules."
)
SCRIPTS = "Upstream counts the text of scripts and styles as visible; the signal, StarCoder's, does not."
COMMENTS = (
    "The product's lexer measures the comment as it stands in the file, with its marks and indentation; upstream takes "
    "Python's docstrings cleaned of indentation and comments without '#', and other languages by Pygments."
)
FUNCTIONS = (
    "Upstream has no count where Python's own parser rejects a file, does not count async functions, and takes its "
    "lines of code from Pygments; here tree-sitter counts what it can read."
)
LETTERS = "Upstream counts every line of code with the letters '{0}' in it; here {1} are counted."
OTHER_CAUSES: Mapping[str, str] = {
    "dup_lines": "Upstream counts the lines of code, comments left out; dup_line_fraction counts comments too.",
    "strings": (
        "Upstream's expression for strings ends them at a line end and does not know raw strings, and Pygments takes "
        "some triple-quoted strings for docstrings; the product's lexer knows both."
    ),
    "long_words": (
        "Upstream's expression takes ' and \" for strings in every language, in JSON and text as well; the product's "
        "lexer knows which quotes a language has."
    ),
    "long_string_lines": (
        "Upstream's expression pairs any two quotes, over lines and through code: in minified files the code between "
        "two strings counts as one. The product's lexer reads the strings."
    ),
    "prompt_comments": (
        "Upstream joins the comments of a file without the line ends between them and counts the lines of that; here "
        "each line with such a comment counts."
    ),
    "function_lines": FUNCTIONS,
    "single_return": FUNCTIONS,
    "pass_lines": LETTERS.format("pass", "pass statements"),
    "import_lines": LETTERS.format("import", "import statements"),
}
OWN: Mapping[tuple[str, str], Reason] = {
    ("redpajama_code", "line_mean"): Reason(
        "Upstream divides all characters by the lines of str.splitlines; here lines end at a newline only.",
        by_newlines,
    ),
    ("opencoder", "word_mean_min"): Reason(NO_WORDS),
    ("opencoder", "unique_words_data"): Reason(NO_WORDS),
    ("opencoder", "whitespace"): Reason(
        "Upstream gives a file without characters the share 1 and drops it; here it is 0, and other rules drop it.",
        lambda file: False,
    ),
    ("opencoder", "digits"): Reason(DIGITS, lambda file: digit_share(file.text) > 0.2),
    ("opencoder", "digits_sql"): Reason(DIGITS, lambda file: digit_share(file.text) > 0.3),
    ("opencoder", "html_visible_fraction"): Reason(SCRIPTS, lambda file: shown(file) < 0.2 * len(file.text)),
    ("opencoder", "html_visible_chars"): Reason(SCRIPTS, lambda file: shown(file) < 100),
    ("opencoder", "comments"): Reason(COMMENTS),
    **{("opencoder", name): Reason(text) for name, text in OTHER_CAUSES.items()},
}

TOKENIZER = "needs upstream's tokenizer"
OTHER = "another program's verdict (ScanCode, go-enry)"
FAILED = "upstream's parser failed: it has no value to compare"
LANGUAGES = "upstream has a program of its own for each language; not written again here"
WITHOUT: Mapping[tuple[str, str], str] = {
    ("codeparrot", "low_chars_per_token"): TOKENIZER,
    ("redpajama_code", "low_alpha_per_token"): TOKENIZER,
    ("starcoder", "html_unparsed"): FAILED,
    ("stack_v2", "license"): OTHER,
    ("stack_v2", "vendored"): OTHER,
    ("stack_v2", "generated"): OTHER,
    ("stack_v2", "low_alnum_assembly"): "second-hand; the sample has no such file",
    ("stack_v2", "text_name"): "second-hand; the sample has no such file",
    ("opencoder", "unparsed"): "ours",
    ("opencoder", "comments_upstream"): "a defect of upstream's; drops nothing without bug_compat",
    ("opencoder", "html_unparsed"): FAILED,
    ("opencoder", "javascript_invalid"): "upstream's JavaScript parser is not installed here",
    **{("opencoder", name): LANGUAGES for name in ("no_variable", "no_logic", "preprocessor", "go_test")},
}
