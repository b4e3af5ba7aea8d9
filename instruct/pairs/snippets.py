"""Snippets: code without sentences, one snippet a line, to pre-train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from columns.errors import InputError
from instruct.pairs.opened import lines_of, stem_of
from instruct.pairs.pair import BASH, EXCEL, LANGUAGES, PYTHON, checked_texts, pair_batches

_NAMES = {"bash": BASH, "python": PYTHON, "conditionalformatting": EXCEL, "excel": EXCEL, "cfrule": EXCEL}


def read_snippets(path: Path, lang: str = "", *, prefix: str = "snippets") -> Iterator[pa.RecordBatch]:
    """Lines of a file that are not blank, as batches of `PAIR` without ``nl``; an empty ``lang`` is told by the name.

    `InputError` where no language is told: a line alone does not say it.
    """
    told = lang or language_of(path)
    rows = (
        {
            "id": f"{prefix}/{told}/{number}",
            "lang": told,
            "origin": str(number),
            **checked_texts({"code": line}),
        }
        for number, line in enumerate(lines_of(path), 1)
        if line.strip()
    )
    return pair_batches(rows)


def language_of(path: Path) -> str:
    """The language that a file of snippets is named after.

    >>> language_of(Path("Pretraining Data/ConditionalFormattingSnippets.txt"))
    'excel_cf'
    """
    stem = stem_of(path)
    found = [lang for name, lang in _NAMES.items() if name in stem]
    if not found:
        hint = f"name it after one of {', '.join(LANGUAGES)}, for example bash-snippets.txt"
        raise InputError(f"{path}: which language its snippets are in is not told", hint=hint)
    return found[0]
