"""Identities of documents that have none: a hash of their ids."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from columns.document import DOC_ID_BYTES


def identities(ids: np.ndarray, offsets: np.ndarray) -> pa.Array:
    """``binary(16)[n]``: of the ids (as uint32) and, where that came before, which time it is.

    >>> found = identities(np.array([1, 2, 1], np.uint16), np.array([0, 1, 2, 3]))
    >>> len(set(found.to_pylist()))
    3
    """
    seen: dict[bytes, int] = {}
    found = []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        digest = hashlib.sha256(ids[start:end].astype("<u4").tobytes())
        times = seen.get(digest.digest(), 0)
        seen[digest.digest()] = times + 1
        if times:
            digest.update(times.to_bytes(8, "little"))
        found.append(digest.digest()[:DOC_ID_BYTES])
    return pa.array(found, pa.binary(DOC_ID_BYTES))
