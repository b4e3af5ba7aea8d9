"""One kind of secret or personal data: how it is found and what stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Group = Literal["secret", "personal"]
Confidence = Literal["checksum", "format", "context"]
Finder = Callable[[memoryview, int], tuple[int, int] | None]


@dataclass(frozen=True)
class Kind:
    """One kind of secret or personal data.

    ``confidence``: ``checksum`` (verified by arithmetic), ``format`` (a documented prefix and length), ``context``
    (what is around it decides). ``anchors`` are literals, or names of `privacy.anchors.SHAPES` after a ``?``;
    ``back`` names the characters before an anchor that belong to it, ``gate`` the test the kernel makes on the spot.
    """

    name: str
    group: Group
    placeholder: str
    confidence: Confidence
    source: str
    anchors: tuple[str, ...]
    find: Finder
    fold: bool = False
    back: str = ""
    gate: str = ""
    default: bool = True
