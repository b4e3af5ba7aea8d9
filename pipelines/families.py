"""Families: groups of facts that one kernel measures from a batch of documents, and which of them a recipe needs.

Every family is row-aligned with its documents and reads content only, so facts of a family that is measured
later are the ones that would have been measured before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from columns.batch import concat
from columns.document import DOCUMENT, typed_column
from columns.fingerprint import fingerprint
from columns.text import text_stats
from filters import (
    DETECTED,
    ENCODED,
    HEURISTICS,
    HTML,
    LEXING,
    PATHS,
    REPETITION,
    SIGNALS,
    DetectedConfig,
    LexingConfig,
    OwnCode,
    SignalsConfig,
    measure_detected,
    measure_encoded,
    measure_heuristics,
    measure_html,
    measure_lexing,
    measure_paths,
    measure_repetition,
    measure_signals,
    own_schema,
    own_signals,
)
from licensing import LICENSES, LicensesConfig, measure_licenses
from pipelines.metrics import kernel
from privacy import PRIVACY, SPANS, PrivacyConfig, measure_privacy
from shards import Tokenizer, TokenizerConfig, make_tokenizer
from syntax import SYNTAX, SyntaxConfig, measure_syntax, syntax_identity

TOKENS = pa.schema([
    pa.field("token_count", pa.int64(), metadata={"about": "tokens of the text by filters.tokenizer"}),
    pa.field("chars_per_token", pa.float64(), metadata={"about": "characters / tokens; 0 for no tokens"}),
    pa.field("alpha_per_token", pa.float64(), metadata={"about": "str.isalpha characters / tokens"}),
])  # fmt: skip
ALWAYS = ("text", "paths")


@dataclass(frozen=True)
class FamilyConfig:
    """Which families are measured, and what they depend on besides the documents.

    ``tokenizer`` is a specification as of `shards.TokenizerConfig`, of a given tokenizer for the family ``tokens``;
    "" leaves its facts null.
    """

    names: tuple[str, ...] = ALWAYS
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    lexing: LexingConfig = field(default_factory=LexingConfig)
    detected: DetectedConfig = field(default_factory=DetectedConfig)
    syntax: SyntaxConfig = field(default_factory=SyntaxConfig)
    licenses: LicensesConfig = field(default_factory=LicensesConfig)
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    tokenizer: str = ""
    own: tuple[OwnCode, ...] = ()

    def fingerprint(self) -> str:
        """Equal when the facts would be equal; what belongs to a family counts only where it is measured."""
        used = [self._dependencies(name) for name in self.names]
        return fingerprint([self.names, self.own, used])

    def _dependencies(self, family: str) -> Any:
        """What the facts of a family depend on besides documents and code."""
        if family == "syntax":
            return [self.syntax, syntax_identity()]
        if family == "tokens":
            return _tokenizer(self.tokenizer).vocabulary.describe() if self.tokenizer else ""
        settings = {
            "text": self.signals, "lexing": self.lexing, "detected": self.detected, "licenses": self.licenses,
            "privacy": self.privacy.kinds,
        }  # fmt: skip
        return settings.get(family)

    def schema(self) -> pa.Schema:
        """The facts of all families, in the order of `FAMILIES`, then the recipe's own signals."""
        known = [item for name in self.names for item in FAMILIES[name].schema]
        return pa.schema([*known, *(item for code in self.own for item in own_schema(code))])


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
    "paths": Family(PATHS, lambda batch, _: measure_paths(batch)),
    "encoded": Family(ENCODED, lambda batch, _: measure_encoded(batch)),
    "heuristics": Family(HEURISTICS, lambda batch, _: measure_heuristics(batch)),
    "repetition": Family(REPETITION, lambda batch, _: measure_repetition(batch)),
    "lexing": Family(LEXING, lambda batch, config: measure_lexing(batch, config.lexing)),
    "html": Family(HTML, lambda batch, _: measure_html(batch)),
    "detected": Family(DETECTED, lambda batch, config: measure_detected(batch, config.detected)),
    "syntax": Family(SYNTAX, lambda batch, config: measure_syntax(batch, config.syntax)),
    "tokens": Family(TOKENS, _tokens),
    "licenses": Family(LICENSES, lambda batch, config: measure_licenses(batch, config.licenses)),
    "privacy": Family(PRIVACY, lambda batch, config: measure_privacy(batch, config.privacy).facts),
}


def known_facts() -> frozenset[str]:
    """Every fact that rules and own code may name: document columns and the facts of all families."""
    return frozenset(
        [*DOCUMENT.names, *(name for family in FAMILIES.values() for name in family.schema.names)]
    )


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


class Measured(NamedTuple):
    """``facts``: one row-aligned batch per family; ``spans``: the finds of the family ``privacy``."""

    facts: list[pa.RecordBatch]
    spans: pa.RecordBatch


def measure_families(batch: pa.RecordBatch, config: FamilyConfig) -> Measured:
    """Measure every chosen family of a batch of documents, then the recipe's own signals."""
    found: dict[str, pa.RecordBatch] = {}
    spans = concat([], SPANS)
    for name in config.names:
        with kernel(name, batch.num_rows):
            if name == "privacy":
                found[name], spans = measure_privacy(batch, config.privacy)
            else:
                found[name] = FAMILIES[name].measure(batch, config)
    facts = [found[name] for name in config.names]
    for code in config.own:
        facts.append(own_signals(code, batch, _joined(facts)))
    return Measured(facts, spans)


def joined_facts(batch: pa.RecordBatch, config: FamilyConfig) -> pa.RecordBatch:
    """All facts of `measure_families` in one batch, with the schema `FamilyConfig.schema`."""
    return _joined(measure_families(batch, config).facts)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    fields = [item for batch in batches for item in batch.schema]
    columns = [column for batch in batches for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
