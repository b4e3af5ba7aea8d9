"""Lookup: the one file of a dataset that a person names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import OutputError
from columns.tables import read_whole
from pipelines.dataset import REPOSITORIES
from pipelines.finished import Finished, Identity, row_id, rows_where
from pipelines.wording import count, plain

LISTED = 8
_HEX = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class FileName:
    """A file by its names."""

    repo: str
    path: str
    doc_id: str

    @classmethod
    def of(cls, identity: Identity) -> FileName:
        """The names of an identity."""
        return cls(identity.repo or "", identity.path or "", identity.doc_id.hex())

    def shown(self) -> str:
        """Repository and path, harmless to show."""
        return plain(f"{self.repo}:{self.path}" if self.repo else self.path)


def find(dataset: Finished, file: str) -> int:
    """The row id of the one file with this name."""
    doc_id = bytes.fromhex(file) if _HEX.fullmatch(file) else None
    whole: list[int] = []
    ends: list[int] = []
    for part in dataset.parts():
        ledger = dataset.ledger(part, ["doc_id", "repo", "path"])
        exact, end = _matches(ledger, file, doc_id)
        whole += [row_id(part, row) for row in exact]
        ends += [row_id(part, row) for row in end]
    found = whole or ends
    if len(found) == 1:
        return found[0]
    if not found and (repository := outcome(dataset, file)):
        raise OutputError(repository, hint=f"what became of every repository: {REPOSITORIES} in the dataset")
    raise _ambiguous(dataset, file, found) if found else _missing(dataset, file)


def outcome(dataset: Finished, name: str) -> str:
    """What became of a repository of a list that is named alone or before a file's path; "" for any other name."""
    wanted = name.partition(":")[0].lower()
    if "/" not in wanted or not dataset.place.exists(REPOSITORIES):
        return ""
    table = read_whole(dataset.place, REPOSITORIES, ["repo", "state", "reason", "now", "ref"])
    for row in table.filter(pc.equal(pc.utf8_lower(table.column("repo")), wanted)).to_pylist():
        return plain(_told(row))
    return ""


def _told(row: Mapping[str, str | None]) -> str:
    """One line on a repository.

    >>> _told({"repo": "a/b", "state": "gone", "reason": "404", "now": None, "ref": None})
    'a/b: gone (404), so no file of this repository is in the dataset'
    """
    moved = f", today {row['now']}" if row["now"] else ""
    if row["ref"]:
        return f"{row['repo']}{moved}: read at commit {row['ref']}; no file has this name"
    why = f" ({row['reason']})" if row["reason"] else ""
    return f"{row['repo']}{moved}: {row['state']}{why}, so no file of this repository is in the dataset"


def _matches(ledger: pa.Table, file: str, doc_id: bytes | None) -> tuple[list[int], list[int]]:
    path, repo = (pc.fill_null(ledger.column(name), "") for name in ("path", "repo"))
    full = pc.binary_join_element_wise(repo, path, ":")
    whole = pc.or_(pc.equal(path, file), pc.equal(full, file))
    if doc_id is not None:
        whole = pc.or_(
            whole, pc.equal(ledger.column("doc_id").cast(pa.binary()), pa.scalar(doc_id, pa.binary()))
        )
    owner, _, tail = file.rpartition(":")
    end = pc.ends_with(path, f"/{file.lstrip('/')}")
    if owner:
        end = pc.or_(end, pc.and_(pc.equal(repo, owner), pc.ends_with(path, f"/{tail.lstrip('/')}")))
    return rows_where(whole), rows_where(end)


def _ambiguous(dataset: Finished, file: str, found: list[int]) -> OutputError:
    known = dataset.by_row(found[:LISTED])
    files = [FileName.of(known[row]) for row in sorted(known)]
    names = [name.shown() for name in files]
    lines = [
        f"{name}  {one.doc_id}" if names.count(name) > 1 else name
        for name, one in zip(names, files, strict=True)
    ]
    more = f"\n  and {count(len(found) - LISTED)} more" if len(found) > LISTED else ""
    listed = "\n  ".join(lines)
    return OutputError(
        f"{plain(file)}: {count(len(found))} files have this name",
        hint=f"name one of them:\n  {listed}{more}",
    )


def _missing(dataset: Finished, file: str) -> OutputError:
    tail = file.rpartition(":")[2]
    name = tail.rpartition("/")[2]
    best: list[str] = []
    for part in dataset.parts():
        paths = [path for path in dataset.ledger(part, ["path"]).column("path").to_pylist() if path]
        names: dict[str, str] = {}
        for path in paths:
            names.setdefault(path.rpartition("/")[2], path)
        near = difflib.get_close_matches(name, [*names], 3, 0.7)
        best = difflib.get_close_matches(tail, [*best, *(names[one] for one in near)], 3, 0.0)
    said = f"did you mean {', '.join(map(plain, best))}?" if best else "see the paths in DIR/ledger"
    return OutputError(f"{plain(file)}: not in this dataset", hint=said)
