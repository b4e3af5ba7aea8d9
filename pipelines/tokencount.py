"""Token counts: the tokens of every file, counted where the token parts have it, estimated elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.tables import read_arrow
from pipelines.corpus import Corpus
from pipelines.dataset import MANIFEST
from pipelines.stage import read_json
from pipelines.stored import Stored, in_threads


class TokenCounts(NamedTuple):
    """``tokens`` is ``float64[n]``, ``known`` is ``bool[n]``: counted, not estimated."""

    tokens: np.ndarray
    known: np.ndarray


def count_tokens_of(corpus: Corpus, kept: np.ndarray) -> TokenCounts | None:
    """The tokens of every file of a corpus, of which ``kept`` are in the shards; None when nothing was tokenised.

    A file that was not tokenised counts its bytes times the tokens per byte of its language; of a language
    without tokens, of the whole corpus. Where the token parts are deleted, all are estimated so, from the manifest.
    """
    counted = np.full(corpus.files, -1.0)
    if _has_parts(corpus.stored):
        counted = np.concatenate(in_threads(lambda part: _counted(corpus.stored, part), corpus.stored.parts))
    known = counted >= 0
    rate = _rates(corpus, _sums(corpus, known, counted) if known.any() else _recorded(corpus), known, kept)
    if rate is None:
        return None
    return TokenCounts(np.where(known, counted, corpus.size * rate[corpus.language]), known)


def _sums(corpus: Corpus, known: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return np.bincount(corpus.language[known], counted[known], len(corpus.languages))


def _recorded(corpus: Corpus) -> np.ndarray:
    """Tokens by language as the manifest has them."""
    manifest = read_json(corpus.stored.dataset.place, MANIFEST) or {}
    tokens = manifest.get("tokens", {}).get("by_language", {})
    return np.array([tokens.get(name, 0) for name in corpus.languages], np.float64)


def _rates(corpus: Corpus, sums: np.ndarray, known: np.ndarray, kept: np.ndarray) -> np.ndarray | None:
    """Tokens per byte of each language."""
    base = known if known.any() else kept
    sizes = np.bincount(corpus.language[base], corpus.size[base], len(sums))
    if not sums.sum() or not sizes.sum():
        return None
    return np.where(sums > 0, sums / np.maximum(sizes, 1), sums.sum() / sizes.sum())


def _has_parts(stored: Stored) -> bool:
    tokens = stored.dataset.tokens
    return all(tokens.exists(stored.names.tokens(part)) for part in stored.parts)


def _counted(stored: Stored, part: int) -> np.ndarray:
    """The tokens of a part's files by document id, ``float64[n]``; -1 where it has none; with the end-of-text token."""
    ids = stored.facts(part, ["doc_id"]).column("doc_id").cast(pa.binary())
    found = np.full(len(ids), -1.0)
    for batch in read_arrow(stored.dataset.tokens, stored.names.tokens(part)):
        lengths = np.diff(np.asarray(batch.column("ids").offsets))
        at = pc.index_in(ids, value_set=batch.column("doc_id").cast(pa.binary()))
        mine = np.asarray(at.is_valid())
        found[mine] = lengths[np.asarray(at.drop_null())] + 1
    return found
