"""Vocabularies: what a tokenizer is, as plain data, and where one comes from.

A `Vocabulary` holds the file it was read from (or the ranks that were trained) and is saved beside the
shards, so a worker, a trainer or a reader next year needs nothing else. Nothing is ever downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import fsspec

from columns.errors import InputError, OutputError
from columns.files import Place
from shards.bpe import hugging_face_json, parse_ranks
from shards.patterns import ENCODINGS, PATTERNS

DESCRIPTION = "vocabulary.json"
RANKS = "ranks.tiktoken"
HUGGING_FACE = "tokenizer.json"

_PUBLISHED_AT = "https://openaipublic.blob.core.windows.net/encodings/"


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer as data. ``sha256`` is of ``data``, the rank file or ``tokenizer.json`` itself.

    ``vocab_size`` counts ids up to the largest, end of text included; ``pattern`` is None for `tokenizers`.
    """

    kind: Literal["train", "tiktoken", "tokenizers"]
    name: str
    sha256: str
    vocab_size: int
    eot: str
    eot_id: int
    pattern: str | None
    data: bytes

    def describe(self) -> dict[str, Any]:
        """Everything but the data, for manifests."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "data"}

    def save(self, place: Place) -> None:
        """Write the vocabulary's files; the description is last, so its presence means all are there.

        Ranks are also written as a ``tokenizer.json`` that Hugging Face `tokenizers` reads.
        """
        if self.pattern is None:
            place.write_bytes(HUGGING_FACE, self.data)
        else:
            ranks = parse_ranks(self.data, self.name)
            place.write_bytes(RANKS, self.data)
            place.write_bytes(HUGGING_FACE, hugging_face_json(ranks, self.pattern, self.eot, self.eot_id))
        text = json.dumps(self.describe(), sort_keys=True, indent=1) + "\n"
        place.write_bytes(DESCRIPTION, text.encode())


def read_vocabulary(place: Place) -> Vocabulary:
    """Read what `Vocabulary.save` wrote; `OutputError` when it is missing or was changed."""
    if not place.exists(DESCRIPTION):
        raise OutputError(f"no tokenizer at {place.url}", hint="build the dataset's shards first")
    known = json.loads(place.read(DESCRIPTION))
    data = place.read(HUGGING_FACE if known["pattern"] is None else RANKS)
    found = hashlib.sha256(data).hexdigest()
    if found != known["sha256"]:
        raise OutputError(
            f"{place.url}: the tokenizer was changed: sha256 {found}, expected {known['sha256']}"
        )
    return Vocabulary(**known, data=data)


def tiktoken_vocabulary(name: str, eot: str, sha256: str | None) -> Vocabulary:
    """From ``NAME`` (in tiktoken's own cache) or ``FILE.tiktoken[#PATTERN]``.

    A published file is known by its hash; for another one the pattern is read off ``#PATTERN`` and end of
    text gets the lowest id that no rank uses.
    """
    path, _, asked = _cached(name) if name in ENCODINGS else name.partition("#")
    data = _read(path, sha256 or (ENCODINGS[name].sha256 if name in ENCODINGS else None))
    digest = hashlib.sha256(data).hexdigest()
    ranks = parse_ranks(data, Path(path).name)
    known = next((item for item in ENCODINGS.values() if item.sha256 == digest), None)
    pattern = asked or (known.pattern if known else _pattern_by_name(path))
    if pattern not in PATTERNS:
        raise InputError(f"{name}: no pattern {pattern!r}", hint=f"one of {', '.join(sorted(PATTERNS))}")
    used = set(ranks.values())
    eot_id = known.eot_id if known else next(free for free in range(len(used) + 1) if free not in used)
    label = name if name in ENCODINGS else Path(path).name
    return Vocabulary("tiktoken", label, digest, max(*used, eot_id) + 1, eot, eot_id, pattern, data)


def _pattern_by_name(path: str) -> str:
    found = ENCODINGS.get(Path(path).stem)
    if found is not None:
        return found.pattern
    hint = f"name it: tiktoken:{path}#cl100k (one of {', '.join(sorted(PATTERNS))})"
    raise InputError(f"{path}: a rank file does not say how text is cut into pieces", hint=hint)


def _cached(name: str) -> tuple[str, str, str]:
    """Where the tiktoken library itself would have cached the published file."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    root = Path(folder) if folder else Path(tempfile.gettempdir(), "data-gym-cache")
    path = root / hashlib.sha1(f"{_PUBLISHED_AT}{name}.tiktoken".encode(), usedforsecurity=False).hexdigest()
    if path.is_file():
        return str(path), "", ""
    hint = f"nothing is downloaded: give the file (tiktoken:PATH/{name}.tiktoken) or set TIKTOKEN_CACHE_DIR"
    raise InputError(f"tiktoken:{name}: the vocabulary is not in tiktoken's cache on this machine", hint=hint)


def hugging_face_vocabulary(path: str, eot: str, sha256: str | None) -> Vocabulary:
    """From a ``tokenizer.json``; it must hold the end-of-text token."""
    from tokenizers import Tokenizer as HuggingFace

    data = _read(path, sha256)
    try:
        model = HuggingFace.from_str(data.decode())
    except Exception as error:  # the library raises bare Exception for any malformed file
        raise InputError(f"{path}: not a tokenizer.json: {error}") from None
    eot_id = model.token_to_id(eot)
    if eot_id is None:
        known = sorted(str(token.content) for token in model.get_added_tokens_decoder().values())
        raise InputError(
            f"{path}: no end-of-text token {eot!r}", hint=f"set tokenizer.eot, for example {known[:8]}"
        )
    digest = hashlib.sha256(data).hexdigest()
    size = max(model.get_vocab(with_added_tokens=True).values()) + 1
    return Vocabulary("tokenizers", Path(path).name, digest, size, eot, eot_id, None, data)


def _read(path: str, sha256: str | None) -> bytes:
    try:
        with fsspec.open(path, "rb") as source:
            data = bytes(source.read())
    except (OSError, ValueError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the vocabulary {path}: {reason}") from None
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise InputError(
            f"{path}: sha256 is {found}, expected {sha256}", hint="another file than the recipe means"
        )
    return data
