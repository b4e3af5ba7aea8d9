"""Families: groups of facts that one kernel measures from a batch of documents, and which of them a recipe needs.

Every family is row-aligned with its documents and reads content only, so facts of a family that is measured
later are the ones that would have been measured before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa

from columns.document import typed_column
from columns.fingerprint import fingerprint
from columns.text import text_stats
from filters import SIGNALS, SignalsConfig, measure_signals
from shards import Tokenizer, TokenizerConfig, make_tokenizer

TOKENS = pa.schema([
    pa.field("token_count", pa.int64(), metadata={"about": "tokens of the text by filters.tokenizer"}),
    pa.field("chars_per_token", pa.float64(), metadata={"about": "characters / tokens; 0 for no tokens"}),
    pa.field("alpha_per_token", pa.float64(), metadata={"about": "str.isalpha characters / tokens"}),
])  # fmt: skip
ALWAYS = ("text",)


@dataclass(frozen=True)
class FamilyConfig:
    """Which families are measured, and what they depend on besides the documents.

    ``tokenizer`` is a specification as of `shards.TokenizerConfig`, of a given tokenizer for the family ``tokens``;
    "" leaves its facts null.
    """

    names: tuple[str, ...] = ALWAYS
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    tokenizer: str = ""

    def fingerprint(self) -> str:
        """Equal when the facts would be equal; parsers and interpreter count only where they are used."""
        tokenizer = _tokenizer(self.tokenizer).sha256 if self.tokenizer and "tokens" in self.names else ""
        return fingerprint([self.names, self.signals, tokenizer])

    def schema(self) -> pa.Schema:
        """The facts of all families, in the order of `FAMILIES`, then the recipe's own signals."""
        return pa.schema([item for name in self.names for item in FAMILIES[name].schema])


@dataclass(frozen=True)
class Family:
    """A group of facts: their schema and the function that measures them."""

    schema: pa.Schema
    measure: Callable[[pa.RecordBatch, FamilyConfig], pa.RecordBatch]


@lru_cache(maxsize=2)
def _tokenizer(spec: str) -> Tokenizer:
    return make_tokenizer(TokenizerConfig(spec))


def _tokens(batch: pa.RecordBatch, config: FamilyConfig) -> pa.RecordBatch:
    """The family ``tokens``; all null without a tokenizer."""
    content = typed_column(batch, "content")
    if not config.tokenizer:
        return pa.RecordBatch.from_arrays([pa.nulls(len(content), f.type) for f in TOKENS], schema=TOKENS)
    _, offsets = _tokenizer(config.tokenizer).encode_batch(content)
    tokens, stats = np.diff(offsets), text_stats(content)
    values = [tokens, _per(stats.chars, tokens), _per(stats.alpha, tokens)]
    missing = np.asarray(content.is_null())
    arrays = [pa.array(v, f.type, mask=missing) for v, f in zip(values, TOKENS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=TOKENS)


def _per(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


FAMILIES: Mapping[str, Family] = {
    "text": Family(SIGNALS, lambda batch, config: measure_signals(batch, config.signals)),
    "tokens": Family(TOKENS, _tokens),
}


def family_of(signal: str) -> str | None:
    """The family that measures a signal.

    >>> family_of("line_max"), family_of("parse"), family_of("nonsense")
    ('text', 'syntax', None)
    """
    return next((name for name, family in FAMILIES.items() if signal in family.schema.names), None)


def chosen(asked: Iterable[str], signals: Iterable[str]) -> tuple[str, ...]:
    """The families to measure: `ALWAYS`, those asked for ("all", names) and those of the signals rules need.

    >>> chosen(("needed", "html"), ["line_max", "top_2gram_fraction"])
    ('text', 'paths', 'repetition', 'html')
    """
    wanted = {*ALWAYS, *asked, *map(family_of, signals)}
    return tuple(name for name in FAMILIES if name in wanted or "all" in wanted)


def measure_families(batch: pa.RecordBatch, config: FamilyConfig) -> list[pa.RecordBatch]:
    """Measure every chosen family of a batch of documents; each result is row-aligned with it."""
    return [FAMILIES[name].measure(batch, config) for name in config.names]
