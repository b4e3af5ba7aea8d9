"""Versions: the states of a dataset directory, of which the newest is the current one.

A refreshed dataset's directory holds ``versions/000002/``, a whole dataset, and ``versions/000002.json``, its
record. The record is written last and only where there is none, so it is the version's commit point: of two writers one
gets it, and a version without a record is not there. Version 1 is what a plain build left in the directory itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from columns.files import Place

VERSIONS = "versions"
_RECORD = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True)
class Versions:
    """The versions of the dataset at ``root``."""

    root: Place

    @property
    def place(self) -> Place:
        """Where versions and their records lie."""
        return self.root.child(VERSIONS)

    def numbers(self) -> list[int]:
        """The committed versions, ascending; none where nothing was ever refreshed."""
        found = (_RECORD.fullmatch(name) for name in self.place.names())
        return sorted(int(match[1]) for match in found if match)

    def at(self, number: int) -> Place:
        """The directory of a version: a dataset like any other."""
        return self.place.child(f"{number:06d}")

    def record(self, number: int) -> dict[str, Any]:
        """What was noted of a version when it was made."""
        found: dict[str, Any] = json.loads(self.place.read(f"{number:06d}.json"))
        return found

    def commit(self, number: int, record: Mapping[str, Any]) -> bool:
        """Make a version the current one; False where somebody else made one of this number."""
        text = json.dumps(record, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
        return self.place.create(f"{number:06d}.json", text.encode())

    def forget(self, number: int) -> None:
        """Take a version's record away: from here on the version is not there."""
        self.place.remove([f"{number:06d}.json"])


def current_place(root: Place) -> Place:
    """The directory of the dataset's current version; ``root`` itself where it has no versions.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> versions = Versions(Place(folder.name))
    >>> current_place(versions.root) == versions.root
    True
    >>> versions.commit(2, {}), versions.commit(2, {}), current_place(versions.root) == versions.at(2)
    (True, False, True)
    """
    versions = Versions(root)
    numbers = versions.numbers()
    return versions.at(numbers[-1]) if numbers else root
