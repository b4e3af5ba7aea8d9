"""Ignored files: the patterns of ``.gitignore`` files, as git reads them, at a cost that no pattern can blow up.

The rules are those of the gitignore(5) manual and of git's wildmatch: the last pattern that matches decides, files
nearer to the entry win, "!" takes back, a folder that is ignored hides all below it. Patterns become regular
expressions whose parts are atomic groups, since a glob needs no way back: a star takes the first place where what
follows it fits. Other libraries' expressions go back: eight stars ("*a*a…*b") keep one busy for 20 s with one name of
60 letters, and a hostile tree holds as many as it likes.

In "a**/b" the stars stand for one, as the manual says (git takes them for "**/" after a literal beginning).

Only ``.gitignore`` files count: not ``.git/info/exclude``, not the user's own; and git's index is not asked, so a
file that was added by force is ignored here.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

FILE = b".gitignore"
MAX_BYTES = 1 << 20

_SEGMENT = rb"[^/]"
_NOTHING = rb"(?!)"
_POSIX = {
    b"alpha": string.ascii_letters, b"digit": string.digits, b"alnum": string.ascii_letters + string.digits,
    b"upper": string.ascii_uppercase, b"lower": string.ascii_lowercase, b"space": string.whitespace, b"blank": " \t",
    b"punct": string.punctuation, b"xdigit": string.hexdigits,
    b"graph": string.ascii_letters + string.digits + string.punctuation,
    b"print": string.ascii_letters + string.digits + string.punctuation + " ",
    b"cntrl": "".join(map(chr, (*range(32), 127))),
}  # fmt: skip


class Rule(NamedTuple):
    """One pattern: what it matches (a name, or when ``anchored`` a path below its file), and what follows from it."""

    expression: re.Pattern[bytes]
    anchored: bool
    folders_only: bool
    ignores: bool


class Rules(NamedTuple):
    """The rules of one ``.gitignore``, last first, and the folder it lies in ("" for the root)."""

    folder: bytes
    rules: tuple[Rule, ...]


def read_rules(folder: bytes, raw: bytes) -> Rules:
    """Read a ``.gitignore``; a pattern that git cannot read matches nothing.

    >>> is_ignored(b"a/b.log", (read_rules(b"", b"*.log\\n!keep.log\\n"),), is_folder=False)
    True
    """
    lines = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    rules = (_rule(_trimmed(line.removesuffix(b"\r"))) for line in lines if not line.startswith(b"#"))
    return Rules(folder, tuple(rule for rule in rules if rule is not None)[::-1])


def is_ignored(path: bytes, files: Sequence[Rules], *, is_folder: bool) -> bool:
    """Whether an entry is ignored by the files of the folders it lies in, outermost first; asks nothing of its parents.

    ``path`` is below the tree's root, with "/". Costs one match for each rule until one fits.
    """
    name = path.rsplit(b"/", 1)[-1]
    for folder, rules in reversed(files):
        below = path[len(folder) + 1 :] if folder else path
        for expression, anchored, folders_only, ignores in rules:
            if (is_folder or not folders_only) and expression.fullmatch(below if anchored else name):
                return ignores
    return False


def _trimmed(line: bytes) -> bytes:
    """Without trailing spaces, except one that a backslash keeps."""
    kept = line.rstrip(b" ")
    slashes = len(kept) - len(kept.rstrip(b"\\"))
    return kept + b" " if slashes % 2 and len(kept) < len(line) else kept


def _rule(line: bytes) -> Rule | None:
    ignores = not line.startswith(b"!")
    pattern = line if ignores else line[1:]
    folders_only = pattern.endswith(b"/")
    pattern = pattern.removesuffix(b"/")
    anchored = b"/" in pattern
    pattern = pattern.removeprefix(b"/")
    if not pattern:
        return None
    return Rule(re.compile(_expression(pattern), re.DOTALL), anchored, folders_only, ignores)


def _expression(pattern: bytes) -> bytes:
    """Segments between "**" as runs: each run but the last at the first place where it fits."""
    segments = _split(_tokens(pattern))
    if [] in segments:
        return _NOTHING
    runs: list[list[bytes]] = [[]]
    for at, segment in enumerate(segments):
        if segment == [b"**"] and len(segments) > 1:
            if runs[-1] or not at:
                runs.append([])
        else:
            runs[-1].append(_segment(segment))
    first, *others = [b"/".join(run) for run in runs]
    if not others:
        return first
    found = first + b"/" if first else b""
    found += b"".join(b"(?>(?:[^/]+/)*?" + run + b"/)" for run in others[:-1])
    return found + (b"(?:[^/]+/)*" + others[-1] if others[-1] else b".+")


def _split(tokens: Iterator[bytes]) -> list[list[bytes]]:
    segments: list[list[bytes]] = [[]]
    for token in tokens:
        if token == b"/":
            segments.append([])
        else:
            segments[-1].append(token)
    return segments


def _segment(tokens: Sequence[bytes]) -> bytes:
    """One segment: stars between runs of single characters."""
    runs: list[bytes] = [b""]
    for token in tokens:
        if token.startswith(b"*"):
            runs.append(b"")
        else:
            runs[-1] += token
    first, *others = runs
    if not others:
        return first
    middle = b"".join(b"(?>" + _SEGMENT + b"*?" + run + b")" for run in others[:-1] if run)
    return first + middle + _SEGMENT + b"*" + others[-1]


def _tokens(pattern: bytes) -> Iterator[bytes]:
    """An expression for each single character, "/", and "*" or "**" for one star or more."""
    at = 0
    while at < len(pattern):
        sign = pattern[at : at + 1]
        if sign == b"[":
            token, at = _bracket(pattern, at + 1)
            yield token
            continue
        if sign == b"\\":
            at += 1
            yield re.escape(pattern[at : at + 1]) or _NOTHING
        elif sign == b"*":
            stars = len(pattern[at:]) - len(pattern[at:].lstrip(b"*"))
            at += stars - 1
            yield b"*" * min(stars, 2)
        else:
            yield _SEGMENT if sign == b"?" else re.escape(sign)
        at += 1


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int]:
    """The characters of a bracket, from behind its "[" to behind its "]"; one that is not closed matches nothing."""
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    held: set[int] = set()
    start = at
    while at < len(pattern) and (pattern[at : at + 1] != b"]" or at == start):
        found, at = _members(pattern, at)
        if found is None:
            break
        held |= found
    else:
        if at < len(pattern):
            return _one_of((set(range(256)) - held if negated else held) - {ord("/")}), at + 1
    return _NOTHING, len(pattern)


def _members(pattern: bytes, at: int) -> tuple[set[int] | None, int]:
    """What the next part of a bracket stands for: a class, a range, or a character."""
    if pattern[at : at + 2] == b"[:":
        end = pattern.find(b":]", at + 2)
        if end >= 0:
            named = _POSIX.get(pattern[at + 2 : end])
            return (None if named is None else set(named.encode())), end + 2
    low, at = _character(pattern, at)
    if pattern[at : at + 1] == b"-" and pattern[at + 1 : at + 2] not in (b"", b"]"):
        high, at = _character(pattern, at + 1)
        return (None if high is None or low is None else set(range(low, high + 1))), at
    return (None if low is None else {low}), at


def _character(pattern: bytes, at: int) -> tuple[int | None, int]:
    at += pattern[at : at + 1] == b"\\"
    return (pattern[at], at + 1) if at < len(pattern) else (None, at)


def _one_of(characters: set[int]) -> bytes:
    escaped = b"".join(re.escape(bytes([character])) for character in sorted(characters))
    return b"[" + escaped + b"]" if characters else _NOTHING
