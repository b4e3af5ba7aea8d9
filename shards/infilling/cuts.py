"""Cuts: which documents are rearranged, in which form, and where; all by hash of the seed and the content.

Places are counted in characters (Unicode code points): a text of n characters has n + 1 places to cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from columns.hashing import unit_hash
from shards.infilling.config import PLAIN, PSM, SPM, InfillConfig

Span = tuple[int, int]
_HALF = np.uint64(32)


class Cuts(NamedTuple):
    """Per document: ``form int8[n]`` (0 plain, 1 PSM, 2 SPM), ``start`` and ``end`` of the middle, ``int64[n]``.

    The places of a plain document are 0.
    """

    form: np.ndarray
    start: np.ndarray
    end: np.ndarray


def draw_cuts(
    texts: Sequence[str | None],
    hashes: Sequence[bytes],
    config: InfillConfig,
    nodes: Sequence[Sequence[Span]] = (),
) -> Cuts:
    """Draw each document's form and cuts from its content hash: equal contents get equal cuts.

    ``nodes`` are the spans, in characters, that unit "node" chooses from, per text. Texts without a character and
    nulls stay plain.

    >>> found = draw_cuts(["abcdef"], [b"x"], InfillConfig(rate=1.0))
    >>> int(found.form[0]), int(found.start[0]), int(found.end[0])
    (2, 4, 6)
    """
    form = _forms(texts, hashes, config)
    places = np.zeros((len(texts), 2), np.int64)
    first, second = (unit_hash(f"infill/{config.seed}/{name}", hashes) for name in ("first", "second"))
    for row in np.flatnonzero(form).tolist():
        spans = nodes[row] if config.unit == "node" and nodes else ()
        if spans:
            places[row] = spans[_below(first[row], len(spans))]
        else:
            places[row] = _two(texts[row] or "", (first[row], second[row]), lines=config.unit == "line")
    return Cuts(form, places[:, 0], places[:, 1])


def _forms(texts: Sequence[str | None], hashes: Sequence[bytes], config: InfillConfig) -> np.ndarray:
    chosen = _share(unit_hash(f"infill/{config.seed}/rate", hashes), config.rate)
    swapped = _share(unit_hash(f"infill/{config.seed}/spm", hashes), config.spm_share)
    found = np.where(swapped, SPM, PSM)
    found[~chosen | np.array([not text for text in texts], np.bool_)] = PLAIN
    return found.astype(np.int8)


def _share(keys: np.ndarray, share: float) -> np.ndarray:
    """Which keys are in the first ``share`` of all; all of them for 1."""
    return np.asarray((keys >> np.uint64(11)) < np.uint64(int(share * (1 << 53))))


def _below(key: np.uint64, count: int) -> int:
    """A number from 0 to below ``count``, from the key's upper half."""
    return int(key >> _HALF) * count >> 32


def _two(text: str, keys: tuple[np.uint64, np.uint64], *, lines: bool) -> Span:
    if not lines:
        start, end = sorted(_below(key, len(text) + 1) for key in keys)
        return start, end
    begins = [0, *accumulate(map(len, text.splitlines(keepends=True)))]
    start, end = sorted(begins[_below(key, len(begins))] for key in keys)
    return start, end
