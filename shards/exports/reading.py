"""Reading the token files of others: mapped, not read, and cut into documents."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from columns.errors import InputError
from shards.exports.identity import identities
from shards.exports.megatron import CODES, HEADER, VERSION
from shards.packing import Documents

_FIXED = len(HEADER) + 25
_TYPES: dict[int, np.dtype] = {1: np.dtype(np.uint8), **{code: kind for kind, code in CODES.items()}}


def read_megatron(prefix: str, eot_id: int) -> Documents:
    """The documents of ``PREFIX.bin`` and ``PREFIX.idx``, ends of text taken off; ids as uint16 or uint32.

    `InputError` names what is missing or damaged. Memory: the ids once, as uint16 they stay mapped.
    """
    index, dtype = _index(Path(f"{prefix}.idx"))
    lengths, pointers, bounds = index
    data = _mapped(Path(f"{prefix}.bin"), dtype)
    ends = pointers // dtype.itemsize + lengths
    starts = pointers // dtype.itemsize
    if len(starts) and (int(ends.max()) > len(data) or np.any(starts[1:] != ends[:-1]) or starts[0]):
        raise InputError(f"{prefix}.idx: does not fit {prefix}.bin of {len(data):,} ids")
    total = int(ends[-1]) if len(ends) else 0
    return _documents(data[:total], np.append(0, ends)[bounds], eot_id, f"{prefix}.bin")


def _index(path: Path) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.dtype]:
    data = _bytes(path)
    if data[: len(HEADER)] != HEADER or len(data) < _FIXED:
        raise InputError(f"{path}: not a Megatron index", hint="expected the .idx beside the .bin")
    version, code, sequences, documents = struct.unpack("<QBQQ", data[len(HEADER) : _FIXED])
    if version != VERSION or code not in _TYPES:
        raise InputError(
            f"{path}: version {version}, ids of type {code}: expected version 1 and whole numbers"
        )
    if len(data) < _FIXED + 12 * sequences + 8 * documents:
        raise InputError(
            f"{path}: ends at byte {len(data)}, expected {_FIXED + 12 * sequences + 8 * documents}"
        )
    lengths = np.frombuffer(data, "<i4", sequences, _FIXED).astype(np.int64)
    pointers = np.frombuffer(data, "<i8", sequences, _FIXED + 4 * sequences)
    bounds = np.frombuffer(data, "<i8", documents, _FIXED + 12 * sequences)
    if (
        np.any(lengths < 0)
        or not len(bounds)
        or bounds[0]
        or bounds[-1] != sequences
        or np.any(np.diff(bounds) < 0)
    ):
        raise InputError(f"{path}: its documents are not its sequences")
    return (lengths, pointers, bounds), _TYPES[code]


def read_flat(path: str, eot_id: int, dtype: str = "uint16") -> Documents:
    """The documents of a file of ids without a header, cut behind each end of text, which is taken off.

    ``dtype`` is uint16 or uint32, little-endian. `InputError` where the size is no multiple of it.
    """
    if dtype not in ("uint16", "uint32"):
        raise InputError(f"dtype: expected uint16 or uint32, got {dtype}")
    data = _mapped(Path(path), np.dtype(dtype))
    ends = np.flatnonzero(data == eot_id) + 1
    if len(data) and (not len(ends) or ends[-1] != len(data)):
        ends = np.append(ends, len(data))
    return _documents(data, np.append(0, ends), eot_id, path)


def read_rows(rows: Iterable[np.ndarray], eot_id: int, name: str, *, whole: bool = False) -> Documents:
    """The documents of rows as one stream, cut behind each end of text, which is taken off.

    ``whole``: a row's end ends a document, too; otherwise it goes on in the next row. Ends of text without a
    document before them are padding. Memory: the ids twice.
    """
    held = [np.asarray(row) for row in rows]
    lengths = np.array([len(row) for row in held], np.int64)
    data = np.concatenate(held) if held else np.zeros(0, np.uint16)
    ended = data == eot_id
    ends = np.zeros(len(data), np.bool_)
    if whole:
        ends[(np.cumsum(lengths) - 1)[lengths > 0]] = True
    padding = ended & np.concatenate([[True], (ended | ends)[:-1]]) if len(data) else ended
    data, last = data[~padding], (ended | ends)[~padding]
    bounds = np.unique(np.concatenate([[0], np.flatnonzero(last) + 1, [len(data)]]))
    return _documents(data, bounds, eot_id, name)


def _documents(data: np.ndarray, bounds: np.ndarray, eot_id: int, name: str) -> Documents:
    """Documents between the bounds; an end of text at their end is left out."""
    if len(data) and int(data.min()) < 0:
        raise InputError(f"{name}: an id is negative")
    if len(data) and int(data.max()) > 0xFFFFFFFF:
        raise InputError(f"{name}: id {int(data.max())} does not fit 32 bits")
    wide = data.dtype.itemsize > 2 and len(data) and int(data.max()) > 0xFFFF
    ended = np.zeros(len(bounds) - 1, np.bool_)
    there = np.diff(bounds) > 0
    ended[there] = data[bounds[1:][there] - 1] == eot_id
    keep = np.ones(len(data), np.bool_)
    keep[bounds[1:][ended] - 1] = False
    ids = data[keep].astype(np.uint32 if wide or data.dtype == np.uint32 else np.uint16, copy=False)
    offsets = np.concatenate([[0], np.cumsum(np.diff(bounds) - ended)]).astype(np.int64)
    return Documents(ids, offsets, identities(ids, offsets))


def _mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    size = path.stat().st_size if path.is_file() else -1
    if size < 0 or size % dtype.itemsize:
        what = "missing" if size < 0 else f"{size} bytes are no whole number of {dtype} ids"
        raise InputError(f"{path}: {what}")
    return np.memmap(path, dtype.newbyteorder("<"), "r") if size else np.zeros(0, dtype)


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path}: missing")
    return path.read_bytes()
