"""Tokenizers: documents to token ids, the same ids on every machine.

>>> tokenizer = make_tokenizer(TokenizerConfig(vocab_size=300), ["x = 1\\n"] * 9)
>>> ids, offsets = tokenizer.encode_batch(pa.array(["x = 1", None], pa.large_string()))
>>> offsets.tolist()[1] == offsets.tolist()[2], tokenizer.decode(ids)
(True, 'x = 1')
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
import pyarrow as pa

from columns.errors import InputError
from columns.files import Place
from shards.bpe import SMALLEST_VOCABULARY, dump_ranks, parse_ranks, train_ranks
from shards.encoders import Encoder, HuggingFaceEncoder, rank_encoder
from shards.patterns import PatternName
from shards.vocabulary import (
    DESCRIPTION,
    Vocabulary,
    hugging_face_vocabulary,
    read_vocabulary,
    tiktoken_vocabulary,
)


@dataclass(frozen=True)
class TokenizerConfig:
    """Which tokenizer: ``train``, ``tiktoken:NAME_OR_FILE[#PATTERN]`` or ``tokenizers:FILE``.

    ``vocab_size``, ``sample_bytes``, ``sample_seed`` and ``pattern`` are for training; ``sha256`` is what the
    given file must hash to. ``eot`` separates documents and is never produced by text that spells it.
    """

    spec: str = "train"
    vocab_size: int = 32768
    sample_bytes: int = 16 << 20
    sample_seed: int = 0
    pattern: PatternName = "cl100k"
    sha256: str | None = None
    eot: str = "<|endoftext|>"

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        kind, _, rest = self.spec.partition(":")
        if self.spec != "train" and (kind not in ("tiktoken", "tokenizers") or not rest):
            raise ValueError(
                f"spec: expected train, tiktoken:NAME_OR_FILE or tokenizers:FILE, got {self.spec!r}"
            )
        if self.vocab_size < SMALLEST_VOCABULARY:
            raise ValueError(f"vocab_size: expected at least {SMALLEST_VOCABULARY}, got {self.vocab_size}")
        if self.sample_bytes < 1:
            raise ValueError(f"sample_bytes: expected at least 1, got {self.sample_bytes}")
        if self.sha256 is not None and (self.spec == "train" or len(self.sha256) != 64):
            raise ValueError(
                f"sha256: expected 64 hex digits for a given file, got {self.sha256!r} for {self.spec}"
            )
        if not self.eot:
            raise ValueError("eot: expected a token, got an empty text")


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary with its engine. Pickles as the vocabulary alone; the engine is built on first use."""

    vocabulary: Vocabulary

    @property
    def name(self) -> str:
        """What it is called in manifests: ``train``, an encoding's or a file's name."""
        return self.vocabulary.name

    @property
    def vocab_size(self) -> int:
        """Number of ids, end of text included."""
        return self.vocabulary.vocab_size

    @property
    def eot_id(self) -> int:
        """The id that ends every document."""
        return self.vocabulary.eot_id

    @property
    def sha256(self) -> str:
        """SHA-256 of the rank file or ``tokenizer.json``, in hex."""
        return self.vocabulary.sha256

    @property
    def dtype(self) -> np.dtype:
        """``uint16`` when every id fits, else ``uint32``."""
        return np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)

    @cached_property
    def _encoder(self) -> Encoder:
        vocabulary = self.vocabulary
        if vocabulary.pattern is None:
            return _ordinary_hugging_face(vocabulary)
        ranks = parse_ranks(vocabulary.data, vocabulary.name)
        return rank_encoder(ranks, vocabulary.pattern, {vocabulary.eot: vocabulary.eot_id})

    def __getstate__(self) -> dict[str, Vocabulary]:
        return {"vocabulary": self.vocabulary}

    def encode_batch(self, content: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Tokenise texts: ``large_string[n] -> (ids uint16|uint32[t], offsets int64[n + 1])``.

        A null has no tokens. Text that looks like a special token is ordinary text; no end of text is added.
        Cost: 8–10 MB/s on one
        core with tiktoken, 40–220 with gigatoken installed, 1–4 with a Hugging Face file.
        """
        ids, counts = self._encoder.encode([text or "" for text in content.to_pylist()])
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
        return ids.astype(self.dtype, copy=False), offsets

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of ids; bytes that are not valid UTF-8 become U+FFFD."""
        return self._encoder.decode(ids)  # type: ignore[arg-type]

    def save(self, place: Place) -> None:
        """Write the tokenizer's files into a place; read them back with `load_tokenizer`."""
        self.vocabulary.save(place)


def make_tokenizer(config: TokenizerConfig, texts: Iterable[str] = ()) -> Tokenizer:
    """Train on texts, or read the file that the configuration names.

    Training depends on the set of texts only; choose them with `shards.order.sample`. Raises `InputError`
    when a file is missing, is not what it says it is, or has no end-of-text token.
    """
    kind, _, rest = config.spec.partition(":")
    if kind == "tiktoken":
        return Tokenizer(tiktoken_vocabulary(rest, config.eot, config.sha256))
    if kind == "tokenizers":
        tokenizer = Tokenizer(hugging_face_vocabulary(rest, config.eot, config.sha256))
        _refuse_spelled_eot(tokenizer)
        return tokenizer
    ranks = train_ranks(texts, config.vocab_size, config.pattern)
    data = dump_ranks(ranks)
    digest = hashlib.sha256(data).hexdigest()
    size = len(ranks) + 1
    return Tokenizer(Vocabulary("train", "train", digest, size, config.eot, size - 1, config.pattern, data))


def load_tokenizer(place: Place) -> Tokenizer:
    """Read a saved tokenizer; one process builds each distinct tokenizer once."""
    found = place.read(DESCRIPTION) if place.exists(DESCRIPTION) else b""
    return _loaded(place.url, hashlib.sha256(found).hexdigest())


@lru_cache(maxsize=4)
def _loaded(url: str, description: str) -> Tokenizer:
    return Tokenizer(read_vocabulary(Place(url)))


def _ordinary_hugging_face(vocabulary: Vocabulary) -> HuggingFaceEncoder:
    """Mark end of text as special, whatever the file says, so that text can never spell it."""
    model = json.loads(vocabulary.data)
    for token in model.get("added_tokens") or []:
        token["special"] = bool(token["special"] or token["content"] == vocabulary.eot)
    return HuggingFaceEncoder(json.dumps(model))


def _refuse_spelled_eot(tokenizer: Tokenizer) -> None:
    ids, _ = tokenizer.encode_batch(pa.array([tokenizer.vocabulary.eot], pa.large_string()))
    if tokenizer.eot_id in ids:
        what = f"{tokenizer.name}: the text {tokenizer.vocabulary.eot!r} encodes to the end-of-text id"
        raise InputError(what, hint="set tokenizer.eot to a token that is an added special token of the file")
