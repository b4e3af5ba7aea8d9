"""Notebooks: Jupyter notebooks as the code they hold; outputs, prose and everything else is left out.

Reads nbformat 4 (``cells`` with ``source``) and the older 1 to 3 (``worksheets`` of ``cells`` with ``input``), after
the notebook format's description in the nbformat documentation ("The Jupyter Notebook format", "Top-level structure",
"Code cells"). A text is a string or a list of strings to be joined as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.languages import canonical
from sources.selection import NOTEBOOK
from sources.tables.cells import mended
from sources.tables.jsonl import parse_line
from sources.unit import Skipped

Magics = Literal["keep", "comment"]

_HASH = "python r julia ruby shell perl elixir coffeescript nim"
_SLASHES = "javascript typescript c c++ c# java scala kotlin go rust swift php groovy f# dart"
_MARKS = {**dict.fromkeys(_HASH.split(), "#"), **dict.fromkeys(_SLASHES.split(), "//")}
_KERNELS = (("python", "python"), ("julia", "julia"), ("xcpp", "c++"), ("ir", "r"), ("bash", "shell"))
_SAME_CODE = frozenset(
    ("time", "timeit", "capture", "prun", "lprun", "memit", "mprun", "debug", "heat", "snakeviz")
)

_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_LINE_MAGIC = re.compile(
    r"(?:%[A-Za-z_]|!(?!=)|\?{1,2}[\w.*]+\s*$|[\w.]+\?{1,2}\s*$|[\w.,\s]+=\s*(?:!(?!=)|%[A-Za-z_]))"
)
_QUOTES = re.compile(r'"""|\'\'\'')


class Code(NamedTuple):
    """A notebook's code and the language its metadata names, or None."""

    text: str
    language: str | None


def as_code(
    batch: pa.RecordBatch, magics: Magics, languages: tuple[str, ...], skipped: Skipped
) -> pa.RecordBatch:
    """A document batch with its notebooks (language "jupyter notebook") as code in their own language.

    ``content`` becomes the code, ``language`` what the metadata says (left as it is where it says nothing); ``size``
    stays the file's. What is no notebook keeps its row without content, with the problem "malformed". With
    ``languages``, notebooks in others are left out and counted as "other_language".

    Costs one JSON parse per notebook, most of it outputs. ``batch`` is `columns.document.DOCUMENT` without ids.

    >>> from collections import Counter
    >>> from columns.document import document_batch
    >>> raw = '{"cells": [{"cell_type": "code", "source": ["x = 1"]}], "metadata": {"kernelspec": {"language": "R"}}}'
    >>> batch = document_batch({"content": [raw], "language": ["jupyter notebook"]}, 1)
    >>> as_code(batch, "keep", (), Counter()).select(["content", "language"]).to_pylist()
    [{'content': 'x = 1\\n', 'language': 'r'}]
    """
    content = batch.column("content")
    rows = np.flatnonzero(
        pc.and_(pc.equal(batch.column("language"), NOTEBOOK), pc.is_valid(content)).fill_null(False)
    )
    if not len(rows):
        return batch
    read = [_read(content[int(row)].as_py(), magics) for row in rows]
    lost = np.asarray([isinstance(found, str) for found in read])
    spoken = [NOTEBOOK if isinstance(found, str) else found.language or NOTEBOOK for found in read]
    changed = _replaced(
        batch,
        rows,
        {
            "content": [None if isinstance(found, str) else found.text for found in read],
            "language": spoken,
            "problem": [found if isinstance(found, str) else None for found in read],
        },
    )
    if lost.any():
        changed = _replaced(
            changed, rows[lost], {"encoding": [None] * lost.sum(), "lossy": [False] * lost.sum()}
        )
    unwanted = [] if not languages or NOTEBOOK in languages else [one not in languages for one in spoken]
    return _without(changed, rows[np.asarray(unwanted, np.bool_) & ~lost] if unwanted else rows[:0], skipped)


