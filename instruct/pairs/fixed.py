"""Fixed length: token ids as a list of one length, padded at the end and never cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from instruct.pairs.coder import Coded


@dataclass(frozen=True)
class FixedConfig:
    """The one length of sentences and of code: 128 for CodeFusion."""

    length: int = 128

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 1 <= self.length <= 1 << 15:
            raise ValueError(f"length: expected 1 to {1 << 15}, got {self.length}")


def ids_type(length: int) -> pa.DataType:
    """The type of a column of ids: ``fixed_size_list<int32>[length]``."""
    return pa.list_(pa.int32(), length)


def padded(rows: Sequence[Coded | None], length: int, pad_id: int) -> pa.Array:
    """Ids of texts as a column of one length; all padding for a text that has more tokens, and for None.

    No null: Parquet keeps no null list of a fixed size.

    >>> one = Coded(np.array([5, 6], np.int32), np.array([1, 2], np.int32))
    >>> padded([one, None], 3, 0).to_pylist()
    [[5, 6, 0], [0, 0, 0]]
    """
    values = np.full((len(rows), length), pad_id, np.int32)
    for at, row in enumerate(rows):
        if row is not None and len(row.ids) <= length:
            values[at, : len(row.ids)] = row.ids
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), length)


def pad_mask(rows: Sequence[Coded | None], length: int) -> pa.Array:
    """Where the padding of `padded` is: ``fixed_size_list<bool>[length]``, true for a pad."""
    sizes = [0 if row is None or len(row.ids) > length else len(row.ids) for row in rows]
    values = np.arange(length)[None, :] >= np.array(sizes, np.int64)[:, None]
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), length)
