"""Prefixes: what stands before a document: its language, repository, path and stars, each with a probability.

StarCoder puts each of repository, path and stars before a file by special tokens, stars in five buckets (arXiv
2305.06161; bigcode-dataset, preprocessing/add_content_with_meta.py), with probability 0.2 each (not verified); CodeGen
puts the language before BIGQUERY files (arXiv 2203.13474). Without tokens a prefix is lines of comment in the file's
own language. It is encoded apart from the text, so that where the text begins is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from columns.hashing import unit_hash
from columns.lexing.table import language_rules
from shards.infilling.encoding import encode_plain
from shards.ragged import Ragged, rows_of
from shards.tokenizers import Tokenizer

FIELDS = ("language", "repo", "path", "stars")
STAR_BUCKETS = ((0, "0"), (10, "1-10"), (100, "10-100"), (1000, "100-1000"))
MOST_STARS = "1000+"
_UNIT = 1 << 53


@dataclass(frozen=True)
class PrefixConfig:
    """The probability with which each field stands before a document, drawn by hash of ``seed`` and content.

    ``tokens``: special tokens for language, repo, path and stars ("" for a comment, or none at all); after the values
    of tokens comes one line end. StarCoder: ``{repo: 0.2, path: 0.2, stars: 0.2, tokens: ["", "<reponame>",
    "<filename>", "<gh_stars>"]}``. A field that a document does not have is left out.
    """

    language: float = 0.0
    repo: float = 0.0
    path: float = 0.0
    stars: float = 0.0
    tokens: tuple[str, ...] = ()
    seed: int = 0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in FIELDS:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        if self.tokens and len(self.tokens) != len(FIELDS):
            raise ValueError(f"tokens: expected one for each of {', '.join(FIELDS)}, got {list(self.tokens)}")

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that may stand before a document."""
        return tuple(name for name in FIELDS if getattr(self, name))

    def token(self, field: str) -> str:
        """The special token of a field; "" where it is written as a comment."""
        return self.tokens[FIELDS.index(field)] if self.tokens else ""

    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that the tokenizer must have."""
        return tuple(self.token(name) for name in self.fields if self.token(name))


Part = str | int
"""A text, or the id of a special token."""


def encode_prefixes(batch: pa.RecordBatch, tokenizer: Tokenizer, config: PrefixConfig) -> Ragged:
    """The ids that stand before each document: rows of the batch, which has ``content_hash`` and `FIELDS`.

    Raises `InputError` when the tokenizer lacks one of the special tokens.
    """
    chosen = {name: _chosen(batch, name, config) for name in config.fields}
    ids = {name: tokenizer.special_id(config.token(name)) for name in config.fields if config.token(name)}
    rows = batch.select(list(FIELDS)).to_pylist()
    parts: list[list[Part]] = []
    for at, row in enumerate(rows):
        names = [name for name in config.fields if chosen[name][at] and _value(row, name)]
        parts.append(_parts(row, names, ids))
    return encode_mixed(tokenizer, parts)


def _chosen(batch: pa.RecordBatch, field: str, config: PrefixConfig) -> np.ndarray:
    hashes = [digest or b"" for digest in batch.column("content_hash").to_pylist()]
    keys = unit_hash(f"prefix/{config.seed}/{field}", hashes)
    return np.asarray((keys >> np.uint64(11)) < np.uint64(int(getattr(config, field) * _UNIT)))


def _parts(row: dict[str, Any], names: Sequence[str], ids: dict[str, int]) -> list[Part]:
    """Comments first, then tokens with their values and a line end."""
    comments = [comment(row["language"], f"{name}: {_value(row, name)}") for name in names if name not in ids]
    found: list[Part] = ["".join(comments)] if comments else []
    marked = [name for name in names if name in ids]
    for name in marked:
        found += [ids[name], _value(row, name) + ("\n" if name == marked[-1] else "")]
    return found


def _value(row: dict[str, Any], field: str) -> str:
    """A field as one line of text; "" where the document has none."""
    found = row[field]
    if found is None:
        return ""
    return star_bucket(found) if field == "stars" else one_line(str(found))


def star_bucket(stars: int) -> str:
    """StarCoder's bucket for a number of stars; a bound belongs to the lower one.

    >>> [star_bucket(n) for n in (0, 1, 10, 11, 1000, 1001)]
    ['0', '1-10', '1-10', '10-100', '100-1000', '1000+']
    """
    return next((name for most, name in STAR_BUCKETS if stars <= most), MOST_STARS)


def one_line(text: str) -> str:
    """The text with everything that could end a line or cannot be printed as a blank.

    >>> one_line("a\\nb")
    'a b'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def comment(language: str | None, text: str) -> str:
    """One line of comment in a language's own syntax; "# " where the language has none we know.

    >>> comment("python", "a.py"), comment("go", "a.go"), comment("css", "a.css")
    ('# a.py\\n', '// a.go\\n', '/* a.css */\\n')
    """
    rules = language_rules().get(language or "", {})
    lines, blocks = rules.get("line") or (), rules.get("block") or ()
    if lines and isinstance(lines[0], str):
        return f"{lines[0]} {text}\n"
    if blocks and isinstance(blocks[0], list):
        opener, closer = blocks[0][:2]
        return f"{opener} {text.replace(closer, ' ')} {closer}\n"
    return f"# {text}\n"


def encode_mixed(tokenizer: Tokenizer, rows: Sequence[Sequence[Part]]) -> Ragged:
    """Rows of texts and special ids as ids; texts are encoded one by one."""
    texts = pa.array([part for row in rows for part in row if isinstance(part, str)], pa.large_string())
    encoded, at = encode_plain(tokenizer, texts), 0
    pieces: list[np.ndarray] = [np.empty(0, encoded.ids.dtype)]
    lengths = np.zeros(len(rows), np.int64)
    for number, row in enumerate(rows):
        for part in row:
            if isinstance(part, str):
                piece = encoded.ids[encoded.offsets[at] : encoded.offsets[at + 1]]
                at += 1
            else:
                piece = np.array([part], encoded.ids.dtype)
            pieces.append(piece)
            lengths[number] += len(piece)
    return rows_of(np.concatenate(pieces), lengths)
