"""Masking: which tokens of a snippet continuous paragraph denoising hides.

CodeFusion adapts the task to code by noising only identifiers and built-in keywords. How many is not published:
`MaskConfig.ratio` is ours. A span is hidden as a whole or not at all, and only where tokens cover it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from columns.hashing import unit_hash
from instruct.pairs.coder import Coded
from instruct.pairs.spans import Span

_SPACES = b" \t\r\n\x0b\x0c"


@dataclass(frozen=True)
class MaskConfig:
    """The share of spans that are hidden, and the seed of the choice."""

    ratio: float = 0.3
    seed: int = 0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise ValueError(f"ratio: expected more than 0 and at most 1, got {self.ratio}")


class Masked(NamedTuple):
    """Positions of hidden tokens (ascending), spans hidden, and spans that no run of whole tokens covers exactly."""

    positions: list[int]
    spans: int
    straddled: int


def mask_names(name: str, data: bytes, coded: Coded, spans: Sequence[Span], config: MaskConfig) -> Masked:
    """Choose spans of a snippet and the tokens that cover them; white space that begins a token is not held against it.

    A span is chosen when the hash of (seed, snippet's id ``name``, span's number) says so; where none is, the one
    with the least hash is, so that every snippet with a span that can be hidden hides one.

    >>> ends = np.array([3, 5, 6, 8], np.int32)
    >>> mask_names("a", b"for x in", Coded(ends, ends), [Span(0, 3), Span(4, 5), Span(6, 8)], MaskConfig(ratio=1))
    Masked(positions=[0, 1, 3], spans=3, straddled=0)
    """
    covers = _covers(data, coded.ends, spans)
    whole = [number for number, cover in enumerate(covers) if cover]
    hashes = unit_hash(f"pairs/mask/{config.seed}", [f"{name}/{number}".encode() for number in whole])
    chosen = hashes.astype(np.float64) < config.ratio * 2.0**64
    if whole and not chosen.any():
        chosen[int(np.argmin(hashes))] = True
    hidden = [number for number, taken in zip(whole, chosen.tolist(), strict=True) if taken]
    positions = [position for number in hidden for position in covers[number]]
    return Masked(positions, len(hidden), len(spans) - len(whole))


def _covers(data: bytes, ends: np.ndarray, spans: Sequence[Span]) -> list[range]:
    """The tokens that cover each span exactly; an empty range where a token straddles its border."""
    last = ends.tolist()
    first = [_after_spaces(data, start, end) for start, end in zip([0, *last], last, strict=False)]
    starts = {start: at for at, (start, end) in enumerate(zip(first, last, strict=True)) if start < end}
    stops = {end: at for at, (start, end) in enumerate(zip(first, last, strict=True)) if start < end}
    return [
        range(starts[span.start], stops[span.end] + 1)
        if span.start in starts and span.end in stops
        else range(0)
        for span in spans
    ]


def _after_spaces(data: bytes, start: int, end: int) -> int:
    return end - len(data[start:end].lstrip(_SPACES))
