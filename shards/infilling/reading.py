"""Reading: the text of a rearranged document, from its ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shards.infilling.config import PLAIN, PSM, InfillConfig
from shards.infilling.encoding import MARKER, encode_parts
from shards.tokenizers import Tokenizer


def original_text(ids: np.ndarray, form: int, tokenizer: Tokenizer, config: InfillConfig) -> str:
    """The text of a document as it was before it was rearranged.

    ``ids`` are those of the whole document, without what stands before it (``doc_prefixes``) and without the end of
    text; ``form`` is its ``doc_forms``. Raises ValueError when the special tokens are not where the form has them.
    """
    if form == PLAIN:
        return tokenizer.decode(ids)
    marks = config.marks(tokenizer)
    if marks.end >= 0 and len(ids) and ids[-1] == marks.end:
        ids = ids[:-1]
    prefix, suffix, middle = (_only(ids, mark) for mark in marks[:1] + marks[2:3] + marks[1:2])
    if not prefix == 0 < suffix < middle:
        raise ValueError("ids: expected prefix, suffix and middle tokens in this order")
    first, last = ids[prefix + 1 : suffix], _later(ids[suffix + 1 : middle], tokenizer)
    if form == PSM:
        return tokenizer.decode(first) + _later(ids[middle + 1 :], tokenizer) + last
    return tokenizer.decode(ids[middle + 1 :]) + last


def _only(ids: np.ndarray, mark: int) -> int:
    found = np.flatnonzero(ids == mark)
    if len(found) != 1:
        raise ValueError(f"ids: expected the special token {mark} once, got it {len(found)} times")
    return int(found[0])


def _later(ids: Sequence[int] | np.ndarray, tokenizer: Tokenizer) -> str:
    """The text of a part that does not begin its document: a space at its beginning is its own."""
    if tokenizer.vocabulary.kind != "sentencepiece":
        return tokenizer.decode(ids)
    lead = encode_parts(tokenizer, [MARKER], np.zeros(1, np.bool_)).ids
    return tokenizer.decode(np.concatenate([lead, np.asarray(ids, lead.dtype)])).removeprefix(MARKER)
