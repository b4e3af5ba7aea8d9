"""Reading speed: rows of shards as torch batches, beside NumPy memmap, plain pyarrow, Hugging Face and Ray.

Caveats: one process reads files that the operating system holds in memory, so this is the cost of the
loader, not of a disk. Every loader yields int64 ids of equal shape; ours also yields labels, a second array
of that size. Ray's work is done in its own processes and is not in this process's CPU time: compare it by
wall time. Token ids are the bytes of the input's text, or random without an input; loading does not depend
on their values.

    python benchmarks/bench_loader.py --input FILE.parquet
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from columns.document import text_buffers
from shards.format import BATCH_ROWS, shard_metadata, shard_names, shard_schema
from training import iter_batches, read_shards

SEQ_LEN = 2048


def token_ids(source: Path | None, wanted: int) -> np.ndarray:
    """``uint16[rows * SEQ_LEN]``: the text's bytes, repeated to ``wanted`` tokens, or random ids."""
    wanted -= wanted % SEQ_LEN
    if source is None:
        return np.random.default_rng(0).integers(0, 50_000, wanted, np.uint16)
    content = pq.read_table(source, columns=["content"]).column("content").combine_chunks()
    return np.resize(text_buffers(content)[0], wanted).astype(np.uint16)


def write_dataset(place: Path, ids: np.ndarray, shards: int) -> list[Path]:
    said = shard_metadata(seq_len=SEQ_LEN, tokenizer_sha256="", eot_id=0, split="train", shuffle_seed=0)
    schema = shard_schema(SEQ_LEN, ids.dtype).with_metadata(said)
    paths = [place / name for name in shard_names("train", shards)]
    for path, rows in zip(paths, np.array_split(ids.reshape(-1, SEQ_LEN), shards), strict=True):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for start in range(0, len(rows), BATCH_ROWS):
                writer.write_batch(_rows(rows[start : start + BATCH_ROWS], schema))
    return paths


def _rows(rows: np.ndarray, schema: pa.Schema) -> pa.RecordBatch:
    count = len(rows)
    values = [
        pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), SEQ_LEN),
        pa.array(np.full(count, SEQ_LEN, np.int32)),
        pa.array([[bytes(16)]] * count, schema.field("doc_ids").type),
        pa.array([[0]] * count, schema.field("doc_starts").type),
        pa.array([[0]] * count, schema.field("doc_offsets").type),
    ]
    return pa.RecordBatch.from_arrays(values, schema=schema)


def by_thresher(paths: list[Path], size: int) -> Iterator[torch.Tensor]:
    return (batch["input_ids"] for batch in iter_batches(paths, size))


def by_ray(paths: list[Path], size: int) -> Iterator[torch.Tensor]:
    return (batch["input_ids"] for batch in iter_batches(read_shards(paths), size))


def by_pyarrow(paths: list[Path], size: int) -> Iterator[torch.Tensor]:
    """What one writes by hand: whole tables, sliced."""
    for path in paths:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        for start in range(0, len(table), size):
            column = table.column("input_ids").slice(start, size).combine_chunks()
            yield torch.from_numpy(column.flatten().to_numpy().reshape(-1, SEQ_LEN).astype(np.int64))


def by_datasets(paths: list[Path], size: int) -> Iterator[torch.Tensor]:
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        files = [str(path) for path in paths]
        found = datasets.load_dataset("arrow", data_files=files, split="train", cache_dir=cache)
        columns = found.select_columns(["input_ids"]).with_format("torch")
        yield from (batch["input_ids"].long() for batch in columns.iter(size))


def by_memmap(paths: list[Path], size: int) -> Iterator[torch.Tensor]:
    """Ids alone in one flat file, as nanoGPT keeps them: the floor."""
    flat = np.memmap(paths[0].parent / "flat.bin", np.uint16, "r").reshape(-1, SEQ_LEN)
    for start in range(0, len(flat), size):
        yield torch.from_numpy(flat[start : start + size].astype(np.int64))


LOADERS: dict[str, Callable[[list[Path], int], Iterator[torch.Tensor]]] = {
    "numpy.memmap": by_memmap,
    "pyarrow by hand": by_pyarrow,
    "training.iter_batches": by_thresher,
    "datasets (torch)": by_datasets,
    "training over Ray": by_ray,
}


def measure(loader: Callable[[], Iterator[torch.Tensor]], repeats: int) -> dict[str, float]:
    """Tokens per second, best of ``repeats``, and a checksum of the ids, which all loaders must share."""
    best = {"cpu": float("inf"), "wall": float("inf")}
    total = tokens = 0
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        total = tokens = 0
        for ids in loader():
            total, tokens = total + int(ids[:, 0].sum()), tokens + ids.numel()
        best["cpu"] = min(best["cpu"], time.process_time() - cpu)
        best["wall"] = min(best["wall"], time.perf_counter() - wall)
    return {"tokens": tokens, "sum": total} | {
        f"mtokens_per_{k}_s": tokens / v / 1e6 for k, v in best.items()
    }


def start_ray() -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=256 << 20, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--input", type=Path, help="Parquet file with a content column; random ids without it"
    )
    parser.add_argument("--tokens", type=int, default=50_000_000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    absent = {"datasets (torch)": "datasets", "training over Ray": "ray"}
    chosen = {n: f for n, f in LOADERS.items() if n not in absent or find_spec(absent[n])}
    torch.set_num_threads(1)
    if "training over Ray" in chosen:
        start_ray()
    with tempfile.TemporaryDirectory() as folder:
        ids = token_ids(given.input, given.tokens)
        ids.tofile(Path(folder) / "flat.bin")
        paths = write_dataset(Path(folder), ids, given.shards)
        found = {n: measure(lambda f=f: f(paths, given.batch_size), given.repeats) for n, f in chosen.items()}
    assert len({(r["tokens"], r["sum"]) for r in found.values()}) == 1, f"loaders disagree: {found}"
    if given.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{'loader':24}{'M tokens / CPU s':>18}{'M tokens / s':>15}")
    for name, row in found.items():
        print(f"{name:24}{row['mtokens_per_cpu_s']:18.0f}{row['mtokens_per_wall_s']:15.0f}")


if __name__ == "__main__":
    main()
