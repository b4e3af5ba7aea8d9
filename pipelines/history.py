"""History: how a dataset directory gets its next version, what versions share, and how old ones go.

The next version begins as links to all files of the one before. Stages whose inputs are the same find themselves
done; the others write anew, and what comes out equal is linked again. Nothing of an older version is ever written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from columns.errors import OutputError
from columns.files import TEMPORARY, Place
from columns.versions import VERSIONS, Versions
from pipelines.dataset import FILES, FOLDERS, MANIFEST, RUN
from pipelines.stage import COMMIT, read_json

FIRST = 1
_BEGUN = ".begun.json"


@dataclass(frozen=True)
class Shared:
    """How many files of a version are those of the one before, and their bytes; and of how many in all."""

    files: int
    bytes: int
    of_files: int
    of_bytes: int


def adopt(root: Place) -> Versions:
    """The versions of a dataset; what a plain build left in the directory becomes version 1, under both names."""
    versions = Versions(root)
    if versions.numbers():
        return versions
    if not root.exists(MANIFEST):
        raise OutputError(
            f"{root.url}: no finished dataset here", hint="build it first: thresher build RECIPE -i … -o DIR"
        )
    first = versions.at(FIRST)
    first.remove_tree()
    _link_all(root, first, FILES)
    versions.commit(FIRST, {"version": FIRST, "parent": None, "made_by": "build"})
    return versions


def begin(versions: Versions) -> tuple[int, Place]:
    """Number and directory of the next version, holding links to all of the current one.

    A directory that an interrupted run of the same number began is gone on with.
    """
    parent = versions.numbers()[-1]
    number = parent + 1
    place = versions.at(number)
    if read_json(place, _BEGUN) != {"parent": parent}:
        place.remove_tree()
        _link_all(versions.at(parent), place, [name for name in FILES if name != RUN])
        place.write_bytes(_BEGUN, orjson.dumps({"parent": parent}))
    return number, place


def close(place: Place) -> None:
    """Take the marks of a run under way out of a version's directory."""
    place.remove([_BEGUN])


def _link_all(source: Place, target: Place, files: Sequence[str]) -> None:
    for folder in FOLDERS:
        names = [name for name in source.child(folder).names() if not name.startswith(TEMPORARY)]
        if names:
            target.child(folder).link(names, source.child(folder))
    target.link([name for name in files if source.exists(name)], source)


def share(parent: Place, place: Place) -> Shared:
    """Link every file of a version that is byte for byte the parent's, by what the stages recorded."""
    totals = [0, 0, 0, 0]
    for folder in FOLDERS:
        old, new = (_outputs(one.child(folder)) for one in (parent, place))
        same = [name for name, output in new.items() if old.get(name) == output]
        _link_equal(parent.child(folder), place.child(folder), same)
        counted = (len(same), sum(new[name]["size"] for name in same), len(new))
        totals = [
            a + b for a, b in zip(totals, (*counted, sum(o["size"] for o in new.values())), strict=True)
        ]
    return Shared(*totals)


def _outputs(place: Place) -> dict[str, Mapping[str, Any]]:
    commit = read_json(place, COMMIT)
    return {} if commit is None else {output["name"]: output for output in commit["outputs"]}


def _link_equal(old: Place, new: Place, names: Sequence[str]) -> None:
    if new.local is not None and old.local is not None:
        names = [name for name in names if not (new.local / name).samefile(old.local / name)]
    else:
        linked = new.linked()
        names = [name for name in names if name not in linked]
    new.link([name for name in names if old.exists(name)], old)


def collect(versions: Versions, keep: int) -> list[int]:
    """Remove all but the newest ``keep`` versions, and what runs that ended early left; returns the removed ones.

    Files that a kept version shares with a removed one stay: as hard links, or moved to the oldest that has them.
    """
    numbers = versions.numbers()
    kept = numbers[-max(1, keep) :]
    gone = [number for number in numbers if number not in kept]
    _rescue(versions, kept, gone)
    for number in gone:
        versions.forget(number)
    for folder in _folders(versions):
        if folder not in kept:
            versions.at(folder).remove_tree()
    if FIRST not in kept:
        for name in FOLDERS:
            versions.root.child(name.partition("/")[0]).remove_tree()
        versions.root.remove(FILES)
    return gone


def _folders(versions: Versions) -> Iterator[int]:
    """The version directories that may be there: all numbers up to the next one."""
    yield from range(FIRST, versions.numbers()[-1] + 2)


def _rescue(versions: Versions, kept: Sequence[int], gone: Sequence[int]) -> None:
    """Move files that kept versions only point to out of the versions that go; the others then point there."""
    if versions.root.local is not None or not gone:
        return
    going = [f"{versions.at(number).path('')}" for number in gone]
    going += [versions.root.child(folder).path("") for folder in FOLDERS] if FIRST in gone else []
    going += [versions.root.path(name) for name in FILES] if FIRST in gone else []
    moved: dict[str, str] = {}
    for number in kept:
        for folder in ("", *FOLDERS):
            place = versions.at(number).child(folder) if folder else versions.at(number)
            _rescue_folder(place, tuple(going), moved)


def _rescue_folder(place: Place, going: tuple[str, ...], moved: dict[str, str]) -> None:
    links = place.linked()
    left: dict[str, str] = {}
    for name, where in links.items():
        if not where.startswith(going):
            left[name] = where
        elif where in moved:
            left[name] = moved[where]
        else:
            place.fetch(name)
            moved[where] = place.path(name)
    if left != links:
        place.point(left)


def is_version(place: Place) -> bool:
    """Whether a place lies among the versions of a dataset, and so is never built into by hand."""
    return f"/{VERSIONS}/" in f"{place.url.rstrip('/')}/"
