"""What ``build`` and ``inspect`` do with instruction data: models and their limits, the job, and its summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from instruct.models import Budget
from rich.console import Console
from rich.markup import escape

from columns.errors import InputError
from columns.files import Place
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
    "KeyEnv", "MaxPrice", "MaxRequests", "MaxTokens", "Models", "Price", "build_instruction", "is_instruction",
    "model_access", "show_instruction",
]  # fmt: skip

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="instruction data: a model by role, an OpenAI-compatible URL or a .jsonl of recorded answers (repeatable)",
        metavar="ROLE=SOURCE",
    ),
]
KeyEnv = Annotated[
    str, typer.Option("--key-env", help="environment variable that holds the models' API key", metavar="NAME")
]
MaxRequests = Annotated[int | None, typer.Option(help="ask models at most so often", min=0)]
MaxTokens = Annotated[
    int | None, typer.Option(help="let models read and write at most so many tokens", min=0)
]
MaxPrice = Annotated[float | None, typer.Option(help="spend at most this on models, by --price", min=0)]
Price = Annotated[
    str, typer.Option(help="price of a million tokens that models read, and write", metavar="READ,WRITTEN")
]


def model_access(
    models: Iterable[str],
    key_env: str,
    max_requests: int | None,
    max_tokens: int | None,
    max_price: float | None,
    price: str,
) -> ModelAccess:
    """What the options say of models; `InputError` for one that is not ``ROLE=SOURCE``."""
    sources = {}
    for text in models:
        role, equals, source = text.partition("=")
        if not (role and equals and source) or "/" in role:
            raise InputError(
                f"--model {text}: expected ROLE=SOURCE",
                hint="for example: --model teacher=http://127.0.0.1:8000/v1",
            )
        sources[role] = source
    read, written = _price(price)
    return ModelAccess(sources, key_env, Budget(max_requests, max_tokens, max_price, read, written))


def _price(text: str) -> tuple[float, float] | tuple[None, None]:
    if not text:
        return None, None
    try:
        read, written = (float(one) for one in text.split(","))
    except ValueError:
        raise InputError(
            f"--price {text}: expected two numbers", hint="for example: --price 0.5,1.5"
        ) from None
    return read, written


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
