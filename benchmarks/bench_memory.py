"""Peak memory of `build` as the input grows: 50 MB, 500 MB, 2 GB by default.

The input of each size is made from the given file: copy k of every text has its letters rotated by k, so it
is as code-like as the original and no near-copy of it. ``anonymous`` is what the process itself holds; ``peak``
also counts mapped pages of files. One worker process, two threads.

    python benchmarks/bench_memory.py --input files.parquet
"""

from __future__ import annotations

import argparse
import json
import string
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from bench_pipeline import build, show

BATCH_BYTES = 16 << 20


def rotation(copy: int) -> bytes:
    lower, upper = string.ascii_lowercase, string.ascii_uppercase
    low, high = copy % 26, copy // 26 % 26
    rotated = lower[low:] + lower[:low] + upper[high:] + upper[:high]
    return bytes.maketrans((lower + upper).encode(), rotated.encode())


def grown(texts: list[bytes], limit: int) -> Iterator[tuple[str, bytes]]:
    size = copy = 0
    while size < limit:
        table = rotation(copy)
        for number, text in enumerate(texts):
            yield f"copy_{copy}/file_{number}.py", text.translate(table)
            size += len(text)
            if size >= limit:
                return
        copy += 1


def write(path: Path, texts: list[bytes], limit: int) -> None:
    schema = pa.schema([("path", pa.string()), ("content", pa.large_binary())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        held: list[tuple[str, bytes]] = []
        size = 0
        for item in grown(texts, limit):
            held.append(item)
            size += len(item[1])
            if size >= BATCH_BYTES:
                writer.write_batch(_batch(held, schema))
                held, size = [], 0
        writer.write_batch(_batch(held, schema))


def _batch(items: list[tuple[str, bytes]], schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([path for path, _ in items]), pa.array([text for _, text in items], pa.large_binary())],
        schema=schema,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="Parquet file with a column `content`")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 500, 2000], help="MB of text")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    column = pq.read_table(arguments.input, columns=["content"]).column("content")
    texts = [text.encode() if isinstance(text, str) else text for text in column.to_pylist() if text]
    results = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "grown.parquet")
            write(path, texts, size * 1_000_000)
            results.append(build([str(path)], "codex", Path(folder, "out"), 2, "threads"))
        if not arguments.json:
            print(show(results[-1]), flush=True)
    if arguments.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
