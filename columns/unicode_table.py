"""The frozen Unicode table: what is alphabetic, alphanumeric, white space or assigned, forever.

`str.isalnum` follows the interpreter's Unicode version, so the same file would get another share of
alphanumeric characters on another Python. Facts may not do that: they use this table, made once from
Python 3.13 (Unicode 15.1.0) and kept as text, one run of equal code points per line. Any interpreter
agrees with it except on code points that are unassigned (category Cn) in one of the two versions.

Making it again needs a Python whose ``unicodedata.unidata_version`` is 15.1.0 and nothing else::

    python3.13 columns/unicode_table.py > columns/unicode_table.csv
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

UNICODE_VERSION = "15.1.0"
CODE_POINTS = 0x110000
ALPHA, ALNUM, SPACE, ASSIGNED = 1, 2, 4, 8

_FILE = Path(__file__).with_name("unicode_table.csv")


@cache
def character_classes() -> Any:
    """The bits of every code point, read-only ``uint8[0x110000]`` (1.1 MB, built once per process).

    Bits: `ALPHA` (``str.isalpha``), `ALNUM` (``str.isalnum``), `SPACE` (``str.isspace``), `ASSIGNED`
    (category is not Cn), all as of `UNICODE_VERSION`.

    >>> int(character_classes()[ord("é")]) == ALPHA | ALNUM | ASSIGNED
    True
    """
    import numpy as np

    header, *runs = _FILE.read_text(encoding="ascii").splitlines()
    if header != f"unicode,{UNICODE_VERSION}":
        raise ValueError(f"{_FILE.name}: expected Unicode {UNICODE_VERSION}, got {header!r}")
    pairs = [run.split(",") for run in runs]
    starts = np.array([int(start, 16) for start, _ in pairs], np.int64)
    bits = np.array([int(value) for _, value in pairs], np.uint8)
    table = np.repeat(bits, np.diff(starts, append=CODE_POINTS))
    table.flags.writeable = False
    return table


def interpreter_class(code_point: int) -> int:
    """The bits of one code point according to the running interpreter.

    >>> interpreter_class(ord("5")) == ALNUM | ASSIGNED
    True
    """
    character = chr(code_point)
    bits = ALPHA * character.isalpha() | ALNUM * character.isalnum() | SPACE * character.isspace()
    return bits | ASSIGNED * (unicodedata.category(character) != "Cn")


def format_table() -> str:
    """The running interpreter's table in the file's format: ``first code point in hex,bits`` per run."""
    lines, last = [f"unicode,{unicodedata.unidata_version}"], -1
    for code_point in range(CODE_POINTS):
        bits = interpreter_class(code_point)
        if bits != last:
            lines.append(f"{code_point:x},{bits}")
            last = bits
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(format_table(), end="")
