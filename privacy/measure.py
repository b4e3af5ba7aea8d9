"""How many secrets and how much personal data a file has, with the places."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from privacy.config import PrivacyConfig
from privacy.kinds import KINDS
from privacy.spans import find_spans

PRIVACY = pa.schema(
    [
        pa.field("secret_count", pa.int64(), metadata={"about": "keys, tokens and passwords found"}),
        pa.field("personal_count", pa.int64(), metadata={"about": "e-mail and IP addresses found"}),
    ]
)

_DEFAULT = PrivacyConfig()


class Privacy(NamedTuple):
    """``facts``: one row of `PRIVACY` per document; ``spans``: the finds, `privacy.SPANS`."""

    facts: pa.RecordBatch
    spans: pa.RecordBatch


def measure_privacy(batch: pa.RecordBatch, config: PrivacyConfig = _DEFAULT) -> Privacy:
    """Find and count in the ``content`` of documents; counts are null where content is null.

    >>> batch = pa.RecordBatch.from_pydict({"content": pa.array(["by ada@lovelace.org", None], pa.large_string())})
    >>> measure_privacy(batch).facts.to_pylist()[0]
    {'secret_count': 0, 'personal_count': 1}
    """
    content = batch.column("content")
    spans = find_spans(content, config)
    missing = np.asarray(content.is_null()) if content.null_count else None
    counts = (_count(spans, group, len(content)) for group in ("secret", "personal"))
    arrays = [pa.array(count, pa.int64(), mask=missing) for count in counts]
    return Privacy(pa.RecordBatch.from_arrays(arrays, schema=PRIVACY), spans)


def _count(spans: pa.RecordBatch, group: str, rows: int) -> np.ndarray:
    names = pa.array([name for name, kind in KINDS.items() if kind.group == group])
    found = spans.column("row").filter(pc.is_in(spans.column("kind"), names))
    return np.bincount(np.asarray(found), minlength=rows).astype(np.int64)
