"""Agreement of a printed value with the expected one, on plain data.

Source: codegen1/benchmark/mtpb_exec.py of github.com/salesforce/CodeGen. There an expected ``null`` or object is never
met (two and five of the 575 cases have one); here ``null`` is met by None or the text "None", an object by an equal one
whose keys are the same as texts, for JSON has no other keys (ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOLERANCE = 1e-6


def agrees(value: Any, wanted: Any) -> bool:
    """Whether a printed value, already cast to the wanted type, is the wanted one; numbers alone within `TOLERANCE`.

    >>> agrees(0.1 + 0.2, 0.3), agrees("True", True), agrees([1, 2], [1, 3]), agrees("None", None)
    (True, True, False, True)
    """
    if wanted is None:
        return value is None or value == "None"
    if isinstance(wanted, bool):
        return value == str(wanted) if type(value) is str else value is wanted
    if isinstance(wanted, float):
        return type(value) is float and abs(value - wanted) < TOLERANCE
    if isinstance(wanted, Mapping):
        return type(value) is dict and _keyed(value) == _keyed(wanted)
    return type(value) is type(wanted) and value == wanted


def _keyed(found: Mapping[Any, Any]) -> dict[Any, Any]:
    """Keys as texts; numbers so long that Python gives no text of them stay as they are."""
    return {key if _endless(key) else str(key): value for key, value in found.items()}


def _endless(key: Any) -> bool:
    try:
        str(key)
    except ValueError:
        return True
    return False
