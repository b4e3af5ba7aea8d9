"""Exporting: a dataset's shards in the format of another loader, with its card; and token files as a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from columns.errors import InputError, OutputError
from columns.files import Place
from columns.fingerprint import fingerprint
from pipelines import card
from pipelines.dataset import EXPORTS
from pipelines.finished import Finished
from pipelines.stage import read_json
from shards import PackConfig
from shards.exports import (
    FORMATS,
    ROWS,
    Exported,
    Source,
    import_documents,
    read_flat,
    read_megatron,
    read_rows,
)
from shards.exports.hugging_face import configs
from shards.format import SPLITS

README = "README.md"
SOURCE = "_source.json"
IMPORTS = ("bin", "megatron", *ROWS)


def export(place: Place, name: str, output: Place) -> Mapping[str, Exported]:
    """Write every split that has rows in a format of `FORMATS`; returns what was written of each.

    Reads the shards once, and no text. `OutputError` for what is no dataset or an output that is not empty,
    `InputError` for a format that is not known.
    """
    if name not in FORMATS:
        raise InputError(f"no format {name}", hint=f"formats: {', '.join(FORMATS)}")
    dataset = Finished.open(place)
    if output.names():
        raise OutputError(f"{output.url}: not empty", hint="give a new folder for --output")
    splits: list[str] = [split for split in SPLITS if _rows(dataset, split)]
    size = int(dataset.section("tokenizer", "vocab_size"))
    found = {split: FORMATS[name](Source(place, split, size), output) for split in splits}
    output.write_bytes(README, _readme(dataset, name, tuple(splits)).encode())
    return found


def keep_exports(place: Place, formats: Sequence[str]) -> list[str]:
    """Bring the folders ``exports/FORMAT`` of a finished dataset up to date; returns the formats written anew.

    What is there already for the same shards stays; formats that the recipe no longer names go.
    """
    made_from = {"shards": fingerprint(Finished.open(place).section("shards") or [])}
    written = []
    for name in FORMATS:
        output = place.child(f"{EXPORTS}/{name}")
        if read_json(output, SOURCE) == made_from and name in formats:
            continue
        if output.names():
            output.remove_tree()
        if name in formats:
            export(place, name, output)
            output.write_bytes(SOURCE, orjson.dumps(made_from))
            written.append(name)
    return written


def _rows(dataset: Finished, split: str) -> int:
    return sum(entry["rows"] for entry in dataset.section("shards") or [] if entry["split"] == split)


def _readme(dataset: Finished, name: str, splits: tuple[str, ...]) -> str:
    """The dataset card; for `datasets` its front matter says which files are of which split."""
    text = (
        card.render(dataset) if dataset.section("funnel") else "---\ntags: [thresher]\n---\n\n# Token ids\n"
    )
    if name == "huggingface":
        return text.replace("---\n", f"---\n{configs(splits)}\n", 1)
    return text


def import_tokens(
    source: str,
    name: str,
    output: Place,
    config: PackConfig,
    *,
    eot_id: int,
    vocab_size: int,
    dtype: str = "uint16",
    whole: bool = False,
) -> Mapping[str, object]:
    """Make a dataset of token files: ``megatron`` (a prefix of .bin and .idx), ``bin`` (ids without a header) or rows.

    ``dtype`` is that of a bin file; ``whole``: a row holds whole documents (`shards.exports.read_rows`). Returns the
    account of tokens. `InputError` names what cannot be read; `OutputError` for an output with files.
    """
    if name not in IMPORTS:
        raise InputError(f"no format {name} to import", hint=f"formats: {', '.join(IMPORTS)}")
    if output.names():
        raise OutputError(f"{output.url}: not empty", hint="give a new folder for --output")
    if name == "megatron":
        documents = read_megatron(source.removesuffix(".bin").removesuffix(".idx"), eot_id)
    elif name == "bin":
        documents = read_flat(source, eot_id, dtype)
    else:
        documents = read_rows(ROWS[name](source), eot_id, source, whole=whole)
    return import_documents(documents, output, config, eot_id=eot_id, vocab_size=vocab_size).tokens
