"""Systems: the published systems whose instruction data can be built, each described by a module of this package."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.instruction.steps import Context, Estimate, Step

_MODULES = {
    "codefusion": "pipelines.instruction.codefusion",
    "codex-s": "pipelines.instruction.codex_s",
    "pangu-coder2": "pipelines.instruction.pangu",
    "self-instruct": "pipelines.instruction.selfinstruct",
}


@dataclass(frozen=True)
class Needs:
    """What a recipe cannot do without: roles of inputs (one of each group is enough) and of models."""

    inputs: tuple[tuple[str, ...], ...] = ()
    models: tuple[str, ...] = ()


def _nothing(_config: Any) -> Needs:
    return Needs()


def _no_cost(_context: Context) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class System:
    """One system: its recipe section's type, its steps, and what its inputs and models are called.

    ``published``: by step, what the paper counted there, to stand beside what a build counts.
    """

    name: str
    config: type
    steps: Callable[[Any], tuple[Step, ...]]
    roles: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    needs: Callable[[Any], Needs] = _nothing
    estimate: Estimate = _no_cost
    published: Mapping[str, str] = field(default_factory=dict)


def system_names() -> list[str]:
    """Names that a recipe's ``instruct`` may have."""
    return sorted(_MODULES)


def system_of(name: str) -> System:
    """The system of a name of `system_names`; its module is imported only now."""
    found: System = importlib.import_module(_MODULES[name]).SYSTEM
    return found
