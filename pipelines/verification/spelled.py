"""Spelled: one document's tokens against its text: what stands before it, the form it has, and that it is all there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from columns.errors import ThresherError
from shards import Tokenizer, TransformConfig
from shards.infilling import PLAIN, original_text

UNREADABLE = (ThresherError, ValueError, LookupError, OverflowError)


class Noted(NamedTuple):
    """What shards say of a transformed document: its form, the tokens before its text, and how many it has."""

    form: int
    prefix: int
    length: int
    first: bool


class Expected(NamedTuple):
    """What a document must be: its text, the ids before it (no ``bos``), and those of the text in its form."""

    text: str
    before: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True)
class Spelling:
    """Reads documents with the tokenizer and transforms of their dataset."""

    tokenizer: Tokenizer
    transforms: TransformConfig

    def text(self, ids: np.ndarray, noted: Noted | None) -> str | None:
        """The text of a document in its own order, without what stands before it; None where that cannot be said."""
        body, _ = self._body(ids, noted)
        try:
            return self._original(body, noted)
        except UNREADABLE:
            return None

    def problems(self, ids: np.ndarray, expected: Expected, noted: Noted | None) -> Iterator[str]:
        """What is wrong with a document's ids; of one without its end the beginning is compared."""
        lead = self._lead(expected, noted)
        if noted is not None and noted.prefix != len(lead):
            yield f"{noted.prefix} tokens stand before its text, expected {len(lead)}"
            return
        if not np.array_equal(ids[: len(lead)], lead[: len(ids)]):
            yield "what stands before its text is not what the recipe puts there"
        body, whole = self._body(ids, noted)
        if whole:
            yield from self._compared(body, expected, noted)
        elif not np.array_equal(body, expected.ids[: len(body)]):
            yield "its tokens are not the beginning of the document"

    def _lead(self, expected: Expected, noted: Noted | None) -> np.ndarray:
        begun = self.tokenizer.vocabulary.bos_id >= 0 and (noted is None or noted.first)
        return np.append([self.tokenizer.vocabulary.bos_id] * begun, expected.before).astype(np.int64)

    def _body(self, ids: np.ndarray, noted: Noted | None) -> tuple[np.ndarray, bool]:
        """The ids of the text, and whether all are there."""
        ended = bool(len(ids)) and int(ids[-1]) == self.tokenizer.eot_id
        prefix = int(self.tokenizer.vocabulary.bos_id >= 0) if noted is None else noted.prefix
        return ids[prefix : len(ids) - ended], ended if noted is None else len(ids) == noted.length

    def _original(self, body: np.ndarray, noted: Noted | None) -> str:
        form = PLAIN if noted is None else noted.form
        return original_text(body, form, self.tokenizer, self.transforms.infill)

    def _compared(self, body: np.ndarray, expected: Expected, noted: Noted | None) -> Iterator[str]:
        try:
            spelled = self._original(body, noted) == expected.text
        except UNREADABLE as error:
            yield f"its tokens cannot be read: {' '.join(str(error).split())}"
            return
        if np.array_equal(body, expected.ids):
            return
        if not spelled:
            yield f"its tokens spell another text, from token {apart(body, expected.ids):,} of the text on"
        elif noted is not None and noted.form != PLAIN:
            yield "its middle is not where the shard says"


def apart(found: np.ndarray, wanted: np.ndarray) -> int:
    """The first token in which two documents differ.

    >>> apart(np.array([1, 2]), np.array([1, 3, 4]))
    1
    """
    shorter = min(len(found), len(wanted))
    different = np.flatnonzero(found[:shorter] != wanted[:shorter])
    return int(different[0]) if len(different) else shorter
