"""Tokenising, packing, writing, exporting and reading shards, beside Hugging Face `tokenizers` on the same text.

Caveats first: figures are CPU seconds of this process on one thread each (training uses all cores that
RAYON_NUM_THREADS allows, and its CPU time counts them all); text is in memory; shards are read from a warm
page cache; the engines encode the same vocabulary, the one trained here. Shards and exports are written to the folder
of temporary files; their MB/s are of what is written (a shard's SHA-256 and XXH3 included), not of text. Reproduce with

    RAYON_NUM_THREADS=1 python benchmarks/bench_shards.py --input FILE.parquet --megabytes 16 --json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from columns.files import Place
from shards import Documents, PackConfig, TokenizerConfig, make_tokenizer, open_shard, pack, write_shard
from shards.exports import FORMATS, Source
from shards.tokenizers.bpe import hugging_face_json, parse_ranks
from shards.tokenizers.encoders import GigatokenEncoder, HuggingFaceEncoder, TiktokenEncoder, same_ids

os.environ.setdefault("RAYON_NUM_THREADS", "1")


def read_text(path: str, column: str, limit: int) -> pa.Array:
    content = pq.read_table(path, columns=[column]).column(column).combine_chunks().cast(pa.large_string())
    content = content.drop_null()
    ends = np.cumsum(pc.binary_length(content).to_numpy(zero_copy_only=False))
    return content.slice(0, max(1, int(np.searchsorted(ends, limit, side="right"))))


def measure(work: Callable[[], Any], repeat: int = 1) -> tuple[float, Any]:
    best, result = float("inf"), None
    for _ in range(repeat):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return max(best, 1e-9), result


def sum_rows(place: Place, name: str) -> int:
    return sum(int(view.sum(dtype=np.int64)) for view in open_shard(place, name).views)


def run(content: pa.Array, vocab_size: int) -> list[dict[str, Any]]:
    size = int(pc.sum(pc.binary_length(content)).as_py())
    texts = content.to_pylist()
    rows: list[dict[str, Any]] = []

    def add(name: str, seconds: float, tokens: int) -> None:
        speed = {
            "mb_per_s": round(size / 1e6 / seconds, 2),
            "mtokens_per_s": round(tokens / 1e6 / seconds, 3),
        }
        rows.append({"what": name, "cpu_s": round(seconds, 4), **speed})

    seconds, tokenizer = measure(lambda: make_tokenizer(TokenizerConfig(vocab_size=vocab_size), texts))
    add(f"train {tokenizer.vocab_size} tokens", seconds, 0)
    ranks = parse_ranks(tokenizer.vocabulary.data, "trained")
    exported = hugging_face_json(ranks, "cl100k", tokenizer.vocabulary.specials).decode()
    engines: dict[str, Any] = {
        "encode, Hugging Face tokenizers": HuggingFaceEncoder(exported),
        "encode, tiktoken": TiktokenEncoder(ranks, "cl100k", {}),
    }
    try:
        engines["encode, gigatoken"] = GigatokenEncoder(ranks, "cl100k", {})
    except ImportError:
        print("gigatoken is not installed: left out")
    reference = engines["encode, tiktoken"]
    for name, engine in engines.items():
        seconds, (ids, _) = measure(lambda engine=engine: engine.encode(content))
        add(name, seconds, len(ids))
        if not same_ids(engine, reference, texts):
            raise SystemExit(f"{name}: ids differ from tiktoken's")
    seconds, (ids, offsets) = measure(lambda: tokenizer.encode_batch(content))
    add("Tokenizer.encode_batch, Arrow to NumPy", seconds, len(ids))
    return rows + shard_rows(ids, offsets, tokenizer.eot_id, size)


def shard_rows(ids: np.ndarray, offsets: np.ndarray, eot_id: int, size: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    doc_ids = pa.array([index.to_bytes(16, "big") for index in range(len(offsets) - 1)], pa.binary(16))
    found, config = Documents(ids, offsets, doc_ids), PackConfig()
    packed, name = pack(found, eot_id, config), "train-00000-of-00001.arrow"
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        steps: dict[str, Callable[[], Any]] = {
            "pack": lambda: pack(found, eot_id, config),
            "write shard, MB of the file": lambda: write_shard(
                place, name, packed, config, tokenizer_sha256="", eot_id=eot_id
            ),
            "read shard (sum of all ids)": lambda: sum_rows(place, name),
        }
        for label, step in steps.items():
            seconds, made = measure(step, repeat=5)
            done = made.bytes if label.startswith("write") else size
            rows.append(row_of(label, seconds, done, len(ids)))
        rows += export_rows(place, len(ids), eot_id)
    return rows


def export_rows(place: Place, tokens: int, eot_id: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    source = Source(place, "train", eot_id + 1)
    for name, write in FORMATS.items():
        at = place.child(name)
        seconds, made = measure(lambda write=write, at=at: write(source, at), repeat=3)
        number = sum(Path(at.path(file)).stat().st_size for file in made.files)
        rows.append(row_of(f"export {name}, MB of the files", seconds, number, tokens))
    return rows


def row_of(label: str, seconds: float, size: int, tokens: int) -> dict[str, Any]:
    speed = {"mb_per_s": round(size / 1e6 / seconds, 1), "mtokens_per_s": round(tokens / 1e6 / seconds, 1)}
    return {"what": label, "cpu_s": round(seconds, 4), **speed}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", required=True, help="Parquet file with a text column")
    parser.add_argument("--column", default="content")
    parser.add_argument("--megabytes", type=float, default=16.0, help="text to use")
    parser.add_argument("--vocab-size", type=int, default=32768)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = run(read_text(options.input, options.column, int(options.megabytes * 1e6)), options.vocab_size)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'':42}{'CPU s':>10}{'MB/s':>15}{'Mtokens/s':>12}")
    for row in rows:
        print(f"{row['what']:42}{row['cpu_s']:>10}{row['mb_per_s']:>15}{row['mtokens_per_s']:>12}")


if __name__ == "__main__":
    main()
