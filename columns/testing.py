"""Help for tests: the batch law, and batches cut every awkward way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from columns.document import document_batch
from columns.hashing import content_hashes, doc_id


def documents(
    texts: Sequence[str | None], paths: Sequence[str] | None = None, repo: str = "repo"
) -> pa.RecordBatch:
    """Documents with the given texts, complete enough for every kernel.

    >>> documents(["x = 1"]).column("path")[0].as_py()
    'file0.py'
    """
    names = list(paths) if paths is not None else [f"file{i}.py" for i in range(len(texts))]
    content = pa.array(texts, pa.large_string())
    hashes = content_hashes(content)
    ids = [doc_id(repo, None, name, digest.as_py()) for name, digest in zip(names, hashes, strict=True)]
    columns = {
        "doc_id": ids,
        "repo": [repo] * len(names),
        "path": names,
        "content": content,
        "content_hash": hashes,
        "encoding": ["utf-8"] * len(names),
        "lossy": [False] * len(names),
        "language": ["python"] * len(names),
        "size": [None if t is None else len(t.encode()) for t in texts],
        "source": ["test"] * len(names),
        "problem": [None if t is not None else "unreadable" for t in texts],
    }
    return document_batch(columns, len(names))


def assert_batch_law(
    kernel: Callable[[pa.RecordBatch], pa.RecordBatch], batch: pa.RecordBatch, cut: int
) -> None:
    """Check ``f(concat(batches)) == concat(map(f, batches))`` for one cut, on slices with offsets."""
    whole = kernel(batch)
    pieces = [kernel(batch.slice(0, cut)), kernel(batch.slice(cut))]
    joined = pa.Table.from_batches(pieces, whole.schema)
    assert pa.Table.from_batches([whole]).equals(joined), f"batch law broken at row {cut} of {batch.num_rows}"
