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
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from columns.errors import InputError
from columns.files import Place
from shards.tokenizers.bpe import RUNS, SMALLEST_VOCABULARY, RunsName, dump_ranks, parse_ranks, train_ranks
from shards.tokenizers.encoders import (
    Encoder,
    GigatokenEncoder,
    HuggingFaceEncoder,
    TiktokenEncoder,
    column_of,
    rank_encoder,
)
from shards.tokenizers.given import (
    codegen_vocabulary,
    codex_vocabulary,
    hugging_face_vocabulary,
    tiktoken_vocabulary,
)
from shards.tokenizers.patterns import PatternName
from shards.tokenizers.pieces import SentencePieceEncoder, sentencepiece_vocabulary
from shards.tokenizers.vocabulary import DESCRIPTION, Vocabulary, read_vocabulary

NAMED = ("train", "codex", "codegen")
FILED = ("codex", "codegen", "tiktoken", "tokenizers", "sentencepiece")
SPECS = "train, codex[:FILE], codegen[:FILE], tiktoken:NAME_OR_FILE, tokenizers:FILE or sentencepiece:FILE"


@dataclass(frozen=True)
class TokenizerConfig:
    """Which tokenizer: ``train``, ``codex[:FILE]``, ``codegen[:FILE]``, ``tiktoken:NAME_OR_FILE[#PATTERN]``,
    ``tokenizers:FILE`` or ``sentencepiece:FILE``.

    ``vocab_size``, ``sample_bytes``, ``sample_seed``, ``pattern`` and ``runs`` are for training; ``sha256`` is what
    the given file must hash to. ``eot`` separates documents, ``bos`` begins each ("" for nothing), and
    ``special_tokens`` are further ones (of fill-in-the-middle, say): ranks get new ids for them after their last, a
    given file must have them. None of these is ever produced by text that spells it.
    """

    spec: str = "train"
    vocab_size: int = 32768
    sample_bytes: int = 16 << 20
    sample_seed: int = 0
    pattern: PatternName = "cl100k"
    runs: RunsName = "spaces"
    sha256: str | None = None
    eot: str = "<|endoftext|>"
    bos: str = ""
    special_tokens: tuple[str, ...] = ()

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        kind, colon, rest = self.spec.partition(":")
        if not (kind in FILED and rest) if colon else kind not in NAMED:
            raise ValueError(f"spec: expected {SPECS}, got {self.spec!r}")
        least = SMALLEST_VOCABULARY + len(self.special_tokens)
        if self.vocab_size < least:
            raise ValueError(f"vocab_size: expected at least {least}, got {self.vocab_size}")
        if self.runs not in RUNS:
            raise ValueError(f"runs: expected {', '.join(RUNS)}, got {self.runs!r}")
        if self.sample_bytes < 1:
            raise ValueError(f"sample_bytes: expected at least 1, got {self.sample_bytes}")
        if self.sha256 is not None and (self.spec == "train" or len(self.sha256) != 64):
            raise ValueError(
                f"sha256: expected 64 hex digits for a given file, got {self.sha256!r} for {self.spec}"
            )
        if not self.eot:
            raise ValueError("eot: expected a token, got an empty text")
        names = (self.eot, *self.special_tokens)
        if "" in names or len(set(names)) != len(names):
            raise ValueError(
                f"special_tokens: expected distinct names, not eot, got {list(self.special_tokens)}"
            )


