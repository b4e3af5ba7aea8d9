"""Evaluation: bits per byte on held-out documents, which no training set may hold.

Bits per byte does not depend on how text is cut into tokens. All of a document is paid for: each token is
predicted from those before it in its window, the end of text too, and the first token costs
``log2(vocab_size)`` bits, since the model sees nothing before it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from columns.errors import InputError
from columns.files import Place
from columns.versions import current_place
from shards.reader import ShardSet, TokenDocument
from shards.tokenizers.tokenizer import Tokenizer, load_tokenizer
from training.extra import require
from training.learner import mixed_precision
from training.model import Transformer, loss_sum

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

_DIGEST = 16
_WINDOWS = 16


@dataclass
class KnownTexts:
    """What training sets hold, to ask whether a document is among it: some 200 bytes a document.

    A document is known when its id is (which covers repository, path and content, whatever was redacted or cut), or all
    its tokens are a known document's. Of a document whose end is missing from the shards, the beginning counts.
    """

    doc_ids: set[bytes] = field(default_factory=set)
    texts: set[bytes] = field(default_factory=set)
    beginnings: dict[int, set[bytes]] = field(default_factory=dict)

    def add(self, documents: Iterable[TokenDocument]) -> None:
        """Take in a training set's documents."""
        for document in documents:
            self.doc_ids.add(document.doc_id)
            digest = _digest(document.ids)
            if document.complete:
                self.texts.add(digest)
            else:
                self.beginnings.setdefault(len(document.ids), set()).add(digest)

    def __contains__(self, document: TokenDocument) -> bool:
        if document.doc_id in self.doc_ids or _digest(document.ids) in self.texts:
            return True
        ids = document.ids
        return any(
            _digest(ids[:length]) in found for length, found in self.beginnings.items() if length <= len(ids)
        )


@dataclass(frozen=True)
class HeldOut:
    """Documents to evaluate on: ``documents``, the ids of each, and ``text_bytes``, the UTF-8 bytes of their text.

    ``known`` documents were left out since a training set holds them, ``repeated`` ones since they were there already,
    ``cut`` ones since the shards lack their end.
    """

    documents: Sequence[np.ndarray]
    text_bytes: int
    known: int = 0
    repeated: int = 0
    cut: int = 0


def held_out(
    directory: str | PathLike[str],
    known: KnownTexts,
    *,
    split: str = "validation",
    limit_bytes: int | None = None,
) -> HeldOut:
    """The documents of a split that no training set holds, in the shards' order, up to ``limit_bytes`` of text.

    `InputError` when none is left.
    """
    tokenizer = load_tokenizer(current_place(Place(str(directory))).child("tokenizer"))
    seen, left = KnownTexts(), {"known": 0, "repeated": 0, "cut": 0}
    documents: list[np.ndarray] = []
    total = 0
    for document in ShardSet(str(directory), split=split).documents():
        if limit_bytes is not None and total >= limit_bytes:
            break
        why = _why_not(document, known, seen)
        if why:
            left[why] += 1
            continue
        seen.texts.add(_digest(document.ids))
        documents.append(np.array(document.ids, np.int64))
        total += text_bytes(tokenizer, document.ids)
    if not total:
        raise InputError(
            f"{directory}: no {split} documents to evaluate on: {left['known']} are in a training set, "
            f"{left['cut']} lack their end",
            hint="build with a larger pack.validation_fraction and one pack.shuffle_seed, or give --held-out",
        )
    return HeldOut(documents, total, **left)


def _why_not(document: TokenDocument, known: KnownTexts, seen: KnownTexts) -> str | None:
    if not document.complete:
        return "cut"
    if document in known:
        return "known"
    return "repeated" if document in seen else None


def text_bytes(tokenizer: Tokenizer, ids: np.ndarray) -> int:
    """UTF-8 bytes of the text that a whole document's ids stand for, without end and beginning of text."""
    specials = [tokenizer.eot_id, tokenizer.vocabulary.bos_id]
    return len(tokenizer.decode(ids[~np.isin(ids, specials)]).encode())


def bits_per_byte(model: Transformer, held: HeldOut, context: int, *, device: str = "cpu") -> float:
    """Bits that the model needs for the documents, over the bytes of their text.

    Documents longer than ``context`` are cut into windows that know nothing of each other but their first token.
    Costs a forward pass over the tokens.
    """
    firsts = len(held.documents) * math.log2(model.config.vocab_size)
    nats = 0.0
    with torch.inference_mode():
        for rows in _batches(_windows(held.documents, context)):
            moved = {name: values.to(device) for name, values in rows.items()}
            with mixed_precision(device):
                nats += float(loss_sum(model, moved)[0])
    return (nats / math.log(2) + firsts) / held.text_bytes


def _windows(documents: Iterable[np.ndarray], context: int) -> Iterator[np.ndarray]:
    """Windows of ``context`` ids, each beginning with the last one of the window before."""
    for ids in documents:
        for start in range(0, max(1, len(ids) - 1), context - 1):
            yield ids[start : start + context]


def _batches(windows: Iterable[np.ndarray]) -> Iterator[dict[str, torch.Tensor]]:
    """Windows of about one length side by side, padded."""
    ordered = sorted(windows, key=len)
    for start in range(0, len(ordered), _WINDOWS):
        some = ordered[start : start + _WINDOWS]
        width = max(map(len, some))
        ids, segments = np.zeros((len(some), width), np.int64), np.full((len(some), width), -1)
        for row, window in enumerate(some):
            ids[row, : len(window)], segments[row, : len(window)] = window, 0
        positions = np.tile(np.arange(width), (len(some), 1))
        arrays = {"ids": ids, "segments": segments, "positions": positions}
        yield {name: torch.from_numpy(values) for name, values in arrays.items()}


def _digest(ids: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(ids, np.uint32).tobytes()).digest()[:_DIGEST]
