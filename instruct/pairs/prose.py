"""CodeFusion's own benchmark files (github.com/microsoft/prose-benchmarks, folder CodeFusion).

One JSON document with a byte order mark, ``{"train": [...], "test": [...]}``, whose rows have ``ID``, ``NL
Utterance`` and ``Code``, and for rules ``Data`` (rows of cells, the first the header) and ``Labels``. Texts of the
Bash file end in a line feed. The README shows a plain array, which is read too. The README asks not to hand the data
on, so none of it is here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from columns.errors import InputError
from instruct.pairs.opened import document_of
from instruct.pairs.pair import TEST, TRAIN, UNSPLIT, checked_texts, origin_of, pair_batches

MOST_SHEET = 1 << 20
"""Characters of a sheet as JSON; a larger one is left out, and its row marked ``too_large``."""


def read_prose(path: Path, lang: str, *, prefix: str = "") -> Iterator[pa.RecordBatch]:
    """Pairs of one benchmark file as batches of `PAIR`; an item that is no object is a row with a problem.

    `InputError` for a file that is not JSON, and for a document without such rows.
    """
    return pair_batches(prose_rows(path, document_of(path), lang, prefix or lang))


def prose_rows(path: Path, document: Any, lang: str, prefix: str) -> Iterator[dict[str, Any]]:
    """The rows of a document that is already parsed."""
    splits = {UNSPLIT: document} if isinstance(document, list) else document
    known = {name: splits[name] for name in (TRAIN, TEST, UNSPLIT) if name in splits} if _is(splits) else {}
    if not known or not all(isinstance(rows, list) for rows in known.values()):
        hint = 'expected {"train": [...], "test": [...]} with "NL Utterance" and "Code"'
        raise InputError(f"{path}: no pairs in the layout of prose-benchmarks", hint=hint)
    for split, items in known.items():
        for number, item in enumerate(items, 1):
            yield {"id": f"{prefix}/{split or 'all'}/{number}", "lang": lang, "split": split, **_row(item)}


def _is(splits: Any) -> bool:
    return isinstance(splits, dict)


def _row(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {"problem": "not_an_object"}
    texts = checked_texts({"nl": item.get("NL Utterance"), "code": item.get("Code")})
    return {"origin": origin_of(item.get("ID")), **texts, **_sheet(item)}


def _sheet(item: dict[str, Any]) -> dict[str, Any]:
    rows, labels = item.get("Data"), item.get("Labels")
    if rows is None:
        return {}
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return {"problem": "not_an_object"}
    whole = isinstance(labels, list) and all(type(one) is int and abs(one) < 1 << 62 for one in labels)
    kept = {"labels": labels if whole else None}
    try:
        text = json.dumps(rows)
    except RecursionError:
        return {**kept, "problem": "too_large"}
    return {**kept, "sheet": text} if len(text) <= MOST_SHEET else {**kept, "problem": "too_large"}
