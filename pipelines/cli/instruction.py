"""What ``build`` and ``inspect`` do with instruction data: models and their limits, the job, and its summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from columns.errors import InputError
from columns.files import Place
from instruct.models import Budget
from pipelines.cli.app import print_json
from pipelines.engine import Engine
from pipelines.instruction import manifest
from pipelines.instruction.build import InstructionBuild, InstructionOptions
from pipelines.instruction.inputs import read_inputs
from pipelines.instruction.recipe import is_instruction, load_instruction
from pipelines.instruction.steps import ModelAccess
from pipelines.instruction.systems import system_of
from pipelines.progress import Display

__all__ = [
    "Models", "Spending", "build_instruction", "is_instruction", "model_access", "show_instruction",
]  # fmt: skip

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="instruction data: a model by role, an OpenAI-compatible URL or a .jsonl of recorded answers (repeatable)",
        metavar="ROLE=SOURCE",
    ),
]
Spending = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        help="limits of what models are asked: requests, tokens, price (needs read and written: prices of a million "
        "tokens that they read and write); repeatable",
        metavar="KEY=NUMBER",
    ),
]
_LIMITS = {
    "requests": "max_requests", "tokens": "max_tokens", "price": "max_price", "read": "price_in",
    "written": "price_out",
}  # fmt: skip


def model_access(models: Iterable[str], limits: Iterable[str]) -> ModelAccess:
    """What the options say of models; `InputError` for one that is not ``ROLE=SOURCE`` or ``KEY=NUMBER``.

    >>> model_access(["teacher=answers.jsonl"], ["requests=100"]).budget.max_requests
    100
    """
    sources = {}
    for text in models:
        role, equals, source = text.partition("=")
        if not (role and equals and source) or "/" in role:
            raise InputError(
                f"--model {text}: expected ROLE=SOURCE",
                hint="for example: --model teacher=http://127.0.0.1:8000/v1",
            )
        if role in sources:
            raise InputError(
                f"--model {role}=…: given twice", hint="one model answers for a role: name it once"
            )
        sources[role] = source
    return ModelAccess(sources, _budget(limits))


def _budget(limits: Iterable[str]) -> Budget:
    values: dict[str, Any] = {}
    for text in limits:
        key, _, number = text.partition("=")
        if key not in _LIMITS:
            raise InputError(f"--budget {text}: expected KEY=NUMBER", hint=f"keys: {', '.join(_LIMITS)}")
        if _LIMITS[key] in values:
            raise InputError(f"--budget {text}: {key} is given twice", hint="name each limit once")
        values[_LIMITS[key]] = _number(text, key, number)
    return Budget(**values)


def _number(text: str, key: str, number: str) -> float:
    try:
        value = int(number) if key in {"requests", "tokens"} else float(number)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise InputError(
            f"--budget {text}: expected a number from 0 on", hint=f"for example: --budget {key}=100"
        )
    return value


def build_instruction(
    recipe: str,
    changes: Sequence[str],
    inputs: Iterable[str],
    output: str,
    models: ModelAccess,
    engine: Engine,
    display: Display,
) -> None:
    """Build an instruction dataset."""
    loaded = load_instruction(recipe, changes)
    system = system_of(loaded.recipe.system)
    unknown = sorted(set(models.sources) - set(system.models))
    if unknown:
        known = "; ".join(f"{role} ({about})" for role, about in system.models.items()) or "none"
        raise InputError(
            f"--model {unknown[0]}=…: recipe {recipe} has no such role", hint=f"its models: {known}"
        )
    options = InstructionOptions(read_inputs(inputs, system.roles), Place(output), models)
    InstructionBuild(loaded, options, engine, display).run()


def show_instruction(output: str, *, as_json: bool, quiet: bool) -> None:
    """Print what was built, and what can be asked of it."""
    found = manifest.summarise(Place(output))
    if as_json:
        print_json(found)
    elif not quiet:
        console = Console()
        manifest.render(found, console)
        console.print(
            f"\ndataset: [bold]{escape(output)}[/bold]\nwhy is a row (not) in it: thresher explain DIR ID"
        )
