"""MinHash signatures of files (Broder 1997), equal bit for bit to datasketch 2's default family.

A file is the set of its shingles (`dedup.shingle`); its signature is, for each of ``num_perm``
permutations ``h -> a*h + b mod 2^32`` (``a`` odd) of MurmurHash3-mixed 32-bit hashes, the smallest value
in the set. Two signatures agree at a position with the probability of the Jaccard similarity of the
two sets, so the share of equal positions estimates it with standard error sqrt(s(1-s)/num_perm), at
most 0.031 for 256. The permutations are those of ``datasketch.MinHash(num_perm, seed)`` version 2.

How it is fast: repeats of a shingle inside a file go through a small direct-mapped table without a
branch (a repeat that slips through costs time, never the result: a minimum does not count), and the
rest meets the permutations eight shingles at a time, in vector registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numba import njit

from columns.words import Words
from dedup.shingle import shingles

_GROUP = 8  # shingles per pass over the permutations
_HELD = 1024  # distinct shingles held before they meet the permutations
_TABLE_BITS = 13  # the largest table of shingles seen: 8192 entries, 64 KiB

_EMPTY = np.uint32(0xFFFFFFFF)
_FMIX1 = np.uint32(0x85EBCA6B)
_FMIX2 = np.uint32(0xC2B2AE35)
_13 = np.uint32(13)
_16 = np.uint32(16)
_32 = np.uint64(32)


@dataclass(frozen=True)
class MinHashConfig:
    """How files are sketched; every value changes every signature.

    ``num_perm``: positions of a signature (4 bytes each). ``ngram``: words per shingle. ``seed``: of the
    permutations. The defaults are BigCode's (Kocetkov et al. 2022, The Stack).
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    num_perm: int = 256
    ngram: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (("num_perm", 1, 4096), ("ngram", 1, 64), ("seed", 0, 2**32 - 1)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected {low} to {high}, got {getattr(self, name)}")


@cache
def permutations(config: MinHashConfig) -> tuple[np.ndarray, np.ndarray]:
    """The factors ``a`` (odd) and summands ``b``, ``uint32[num_perm]`` each, drawn as datasketch 2 does.

    >>> a, b = permutations(MinHashConfig())
    >>> len(a), bool((a % 2).all())
    (256, True)
    """
    draw = np.random.RandomState(config.seed)
    a = draw.randint(0, 1 << 31, config.num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = draw.randint(0, 1 << 32, config.num_perm, dtype=np.uint32)
    a.flags.writeable = b.flags.writeable = False  # shared by all callers
    return a, b


def signature_type(config: MinHashConfig) -> pa.DataType:
    """The Arrow type of a column of signatures."""
    return pa.list_(pa.uint32(), config.num_perm)


def signatures(
    content: pa.Array, config: MinHashConfig | None = None, *, words: Words | None = None
) -> pa.FixedSizeListArray:
    """Sketch every row: ``FixedSizeList<uint32>[num_perm][n]``, null for fewer than ``ngram`` words.

    ``words`` are the word hashes of the same column where the caller has them already. Holds
    ``4 * num_perm`` bytes a row besides word and shingle hashes. Null and empty content give null.

    >>> texts = pa.array(["def f(a, b): return a", "x = 1"], pa.large_string())
    >>> [len(row) if row else None for row in signatures(texts).to_pylist()]
    [256, None]
    """
    config = MinHashConfig() if config is None else config
    found = shingles(content, ngram=config.ngram, words=words)
    a, b = permutations(config)
    sketches = np.full((len(content), config.num_perm), _EMPTY, np.uint32)
    _sketch_rows(found.hashes, found.starts, a, b, sketches)
    missing = pa.array(np.diff(found.starts) == 0)
    return pa.FixedSizeListArray.from_arrays(pa.array(sketches.ravel()), config.num_perm, mask=missing)


def signature_matrix(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """View a column of signatures as ``(uint32[n, num_perm], present: bool[n])``; slices cost nothing."""
    width = column.type.list_size
    values = np.asarray(column.values)[column.offset * width : (column.offset + len(column)) * width]
    present = np.asarray(column.is_valid()) if column.null_count else np.ones(len(column), np.bool_)
    return values.reshape(len(column), width), present


@njit(nogil=True, cache=True)
def _fmix32(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    value = np.uint32((value ^ (value >> _16)) * _FMIX1)
    value = np.uint32((value ^ (value >> _13)) * _FMIX2)
    return np.uint32(value ^ (value >> _16))


@njit(nogil=True, cache=True)
def _meet(hashes, count, a, b, sketch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lower ``sketch`` by ``count`` hashes, rounded up to whole groups: the caller pads with repeats."""
    for at in range(0, count, _GROUP):
        h0, h1, h2, h3 = hashes[at], hashes[at + 1], hashes[at + 2], hashes[at + 3]
        h4, h5, h6, h7 = hashes[at + 4], hashes[at + 5], hashes[at + 6], hashes[at + 7]
        for p in range(len(sketch)):
            x, y = a[p], b[p]
            low = min(np.uint32(x * h0 + y), np.uint32(x * h1 + y), np.uint32(x * h2 + y))
            mid = min(np.uint32(x * h3 + y), np.uint32(x * h4 + y), np.uint32(x * h5 + y))
            top = min(np.uint32(x * h6 + y), np.uint32(x * h7 + y), sketch[p])
            sketch[p] = min(low, mid, top)


@njit(nogil=True, cache=True)
def _flush(held, count, a, b, sketch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for pad in range(count, (count + _GROUP - 1) // _GROUP * _GROUP):
        held[pad] = held[0]
    _meet(held, count, a, b, sketch)


@njit(nogil=True, cache=True)
def _table_mask(count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bits = 6
    while bits < _TABLE_BITS and (1 << bits) < 4 * count:
        bits += 1
    return (1 << bits) - 1


@njit(nogil=True, cache=True)
def _sketch_rows(hashes, starts, a, b, sketches):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    seen = np.zeros(1 << _TABLE_BITS, np.uint64)
    held = np.empty(_HELD + _GROUP, np.uint32)
    for row in range(len(starts) - 1):
        mask = _table_mask(starts[row + 1] - starts[row])
        stamp = np.uint64(row + 1) << _32  # entries of other rows are never taken for this one's
        count = 0
        for at in range(starts[row], starts[row + 1]):
            value = _fmix32(hashes[at])
            slot = np.int64(value) & mask
            entry = stamp | np.uint64(value)
            held[count] = value
            count += seen[slot] != entry
            seen[slot] = entry
            if count == _HELD:
                _flush(held, count, a, b, sketches[row])
                count = 0
        if count:
            _flush(held, count, a, b, sketches[row])
