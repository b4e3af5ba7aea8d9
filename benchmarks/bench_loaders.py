"""Shuffled batches: ours beside NumPy memmap, torchdata, Megatron-core, LitData, Grain, MosaicML Streaming and Ray.

Caveats: one process, files that the operating system holds in memory: the cost of the loader, not of a disk. Every
loader yields int64 ids [batch, 2048] in a shuffled order, in its own process, without workers, and the same tokens;
those without sums agree on a checksum (Megatron-core shifts rows by what it shuffles and is checked by count).
Writing each peer's format is not timed. Ray works in processes of its own: compare by wall time. Rows of 2,048 tokens,
one document each. Token ids are the bytes of the input's text, or random without an input. Figures are best of the
repeats after one run that is not counted.

    python benchmarks/bench_loaders.py --input FILE.parquet --tokens 132000000 --peers DIR

``DIR/NAME/bin/python`` runs the peer ``NAME`` (torchdata, megatron, litdata, grain, streaming), where it is there;
``benchmarks/README.md`` says how to make them. Ours, memmap and Ray run under this interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

SEQ_LEN = 2048
Batches = Iterator[Any]


def flat(folder: Path) -> np.ndarray:
    return np.memmap(folder / "flat.bin", np.uint16, "r").reshape(-1, SEQ_LEN)


def by_memmap(folder: Path, size: int) -> Callable[[], Batches]:
    rows = flat(folder)

    def run() -> Batches:
        order = np.random.default_rng(0).permutation(len(rows))
        for at in range(0, len(rows), size):
            yield rows[order[at : at + size]].astype(np.int64)

    return run


def _samples(folder: Path, **given: Any) -> Any:
    from training import open_samples

    return open_samples(sorted((folder / "shards").glob("*.arrow")), seed=1, verify=False, **given)


def by_loader(folder: Path, size: int) -> Callable[[], Batches]:
    from training import BatchConfig, Loader

    samples = _samples(folder)
    return lambda: (batch["input_ids"] for batch in Loader(samples, BatchConfig(size, labels=False)))


def by_token_loader(folder: Path, size: int) -> Callable[[], Batches]:
    """With labels and boundaries of documents, as tensors."""
    from training import BatchConfig, Loader, TokenLoader

    samples, batch = _samples(folder), BatchConfig(size, documents=True)
    return lambda: (found["input_ids"] for found in TokenLoader(Loader(samples, batch)))


def by_mixture(folder: Path, size: int) -> Callable[[], Batches]:
    """Four sources of a quarter of the shards each, by equal weights, so that the sum is the same."""
    from training import BatchConfig, Loader, Stage, open_samples

    paths = sorted((folder / "shards").glob("*.arrow"))
    sources = {f"source{at}": paths[at::4] for at in range(4)}
    total = len(flat(folder))
    stage = Stage(dict.fromkeys(sources, 1), total)
    samples = open_samples(sources, stages=[stage], seed=1, verify=False)
    return lambda: (batch["input_ids"] for batch in Loader(samples, BatchConfig(size, labels=False)))


def by_our_ray(folder: Path, size: int) -> Callable[[], Batches]:
    from training import BatchConfig, iter_batches, read_shards

    start_ray()
    samples, batch = _samples(folder), BatchConfig(size, labels=False)
    return lambda: (found["input_ids"] for found in iter_batches(read_shards(samples), batch))


def by_ray(folder: Path, size: int) -> Callable[[], Batches]:
    rows = parquet(folder)
    return lambda: _ray_batches(rows, size)


def _ray_batches(rows: Any, size: int) -> Batches:
    batches = rows.iter_torch_batches(batch_size=size, local_shuffle_buffer_size=1024, local_shuffle_seed=0)
    return (batch["input_ids"].long() for batch in batches)


def parquet(folder: Path) -> Any:
    """The rows as the Parquet file that Ray has a reader for."""
    import pyarrow.parquet as pq

    start_ray()
    import ray

    path = folder / "rows.parquet"
    ids = pa.FixedSizeListArray.from_arrays(pa.array(flat(folder).ravel()), SEQ_LEN)
    pq.write_table(pa.table({"input_ids": ids}), path, row_group_size=1024, compression="none")
    return ray.data.read_parquet(str(path))


def our_rank(folder: Path, size: int) -> Callable[[], Batches]:
    from training import BatchConfig, rank_loader

    def run() -> Batches:
        return (
            batch["input_ids"] for batch in rank_loader(_samples(folder), BatchConfig(size, labels=False))
        )

    return run


def ray_shard(folder: Path, size: int) -> Callable[[], Batches]:
    from ray.train import get_dataset_shard

    return lambda: _ray_batches(get_dataset_shard("train"), size)


def in_train_worker(name: str, folder: Path, size: int, repeats: int) -> dict[str, float]:
    """Measure in the one worker of a Ray Train job, as a training loop would read."""
    datasets = {"train": parquet(folder)} if name == RAY_SHARD else {}
    import ray.train
    from ray.train.torch import TorchTrainer

    def loop() -> None:
        sys.path.insert(0, str(Path(__file__).parent))
        import bench_loaders

        found = bench_loaders.measure(bench_loaders.LOADERS[name][1](folder, size), repeats)
        (folder / "measured.json").write_text(json.dumps(found))

    run_config = ray.train.RunConfig(storage_path=str(folder / "ray"))
    TorchTrainer(loop, datasets=datasets, run_config=run_config).fit()
    return dict(json.loads((folder / "measured.json").read_text()))


def start_ray() -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    if ray.is_initialized():
        return
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=512 << 20, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False


def by_torchdata(folder: Path, size: int) -> Callable[[], Batches]:
    import torch
    from torchdata.stateful_dataloader import StatefulDataLoader

    rows = flat(folder)

    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, at: int) -> torch.Tensor:
            return torch.from_numpy(rows[at].astype(np.int64))

    return lambda: iter(StatefulDataLoader(Rows(), batch_size=size, shuffle=True))


def by_megatron(folder: Path, size: int) -> Callable[[], Batches]:
    import torch
    from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    class Tokenizer:
        eod, pad, vocab_size, unique_identifiers = 0, 0, 65_536, "bytes"

    prefix = str(folder / "megatron" / "tokens")
    Path(prefix).parent.mkdir()
    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.uint16)
    for row in flat(folder):
        builder.add_document(torch.from_numpy(row.astype(np.int32)), [SEQ_LEN])
    builder.finalize(f"{prefix}.idx")
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=SEQ_LEN,
        blend=([prefix], None),
        split="1,0,0",
        path_to_cache=f"{prefix}-cache",
        tokenizer=Tokenizer(),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
        mmap_bin_files=True,
        add_extra_token_to_sequence=False,
    )
    sizes = [len(flat(folder)), 0, 0]
    built = BlendedMegatronDatasetBuilder(GPTDataset, sizes, lambda: True, config).build()[0]

    def run() -> Batches:
        loader = torch.utils.data.DataLoader(torch.utils.data.Subset(built, range(sizes[0])), batch_size=size)
        return (batch["tokens"] for batch in loader)

    return run


def by_litdata(folder: Path, size: int) -> Callable[[], Batches]:
    import torch
    from litdata import StreamingDataLoader, StreamingDataset, TokensLoader
    from litdata.streaming.writer import BinaryWriter

    rows, place = flat(folder), folder / "litdata"
    place.mkdir()
    writer = BinaryWriter(str(place), chunk_size=1024 * SEQ_LEN, item_loader=TokensLoader(SEQ_LEN))
    for at, row in enumerate(rows):
        writer[at] = torch.from_numpy(row.astype(np.int32)).to(torch.uint16)
    writer.done()
    writer.merge()
    data = StreamingDataset(str(place), item_loader=TokensLoader(SEQ_LEN), shuffle=True, seed=1)
    return lambda: (batch.long() for batch in StreamingDataLoader(data, batch_size=size, num_workers=0))


def by_grain(folder: Path, size: int) -> Callable[[], Batches]:
    import grain.python as grain

    rows = flat(folder)

    class Rows(grain.RandomAccessDataSource):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, at: Any) -> np.ndarray:
            return rows[at].astype(np.int64)

    return lambda: iter(grain.MapDataset.source(Rows()).shuffle(seed=1).to_iter_dataset().batch(size))


def by_streaming(folder: Path, size: int) -> Callable[[], Batches]:
    import torch
    from streaming import MDSWriter, StreamingDataset

    place = folder / "mds"
    with MDSWriter(out=str(place), columns={"tokens": f"ndarray:uint16:{SEQ_LEN}"}) as writer:
        for row in flat(folder):
            writer.write({"tokens": np.array(row)})

    class Tokens(StreamingDataset):  # type: ignore[misc]
        def __getitem__(self, at: Any) -> torch.Tensor:
            return torch.from_numpy(super().__getitem__(at)["tokens"].astype(np.int64))

    data = Tokens(local=str(place), shuffle=True, shuffle_seed=1, batch_size=size)
    return lambda: iter(torch.utils.data.DataLoader(data, batch_size=size))


OUR_RANK, RAY_SHARD = "training, in a Ray Train worker", "ray, in a Ray Train worker"
LOADERS: dict[str, tuple[str | None, Callable[[Path, int], Callable[[], Batches]]]] = {
    "numpy.memmap + permutation": (None, by_memmap),
    "training.Loader": (None, by_loader),
    "training.TokenLoader, documents": (None, by_token_loader),
    "training, 4 sources": (None, by_mixture),
    "torchdata": ("torchdata", by_torchdata),
    "megatron-core": ("megatron", by_megatron),
    "litdata": ("litdata", by_litdata),
    "grain": ("grain", by_grain),
    "mosaicml-streaming": ("streaming", by_streaming),
    "training, Ray dataset": (None, by_our_ray),
    "ray iter_torch_batches": (None, by_ray),
    OUR_RANK: (None, our_rank),
    RAY_SHARD: (None, ray_shard),
}


def measure(run: Callable[[], Batches], repeats: int) -> dict[str, float]:
    best, tokens, total = float("inf"), 0, 0
    for _ in range(repeats + 1):
        start = time.perf_counter()
        tokens = total = 0
        for ids in run():
            tokens, total = tokens + int(np.prod(ids.shape)), total + int(ids[:, 0].sum())
        best = min(best, time.perf_counter() - start)
    return {"mtokens_per_s": tokens / best / 1e6, "tokens": tokens, "sum": total}


def measure_one(name: str, folder: Path, size: int, repeats: int) -> dict[str, float]:
    if name in (OUR_RANK, RAY_SHARD):
        start_ray()
        return in_train_worker(name, folder, size, repeats)
    return measure(LOADERS[name][1](folder, size), repeats)


def measure_resume(repeats: int) -> dict[str, float]:
    """From a saved state to the rows' numbers of the next batch, at sample 3.2e8 of 4e8 rows."""
    from training import Order, Stage
    from training.order import Member

    members, stages = (Member("data", 400_000_000),), (Stage({"data": 1}, 400_000_000),)
    state = Order(members, stages).state(320_000_000)
    best = float("inf")
    for _ in range(repeats + 1):
        start = time.perf_counter()
        order = Order(members, stages)
        order.locate(order.position(state), 512)
        best = min(best, time.perf_counter() - start)
    return {"ms": best * 1e3}


