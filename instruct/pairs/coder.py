"""Coders: a tokenizer as the records need it, one that says which bytes of a text each id stands for.

CodeFusion uses CodeT5's vocabulary, a byte-level BPE of 32,100 ids; `byte_level_coder` reads it from a user's files.
Any other tokenizer serves that gives back every byte: pass its ``encode`` and how many bytes each of its ids stands
for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from columns.errors import InputError

Ids = Sequence[int] | np.ndarray
_HINT = "name a folder with CodeT5's vocab.json and merges.txt"


class Coded(NamedTuple):
    """A text's ids, and where in its UTF-8 bytes each one ends: both ``int32[tokens]``."""

    ids: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class Coder:
    """A tokenizer: ``encode`` turns texts into ids, ``widths`` (``int32[vocabulary]``) says how many bytes an id has.

    ``pad_id`` and ``mask_id`` are ids that no text is encoded to.
    """

    encode: Callable[[Sequence[str]], Sequence[Ids]]
    widths: np.ndarray
    pad_id: int
    mask_id: int

    def code(self, texts: Sequence[str]) -> list[Coded]:
        """Ids of texts with their ends; `InputError` for a tokenizer that does not give back every byte.

        >>> widths = np.ones(258, np.int32)
        >>> coder = Coder(lambda texts: [list(text.encode()) for text in texts], widths, 256, 257)
        >>> coder.code(["ls"])[0].ends.tolist()
        [1, 2]
        """
        return [self._one(text, ids) for text, ids in zip(texts, self.encode(texts), strict=True)]

    def _one(self, text: str, ids: Ids) -> Coded:
        numbers = np.asarray(ids, np.int32)
        ends = np.cumsum(self.widths[numbers], dtype=np.int32)
        if int(ends[-1] if len(ends) else 0) != len(text.encode()):
            hint = "use a byte-level tokenizer: CodeT5's files, train, codex or tiktoken:…"
            raise InputError("the tokenizer changes texts, so no place can be told from its ids", hint=hint)
        return Coded(numbers, ends)


def byte_level_coder(folder: Path, *, pad: str = "<pad>", mask: str = "<mask>") -> Coder:
    """The coder of a folder with ``vocab.json`` and ``merges.txt`` (or ``…-vocab.json``, ``…-merges.txt``).

    Text that spells ``<pad>`` or ``<mask>`` is ordinary text. Costs one read; encodes 1–4 MB/s. `InputError` where a
    file is missing or is not what its name says, where a byte has no token, or where there is no pad or mask token.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary, merges = _file(folder, "vocab.json"), _file(folder, "merges.txt")
    known = _known(vocabulary)
    missing = [token for token in (pad, mask) if token not in known]
    alphabet = set(ByteLevel.alphabet())
    if missing or not alphabet <= set(known):
        what = f"no token {missing[0]}" if missing else f"{len(alphabet - set(known))} bytes have no token"
        raise InputError(f"{vocabulary}: {what}", hint=_HINT)
    try:
        model = Tokenizer(BPE.from_file(str(vocabulary), str(merges)))
    except Exception as error:  # the library raises bare Exception for any malformed file
        raise InputError(f"{merges}: not the merges of {vocabulary.name} ({error})", hint=_HINT) from None
    model.pre_tokenizer = ByteLevel(add_prefix_space=False)
    widths = np.zeros(max(known.values()) + 1, np.int32)
    for token, number in known.items():
        widths[number] = len(token) if alphabet.issuperset(token) else 0

    def encode(texts: Sequence[str]) -> list[list[int]]:
        return [found.ids for found in model.encode_batch(list(texts), add_special_tokens=False)]

    return Coder(encode, widths, known[pad], known[mask])


def _file(folder: Path, name: str) -> Path:
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [file for file in inside if file.name == name or file.name.endswith(f"-{name}")]
    if len(found) != 1:
        raise InputError(f"{folder}: expected one {name}, found {len(found)}", hint=_HINT)
    return found[0]


def _known(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: not a vocabulary ({error})", hint=_HINT) from error
    numbered = isinstance(found, dict) and all(
        type(one) is int and 0 <= one < 1 << 24 for one in found.values()
    )
    if not numbered:
        raise InputError(f"{file}: not a vocabulary: expected tokens and their numbers", hint=_HINT)
    return dict(found)
