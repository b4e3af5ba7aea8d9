"""Encoding: the parts of rearranged documents to token ids, with special tokens around them.

A part that goes on in the middle of a text must not get the space that SentencePiece puts before a text. As Code
Llama does it, a character that joins with nothing is encoded before the part and its ids are taken away again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from shards.infilling.config import PLAIN, PSM, InfillConfig
from shards.infilling.cuts import Cuts
from shards.ragged import Ragged
from shards.tokenizers import Tokenizer

MARKER = "☺"
SLOTS = 4


def encode_infilled(
    texts: Sequence[str | None], cuts: Cuts, tokenizer: Tokenizer, config: InfillConfig
) -> Ragged:
    """The ids of every rearranged document; a plain one has none. No end of text and no ``bos`` are among them.

    Raises `InputError` when the tokenizer lacks a special token of the layout. Cost: the texts are encoded once more.
    """
    rows = np.flatnonzero(cuts.form != PLAIN)
    marks, joint = config.marks(tokenizer), config.layout_used.joint
    parts = [part for row in rows.tolist() for part in _parts(texts[row] or "", cuts, row, joint=joint)]
    found = encode_parts(tokenizer, parts, _going_on(cuts.form[rows]))
    offsets = found.offsets
    kinds = (0, 1, 2, SLOTS)[: SLOTS if marks.end >= 0 else SLOTS - 1]
    places = np.stack([offsets[kind:][::SLOTS][: len(rows)] for kind in kinds], axis=1)
    ids = (marks.prefix, marks.suffix, marks.middle, marks.end)[: len(kinds)]
    whole = np.insert(found.ids, places.ravel(), np.tile(np.array(ids, found.ids.dtype), len(rows)))
    lengths = np.zeros(len(texts), np.int64)
    lengths[rows] = np.diff(offsets[::SLOTS]) + len(kinds)
    return Ragged(whole, np.append(0, np.cumsum(lengths)))


def _parts(text: str, cuts: Cuts, row: int, *, joint: bool) -> tuple[str, str, str, str]:
    """What stands behind the prefix's, the suffix's and the middle's token, and behind that."""
    start, end = int(cuts.start[row]), int(cuts.end[row])
    if cuts.form[row] == PSM:
        return text[:start], text[end:], text[start:end], ""
    return ("", text[end:], text[:end], "") if joint else ("", text[end:], text[:start], text[start:end])


def _going_on(form: np.ndarray) -> np.ndarray:
    """Which parts do not begin their document: ``bool[4 n]``."""
    found = np.zeros((len(form), SLOTS), np.bool_)
    found[:, (1, 3)] = True
    found[:, 2] = form == PSM
    return found.ravel()


def encode_parts(tokenizer: Tokenizer, parts: Sequence[str], going_on: np.ndarray) -> Ragged:
    """The ids of parts of documents, without ``bos``; ``going_on bool[n]``: text stands before the part."""
    if tokenizer.vocabulary.kind != "sentencepiece":
        return encode_plain(tokenizer, pa.array(parts, pa.large_string()))
    lead = int(encode_plain(tokenizer, pa.array([MARKER], pa.large_string())).lengths[0])
    marked = [MARKER + part for part, on in zip(parts, going_on.tolist(), strict=True) if on]
    later = encode_plain(tokenizer, pa.array(marked, pa.large_string())).without_first(lead)
    first = [part for part, on in zip(parts, going_on.tolist(), strict=True) if not on]
    both = encode_plain(tokenizer, pa.array(first, pa.large_string())).above(later)
    return both.take(np.argsort(np.argsort(going_on, kind="stable"), kind="stable"))


def encode_plain(tokenizer: Tokenizer, texts: pa.Array) -> Ragged:
    """The ids of texts, without the ``bos`` that the tokenizer may put before each."""
    found = Ragged(*tokenizer.encode_batch(texts))
    return found if tokenizer.vocabulary.bos_id < 0 else found.without_first(1)
