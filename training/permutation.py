"""Permutation: a keyed shuffle of ``0 … n-1`` that is computed, not stored.

A Feistel network of eight rounds permutes the smallest power of two that holds ``n`` (and at least 2**8
values); numbers of ``n`` or more are sent through it again until one below ``n`` comes out ("cycle walking", twice
at most on average for n over 128). Any key gives a bijection, by construction: every round can be undone. Sources:
Luby and Rackoff, "How to construct pseudorandom permutations from pseudorandom functions" (1988); Black and
Rogaway, "Ciphers with arbitrary finite domains" (2002), §3 (cycle walking) and §5 (unequal halves). The
round function is the finaliser of SplitMix64 (Steele, Lea and Flood 2014). It is a shuffle, no cipher.

The order is part of a run's identity: raise `PERMUTATION` when any constant here changes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

PERMUTATION = "feistel8-splitmix64/1"
LARGEST = 1 << 62
_ROUNDS = 8
_SMALLEST_BITS = 8
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_ONE = np.uint64(1)


@njit(cache=True)
def mix64(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """SplitMix64's finaliser: ``uint64 -> uint64``, every bit of the input reaching every bit of the result.

    >>> hex(mix64(np.uint64(0x9E3779B97F4A7C15)))
    '0xe220a8397b1dcdaf'
    """
    value = (value ^ (value >> _S30)) * _FIRST
    value = (value ^ (value >> _S27)) * _SECOND
    return value ^ (value >> _S31)


@njit(cache=True)
def subkey(key, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Another key of a key, by number (an epoch, a window): ``uint64, int64 -> uint64``.

    >>> subkey(np.uint64(1), 0) != subkey(np.uint64(1), 1)
    True
    """
    return mix64(mix64(key + _STEP) ^ (np.uint64(number) * _STEP + _FIRST))


@njit(cache=True)
def permute(index, n, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Where ``index`` goes in the permutation of ``0 … n-1`` that ``key`` names; about 20 ns.

    ``index`` int64 in ``[0, n)``, ``n`` int64 up to 2**62, ``key`` uint64; compiled, so callable from kernels.

    >>> sorted(int(permute(index, 5, np.uint64(7))) for index in range(5))
    [0, 1, 2, 3, 4]
    """
    bits, rest = 1, n - 1
    for shift in (32, 16, 8, 4, 2, 1):
        if rest >> shift:
            rest >>= shift
            bits += shift
    bits = max(bits, _SMALLEST_BITS)
    right = np.uint64(bits // 2)
    left = np.uint64(bits) - right
    value = np.uint64(index)
    while True:
        value = _feistel(value, left, right, key)
        if value < np.uint64(n):
            return np.int64(value)


@njit(cache=True)
def _feistel(value, left, right, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rounds by turns: the right bits change the left ones, then the left bits the right ones."""
    low_mask, high_mask = (_ONE << right) - _ONE, (_ONE << left) - _ONE
    low, high = value & low_mask, value >> right
    for turn in range(_ROUNDS):
        key += _STEP
        if turn % 2 == 0:
            high ^= mix64(low ^ key) & high_mask
        else:
            low ^= mix64(high ^ key) & low_mask
    return (high << right) | low


def permuted(indices: np.ndarray, n: int, key: int) -> np.ndarray:
    """Many numbers at once: ``int64[k]`` in ``[0, n) -> int64[k]``; no memory but the result's.

    ValueError for a size or a number out of range.

    >>> sorted(permuted(np.arange(10), 10, 3).tolist()) == list(range(10))
    True
    """
    if not 1 <= n <= LARGEST:
        raise ValueError(f"n: expected 1 to 2**62, got {n}")
    numbers = np.ascontiguousarray(indices, np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < n:
        raise ValueError(f"indices: expected 0 to {n - 1}, got {numbers.min()} to {numbers.max()}")
    found: np.ndarray = _permute_all(numbers, n, np.uint64(key))
    return found


@njit(cache=True)
def _permute_all(indices, n, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    found = np.empty(len(indices), np.int64)
    for at in range(len(indices)):
        found[at] = permute(indices[at], n, key)
    return found
