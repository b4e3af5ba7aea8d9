"""Tokenizing: tokenizers trained on, and measured over, the survivors of a dataset or the files of any inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import InputError
from columns.files import Place
from columns.tables import read_whole
from pipelines.dataset import Dataset, Names
from pipelines.redacting import Texts
from shards import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer, sample
from sources import IngestConfig, parse_spec, read_unit

TEXT = ["content_hash", "language", "content"]
ALL = "all"
_DESCRIPTION = "vocabulary.json"


def survivor_texts(place: Place) -> Iterator[pa.RecordBatch]:
    """Hash, language and text of a dataset's kept files, as they go into shards; `OutputError` without decisions."""
    dataset = Dataset(place)
    names = Names(dataset.parts())
    texts = Texts(dataset, names)
    for part in range(names.count):
        kept, row = read_whole(dataset.ledger, names.part(part), ["kept"]).column("kept").combine_chunks(), 0
        for batch in texts(part, TEXT):
            yield batch.select(TEXT).filter(kept.slice(row, batch.num_rows))
            row += batch.num_rows


def input_texts(specs: Sequence[str], languages: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """Hash, language and text of inputs' files, named as for a build; `InputError` when there is none."""
    config, found = IngestConfig(languages=tuple(sorted(languages))), False
    with tempfile.TemporaryDirectory(prefix="thresher-tokenizer-") as folder:
        for spec in sorted(set(specs)):
            for unit in parse_spec(spec).units(config, workdir=folder).units:
                found = True
                for batch in read_unit(unit, config):
                    yield batch.select(TEXT)
    if not found:
        raise InputError(
            f"no files to read in {', '.join(specs)}", hint="give other --input, or other --language"
        )


def sampled_texts(batches: Iterable[pa.RecordBatch], limit: int, seed: int) -> list[str]:
    """A sample of at most ``limit`` bytes of distinct texts, by hash and in its order.

    It depends on the set of texts only. Memory: twice the limit, and a batch.
    """
    held: dict[bytes, str] = {}
    size = 0
    for batch in batches:
        for digest, text in zip(
            *(batch.column(name).to_pylist() for name in ("content_hash", "content")), strict=True
        ):
            if text and digest not in held:
                held[digest] = text
                size += len(text.encode())
        if size > 2 * limit:
            held = _smallest(held, limit, seed)
            size = sum(len(text.encode()) for text in held.values())
    return [text for _, text in sorted(_smallest(held, limit, seed).items())]


def _smallest(held: dict[bytes, str], limit: int, seed: int) -> dict[bytes, str]:
    """Those of the texts that come first by hash."""
    hashes = list(held)
    sizes = np.array([len(text.encode()) for text in held.values()], np.int64)
    chosen = sample(pa.array(hashes, pa.binary(32)), sizes, limit, seed)
    return {digest: held[digest] for digest, one in zip(hashes, chosen, strict=True) if one}


def train_tokenizer(
    batches: Iterable[pa.RecordBatch], config: TokenizerConfig, place: Place
) -> dict[str, Any]:
    """Train on a sample of texts and save; the same files for any order of the batches. Returns what it is."""
    texts = sampled_texts(batches, config.sample_bytes, config.sample_seed)
    if not texts:
        raise InputError("no text to train on", hint="give inputs with files that have text")
    tokenizer = make_tokenizer(config, texts)
    tokenizer.save(place)
    size = sum(len(text.encode()) for text in texts)
    return {
        "files": len(texts), "bytes": size, "vocab_size": tokenizer.vocab_size, "sha256": tokenizer.sha256,
        "identity": tokenizer.identity, "eot": tokenizer.eot_id,
    }  # fmt: skip


def named_tokenizer(name: str, *, eot: str | None = None, bos: str = "") -> Tokenizer:
    """A tokenizer by a recipe's ``spec``, or the folder of a saved one or of a dataset."""
    for place in (Place(name), Place(name).child("tokenizer")):
        if place.exists(_DESCRIPTION):
            return load_tokenizer(place)
    try:
        config = TokenizerConfig(name, bos=bos) if eot is None else TokenizerConfig(name, eot=eot, bos=bos)
    except ValueError as error:
        what = f"no tokenizer {name}: not a folder with {_DESCRIPTION}, and {error}"
        raise InputError(what, hint="thresher tokenizer show codex, for example") from None
    if name == "train":
        raise InputError("train names no tokenizer yet", hint="train one first: thresher tokenizer train …")
    return make_tokenizer(config)


@dataclass(frozen=True)
class Rate:
    """What texts of one language cost: ``tokens`` has a count for each tokenizer, without ends of text."""

    language: str
    files: int
    bytes: int
    tokens: tuple[int, ...]

    @property
    def bytes_per_token(self) -> tuple[float, ...]:
        """Bytes per token by each tokenizer; 0 where there is no token."""
        return tuple(self.bytes / count if count else 0.0 for count in self.tokens)

    @property
    def saved(self) -> tuple[float, ...]:
        """The share of the first tokenizer's tokens that each saves; negative where it needs more."""
        first = self.tokens[0]
        return tuple(1 - count / first if first else 0.0 for count in self.tokens)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return asdict(self) | {"bytes_per_token": self.bytes_per_token, "saved": self.saved}


class _Sum(NamedTuple):
    """Files of one language so far; ``counts`` is bytes, then the tokens of each tokenizer."""

    files: int
    counts: np.ndarray


def rates(batches: Iterable[pa.RecordBatch], tokenizers: Sequence[Tokenizer]) -> list[Rate]:
    """Bytes per token by language, then of everything (``all``): each tokenizer over the same texts.

    Cost: one pass over the text for each tokenizer, at its engine's speed.
    """
    sums: dict[str, _Sum] = {}
    for batch in batches:
        there = batch.filter(batch.column("content").is_valid())
        content = there.column("content")
        each = [np.diff(one.encode_batch(content)[1]) for one in tokenizers]
        counts = np.stack([pc.binary_length(content).to_numpy(zero_copy_only=False), *each])
        names = np.array([name or "unknown" for name in there.column("language").to_pylist()], object)
        for name in sorted(set(names.tolist())):
            mine = names == name
            sums[name] = _add(sums.get(name), int(mine.sum()), counts[:, mine].sum(axis=1, dtype=np.int64))
    found = [_rate(name, one) for name, one in sorted(sums.items())]
    total = _Sum(0, np.zeros(len(tokenizers) + 1, np.int64))
    for one in sums.values():
        total = _add(total, *one)
    return [*found, _rate(ALL, total)]


def _add(before: _Sum | None, files: int, counts: np.ndarray) -> _Sum:
    return _Sum(files, counts) if before is None else _Sum(before.files + files, before.counts + counts)


def _rate(language: str, found: _Sum) -> Rate:
    size, *tokens = found.counts.tolist()
    return Rate(language, found.files, size, tuple(tokens))
