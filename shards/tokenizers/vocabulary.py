"""Vocabularies: what a tokenizer is, as plain data.

A `Vocabulary` holds the file it was read from (or the ranks that were trained) and is saved beside the
shards, so a worker, a trainer or a reader next year needs nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from columns.errors import OutputError
from columns.files import Place
from shards.tokenizers.bpe import hugging_face_json, parse_ranks

DESCRIPTION = "vocabulary.json"
RANKS = "ranks.tiktoken"
HUGGING_FACE = "tokenizer.json"
SENTENCEPIECE = "tokenizer.model"


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer as data. ``sha256`` is of ``data``, the rank file, ``tokenizer.json`` or model itself.

    ``vocab_size`` counts ids up to the largest, end of text included; ``padded_size`` is what a model's embedding has.
    ``pattern`` is None for `tokenizers` and SentencePiece. ``specials`` are ids that no text can spell, by name (end of
    text among them); ``added`` are ordinary tokens that are cut out of text before BPE. ``bos_id`` begins every
    document, -1 for nothing.
    """

    kind: Literal["train", "tiktoken", "codex", "codegen", "tokenizers", "sentencepiece"]
    name: str
    sha256: str
    vocab_size: int
    eot: str
    eot_id: int
    pattern: str | None
    data: bytes = field(repr=False)
    padded_size: int = 0
    bos_id: int = -1
    specials: Mapping[str, int] = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "padded_size", max(self.padded_size, self.vocab_size))
        object.__setattr__(self, "specials", {**self.specials, self.eot: self.eot_id})

    @property
    def identity(self) -> str:
        """SHA-256, in hex, of all that ids depend on: file, pattern, special and added tokens, ``bos``, end of text.

        Tokenizers with one identity make the same ids of the same texts; what they are called does not count. The
        vocabularies of CodeGen and of GPT-2 come from one file, and differ here.

        >>> from dataclasses import replace
        >>> one = Vocabulary("train", "a", "0" * 64, 3, "<e>", 2, "cl100k", b"")
        >>> one.identity == replace(one, name="b").identity, one.identity == replace(one, bos_id=1).identity
        (True, False)
        """
        said = [self.sha256, self.pattern, self.eot_id, self.bos_id, dict(self.specials), dict(self.added)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Everything but the data, for manifests."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "data"}

    def save(self, place: Place) -> None:
        """Write the vocabulary's files; the description is last, so its presence means all are there.

        Ranks are also written as a ``tokenizer.json`` that Hugging Face `tokenizers` reads.
        """
        place.write_bytes(_file_of(self.kind), self.data)
        if self.pattern is not None:
            ranks = parse_ranks(self.data, self.name)
            exported = hugging_face_json(ranks, self.pattern, self.specials, self.added)
            place.write_bytes(HUGGING_FACE, exported)
        text = json.dumps(self.describe(), sort_keys=True, indent=1) + "\n"
        place.write_bytes(DESCRIPTION, text.encode())


def read_vocabulary(place: Place) -> Vocabulary:
    """Read what `Vocabulary.save` wrote; `OutputError` when it is missing or was changed."""
    if not place.exists(DESCRIPTION):
        raise OutputError(f"no tokenizer at {place.url}", hint="build the dataset's shards first")
    known = json.loads(place.read(DESCRIPTION))
    data = place.read(_file_of(known["kind"]))
    found = hashlib.sha256(data).hexdigest()
    if found != known["sha256"]:
        raise OutputError(
            f"{place.url}: the tokenizer was changed: sha256 {found}, expected {known['sha256']}"
        )
    return Vocabulary(**known, data=data)


def _file_of(kind: str) -> str:
    return {"tokenizers": HUGGING_FACE, "sentencepiece": SENTENCEPIECE}.get(kind, RANKS)