def code(raw: str, magics: Magics = "keep") -> Code:
    """The code cells of a notebook, one empty line between them; ``ValueError`` when it is no notebook.

    >>> cells = '[{"cell_type": "code", "source": ["%time f()\\\\n", "x = 1"]}]'
    >>> code(f'{{"cells": {cells}, "metadata": {{"language": "python"}}}}', "comment").text
    '# %time f()\\nx = 1\\n'
    """
    notebook = parse_line(raw.encode())[0]
    if not isinstance(notebook, dict):
        raise ValueError(f"a notebook is an object, got {type(notebook).__name__}")
    cells = list(_code_cells(notebook))
    language = _language(notebook, cells)
    texts = (_source(cell) for cell in cells)
    if magics == "comment" and language in _MARKS:
        texts = (commented(text, language) for text in texts)
    text = "\n\n".join(kept for text in texts if (kept := text.strip("\n")))
    return Code(mended(text) + "\n" if text else "", language)


def commented(cell: str, language: str) -> str:
    """A cell with IPython's magics, shell and help lines as comments.

    Told line by line: a line inside a triple-quoted string is left alone, and a cell magic that names another language
    takes the whole cell with it. An indented line leaves ``pass`` in Python, so that its block is not empty.

    >>> commented("%%bash\\nls", "python"), commented("!ls\\nif x:\\n    %cd y", "python")
    ('# %%bash\\n# ls', '# !ls\\nif x:\\n    pass  # %cd y')
    """
    mark, lines = _MARKS[language], cell.split("\n")
    whole = _CELL_MAGIC.match(cell)
    if whole and whole[1] not in _SAME_CODE:
        return "\n".join(f"{mark} {line}".rstrip() for line in lines)
    quoted = False
    for at, line in enumerate(lines):
        if not quoted and (_CELL_MAGIC.match(line) or _LINE_MAGIC.match(line.lstrip())):
            lines[at] = _comment(line, mark, is_python=language == "python")
        elif len(_QUOTES.findall(line)) % 2:
            quoted = not quoted
    return "\n".join(lines)


def _comment(line: str, mark: str, *, is_python: bool) -> str:
    below = line.lstrip()
    indent = line[: len(line) - len(below)]
    return f"{indent}pass  {mark} {below}" if indent and is_python else f"{indent}{mark} {below}"


def _read(raw: str, magics: Magics) -> Code | str:
    try:
        return code(raw, magics)
    except (ValueError, RecursionError) as error:
        return f"malformed: {' '.join(str(error).split())[:200]}"


def _code_cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        sheets = notebook.get("worksheets")
        if not isinstance(sheets, list):
            raise ValueError("a notebook without cells")
        listed = (sheet.get("cells") for sheet in sheets if isinstance(sheet, dict))
        cells = [cell for found in listed if isinstance(found, list) for cell in found]
    yield from (cell for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code")


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _language(notebook: Mapping[str, Any], cells: list[Mapping[str, Any]]) -> str | None:
    metadata = _mapping(notebook.get("metadata"))
    kernel, info = _mapping(metadata.get("kernelspec")), _mapping(metadata.get("language_info"))
    stated = [
        kernel.get("language"),
        info.get("name"),
        metadata.get("language"),
        *(c.get("language") for c in cells[:1]),
    ]
    named = next((mended(name) for name in stated if isinstance(name, str) and name.strip()), None)
    if named is not None:
        return canonical("python" if named.lower() == "ipython" else named)
    name = kernel.get("name")
    return next(
        (tongue for start, tongue in _KERNELS if isinstance(name, str) and name.startswith(start)), None
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _replaced(batch: pa.RecordBatch, rows: np.ndarray, changed: Mapping[str, list[Any]]) -> pa.RecordBatch:
    mask = np.zeros(batch.num_rows, np.bool_)
    mask[rows] = True
    for name, values in changed.items():
        at, column = batch.schema.get_field_index(name), batch.column(name)
        filled = pc.replace_with_mask(column, pa.array(mask), pa.array(values, column.type))
        batch = batch.set_column(at, batch.schema.field(at), filled)
    return batch


def _without(batch: pa.RecordBatch, rows: np.ndarray, skipped: Skipped) -> pa.RecordBatch:
    if not len(rows):
        return batch
    skipped["other_language"] += len(rows)
    return batch.take(pa.array(np.delete(np.arange(batch.num_rows), rows)))