def token_ids(source: Path | None, wanted: int) -> np.ndarray:
    """``uint16[rows * SEQ_LEN]``: the text's bytes, repeated to ``wanted`` tokens, or random ids."""
    import pyarrow.parquet as pq

    from columns.document import text_buffers

    wanted -= wanted % SEQ_LEN
    if source is None:
        return np.random.default_rng(0).integers(0, 50_000, wanted, np.uint16)
    content = pq.read_table(source, columns=["content"]).column("content").combine_chunks()
    return np.resize(text_buffers(content)[0], wanted).astype(np.uint16)


def write_dataset(place: Path, ids: np.ndarray, shards: int) -> list[Path]:
    from shards.format import BATCH_ROWS, shard_metadata, shard_names, shard_schema

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


def write_inputs(folder: Path, source: Path | None, tokens: int, shards: int) -> None:
    ids = token_ids(source, tokens // (SEQ_LEN * shards) * SEQ_LEN * shards)
    ids.tofile(folder / "flat.bin")
    (folder / "shards").mkdir()
    write_dataset(folder / "shards", ids, shards)


def child(name: str, folder: Path, given: argparse.Namespace) -> dict[str, Any] | None:
    """Measure one loader in a process of its own; None where the peer is not installed."""
    peer, _ = LOADERS[name]
    python = Path(sys.executable) if peer is None else given.peers / peer / "bin" / "python"
    if not python.exists():
        return None
    command = [str(python), __file__, "--only", name, "--folder", str(folder)]
    command += ["--batch-size", str(given.batch_size), "--repeats", str(given.repeats)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        return {"problem": done.stderr.strip().splitlines()[-1:]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def report(found: dict[str, dict[str, Any]]) -> None:
    print(f"{'loader':34}{'M tokens / s':>14}{'of memmap':>11}")
    floor = found["numpy.memmap + permutation"]["mtokens_per_s"]
    for name, row in found.items():
        if "mtokens_per_s" in row:
            print(f"{name:34}{row['mtokens_per_s']:14.1f}{row['mtokens_per_s'] / floor:11.3f}")
        else:
            print(f"{name:34}{json.dumps(row):>25}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", type=Path, help="Parquet with a content column; random ids without it")
    parser.add_argument("--tokens", type=int, default=132_000_000)
    parser.add_argument("--shards", type=int, default=4, help="a multiple of 4")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=Path("peers/loaders"))
    parser.add_argument("--only", choices=LOADERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.only:
        with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
            for name in ("flat.bin", "shards"):
                Path(scratch, name).symlink_to(given.folder / name)
            print(
                json.dumps(measure_one(given.only, Path(scratch), given.batch_size, given.repeats)),
                flush=True,
            )
        return
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder), given.input, given.tokens, given.shards)
        rows = {name: child(name, Path(folder), given) for name in LOADERS}
    found = {name: row for name, row in rows.items() if row is not None}
    sums = {row["sum"] for name, row in found.items() if "sum" in row and name != "megatron-core"}
    counts = {row["tokens"] for row in found.values() if "tokens" in row}
    assert len(sums) == len(counts) == 1, f"loaders disagree: {found}"
    found["resume at sample 3.2e8"] = measure_resume(given.repeats)
    print(json.dumps(found, indent=1)) if given.json else report(found)


if __name__ == "__main__":
    main()
