"""Putting numbers, rules and untrusted text into words that people can read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from columns.document import PROBLEMS

if TYPE_CHECKING:
    from pipelines.finished import Rule

_SYMBOLS: Mapping[str, str] = {
    "gt": ">",
    "lt": "<",
    "not_in": "not in",
    "ge": "≥",
    "le": "≤",
    "eq": "=",
    ">=": "≥",
    "<=": "≤",
    "==": "=",
}
_LIST = 6
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_STEPS: Mapping[str, tuple[str, str]] = {
    "read": ("Files read", "Everything the inputs listed"),
    "unreadable": ("Could not be read", "No usable text: unreadable, binary, malformed or too large"),
    "exact_duplicate": ("Exact duplicates", "The same text as a file that is kept instead"),
    "contaminated": ("Benchmark contamination", "Holds a benchmark task the model will be tested on"),
    "already_have": (
        "Already in a known corpus",
        "The same or almost the same text as a file of it (--against)",
    ),
    "near_duplicate": ("Near-duplicates", "Almost the same text as a file that is kept instead"),
}
SKIPPED: Mapping[str, str] = {
    "duplicate_name": "members of an archive whose name another one had before",
    "duplicate_repository": "repositories named twice, or under an old name too",
    "empty_repository": "repositories without a commit, or without files",
    "folder_loop": "folders that were met before",
    "hardlink": "hard links in archives",
    "ignored": "what .gitignore files name",
    "large_gitignore": ".gitignore files over 1 MiB, not asked",
    "malformed_list_row": "rows of a list that could not be read",
    "nested_archive": "archives and compressed files inside archives, not entered",
    "not_a_file": "pipes, sockets and devices",
    "not_a_repository": "entries of a list that name no repository",
    "other_language": "files of languages that are not selected",
    "path_too_long": "names over the limit of length",
    "repository_failed": "repositories that could not be fetched or listed",
    "repository_forbidden": "private or blocked repositories",
    "repository_gone": "repositories that are not there any more",
    "repository_left_out": "repositories that the recipe's github section leaves out",
    "repository_too_large": "repositories over the limits of size or number of files",
    "sparse": "sparse members of archives",
    "submodule": "submodules, not fetched",
    "symlink": "symbolic links, not followed",
    "truncated_list": "lists that end in the middle",
    "unreadable_folder": "folders that could not be opened",
    "unsafe_path": "members of archives with a name that leads out of a folder",
    "version_control": "folders of git, Mercurial and Subversion, not entered",
}
LEAK_ACTIONS: Mapping[str, str] = {
    "drop": "dropped",
    "excise": "kept, and the task cut out",
    "report": "kept, and reported",
}


def plain(text: str, *, lines: bool = False) -> str:
    """Make untrusted text harmless to show: control and direction-changing characters become visible.

    A terminal escape, a NUL or a right-to-left override in a file or its name can then neither act
    nor reorder what is shown (CVE-2021-42574, "Trojan Source"). Newlines stay only with ``lines``.

    >>> plain("a\\x1b[31m\\u202eb")
    'a␛[31m⟨U+202E⟩b'
    """
    kept = text.replace("\r\n", "\n") if lines else text.replace("\n", "␊").replace("\t", "␉")
    return _UNSAFE.sub(_visible, kept)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def count(value: float) -> str:
    """A number of things, with thousands separators.

    >>> count(1204)
    '1,204'
    """
    return f"{int(value):,}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """A number and its noun.

    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def size(value: float) -> str:
    """Bytes in decimal units.

    >>> size(999), size(1_500_000)
    ('999 B', '1.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{int(value)} B" if unit == "B" else f"{value:.3g} {unit}"


def share(part: float, whole: float) -> str:
    """A percentage that never rounds something to nothing, nor a part to the whole.

    >>> share(1, 100_000), share(0, 5), share(99_999, 100_000)
    ('<0.1%', '0%', '>99.9%')
    """
    if not whole or not part:
        return "0%"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1%"
    return ">99.9%" if 99.9 < percent < 100 else "100%" if percent == 100 else f"{percent:.1f}%"


def measured(value: Any) -> str:
    """A measured value: yes/no, a count, or a number with four significant digits.

    >>> measured(1204), measured(0.24561), measured(True), measured(None)
    ('1,204', '0.2456', 'yes', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{int(value):,}" if isinstance(value, int | float) else plain(str(value))


def drops_when(op: str, value: Any) -> str:
    """The condition under which a rule drops a file; a long list is shortened, None is a table's number.

    >>> drops_when("gt", 1000), drops_when("is", True), drops_when("in", ["c", "go"]), drops_when("gt", None)
    ('> 1000', 'is yes', 'in [c, go]', '> its table')
    """
    symbol = _SYMBOLS.get(op, op)
    if value is None:
        return f"{symbol} its table"
    if isinstance(value, list | tuple):
        return f"{symbol} [{plain(some([str(item) for item in value], _LIST))}]"
    small = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10_000
    return f"{symbol} {f'{value:g}' if small else measured(value)}".strip()


def some(names: Sequence[str], most: int) -> str:
    """The first names of a list and how many more there are.

    >>> some(["a", "b", "c", "d"], 2), some(["a", "b", "c"], 2), some([], 2)
    ('a, b and 2 more', 'a, b and 1 more', '')
    """
    more = f" and {count(len(names) - most)} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def drops_files(rule: Rule) -> str:
    """The whole condition of a rule: signal, threshold, languages and chance."""
    when = drops_when(rule.op, None if rule.table else rule.value)
    if rule.table:
        when = f"{when} {rule.table}"
        when += "" if rule.value is None else f" ({measured(rule.value)} when not listed)"
    scope = f" for {some(rule.languages, _LIST)}" if rule.languages else ""
    scope += f" except for {some(rule.except_languages, _LIST)}" if rule.except_languages else ""
    return f"{rule.signal} {when}{scope}{chance(rule.probability)}"


def chance(probability: float) -> str:
    """How a rule draws the files it drops, empty when it drops all.

    >>> chance(0.7), chance(1), chance(0)
    (', a share of 0.7 by chance', '', ', never drawn (share 0)')
    """
    if probability == 0:
        return ", never drawn (share 0)"
    return f", a share of {probability:g} by chance" if probability < 1 else ""


def cited(status: str, source: str) -> str:
    """Where a value comes from, in brackets.

    >>> cited("published", "Codex §3.1"), cited("ours", "")
    ('(published, Codex §3.1)', '(ours)')
    """
    said = ", ".join(part for part in (status, source) if part)
    return f"({said})" if said else ""


def skipped(reason: str) -> str:
    """What was left out for a reason that sources count, for people; an unknown reason stays as it is.

    >>> skipped("submodule"), skipped("new_reason")
    ('submodules, not fetched', 'new_reason')
    """
    return SKIPPED.get(reason, plain(reason))


def problem(kind: str) -> str:
    """Why a file has no text, for people: a problem, or its first word.

    >>> problem("binary"), problem("malformed: line 3: no object")
    ('not text: NUL bytes in an undeclared encoding', 'a row or line that is not what its format says')
    """
    return PROBLEMS.get(kind.partition(":")[0], plain(kind))


def step_title(rule: str) -> str:
    """The name of a step of the funnel, for people."""
    return _STEPS[rule][0] if rule in _STEPS else rule


def step_meaning(rule: str) -> str:
    """What a fixed step of the funnel is about; empty for content rules."""
    return _STEPS[rule][1] if rule in _STEPS else ""