_ADD = "name it in tokenizer.special_tokens"
_ENGINES: dict[type, str] = {
    GigatokenEncoder: "gigatoken", TiktokenEncoder: "tiktoken", HuggingFaceEncoder: "tokenizers",
    SentencePieceEncoder: "sentencepiece",
}  # fmt: skip


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
    def padded_vocab_size(self) -> int:
        """Rows of the embedding that a model of this tokenizer has: 51,200 for CodeGen, else `vocab_size`."""
        return self.vocabulary.padded_size

    @property
    def eot_id(self) -> int:
        """The id that ends every document."""
        return self.vocabulary.eot_id

    def special_id(self, name: str) -> int:
        """The id of a special token by its name; `InputError` with the known names when there is none.

        >>> make_tokenizer(TokenizerConfig(vocab_size=300)).special_id("<|endoftext|>")
        280
        """
        found = self.vocabulary.specials.get(name)
        if found is None:
            known = ", ".join(sorted(self.vocabulary.specials))
            raise InputError(f"{self.name}: no special token {name!r}, known: {known}", hint=_ADD)
        return found

    @property
    def engine(self) -> str:
        """The library that makes the ids here: gigatoken, tiktoken, tokenizers or sentencepiece."""
        return _ENGINES[type(self._encoder)]

    @property
    def sha256(self) -> str:
        """SHA-256 of the rank file or ``tokenizer.json``, in hex; several tokenizers may come from one file."""
        return self.vocabulary.sha256

    @property
    def identity(self) -> str:
        """SHA-256, in hex, of everything that ids depend on (`Vocabulary.identity`)."""
        return self.vocabulary.identity

    @property
    def dtype(self) -> np.dtype:
        """``uint16`` when every id fits, else ``uint32``."""
        return np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)

    @cached_property
    def _encoder(self) -> Encoder:
        vocabulary = self.vocabulary
        if vocabulary.kind == "sentencepiece":
            return SentencePieceEncoder(vocabulary.data, vocabulary.specials)
        if vocabulary.pattern is None:
            return _ordinary_hugging_face(vocabulary)
        ranks = parse_ranks(vocabulary.data, vocabulary.name)
        return rank_encoder(ranks, vocabulary.pattern, vocabulary.specials, vocabulary.added)

    def __getstate__(self) -> dict[str, Vocabulary]:
        return {"vocabulary": self.vocabulary}

    def encode_batch(self, content: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Tokenise texts: ``large_string[n] -> (ids uint16|uint32[t], offsets int64[n + 1])``.

        A null has no tokens. Text that looks like a special token is ordinary text; a document begins with ``bos``
        where one is set, no end of text is added. Cost: 200–380 MB/s on one core with gigatoken installed (40–110 with
        CodeGen's runs), 8–10 with tiktoken alone, 5 with a SentencePiece model, 1–4 with a Hugging Face file.
        """
        ids, counts = self._encoder.encode(column_of(content))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
        ids = ids.astype(self.dtype, copy=False)
        return (ids, offsets) if self.vocabulary.bos_id < 0 else self._begun(ids, offsets, content)

    def _begun(
        self, ids: np.ndarray, offsets: np.ndarray, content: pa.Array
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same with the first token of a document before each that is not null."""
        there = np.asarray(content.is_valid())
        moved = offsets + np.concatenate([np.zeros(1, np.int64), np.cumsum(there, dtype=np.int64)])
        return np.insert(ids, offsets[:-1][there], self.vocabulary.bos_id), moved

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
    found = _trained(config, texts) if kind == "train" else _given(config, kind, rest)
    tokenizer = Tokenizer(_beginning(_with_specials(found, config.special_tokens), config.bos))
    if tokenizer.vocabulary.pattern is None:
        _refuse_spelled(tokenizer)
    return tokenizer


def _trained(config: TokenizerConfig, texts: Iterable[str]) -> Vocabulary:
    ranks = train_ranks(texts, config.vocab_size - len(config.special_tokens), config.pattern, config.runs)
    data = dump_ranks(ranks)
    digest = hashlib.sha256(data).hexdigest()
    size = len(ranks) + 1
    return Vocabulary("train", "train", digest, size, config.eot, size - 1, config.pattern, data)


def _given(config: TokenizerConfig, kind: str, path: str) -> Vocabulary:
    if kind == "sentencepiece":
        return sentencepiece_vocabulary(path, config.eot, config.bos, config.sha256, config.special_tokens)
    readers = {
        "codex": codex_vocabulary, "codegen": codegen_vocabulary, "tiktoken": tiktoken_vocabulary,
        "tokenizers": hugging_face_vocabulary,
    }  # fmt: skip
    return readers[kind](path, config.eot, config.sha256)


def _with_specials(vocabulary: Vocabulary, names: Sequence[str]) -> Vocabulary:
    """The vocabulary with further special tokens: ranks get new ids, a file must have them."""
    new = [name for name in names if name not in vocabulary.specials]
    if not new:
        return vocabulary
    if vocabulary.pattern is None:
        known = {str(item["content"]): int(item["id"]) for item in _added_tokens(vocabulary)}
        missing = [name for name in new if name not in known]
        if missing:
            what = f"{vocabulary.name}: no special token {missing[0]!r}, known: {', '.join(sorted(known))}"
            raise InputError(what, hint="set tokenizer.special_tokens to added tokens of the file")
        return replace(vocabulary, specials={**vocabulary.specials, **{name: known[name] for name in new}})
    numbered = {name: vocabulary.vocab_size + number for number, name in enumerate(new)}
    specials = {**vocabulary.specials, **numbered}
    return replace(vocabulary, specials=specials, vocab_size=vocabulary.vocab_size + len(new))


def _beginning(vocabulary: Vocabulary, bos: str) -> Vocabulary:
    if not bos or vocabulary.bos_id >= 0:
        return vocabulary
    return replace(vocabulary, bos_id=Tokenizer(vocabulary).special_id(bos))


def load_tokenizer(place: Place) -> Tokenizer:
    """Read a saved tokenizer; one process builds each distinct tokenizer once."""
    found = place.read(DESCRIPTION) if place.exists(DESCRIPTION) else b""
    return _loaded(place.url, hashlib.sha256(found).hexdigest())


@lru_cache(maxsize=4)
def _loaded(url: str, description: str) -> Tokenizer:
    return Tokenizer(read_vocabulary(Place(url)))


def _added_tokens(vocabulary: Vocabulary) -> list[dict[str, Any]]:
    return list(json.loads(vocabulary.data).get("added_tokens") or [])


def _ordinary_hugging_face(vocabulary: Vocabulary) -> HuggingFaceEncoder:
    """Mark special tokens as special, whatever the file says, so that text can never spell one."""
    model = json.loads(vocabulary.data)
    for token in model.get("added_tokens") or []:
        token["special"] = bool(token["special"] or token["content"] in vocabulary.specials)
    return HuggingFaceEncoder(json.dumps(model))


def _refuse_spelled(tokenizer: Tokenizer) -> None:
    specials = tokenizer.vocabulary.specials
    ids, _ = tokenizer._encoder.encode(column_of(list(specials)))
    spelled = [name for name, number in specials.items() if number in ids]
    if spelled:
        what = f"{tokenizer.name}: the text {spelled[0]!r} encodes to the special token of that name"
        raise InputError(what, hint="set tokenizer.eot to a token that is an added special token of the file")
