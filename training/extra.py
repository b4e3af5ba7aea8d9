"""The optional packages of the ``train`` extra, loaded when they are first needed."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from columns.errors import EnvironmentProblem


def require(module: str) -> ModuleType:
    """Import a module of the ``train`` extra; `EnvironmentProblem` with the cure where it is missing.

    >>> require("json").__name__
    'json'
    >>> require("no_such_module")
    Traceback (most recent call last):
    columns.errors.EnvironmentProblem: training needs no_such_module, which is not installed
    hint: pip install 'thresher[train]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        package = (missing.name or module).partition(".")[0]
        what = f"training needs {package}, which is not installed"
        raise EnvironmentProblem(what, hint="pip install 'thresher[train]'") from missing
