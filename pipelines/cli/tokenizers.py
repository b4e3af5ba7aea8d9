"""The commands on tokenizers: train, show and count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from columns.errors import InputError
from columns.files import Place
from columns.versions import current_place
from pipelines import tokenizing
from pipelines.cli.app import Json, app, print_json
from pipelines.tokenizing import Rate
from pipelines.wording import count as grouped
from pipelines.wording import counted, plain, size
from shards import Tokenizer, TokenizerConfig
from shards.tokenizers.bpe import RunsName
from shards.tokenizers.patterns import PatternName

commands = typer.Typer(
    name="tokenizer",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Tokenizers: train one, see what one makes of a text, and what text costs by it.",
)
app.add_typer(commands)

COLOURS = (
    "black on bright_green",
    "black on bright_cyan",
    "black on bright_yellow",
    "black on bright_magenta",
)
DEFAULT = TokenizerConfig()

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="TOKENIZER",
        help="codex[:FILE], codegen[:FILE], tiktoken:…, tokenizers:FILE, sentencepiece:FILE, or the folder of a "
        "tokenizer or dataset",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="SPEC", help="files, named as for a build (repeatable)"),
]
FromDataset = Annotated[str, typer.Option("--dataset", metavar="DIR", help="the kept files of a dataset")]
Languages = Annotated[
    list[str] | None, typer.Option("--language", help="files of this language only (repeatable)")
]


def _texts(
    inputs: Sequence[str] | None, dataset: str, languages: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    """The texts that a command reads: of inputs or of a dataset."""
    if bool(inputs) == bool(dataset):
        raise InputError(
            "expected --input or --dataset, one of them", hint="--input ~/src, or --dataset build/mine"
        )
    if not dataset:
        return tokenizing.input_texts(list(inputs or ()), languages or ())
    if languages:
        raise InputError(
            "--language does not go with --dataset", hint="a dataset's languages are its recipe's"
        )
    return tokenizing.survivor_texts(current_place(Place(dataset)))


@commands.command()
def train(
    output: Annotated[
        str, typer.Argument(help="the tokenizer's folder, on any filesystem", metavar="OUTPUT")
    ],
    inputs: Inputs = None,
    dataset: FromDataset = "",
    language: Languages = None,
    vocab_size: Annotated[int, typer.Option(help="ids, special tokens included")] = DEFAULT.vocab_size,
    sample_mb: Annotated[int, typer.Option(help="text to train on, in MB, chosen by hash", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="another seed chooses other files")] = 0,
    pattern: Annotated[
        PatternName, typer.Option(help="how text is cut first: cl100k, r50k or o200k")
    ] = DEFAULT.pattern,
    runs: Annotated[
        RunsName,
        typer.Option(help="white space that is always a token: spaces (2–25), tabs (and 2–9 tabs) or none"),
    ] = DEFAULT.runs,
    special: Annotated[
        list[str] | None,
        typer.Option("--special", metavar="NAME", help="a further special token (repeatable)"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a byte-level BPE tokenizer on a sample of files.

    The same files give the same tokenizer, in whatever order they are read. It is saved in tiktoken's and in
    Hugging Face's format.

    Examples:

        thresher tokenizer train build/mine-tokenizer --dataset build/mine --vocab-size 16384

        thresher tokenizer train build/tabs --input ~/src --runs tabs --special '<|fim_middle|>'
    """
    try:
        config = replace(
            DEFAULT, vocab_size=vocab_size, sample_bytes=sample_mb << 20, sample_seed=seed, pattern=pattern, runs=runs,
            special_tokens=tuple(special or ()),
        )  # fmt: skip
    except ValueError as error:
        raise InputError(str(error)) from None
    found = tokenizing.train_tokenizer(_texts(inputs, dataset, language), config, Place(output))
    if as_json:
        print_json(found)
        return
    read = f"{counted(found['files'], 'file')}, {size(found['bytes'])}"
    said = f"{output}: {grouped(found['vocab_size'])} ids from {read}"
    Console().print(
        escape(f"{said}\nsee it: thresher tokenizer show {output}"), highlight=False, soft_wrap=True
    )


