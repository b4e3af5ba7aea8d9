"""Errors a user can act on.

The tree::

    ThresherError           anything a user can mend; the command line prints it and exits with code 2
    ├── InputError          a source that cannot be used at all (missing, empty, not what it says it is)
    ├── RecipeError         a recipe that does not validate
    ├── OutputError         an output that cannot be written, or is not a Thresher dataset
    └── EnvironmentProblem  colliding packages, no disk space, missing credentials or programs

A single bad file or row inside a readable source is never an error: the row is marked
(`columns.document.PROBLEMS`) and counted.
"""

from __future__ import annotations


class ThresherError(Exception):
    """A problem that the user can mend: what, where, expected vs got, and a hint.

    >>> print(ThresherError("no such recipe: codx", hint="did you mean codex?"))
    no such recipe: codx
    hint: did you mean codex?
    """

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return self.what if self.hint is None else f"{self.what}\nhint: {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.hint)


def _rebuild(kind: type[ThresherError], what: str, hint: str | None) -> ThresherError:
    return kind(what, hint=hint)


class InputError(ThresherError):
    """A source that cannot be used at all."""


class RecipeError(ThresherError):
    """A recipe that does not validate."""


class OutputError(ThresherError):
    """An output that cannot be written, or that is not a Thresher dataset."""


class EnvironmentProblem(ThresherError):
    """Something around the program is in the way: packages, disk, credentials, programs."""
