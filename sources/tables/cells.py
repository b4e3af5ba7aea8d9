"""Cells: a table's values as a document's types. A value that does not fit becomes null, never an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from columns.document import DOCUMENT
from sources.tables.headers import FLAGS, INTEGERS, TEXTS

SEPARATOR = ", "

_INT64 = 1 << 63


def text(value: object) -> str | None:
    """Text of a value: lists are joined (licences), numbers are written out, other things are null.

    >>> text(["MIT", "0BSD"]), text(3), text({}), text(b"a\\xff")
    ('MIT, 0BSD', '3', None, 'a\\\\xff')
    """
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list | tuple):
        return SEPARATOR.join(mended(item) for item in value if isinstance(item, str) and item) or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def mended(value: str) -> str:
    """The text with lone surrogates, which JSON can write and UTF-8 cannot, as U+FFFD.

    >>> mended("a\\ud800")
    'a\ufffd'
    """
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def integer(value: object) -> int | None:
    """A whole number within 64 bits, also from text.

    >>> integer("12"), integer(3.0), integer("x"), integer(True)
    (12, 3, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if -_INT64 <= number < _INT64 else None


def moment(value: object) -> datetime | None:
    """A point in time from ISO 8601 text; without a zone it is UTC.

    >>> moment("2024-05-01T10:00:00Z").hour, moment("yesterday")
    (10, None)
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        return None


def flag(value: object) -> bool | None:
    """True or false, or null for anything else."""
    return value if isinstance(value, bool) else None


READERS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(TEXTS, text),
    **dict.fromkeys(INTEGERS, integer),
    **dict.fromkeys(FLAGS, flag),
    "updated": moment,
}


def column(name: str, values: pa.Array) -> pa.Array:
    """A document column from a table's column: one Arrow cast, or value by value where that fails.

    >>> column("stars", pa.array(["1", "many"])).to_pylist()
    [1, None]
    """
    kind = column_type(name)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return from_values(name, _pylist(values))
    try:
        return _cast(name, values, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return from_values(name, _pylist(values))


def from_values(name: str, values: Iterable[object]) -> pa.Array:
    """A document column from Python values."""
    reader = READERS[name]
    return pa.array([reader(value) for value in values], column_type(name))


def column_type(name: str) -> pa.DataType:
    """The Arrow type of a document column ("binary" marks rows without text and is no document column)."""
    return pa.bool_() if name == "binary" else DOCUMENT.field(name).type


def _cast(name: str, values: pa.Array, kind: pa.DataType) -> pa.Array:
    if name in FLAGS and not pa.types.is_boolean(values.type):
        return pa.nulls(len(values), kind)
    if name in TEXTS and pa.types.is_string(values.type):
        values = values.cast(pa.binary())
    elif name in TEXTS and pa.types.is_large_string(values.type):
        values = values.cast(pa.large_binary())
    if name == "updated" and not (pa.types.is_temporal(values.type) or pa.types.is_string(values.type)):
        return pa.nulls(len(values), kind)
    return values.cast(kind)


def _pylist(values: pa.Array) -> list[object]:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        raw = values.cast(pa.large_binary()).to_pylist()
        return [None if item is None else item.decode("utf-8", "backslashreplace") for item in raw]
    try:
        return list(values.to_pylist())
    except (ValueError, OverflowError):
        return [None] * len(values)
