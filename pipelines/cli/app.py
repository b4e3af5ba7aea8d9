"""The application that the commands join, and what they print with."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Any

import orjson
import typer

from columns.files import Place
from columns.versions import current_place

app = typer.Typer(
    name="thresher",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help="Turn source code into a training set, and be able to say why each file is or is not in it.",
    epilog="Try: **thresher recipes**, then **thresher build codex --input DIR --output build/mine**",
)

Json = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
TrustOwn = Annotated[
    bool, typer.Option("--trust-own-code", help="run the Python code that the dataset's own recipe holds")
]


def current_directory(directory: str) -> str:
    """The current version's directory; what cannot be read is the command's own error to tell."""
    with suppress(Exception):
        place = Place(directory)
        found = current_place(place)
        return directory if found == place else found.url
    return directory


DatasetDir = Annotated[
    str, typer.Argument(help="a dataset's directory", metavar="DIR", callback=current_directory)
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="change the recipe: filters.line_max=800, filters.size=off (repeatable)",
    ),
]


def _say_version(value: bool) -> None:
    if value:
        print(f"thresher {version('thresher')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


def print_json(value: Any) -> None:
    """Print a value as sorted, indented JSON."""
    text = orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    sys.stdout.write(text.decode() + "\n")
