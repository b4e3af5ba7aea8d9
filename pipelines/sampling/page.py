"""The sheet as files: one self-contained page to label in a browser, and a table for a spreadsheet."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pipelines import wording
from pipelines.sampling.draw import KEPT, Item, Sheet
from pipelines.sampling.labels import COLUMNS, LABELS

SHOWN = ("repo", "path", "language", "size", "why", "evidence")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MEANING = {"right": "rightly dropped", "wrong": "should have stayed", "unsure": "cannot tell"}
_MEANING_KEPT = {"right": "rightly kept", "wrong": "should have been dropped", "unsure": "cannot tell"}


def write_html(sheet: Sheet, path: str | Path) -> None:
    """Write the sheet as one HTML file that works offline; labels stay in the browser until they are saved."""
    Path(path).write_text(render(sheet), "utf-8")


def render(sheet: Sheet) -> str:
    """The page's HTML: the same sheet gives the same bytes.

    File contents and names are untrusted: everything is escaped, control and direction-changing characters are made
    visible, and a content security policy lets only the page's own style and script run.
    """
    style = _text("pipelines.report", "page.css") + _text("pipelines.sampling", "sheet.css")
    script = _text("pipelines.sampling", "sheet.js")
    meaning = _MEANING_KEPT if sheet.rule == KEPT else _MEANING
    key = hashlib.sha256(f"{sheet.ledger}/{sheet.rule}/{sheet.seed}".encode()).hexdigest()[:16]
    return str(_template().render(
        sheet=sheet, style=Markup(style), script=Markup(script), style_hash=_digest(style), script_hash=_digest(script),
        meaning=meaning, labels=list(LABELS), columns=",".join(COLUMNS), key=key, title=wording.step_title(sheet.rule),
    ))  # fmt: skip


def _text(package: str, name: str) -> str:
    return (resources.files(package) / name).read_text("utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": wording.count, "size": wording.size}
    environment.globals |= {"counted": wording.counted}
    return environment.from_string(_text("pipelines.sampling", "sheet.html.j2"))


def write_csv(sheet: Sheet, path: str | Path) -> None:
    """Write the sheet as a table with an empty column ``label`` to fill in; `read_labels` reads it back.

    Cells that a spreadsheet would take for a formula start with ``'``.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *SHOWN])
    for item in sheet.items:
        known = [item.number, item.doc_id, sheet.rule, sheet.population, sheet.seed, ""]
        shown = [item.repo, item.path, item.language, item.size, item.why, evidence(item)]
        writer.writerow([*known, *map(_cell, shown)])
    Path(path).write_text(out.getvalue(), "utf-8")


def evidence(item: Item) -> str:
    """The telling lines of a file as text: marked ones, differing ones, or the first."""
    if item.pairs:
        differing = [pair for pair in item.pairs if pair.differs] or list(item.pairs)
        return "\n".join(f"{pair.kept}  |  {pair.dropped}" for pair in differing[:6])
    lines = [line for line in item.lines if line.number]
    return "\n".join(f"{line.number}: {line.text}" for line in ([x for x in lines if x.marked] or lines)[:6])


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
