"""Bands: from signatures to candidate pairs by locality-sensitive hashing (Indyk & Motwani 1998).

A signature is cut into ``bands`` of ``rows`` values; files equal in one whole band share a bucket and
become a candidate pair. A pair of similarity ``s`` is found with probability 1-(1-s^rows)^bands
(Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.4.2). Band tables are packed columns that
are partitioned by hash: a bucket lies in one partition, so pairs need no other exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from dedup.minhash import signature_matrix
from dedup.runs import repeated, run_starts

BAND = pa.schema(
    [
        pa.field(
            "hash", pa.uint64(), metadata={"about": "hash of one band; `band_of` gives the band's number"}
        ),
        pa.field("content", pa.uint64(), metadata={"about": "key of the content (`dedup.content_keys`)"}),
        pa.field("row", pa.int64(), metadata={"about": "row id"}),
    ]
)
PAIR = pa.schema(
    [
        pa.field("left", pa.int64(), metadata={"about": "row id, the smaller one"}),
        pa.field("right", pa.int64(), metadata={"about": "row id, the larger one"}),
    ]
)
BUCKET = pa.schema(
    [
        pa.field("band", pa.int32(), metadata={"about": "number of the band"}),
        pa.field("hash", pa.uint64(), metadata={"about": "hash of the bucket"}),
        pa.field("members", pa.int64(), metadata={"about": "distinct contents in the bucket"}),
        pa.field("compared", pa.int64(), metadata={"about": "pairs compared instead of all of them"}),
        pa.field(
            "sample", pa.list_(pa.int64()), metadata={"about": "rows of the first members, the leaders first"}
        ),
    ]
)

MOST_BANDS = 4096
_SAMPLE = 8

_BAND_BITS = np.uint64(12)
_BAND_MASK = np.uint64(MOST_BANDS - 1)
_FACTOR = np.uint64(0xD6E8FEB86659FD93)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)


@dataclass(frozen=True)
class BandConfig:
    """How candidates are found and verified; every value changes the pairs.

    ``bands`` x ``rows`` values of the signature are used (at most ``num_perm``). ``threshold``:
    similarity a verified pair needs. ``bucket_cap``: distinct contents up to which a bucket gives all
    pairs; above it only pairs with its ``leaders`` members of smallest content key are compared, and the
    bucket is reported. ``verify``: by the share of equal signature positions, or not at all. 25 x 10 at
    0.7 are BigCode's values (Kocetkov et al. 2022, The Stack); choose bands for recall, then verify.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    bands: int = 25
    rows: int = 10
    threshold: float = 0.7
    bucket_cap: int = 1000
    leaders: int = 4
    verify: Literal["signature", "none"] = "signature"

    def __post_init__(self) -> None:
        limits = {"bands": MOST_BANDS, "rows": 4096, "bucket_cap": 1 << 20, "leaders": self.bucket_cap}
        for name, high in limits.items():
            if not 1 <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected 1 to {high}, got {getattr(self, name)}")
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold: expected 0 to 1, got {self.threshold}")
        if self.verify not in ("signature", "none"):
            raise ValueError(f"verify: expected signature or none, got {self.verify}")

    @property
    def least(self) -> float:
        """The similarity a candidate needs to become an edge: the threshold, or 0 without verification."""
        return self.threshold if self.verify == "signature" else 0.0


class Curve(NamedTuple):
    """What a choice of bands and rows finds.

    ``points``: (similarity, probability of becoming a candidate). ``knee``: (1/bands)^(1/rows), where
    the curve is steepest. ``half``: similarity found with probability one half. ``recall``: probability
    at the threshold itself, the expected recall of the hardest pairs.
    """

    points: tuple[tuple[float, float], ...]
    knee: float
    half: float
    recall: float


def candidate_probability(similarity: float, config: BandConfig) -> float:
    """Probability that a pair of this similarity shares a bucket.

    >>> round(candidate_probability(0.7, BandConfig()), 3)
    0.511
    """
    return float(1.0 - (1.0 - similarity**config.rows) ** config.bands)


def curve(config: BandConfig, points: int = 21) -> Curve:
    """The S-curve of a configuration at evenly spaced similarities from 0 to 1.

    >>> found = curve(BandConfig())
    >>> round(found.knee, 3), round(found.half, 3), round(found.recall, 3)
    (0.725, 0.698, 0.511)
    """
    steps = [round(step / (points - 1), 6) for step in range(points)]
    along = tuple((step, round(candidate_probability(step, config), 6)) for step in steps)
    knee = (1.0 / config.bands) ** (1.0 / config.rows)
    half = (1.0 - 0.5 ** (1.0 / config.bands)) ** (1.0 / config.rows)
    return Curve(along, knee, half, candidate_probability(config.threshold, config))


