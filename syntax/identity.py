"""Identity: the versions that syntax facts depend on, so that facts of another parser are never reused."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from columns.errors import EnvironmentProblem
from syntax.languages import GRAMMARS


@cache
def syntax_identity() -> str:
    """The versions that decide what the facts are: the parser's, every grammar's, and Python's own.

    Raises `EnvironmentProblem` when one is not installed, so a missing grammar never passes for a fact.

    >>> syntax_identity().startswith("python 3.")
    True
    """
    wheels = ["tree-sitter", *sorted({grammar.distribution for grammar in GRAMMARS})]
    interpreter = f"python {sys.version_info.major}.{sys.version_info.minor}"
    return "; ".join([interpreter, *(f"{wheel} {_version(wheel)}" for wheel in wheels)])


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        raise EnvironmentProblem(
            f"{distribution}: not installed, so its files cannot be parsed",
            hint=f"pip install {distribution}",
        ) from None
