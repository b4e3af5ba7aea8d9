"""The pair: a sentence and the code it asks for, as one row, as a reader found it.

Readers give facts: what is wrong with a row stands in ``problem``, and which rows are left out is decided later
(`instruct.pairs.overlap`). A row that cannot be read has no text and is still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

PYTHON, BASH, EXCEL = "python", "bash", "excel_cf"
LANGUAGES = (PYTHON, BASH, EXCEL)
TRAIN, VALIDATION, TEST, MINED, UNSPLIT = "train", "validation", "test", "mined", ""
MOST_CHARS = 1 << 16
"""A text with more is no sentence and no snippet: its row is marked ``too_large`` and kept without it."""
PROBLEMS = ("not_json", "not_an_object", "not_text", "too_large", "no_code")

_BATCH = 1024


def _field(name: str, kind: pa.DataType, about: str) -> pa.Field:
    return pa.field(name, kind, metadata={"about": about})


PAIR = pa.schema(
    [
        _field("id", pa.string(), "identity: input, file or split, row (from 1)"),
        _field("lang", pa.string(), "python, bash or excel_cf"),
        _field(
            "split", pa.string(), "train, validation, test or mined, as the source says; empty: it says none"
        ),
        _field("origin", pa.string(), "the source's own identity of the row; it may repeat"),
        _field("nl", pa.large_string(), "the sentence; null: there is none"),
        _field("intent", pa.large_string(), "CoNaLa: the question's title, from which nl was rewritten"),
        _field("code", pa.large_string(), "the code; null: it cannot be read"),
        _field(
            "sheet",
            pa.large_string(),
            "rules: the table it is for, rows of cells as JSON, the first the header",
        ),
        _field("labels", pa.list_(pa.int64()), "rules: the source's labels of that table's rows"),
        _field("problem", pa.string(), "why the row cannot be read; null: it can"),
    ]
)


def pair_batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[pa.RecordBatch]:
    """Rows as batches of the schema `PAIR`, 1,024 at a time; columns that are not given are null, split is empty."""
    rest = iter(rows)
    while found := list(islice(rest, _BATCH)):
        whole = [{"split": UNSPLIT, **row} for row in found]
        yield pa.RecordBatch.from_pylist(whole, schema=PAIR)


def checked_texts(values: Mapping[str, Any], required: str = "code") -> dict[str, Any]:
    """Texts of one row and what is wrong with them: none is given where one is no text or too large.

    Final line ends (also of Windows) are no part of a sentence or a snippet; what is blank then is null.

    >>> checked_texts({"nl": "list files\\n", "code": "ls\\n"})
    {'nl': 'list files', 'code': 'ls', 'problem': None}
    >>> checked_texts({"nl": "list files", "code": 7})
    {'nl': None, 'code': None, 'problem': 'not_text'}
    """
    texts = {
        name: value.rstrip("\r\n") if isinstance(value, str) else value for name, value in values.items()
    }
    problem = next((found for found in map(_problem, texts.values()) if found), None)
    texts = (
        {name: text if text and text.strip() else None for name, text in texts.items()} if not problem else {}
    )
    if not problem and texts[required] is None:
        problem = "no_code"
    return {**dict.fromkeys(values), **texts, "problem": problem}


def origin_of(value: Any) -> str:
    """The source's identity of a row as text, at most 80 characters; empty where it is neither text nor a number.

    >>> origin_of(41067960), origin_of([1])
    ('41067960', '')
    """
    return str(value)[:80].encode("utf-8", "replace").decode() if isinstance(value, str | int) else ""


def _problem(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return "not_text"
    if len(value) > MOST_CHARS:
        return "too_large"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "not_text"
    return None
