"""The opt-out list: what somebody asked to be left out, by repository, owner, path, blob or text.

A YAML list of entries with one of the keys ``repo``, ``owner``, ``path`` (a pattern: ``*`` within a folder, ``**`` over
folders), ``blob`` (git blob id) or ``content`` (SHA-256 of the text), and a ``reason`` if there is one. It is applied
before anything is stored: the row stays, without its text, with the problem "opted_out".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.entries import read_entries
from columns.errors import InputError
from columns.hashing import content_hashes

Kind = Literal["repo", "owner", "path", "blob", "content"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OPTED_OUT = "opted_out"

_HEX = {"blob": (40, 64), "content": (64,)}
_WILD = re.compile(r"\*\*/?|\*|\?")
_LIKE = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, order=True)
class OptedOut:
    """One wish: everything whose ``kind`` is ``value`` is left out. Repositories and owners in any case.

    >>> OptedOut("blob", "12")
    Traceback (most recent call last):
    ValueError: blob: expected 40 or 64 hex digits, got '12'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    kind: Kind
    value: str
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.value.strip():
            raise ValueError(f"{self.kind}: expected a text, got {self.value!r}")
        lengths = _HEX.get(self.kind)
        if lengths and not (len(self.value) in lengths and re.fullmatch("[0-9a-fA-F]+", self.value)):
            raise ValueError(
                f"{self.kind}: expected {' or '.join(map(str, lengths))} hex digits, got {self.value!r}"
            )


def read_opt_outs(path: str | Path) -> tuple[OptedOut, ...]:
    """Read a list, sorted and each entry once; `InputError`, naming file and entry, for what is no list.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "out.yaml").write_text("- repo: ada/engine\\n  reason: asked by mail\\n")
    ...     read_opt_outs(Path(folder, "out.yaml"))
    (OptedOut(kind='repo', value='ada/engine', reason='asked by mail'),)
    """
    found = read_entries(path, "an opt-out list", _hint())
    return tuple(sorted({_entry(entry, where) for where, entry in found}))


def _entry(entry: Any, where: str) -> OptedOut:
    kinds = [kind for kind in KINDS if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1 or set(entry) - {*kinds, "reason"}:
        raise InputError(f"{where}: not an entry", hint=_hint())
    try:
        return OptedOut(kinds[0], str(entry[kinds[0]]), str(entry.get("reason") or ""))
    except ValueError as problem:
        raise InputError(f"{where}: {problem}", hint=_hint()) from problem


def _hint() -> str:
    return f"an entry has one of {', '.join(KINDS)}, and may have a reason"


def opted_out(batch: pa.RecordBatch, wishes: tuple[OptedOut, ...]) -> np.ndarray:
    """Which rows somebody asked to be left out, ``bool[rows]``; ``batch`` has repo, path, blob_id and content.

    Without ``content`` a stored ``content_hash`` answers for it.

    >>> from columns.testing import documents
    >>> opted_out(documents(["x", "y"], ["a/b.py", "c.py"]), (OptedOut("path", "a/**"),)).tolist()
    [True, False]
    """
    found = np.zeros(batch.num_rows, np.bool_)
    for kind in {wish.kind for wish in wishes}:
        found |= _matching(batch, kind, wishes)
    return found


def _matching(batch: pa.RecordBatch, kind: Kind, wishes: tuple[OptedOut, ...]) -> np.ndarray:
    if kind == "path":
        return _true(pc.match_substring_regex(batch.column("path"), _patterns(wishes)))
    values = sorted({wish.value.lower() for wish in wishes if wish.kind == kind})
    if kind == "content":
        wanted = pa.array([bytes.fromhex(value) for value in values], pa.binary(32))
        stored = "content" not in batch.schema.names
        hashes = batch.column("content_hash") if stored else content_hashes(batch.column("content"))
        return _true(pc.is_in(hashes.cast(pa.binary(32)), wanted))
    column = pc.utf8_lower(batch.column("blob_id" if kind == "blob" else "repo"))
    if kind == "owner":
        column = pc.replace_substring_regex(column, "/.*$", "")
    return _true(pc.is_in(column, pa.array(values, pa.string())))


@lru_cache(maxsize=4)
def _patterns(wishes: tuple[OptedOut, ...]) -> str:
    return "|".join(f"^{like(wish.value)}$" for wish in wishes if wish.kind == "path")


def like(pattern: str) -> str:
    """A path pattern as a regular expression.

    >>> like("a/**/b*.py")
    'a/(?:.*/)?b[^/]*\\\\.py'
    """
    ends = [0, *(edge for found in _WILD.finditer(pattern) for edge in found.span()), len(pattern)]
    pieces = [pattern[a:b] for a, b in zip(ends, ends[1:], strict=False)]
    return "".join(_LIKE.get(piece) or re.escape(piece) for piece in pieces)


def _true(mask: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(mask, False))


def left_out(batch: pa.RecordBatch, wishes: tuple[OptedOut, ...]) -> pa.RecordBatch:
    """The batch without the texts and encodings of rows that somebody asked to be left out.

    >>> from columns.testing import documents
    >>> left_out(documents(["x"]), (OptedOut("repo", "repo"),)).column("problem").to_pylist()
    ['opted_out']
    """
    gone = opted_out(batch, wishes) if wishes else np.zeros(batch.num_rows, np.bool_)
    return emptied(batch, gone) if gone.any() else batch


def emptied(batch: pa.RecordBatch, gone: np.ndarray) -> pa.RecordBatch:
    """The batch without the texts and encodings of some rows (``bool[rows]``), which say that they were opted out."""
    mask, columns = pa.array(gone), {name: batch.column(name) for name in batch.schema.names}
    for name in ("content", "encoding", "lossy"):
        columns[name] = pc.if_else(mask, pa.scalar(None, columns[name].type), columns[name])
    columns["problem"] = pc.if_else(mask, OPTED_OUT, columns["problem"])
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)
