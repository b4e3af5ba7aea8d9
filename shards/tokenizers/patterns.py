"""Patterns: the regular expressions that cut text into pieces before BPE merges bytes inside a piece.

Every pattern has two spellings that cut alike: `possessive` for tiktoken's regex engine (linear time and
no backtracking limit on megabytes of white space) and `plain` for the Oniguruma engine of Hugging Face
`tokenizers`, which reads ``{1,3}+`` as a repetition. Source: the tiktoken library, `openai_public.py`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

PatternName = Literal["cl100k", "r50k", "o200k"]


class Pattern(NamedTuple):
    """One way to cut text: the two spellings, and its name in gigatoken where proven equal (or None)."""

    possessive: str
    plain: str
    gigatoken: str | None


_O200K_TAIL = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _O200K_TAIL,
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _O200K_TAIL,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)

PATTERNS: dict[str, Pattern] = {
    "cl100k": Pattern(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+",
        "gpt4",
    ),
    "r50k": Pattern(
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        "gpt2",
    ),
    "o200k": Pattern(_O200K, _O200K, None),
}


class Encoding(NamedTuple):
    """A published rank file: its SHA-256, how it cuts text, and the id of its end-of-text token."""

    sha256: str
    pattern: str
    eot_id: int


ENCODINGS: dict[str, Encoding] = {
    "r50k_base": Encoding("306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930", "r50k", 50256),
    "p50k_base": Encoding("94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069", "r50k", 50256),
    "cl100k_base": Encoding(
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7", "cl100k", 100257
    ),
    "o200k_base": Encoding(
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d", "o200k", 199999
    ),
}
