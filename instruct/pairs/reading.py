"""Reading: pairs of a language from a path, whichever published layout lies there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from instruct.pairs.conala import read_conala
from instruct.pairs.nl2bash import read_nl2bash
from instruct.pairs.opened import document_of
from instruct.pairs.pair import BASH, PYTHON, pair_batches
from instruct.pairs.prose import prose_rows, read_prose


def read_pairs(path: Path, lang: str, *, prefix: str = "") -> Iterator[pa.RecordBatch]:
    """Batches of `PAIR` in the order of the files.

    Python: a CoNaLa folder or file, or a file of prose-benchmarks; Bash: NL2Bash files, or a file of prose-benchmarks;
    rules: a file of prose-benchmarks. ``prefix`` begins every id; a path that holds none of them is an `InputError`.
    """
    start = prefix or lang
    is_json = path.is_file() and ".json" in map(str.lower, path.suffixes)
    if lang == BASH and not is_json:
        return read_nl2bash(path, prefix=start)
    if lang != PYTHON:
        return read_prose(path, lang, prefix=start)
    if not is_json:
        return read_conala(path, prefix=start)
    document = document_of(path)
    if isinstance(document, list) and not any(
        isinstance(one, dict) and "Code" in one for one in document[:9]
    ):
        return read_conala(path, prefix=start)
    return pair_batches(prose_rows(path, document, lang, start))
