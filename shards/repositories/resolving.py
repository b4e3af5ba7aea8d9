"""Resolving: which files of a repository an import means; what lies outside of it means none."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

_SCRIPTS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".d.ts")


@dataclass(frozen=True)
class Paths:
    """The paths of one repository, to be looked up by their ends."""

    paths: Sequence[str]

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The first file of each path."""
        return {path: number for number, path in reversed(list(enumerate(self.paths)))}

    @cached_property
    def by_name(self) -> Mapping[str, list[int]]:
        """Files by the last step of their path."""
        return _grouped(posixpath.basename(path) for path in self.paths)

    @cached_property
    def by_folder(self) -> Mapping[str, list[int]]:
        """Files by their folder, "" for the root."""
        return _grouped(posixpath.dirname(path) for path in self.paths)

    def exact(self, path: str) -> list[int]:
        """The file of a path, as a list."""
        found = self.numbers.get(posixpath.normpath(path))
        return [] if found is None else [found]

    def ending(self, path: str) -> list[int]:
        """The file whose path is the given one or ends with it: the least deep, then the first by path."""
        wanted = "/" + path
        fits = [
            at
            for at in self.by_name.get(posixpath.basename(path), ())
            if ("/" + self.paths[at]).endswith(wanted)
        ]
        return [min(fits, key=lambda at: (self.paths[at].count("/"), self.paths[at]))] if fits else []


def resolve(
    paths: Sequence[str], languages: Sequence[str | None], imports: Sequence[Sequence[str]]
) -> list[list[int]]:
    """For each file the numbers of the files it imports, sorted, itself left out.

    Python modules and Java classes are looked for below every folder (source roots are not known), Go packages by the
    end of the import path that is a folder, C headers beside the file first. O(files and imports) but for names that
    many files of a repository share.

    >>> resolve(["a.py", "p/b.py"], ["python", "python"], [["p.b"], ["os"]])
    [[1], []]
    """
    known = Paths(paths)
    found = []
    for number, (path, language, names) in enumerate(zip(paths, languages, imports, strict=True)):
        finder = _FINDERS.get(language or "")
        meant = {one for name in names for one in finder(known, path, name)} if finder else set()
        found.append(sorted(meant - {number}))
    return found


def _grouped(keys: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, key in enumerate(keys):
        found.setdefault(key, []).append(number)
    return found


def _python(known: Paths, path: str, name: str) -> Iterator[int]:
    dots = len(name) - len(name.lstrip("."))
    steps = "/".join(step for step in name.split(".") if step)
    if not dots:
        yield from known.ending(f"{steps}.py") or known.ending(f"{steps}/__init__.py")
        return
    folder = posixpath.normpath(posixpath.join(posixpath.dirname(path), *[".."] * (dots - 1), steps))
    yield from known.exact(f"{folder}.py") or known.exact(f"{folder}/__init__.py")


def _script(known: Paths, path: str, name: str) -> Iterator[int]:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    stem, ending = posixpath.splitext(target)
    tries = [target, *(target + one for one in _SCRIPTS), *(f"{target}/index{one}" for one in _SCRIPTS)]
    tries += [stem + one for one in _SCRIPTS] if ending in (".js", ".jsx", ".mjs", ".cjs") else []
    yield from next((found for one in tries if (found := known.exact(one))), [])


def _java(known: Paths, _path: str, name: str) -> Iterator[int]:
    steps = name.split(".")
    if steps[-1] == "*":
        folder = "/" + "/".join(steps[:-1])
        yield from (
            at for key, held in known.by_folder.items() if ("/" + key).endswith(folder)
            for at in held if known.paths[at].endswith(".java")
        )  # fmt: skip
        return
    whole, outer = "/".join(steps), "/".join(steps[:-1])
    yield from known.ending(f"{whole}.java") or (known.ending(f"{outer}.java") if len(steps) > 1 else [])


def _go(known: Paths, _path: str, name: str) -> Iterator[int]:
    steps = name.split("/")
    for first in range(len(steps)):
        held = known.by_folder.get("/".join(steps[first:]))
        if held:
            yield from (
                at for at in held
                if known.paths[at].endswith(".go") and not known.paths[at].endswith("_test.go")
            )  # fmt: skip
            return


def _include(known: Paths, path: str, name: str) -> Iterator[int]:
    beside = known.exact(posixpath.join(posixpath.dirname(path), name))
    yield from beside or known.ending(posixpath.normpath(name).lstrip("./"))


_FINDERS: Mapping[str, Callable[[Paths, str, str], Iterable[int]]] = {
    "python": _python, "javascript": _script, "typescript": _script, "java": _java, "go": _go, "c": _include,
    "c++": _include,
}  # fmt: skip
