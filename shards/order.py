"""Order: where a document goes, decided by hashes of identities and never by a random generator.

A document's 64-bit key orders it; a shard is a range of keys. So the shard of a document follows from its
identity alone, and adding or removing one document moves no other to another shard.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from columns.hashing import unit_hash

_UNIT = 1 << 64


def order_keys(doc_ids: pa.Array, seed: int) -> np.ndarray:
    """The shuffle order: one uniform ``uint64`` per ``binary(16)`` document id.

    >>> order_keys(pa.array([b"a" * 16], pa.binary(16)), 0).shape
    (1,)
    """
    return unit_hash(f"shuffle/{seed}", doc_ids.to_pylist())


def split_of(content_hashes: pa.Array, seed: int, validation_fraction: float) -> np.ndarray:
    """Which documents are for validation: ``bool[n]`` from ``binary(32)`` content hashes.

    Salted by content, so equal files are always on the same side. A null hash counts as training.

    >>> split_of(pa.array([b"a" * 32], pa.binary(32)), 0, 1.0).tolist()
    [True]
    """
    if not 0.0 <= validation_fraction <= 1.0:
        raise ValueError(f"validation_fraction: expected 0 to 1, got {validation_fraction}")
    known = np.asarray(content_hashes.is_valid())
    keys = unit_hash(f"split/{seed}", [item or b"" for item in content_hashes.to_pylist()])
    limit = int(validation_fraction * _UNIT)
    return known & (keys < np.uint64(limit) if limit < _UNIT else np.ones(len(keys), np.bool_))


def sample(content_hashes: pa.Array, sizes: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """Choose documents up to ``limit`` bytes in hash order: ``bool[n]``, at least one of a non-empty input.

    The choice depends on the set of contents only (copies are chosen together), not on row order.

    >>> hashes = pa.array([b"a" * 32, b"b" * 32], pa.binary(32))
    >>> int(sample(hashes, np.array([5, 5]), 5, 0).sum())
    1
    """
    items = [item or b"" for item in content_hashes.to_pylist()]
    ordered = np.lexsort((np.array(items, "S32"), unit_hash(f"sample/{seed}", items)))
    before = np.cumsum(sizes[ordered], dtype=np.int64) - sizes[ordered]
    chosen = np.zeros(len(items), np.bool_)
    chosen[ordered] = (before + sizes[ordered] <= limit) | (np.arange(len(items)) == 0)
    return chosen


def shard_ranges(count: int) -> np.ndarray:
    """The first key of each of ``count`` equal ranges, ``uint64[count]``; each ends where the next starts.

    >>> shard_ranges(2).tolist()
    [0, 9223372036854775808]
    """
    if count < 1:
        raise ValueError(f"count: expected at least 1 shard, got {count}")
    return np.array([-(-index * _UNIT // count) for index in range(count)], np.uint64)


def key_range(index: int, count: int) -> tuple[int, int | None]:
    """The keys of one shard: ``lo <= key < hi``, with None for "to the end".

    >>> key_range(1, 2)
    (9223372036854775808, None)
    """
    bounds = [*shard_ranges(count).tolist(), None]
    return bounds[index], bounds[index + 1]


def shard_of(keys: np.ndarray, count: int) -> np.ndarray:
    """The shard of each key, ``int64[n]``.

    >>> shard_of(np.array([0, 2**63], np.uint64), 2).tolist()
    [0, 1]
    """
    return np.searchsorted(shard_ranges(count), keys, side="right").astype(np.int64) - 1


def shard_count(tokens: int, shard_tokens: int) -> int:
    """How many shards hold ``tokens``: at least one.

    >>> shard_count(10, 4), shard_count(0, 4)
    (3, 1)
    """
    return max(1, -(-tokens // shard_tokens))
