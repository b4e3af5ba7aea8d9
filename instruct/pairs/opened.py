"""Opened files: text, lines and JSON of a file that a user names, plain or gzipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from columns.errors import InputError
from contamination.formats import OneFile

_HINT = "expected UTF-8 text, plain or gzipped"


def text_of(path: Path) -> str:
    """The whole text of a file; a byte order mark is no part of it, bytes that are not UTF-8 become U+FFFD.

    Raises `InputError` for a file that cannot be read or unpacked, or is over 4 GiB.
    """
    try:
        return OneFile(path).read("").decode("utf-8-sig", "replace")
    except InputError as error:
        raise InputError(error.what, hint=_HINT) from error


def lines_of(path: Path) -> list[str]:
    """The lines of a file; only a line feed ends one."""
    text = text_of(path).removesuffix("\n")
    return text.split("\n") if text else []


def json_of(text: str) -> Any:
    """A JSON value; `ValueError` for what is none, however deep it is nested or long its numbers are."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def document_of(path: Path) -> Any:
    """The JSON document that a file is; `InputError` where it is none."""
    try:
        return json_of(text_of(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})", hint="expected one JSON document") from error


def stem_of(path: Path) -> str:
    """A file's name without its endings, in lower case.

    >>> stem_of(Path("data/Train.nl.filtered.gz"))
    'train'
    """
    return path.name.lower().partition(".")[0]
