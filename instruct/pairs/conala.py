"""CoNaLa: Python snippets with the questions they answer (Yin et al. 2018, arXiv 1805.08949).

``conala-train.json`` and ``conala-test.json`` are arrays, ``conala-mined.jsonl`` has an object per line. Their fields:
``question_id``, ``intent`` (a question's title), ``rewritten_intent`` (the same said exactly; null in some rows, absent
from mined ones) and ``snippet``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from columns.errors import InputError
from instruct.pairs.opened import document_of, json_of, lines_of, stem_of
from instruct.pairs.pair import MINED, PYTHON, TEST, TRAIN, UNSPLIT, checked_texts, origin_of, pair_batches

_FILES = ("conala-train", "conala-test", "conala-mined")
_SPLITS = (TRAIN, TEST, MINED)


def read_conala(path: Path, *, prefix: str = PYTHON) -> Iterator[pa.RecordBatch]:
    """Pairs of a CoNaLa folder or file as batches of `PAIR`; ``nl`` is the rewritten intent.

    A line that is not JSON and an item that is no object are rows with a problem. `InputError` for a folder without
    such files or with two of a split, and a document that is no JSON array.
    """
    files = conala_files(path)
    return pair_batches(row for file in files for row in _rows(file, prefix))


def conala_files(path: Path) -> list[Path]:
    """The files of a CoNaLa folder in the order train, test, mined; a file is itself."""
    if not path.is_dir():
        return [path]
    inside = sorted(path.iterdir())
    found = [file for stem in _FILES for file in inside if file.is_file() and stem_of(file) == stem]
    again = next((two for one, two in pairwise(found) if stem_of(one) == stem_of(two)), None)
    if again:
        raise InputError(f"{again}: there is another {stem_of(again)} beside it", hint="keep one of them")
    if not found:
        raise InputError(
            f"{path}: no CoNaLa files", hint=f"expected {', '.join(_FILES)} (.json, .jsonl, .gz)"
        )
    return found


def _rows(file: Path, prefix: str) -> Iterator[dict[str, Any]]:
    stem = stem_of(file)
    split = next((one for one in _SPLITS if one in stem), UNSPLIT)
    for number, item in enumerate(_items(file), 1):
        yield {"id": f"{prefix}/{split or stem}/{number}", "lang": PYTHON, "split": split, **_row(item)}


def _items(file: Path) -> Sequence[Any]:
    if ".jsonl" in file.name.lower():
        return [_line(line) for line in lines_of(file) if line.strip()]
    document = document_of(file)
    if not isinstance(document, list):
        raise InputError(
            f"{file}: expected a JSON array, found {type(document).__name__}", hint="name a CoNaLa file"
        )
    return document


def _line(line: str) -> Any:
    try:
        return json_of(line)
    except ValueError:
        return ValueError


def _row(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {"problem": "not_json" if item is ValueError else "not_an_object"}
    texts = {"nl": item.get("rewritten_intent"), "intent": item.get("intent"), "code": item.get("snippet")}
    return {"origin": origin_of(item.get("question_id")), **checked_texts(texts)}