def band_table(
    signatures: pa.Array, row_ids: np.ndarray, content_keys: np.ndarray, config: BandConfig
) -> pa.RecordBatch:
    """Hash every band of every signature: the schema `BAND`, ``bands`` entries per signature, row-major.

    ``signatures`` is ``FixedSizeList<uint32>[num_perm][n]``, ``row_ids`` ``int64[n]``, ``content_keys``
    ``uint64[n]``. Rows without a signature have no entries. 24 bytes an entry. `ValueError` when the
    bands need more values than a signature has.

    >>> from dedup.minhash import signatures
    >>> sketches = signatures(pa.array(["a b c d e f", "x"], pa.large_string()))
    >>> band_table(sketches, np.array([7, 8]), np.array([1, 2], np.uint64), BandConfig()).num_rows
    25
    """
    matrix, present = signature_matrix(signatures)
    need = config.bands * config.rows
    if need > matrix.shape[1]:
        raise ValueError(f"bands x rows: expected at most num_perm = {matrix.shape[1]}, got {need}")
    kept = np.flatnonzero(present)
    hashes = np.empty((len(kept), config.bands), np.uint64)
    _hash_bands(matrix, kept, config.rows, hashes)
    contents = np.repeat(np.asarray(content_keys, np.uint64)[kept], config.bands)
    rows = np.repeat(np.asarray(row_ids, np.int64)[kept], config.bands)
    return _batch(BAND, hashes.ravel(), contents, rows)


def band_of(hashes: np.ndarray) -> np.ndarray:
    """The number of the band that a hash was made of, ``int32[n]``."""
    return ((hashes ^ (hashes >> _BAND_BITS)) & _BAND_MASK).astype(np.int32)


def partition_of(hashes: np.ndarray, partitions: int) -> np.ndarray:
    """Which partition a bucket belongs to, ``int64[n]``: even, and the same for every row of a bucket."""
    return ((hashes >> _32) % np.uint64(partitions)).astype(np.int64)


def bucket_pairs(table: pa.RecordBatch, config: BandConfig) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Candidate pairs of one partition (`PAIR`, unique, sorted) and its over-full buckets (`BUCKET`).

    Takes `BAND` entries in any order; a bucket's entries must all be there. Equal contents of a bucket
    are one member, whose row is their smallest. A bucket of up to ``bucket_cap`` members gives all pairs;
    a larger one gives the pairs of its ``leaders``, so its cost is linear, and similar members may be
    missed: each such bucket is reported. Memory: the entries that share a bucket, and the pairs.
    """
    hashes, rows = _members(table)
    starts = run_starts(hashes)
    ids, dense = np.unique(rows, return_inverse=True)
    counts = _pair_counts(np.diff(starts), config.bucket_cap, config.leaders)
    packed = np.empty(int(counts.sum()), np.uint64)
    _fill_pairs(starts, dense, config.bucket_cap, config.leaders, packed)
    packed.sort()
    packed = packed[run_starts(packed)[:-1]]
    pairs = _batch(PAIR, ids[packed >> _32], ids[packed & np.uint64(0xFFFFFFFF)])
    return pairs, _report(hashes, rows, starts, counts, config)


def _members(table: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Hash and smallest row of each distinct (hash, content) in buckets of two or more entries, sorted."""
    columns = [np.asarray(table.column(name)) for name in BAND.names]
    shared = repeated(columns[0])
    hashes, contents, rows = (column[shared] for column in columns)
    order = np.lexsort((rows, contents, hashes))
    hashes, contents, rows = hashes[order], contents[order], rows[order]
    first = run_starts(hashes, contents)[:-1]
    return hashes[first], rows[first]


def _pair_counts(sizes: np.ndarray, cap: int, leaders: int) -> np.ndarray:
    everything = sizes * (sizes - 1) // 2
    led = leaders * (2 * sizes - leaders - 1) // 2
    return np.where(sizes <= cap, everything, led)


def _report(
    hashes: np.ndarray, rows: np.ndarray, starts: np.ndarray, counts: np.ndarray, config: BandConfig
) -> pa.RecordBatch:
    sizes = np.diff(starts)
    over = np.flatnonzero(sizes > config.bucket_cap)
    bucket = hashes[starts[over]]
    sample = [
        rows[start : start + min(_SAMPLE, size)]
        for start, size in zip(starts[over], sizes[over], strict=True)
    ]
    columns = [band_of(bucket), bucket, sizes[over], counts[over]]
    arrays = [*map(pa.array, columns), pa.array(sample, BUCKET.field("sample").type)]
    return pa.RecordBatch.from_arrays(arrays, schema=BUCKET)


def _batch(schema: pa.Schema, *columns: np.ndarray) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=schema)


@njit(nogil=True, cache=True)
def _hash_bands(matrix, kept, rows, hashes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for out in range(len(kept)):
        sketch = matrix[kept[out]]
        for band in range(hashes.shape[1]):
            value = np.uint64(band + 1) * _SEED
            for at in range(band * rows, (band + 1) * rows):
                value = (value ^ np.uint64(sketch[at])) * _FACTOR
                value ^= value >> _32
            upper = value >> _BAND_BITS
            hashes[out, band] = (upper << _BAND_BITS) | ((np.uint64(band) ^ upper) & _BAND_MASK)


@njit(nogil=True, cache=True)
def _fill_pairs(starts, dense, cap, leaders, packed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    out = 0
    for run in range(len(starts) - 1):
        first, last = starts[run], starts[run + 1]
        leading = last if last - first <= cap else first + leaders
        for left in range(first, leading):
            for right in range(left + 1, last):
                low = np.uint64(min(dense[left], dense[right]))
                high = np.uint64(max(dense[left], dense[right]))
                packed[out] = (low << _32) | high
                out += 1
