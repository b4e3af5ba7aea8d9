"""Fingerprints of configurations and code: equal exactly when the result would be equal."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_SOURCE_SUFFIXES = frozenset({".py", ".yaml", ".csv", ".npz"})


def fingerprint(value: Any) -> str:
    """A 32-digit hex digest of plain data or frozen dataclasses.

    Callables and other objects are refused: their representation holds addresses, so two equal
    configurations would look different from run to run.

    >>> fingerprint({"b": 1, "a": [2]}) == fingerprint({"a": (2,), "b": 1})
    True
    >>> fingerprint(len)
    Traceback (most recent call last):
    TypeError: cannot fingerprint builtin_function_or_method at $: only plain data and dataclasses
    """
    text = json.dumps(_plain(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **_plain(fields, where)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise TypeError(f"cannot fingerprint {type(value).__name__} at {where}: only plain data and dataclasses")


@cache
def code_fingerprint(*names: str) -> str:
    """A digest of the source of the named packages or modules, so changed code is never taken for done work.

    >>> len(code_fingerprint("columns", "columns.words"))
    32
    """
    digest = hashlib.sha256()
    for name in sorted(names):
        for label, path in _sources(name):
            digest.update(f"{label}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _sources(name: str) -> list[tuple[str, Path]]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    if not spec.submodule_search_locations:
        return [(name, Path(spec.origin))]
    root = Path(spec.origin).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in _SOURCE_SUFFIXES)
    return [(f"{name}/{path.relative_to(root).as_posix()}", path) for path in files]
