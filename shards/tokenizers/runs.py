"""Runs of white space that a tokenizer knows as tokens: Codex learns them into BPE, CodeGen cuts them out before it.

Codex (Chen et al. 2021, §3.2): 2 to 25 spaces are ranks of their own, merged inside pieces, so ``    def`` is three
spaces and `` def``. CodeGen (Nijkamp et al. 2022; jaxformer's ``sample.py``): 31…2 spaces and 9…2 tabs are added
tokens, cut out of the raw text from left to right, the longest first; so ``    def`` is four spaces and ``def``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

CODEX_RUNS: Mapping[bytes, int] = {b" " * count: 50255 + count for count in range(2, 26)}
CODEGEN_RUNS: Mapping[str, int] = {
    **{" " * count: 50288 - count for count in range(31, 1, -1)},
    **{"\t" * count: 50296 - count for count in range(9, 1, -1)},
}
CODEGEN_PADDED = 51200


class Cutter:
    """Cuts added tokens out of raw text: the longest at each place, from left to right.

    >>> list(Cutter(CODEGEN_RUNS)("    def"))
    [('    ', 50284), ('def', None)]
    """

    def __init__(self, added: Mapping[str, int]) -> None:
        self._added = added
        longest_first = sorted(added, key=lambda text: (-len(text), text))
        self._search = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def __call__(self, text: str) -> Iterator[tuple[str, int | None]]:
        """Yield each piece of the text with its id, or None where BPE is to make ids of it."""
        for number, piece in enumerate(self._search.split(text)):
            if piece:
                yield piece, self._added[piece] if number % 2 else None
