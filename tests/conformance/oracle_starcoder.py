"""StarCoder's filter in plain Python, written from its published definition.

bigcode-project/bigcode-dataset, preprocessing/filtering.py, arguments.py and visual_inspection.csv (as the packaged
table has it, read here by other code). Upstream's program ends with an error on a file that has no line. Files are
taken as they are before the data set gets a column ``size``, so that sizes are characters.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from tests.conformance.files import File, OracleRule, extension, page_text

TABLE = Path(__file__).resolve().parents[2] / "filters" / "tables" / "starcoder.csv"


@cache
def table() -> dict[tuple[str, str], dict[str, str]]:
    """The cells of each (language, extension)."""
    with TABLE.open(newline="") as lines:
        return {(row["language"], row["extension"]): row for row in csv.DictReader(lines)}


def row_of(file: File) -> dict[str, str] | None:
    """The table's row for a file."""
    return table().get((file.language or "", extension(file.path)))


def limit(file: File, column: str) -> float | None:
    """A file's threshold, or None where there is no rule for it."""
    row = row_of(file)
    return float(row[column]) if row and row[column] else None


def not_included(file: File) -> bool:
    row = row_of(file)
    return row is None or row["include"] != "1"


def line_max(file: File) -> bool | None:
    most, lengths = limit(file, "line_max"), [len(line) for line in file.text.splitlines()]
    if not lengths:
        return None
    return most is not None and max(lengths) > most


def line_mean(file: File) -> bool | None:
    most, lengths = limit(file, "line_mean"), [len(line) for line in file.text.splitlines()]
    if not lengths:
        return None
    return most is not None and sum(lengths) / len(lengths) > most


def low_alnum(file: File) -> bool | None:
    least = limit(file, "alnum_min")
    if not file.text:
        return None
    return least is not None and sum(c.isalnum() for c in file.text) / len(file.text) < least


def low_alpha(file: File) -> bool:
    least = limit(file, "alpha_min")
    return least is not None and sum(c.isalpha() for c in file.text) < least * len(file.text)


def xml(file: File) -> bool:
    return "<?xml version=" in file.text[:100] and file.language != "xslt"


def html_visible_fraction(file: File) -> bool | None:
    if file.language != "html":
        return False
    shown = page_text(file.text, scripts=False)
    return None if shown is None or not file.text else not len(shown) / len(file.text) > 0.2


def html_visible_chars(file: File) -> bool | None:
    if file.language != "html":
        return False
    shown = page_text(file.text, scripts=False)
    return None if shown is None else not len(shown) > 100


def data_small(file: File) -> bool:
    return file.language in ("json", "yaml") and len(file.text) < 100


def data_large(file: File) -> bool:
    return file.language in ("json", "yaml") and len(file.text) > 5000


ORACLE: dict[str, OracleRule] = {
    "not_included": not_included,
    "line_max": line_max,
    "line_mean": line_mean,
    "low_alnum": low_alnum,
    "low_alpha": low_alpha,
    "xml": xml,
    "html_visible_fraction": html_visible_fraction,
    "html_visible_chars": html_visible_chars,
    "data_small": data_small,
    "data_large": data_large,
}
