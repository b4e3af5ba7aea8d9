"""Membership: which joined document a file belongs to."""

from __future__ import annotations

import pyarrow as pa


def memberships(repo: pa.Array, ref: pa.Array, doc_id: pa.Array) -> pa.Array:
    """The name of each file's group, ``binary[n]``: repository and ref; a file without a repository is its own.

    >>> both = pa.array(["a/b", None]), pa.array([None, "main"]), pa.array([b"1" * 16, b"2" * 16], pa.binary(16))
    >>> memberships(*both).to_pylist()
    [b'a/b\\x00', b'2222222222222222']
    """
    rows = zip(*(column.to_pylist() for column in (repo, ref, doc_id)), strict=True)
    return pa.array(
        [one if name is None else f"{name}\0{version or ''}".encode() for name, version, one in rows],
        pa.binary(),
    )
