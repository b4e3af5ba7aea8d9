"""Seeds: instructions to start from, read from files in CodeAlpaca's layout."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from columns.errors import InputError

SEED = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "identity: a hash of instruction and input"}),
        pa.field("source", pa.string(), metadata={"about": "file and row it was read from, from 1"}),
        pa.field("instruction", pa.large_string(), metadata={"about": "the task, its input below it"}),
        pa.field("output", pa.large_string(), metadata={"about": "the answer that the file has, never used"}),
        pa.field("dropped", pa.string(), metadata={"about": "malformed or empty; null: kept"}),
    ]
)

_MAX_FILE = 1 << 30
_FIELDS = ("instruction", "input", "output")


def read_seeds(*paths: str | Path) -> pa.Table:
    """The instructions of files as `SEED` rows: JSON lists of ``{instruction, input, output}``, or JSON lines of it.

    The layout of CodeAlpaca (sahil280114/codealpaca, data/code_alpaca_20k.json). A row that is no such object is
    marked ``malformed``, one without an instruction ``empty``; equal rows get ids that end in -2, -3 and so on.
    `InputError` for a file that cannot be read or is no JSON at all.
    """
    seen: Counter[str] = Counter()
    tables = [seed_table(Path(path).name, _items(Path(path)), seen) for path in paths]
    return pa.concat_tables(tables) if tables else SEED.empty_table()


def seed_table(name: str, items: Iterable[Any], seen: Counter[str] | None = None) -> pa.Table:
    """Parsed items as `SEED` rows; ``name`` is what ``source`` calls the file, ``seen`` counts texts of files before.

    >>> seed_table("a.json", [{"instruction": "Add.", "input": "1 2"}, 7])["dropped"].to_pylist()
    [None, 'malformed']
    """
    seen = Counter() if seen is None else seen
    rows = [_row(f"{name}:{number}", item, seen) for number, item in enumerate(items, 1)]
    return pa.Table.from_pylist(rows, schema=SEED)


def _row(source: str, item: Any, seen: Counter[str]) -> dict[str, Any]:
    texts = _texts(item)
    instruction = "" if texts is None else _joined(texts)
    key = repr(item) if texts is None else instruction
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    seen[digest] += 1
    again = f"-{seen[digest]}" if seen[digest] > 1 else ""
    dropped = "malformed" if texts is None else None if texts["instruction"].strip() else "empty"
    return {
        "id": f"seed-{digest}{again}",
        "source": source,
        "instruction": instruction,
        "output": "" if texts is None else texts["output"],
        "dropped": dropped,
    }


def _texts(item: Any) -> Mapping[str, str] | None:
    if not isinstance(item, dict) or not isinstance(item.get("instruction"), str):
        return None
    texts = {name: item.get(name) or "" for name in _FIELDS}
    return texts if all(isinstance(text, str) for text in texts.values()) else None


def _joined(texts: Mapping[str, str]) -> str:
    given = texts["input"].strip()
    instruction = texts["instruction"].strip()
    return f"{instruction}\n\nInput:\n{given}" if given and given.lower() != "<noinput>" else instruction


def _items(place: Path) -> list[Any]:
    try:
        if place.stat().st_size > _MAX_FILE:
            raise InputError(f"{place}: over 1 GiB", hint="expected a file of instructions; split it")
        data = place.read_bytes()
    except OSError as error:
        raise InputError(f"{place}: cannot be read: {error.strerror}") from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.lstrip()[:1] == b"[":
        return _list(place, data)
    items = [_line(line) for line in data.splitlines() if line.strip()]
    if not any(isinstance(item, dict) for item in items):
        raise InputError(
            f"{place}: no JSON object in it (row 1 neither)",
            hint='expected a JSON list, or JSON lines, of {"instruction": …, "input": …, "output": …}',
        )
    return items


def _list(place: Path, data: bytes) -> list[Any]:
    try:
        return list(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"{place}: row at line {error.lineno}: not JSON: {error.msg}", hint="expected a JSON list"
        ) from None


def _line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