@commands.command()
def show(
    name: Annotated[str, typer.Argument(metavar="TOKENIZER", help="as for count")],
    text: Annotated[str, typer.Argument(help="the text; - reads it from the standard input")] = "",
    file: Annotated[str, typer.Option(help="a file with the text", metavar="FILE")] = "",
    as_json: Json = False,
) -> None:
    """Show a tokenizer, and the tokens of a text in colour with their ids.

    Examples:

        thresher tokenizer show codex 'def f(x):'

        thresher tokenizer show build/mine --file setup.py
    """
    tokenizer = tokenizing.named_tokenizer(name)
    given = _given(text, file)
    ids = tokenizer.encode_batch(pa.array([given], pa.large_string()))[0].tolist() if given else []
    if as_json:
        print_json(_described(tokenizer) | {"ids": ids, "bytes": len(given.encode())})
        return
    console = Console()
    about = ", ".join(f"{key} {value}" for key, value in _described(tokenizer).items() if value != "")
    console.print(escape(plain(about)), highlight=False, soft_wrap=True)
    if ids:
        console.print(_coloured(tokenizer, ids), soft_wrap=True)
        console.print(" ".join(map(str, ids)), highlight=False, soft_wrap=True)
        rate = f"{len(given.encode()) / len(ids):.2f} bytes/token"
        console.print(f"{counted(len(ids), 'token')}, {rate}", highlight=False)


def _given(text: str, file: str) -> str:
    if text == "-":
        return typer.get_text_stream("stdin").read()
    if not file:
        return text
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None


def _described(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "name": tokenizer.name, "vocab_size": tokenizer.vocab_size, "padded_vocab_size": tokenizer.padded_vocab_size,
        "eot": tokenizer.eot_id, "engine": tokenizer.engine, "sha256": tokenizer.sha256,
        "identity": tokenizer.identity,
    }  # fmt: skip


def _coloured(tokenizer: Tokenizer, ids: Sequence[int]) -> Text:
    """Tokens side by side; a token that is a part of a character is shown as U+FFFD."""
    shown = Text()
    for number, token in enumerate(ids):
        written = plain(tokenizer.decode([token]))
        shown.append(written, COLOURS[number % len(COLOURS)])
        if "␊" in written:
            shown.append("\n")
    return shown


@commands.command()
def count(
    names: Names,
    inputs: Inputs = None,
    dataset: FromDataset = "",
    language: Languages = None,
    as_json: Json = False,
) -> None:
    """Count what files cost in tokens, by language and by each tokenizer.

    With several tokenizers, "saves" is the share of the first one's tokens.

    Examples:

        thresher tokenizer count codex --input ~/src

        thresher tokenizer count tiktoken:r50k_base codex build/mine --dataset build/mine --json
    """
    texts = _texts(inputs, dataset, language)
    tokenizers = [tokenizing.named_tokenizer(name) for name in names]
    found = tokenizing.rates(texts, tokenizers)
    if as_json:
        print_json({"tokenizers": names, "languages": [rate.to_dict() for rate in found]})
        return
    Console().print(_table(names, found))


def _table(names: Sequence[str], found: Sequence[Rate]) -> Table:
    table = Table("language", title="bytes per token", box=None, header_style="bold", pad_edge=False)
    headings = ["files", "bytes", *(escape(name) for name in names)]
    for heading in [*headings, *(f"{escape(name)} saves" for name in names[1:])]:
        table.add_column(heading, justify="right")
    for rate in found:
        costs = [f"{one:.3f}" for one in rate.bytes_per_token]
        saves = [f"{one:.1%}" for one in rate.saved[1:]]
        table.add_row(escape(plain(rate.language)), grouped(rate.files), size(rate.bytes), *costs, *saves)
    return table
