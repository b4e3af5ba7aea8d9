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

import re

_ANNOTATION = r"(?: \[while running '[^']*'\])?"
_TOLD = re.compile(
    rf"^columns\.errors\.(?P<kind>\w+): (?P<what>.*?){_ANNOTATION}(?:\nhint: (?P<hint>.*?){_ANNOTATION})?$",
    re.MULTILINE,
)


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

    @classmethod
    def told(cls, text: str) -> ThresherError | None:
        """The first error of this tree in a traceback's text; None where there is none. Runners hand on text.

        >>> text = "Traceback…\\ncolumns.errors.InputError: a.gz: no such file\\nhint: look [while running 'Read']"
        >>> ThresherError.told(text)
        InputError('a.gz: no such file', 'look')
        """
        found = _TOLD.search(text)
        kind = (
            {kind.__name__: kind for kind in (cls, *cls.__subclasses__())}.get(found["kind"])
            if found
            else None
        )
        return kind(found["what"], hint=found["hint"]) if found and kind else None


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
