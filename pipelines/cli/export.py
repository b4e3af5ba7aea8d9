"""The commands export and import: shards in other loaders' formats, and token files as shards."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from columns.files import Place
from pipelines import exporting
from pipelines.cli.app import DatasetDir, Json, app, print_json
from pipelines.wording import count, counted
from shards import PackConfig
from shards.exports import FORMATS

Output = Annotated[str, typer.Option("--output", "-o", help="a new folder", metavar="DIR")]


@app.command()
def export(
    directory: DatasetDir,
    form: Annotated[str, typer.Option("--format", help=", ".join(FORMATS), metavar="FORMAT")],
    output: Output,
    as_json: Json = False,
) -> None:
    """Write a dataset's shards in the format of another loader; text is not read again.

    Examples:

        thresher export build/demo --format megatron --output build/megatron

        thresher export build/demo --format huggingface --output build/hf
    """
    found = exporting.export(Place(directory), form, Place(output))
    if as_json:
        print_json({split: vars(one) for split, one in found.items()})
        return
    for split, one in found.items():
        what = (counted(one.samples, "sample"), counted(one.tokens, "token"), counted(len(one.files), "file"))
        Console().print(f"{split}: {', '.join(what)}", markup=False, highlight=False, soft_wrap=True)


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(help="PREFIX of .bin and .idx, a file, or a split's folder", metavar="SOURCE"),
    ],
    form: Annotated[str, typer.Option("--format", help=", ".join(exporting.IMPORTS), metavar="FORMAT")],
    output: Output,
    eot: Annotated[int, typer.Option(help="the id that ends documents", min=0)],
    vocab_size: Annotated[int, typer.Option(help="ids of the vocabulary", min=1)],
    seq_len: Annotated[int, typer.Option(help="ids per row", min=1)] = 2048,
    dtype: Annotated[str, typer.Option(help="of a bin file: uint16 or uint32")] = "uint16",
    whole_rows: Annotated[
        bool, typer.Option("--whole-rows", help="no document goes on in the next row")
    ] = False,
    validation: Annotated[float, typer.Option(help="share of documents for validation", min=0, max=1)] = 0.01,
    as_json: Json = False,
) -> None:
    """Make shards of token ids that another tool wrote.

    Example:

        thresher import old/train --format megatron --eot 50256 --vocab-size 50257 --output build/old
    """
    shard_tokens = max(seq_len, PackConfig.shard_tokens)
    config = PackConfig(
        seq_len=seq_len, tail="pad", validation_fraction=validation, shard_tokens=shard_tokens
    )
    found = exporting.import_tokens(
        source, form, Place(output), config, eot_id=eot, vocab_size=vocab_size, dtype=dtype, whole=whole_rows
    )
    if as_json:
        print_json(found)
    else:
        said = f"{output}: {count(int(str(found['documents'])))} documents, {count(int(str(found['written'])))} tokens"
        Console().print(said, markup=False, highlight=False, soft_wrap=True)
