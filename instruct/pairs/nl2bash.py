"""NL2Bash: commands with sentences that describe them, in files of the same number of lines (Lin et al. 2018).

``all.nl`` and ``all.cm`` hold every pair; files of splits are named alike (``train.nl.filtered``, ``dev.cm``, …).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from columns.errors import InputError
from instruct.pairs.opened import lines_of, stem_of
from instruct.pairs.pair import BASH, TEST, TRAIN, UNSPLIT, VALIDATION, checked_texts, pair_batches

_SPLITS = {"train": TRAIN, "dev": VALIDATION, "valid": VALIDATION, "test": TEST, "all": UNSPLIT}
_HINT = "expected all.nl and all.cm, or train, dev and test files of both (also .gz)"


def read_nl2bash(path: Path, *, prefix: str = BASH) -> Iterator[pa.RecordBatch]:
    """Pairs of a folder, or of the ``.cm`` or ``.nl`` file beside its twin, as batches of `PAIR`.

    Where split files are there, ``all`` is not read. `InputError` for a file without its twin, for two that differ in
    their numbers of lines, and for one of several that could be meant: nobody could say which line belongs to which.
    The twin of a named file is the one with the same endings, else the only one.
    """
    twins = _twins(path)
    return pair_batches(row for name, nl, cm in twins for row in _rows(name, nl, cm, prefix))


def _twins(path: Path) -> list[tuple[str, Path, Path]]:
    folder, wanted = (path, None) if path.is_dir() else (path.parent, stem_of(path))
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _kind(file) and stem_of(file) in _SPLITS and wanted in (None, stem_of(file)):
            found.setdefault(stem_of(file), []).append(file)
    names = [name for name in _SPLITS if name in found and (name != "all" or len(found) == 1)]
    if not names or (wanted is not None and path not in found[wanted]):
        raise InputError(f"{path}: no NL2Bash files", hint=_HINT)
    return [(name, _meant("nl", found[name], path), _meant("cm", found[name], path)) for name in names]


def _meant(kind: str, files: list[Path], named: Path) -> Path:
    """The one file of a kind, where a file is named the one that ends like it."""
    kinds = [file for file in files if _kind(file) == kind]
    found = [file for file in kinds if _kind(named) and _endings(file) == _endings(named)] or kinds
    if not found:
        raise InputError(f"{files[0]}: its twin (.nl or .cm) is not beside it", hint=_HINT)
    if len(found) > 1:
        raise InputError(f"{found[1]}: {found[0].name} is beside it", hint="name the one that is meant")
    return found[0]


def _kind(file: Path) -> str:
    return next((kind for kind in ("nl", "cm") if f".{kind}" in file.suffixes), "")


def _endings(file: Path) -> list[str]:
    return [ending for ending in file.suffixes if ending not in (".nl", ".cm")]


def _rows(name: str, nl: Path, cm: Path, prefix: str) -> Iterator[dict[str, Any]]:
    sentences, commands = lines_of(nl), lines_of(cm)
    if len(sentences) != len(commands):
        raise InputError(
            f"{cm}: {len(commands):,} lines, {nl.name} has {len(sentences):,}",
            hint="the n-th lines of both files are a pair",
        )
    for number, (sentence, command) in enumerate(zip(sentences, commands, strict=True), 1):
        texts = checked_texts({"nl": sentence, "code": command})
        row = {"id": f"{prefix}/{name}/{number}", "lang": BASH, "split": _SPLITS[name], "origin": str(number)}
        yield {**row, **texts}
