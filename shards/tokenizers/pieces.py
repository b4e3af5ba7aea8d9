"""SentencePiece: Llama's model files, through the `sentencepiece` library.

Control tokens (``<s>``, ``</s>``) are never made from text that spells them. User-defined pieces
(``<PRE>``, ``[INST]``) that are asked for as special tokens are made control tokens before the model is loaded, so the
same holds for them. Bytes without a piece fall back to byte tokens, where the model has these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from columns.errors import EnvironmentProblem, InputError
from shards.tokenizers.published import read_file
from shards.tokenizers.vocabulary import Vocabulary

_KEPT = "def f(x):\n\tif x:\n        return  x\n\n\n"
_TEXT = b"\x0a"
_CONTROL_TYPE = b"\x18\x03"


class SentencePieceEncoder:
    """A SentencePiece model; 5 MB/s. ``control`` are pieces that no text may become."""

    def __init__(self, data: bytes, control: Iterable[str] = ()) -> None:
        known = _processor(data)
        wanted = {name for name in control if not known.is_control(known.piece_to_id(name))}
        self._model = _processor(_without(data, wanted - {known.id_to_piece(known.unk_id())}))

    def encode(self, content: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder.encode`."""
        found = self._model.encode(content.to_pylist(), out_type=int, num_threads=1)
        counts = np.fromiter((len(ids) for ids in found), np.int64, len(found))
        flat = (token for ids in found for token in ids)
        return np.fromiter(flat, np.uint32, int(counts.sum())), counts

    def decode(self, ids: Sequence[int]) -> str:
        """See `Encoder.decode`. Control tokens are shown by name."""
        parts: list[str] = []
        run: list[int] = []
        for token in [int(item) for item in ids]:
            if self._model.is_control(token):
                parts += [self._model.decode(run) if run else "", self._model.id_to_piece(token)]
                run = []
            else:
                run.append(token)
        return "".join([*parts, self._model.decode(run) if run else ""])


def sentencepiece_vocabulary(
    path: str, eot: str, bos: str, sha256: str | None, names: Sequence[str]
) -> Vocabulary:
    """From a SentencePiece model file. ``eot`` that the model does not have is its own end of sentence.

    ``bos`` begins every document ("" for nothing), ``names`` are its other special tokens. `InputError` when the model
    cannot be read, lacks such a token, or loses white space, as models for prose do.
    """
    data = read_file(path, sha256)
    model = _parsed(data, path)
    end = eot if _has(model, eot) else model.id_to_piece(model.eos_id()) if model.eos_id() >= 0 else eot
    for name in (end, *names, *([bos] if bos else [])):
        if not _has(model, name):
            raise InputError(
                f"{path}: the model has no token {name!r}", hint="set tokenizer.eot, .bos, .special_tokens"
            )
    if model.decode(model.encode(_KEPT)) != _KEPT:
        raise InputError(
            f"{path}: the model loses white space", hint="code needs a model that keeps every character"
        )
    control = {model.id_to_piece(number): number for number in range(len(model)) if model.is_control(number)}
    specials = control | {name: model.piece_to_id(name) for name in names}
    digest, size = hashlib.sha256(data).hexdigest(), len(model)
    begin = model.piece_to_id(bos) if bos else -1
    return Vocabulary(
        "sentencepiece", Path(path).name, digest, size, end, model.piece_to_id(end), None, data, bos_id=begin,
        specials=specials,
    )  # fmt: skip


def _has(model: Any, piece: str) -> bool:
    return bool(model.id_to_piece(model.piece_to_id(piece)) == piece)


def _parsed(data: bytes, path: str) -> Any:
    try:
        if data:
            return _processor(data)
        error = "it is empty"
    except RuntimeError as reason:
        error = str(reason)
    raise InputError(f"{path}: not a SentencePiece model: {error}")


def _processor(data: bytes) -> Any:
    try:
        import sentencepiece
    except ImportError:
        what = "SentencePiece models need the package sentencepiece"
        raise EnvironmentProblem(what, hint="pip install 'thresher[sentencepiece]'") from None
    return sentencepiece.SentencePieceProcessor(model_proto=data)


def _without(data: bytes, control: set[str]) -> bytes:
    """The model with some pieces made control tokens, if they are not.

    A model is a protocol buffer: field 1 holds a piece, whose field 1 is its text and field 3 its type. The last value
    of a field counts, so a type is changed by one more field at the piece's end.
    """
    made: list[bytes] = []
    for header, body in _fields(data):
        if header == _TEXT and _text_of(body) in control:
            changed = body + _CONTROL_TYPE
            made.append(_TEXT + _varint(len(changed)) + changed)
        else:
            made.append(header + (_varint(len(body)) if header[0] & 7 == 2 else b"") + body)
    return b"".join(made)


def _text_of(piece: bytes) -> str:
    return next((body.decode("utf-8", "replace") for header, body in _fields(piece) if header == _TEXT), "")


def _fields(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The fields of a protocol buffer in their order: header and body, without the length of those that have one."""
    at = 0
    while at < len(data):
        end = _varint_end(data, at)
        header, kind, at = data[at:end], data[at] & 7, end
        if kind == 2:
            end = _varint_end(data, at)
            at, end = end, end + sum((byte & 0x7F) << (7 * n) for n, byte in enumerate(data[at:end]))
        else:
            end = _varint_end(data, at) if kind == 0 else at + (8 if kind == 1 else 4)
        yield header, data[at:end]
        at = end


def _varint_end(data: bytes, at: int) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
