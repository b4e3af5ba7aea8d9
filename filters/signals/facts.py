"""Facts: the row-aligned batch that every family of signals gives back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa


def fact_batch(
    schema: pa.Schema, values: Mapping[str, np.ndarray[Any, Any]], content: pa.Array
) -> pa.RecordBatch:
    """A batch with the fields of ``schema``; every field is null where ``content`` is null.

    >>> schema = pa.schema([("bytes", pa.int64())])
    >>> fact_batch(schema, {"bytes": np.array([1, 0])}, pa.array(["a", None])).to_pydict()
    {'bytes': [1, None]}
    """
    missing = np.asarray(content.is_null()) if content.null_count else None
    arrays = [pa.array(values[field.name], field.type, mask=missing) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Row by row ``part / whole``, ``float64[n]``; 0.0 where there is no whole.

    >>> share(np.array([1, 1]), np.array([2, 0])).tolist()
    [0.5, 0.0]
    """
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
