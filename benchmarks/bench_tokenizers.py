"""Tokenizing code, Arrow in and arrays out, on one core: our engines beside the libraries themselves.

Caveats first: the input is one column of text in memory, read before the clock starts; every engine gets the whole
column and gives ids and counts as NumPy arrays, so a library that wants Python strings pays for making them, as its
user would. "first" is the first pass of a fresh engine with an empty cache, "best" the best of ``--repeat`` further
passes over the same text; caches of pieces make the second faster than a corpus would be, and the truth for a large
corpus lies between the two. Building an engine is not timed. tiktoken and Hugging Face read ``--slow-megabytes`` of
the text only. Ids of every engine are compared with tiktoken's in the same run, and the benchmark fails where they
differ. The vocabulary is p50k_base, rebuilt from r50k_base; splintr-rs runs where it is installed, or in the
interpreter named by ``--splintr-python``, which reads the same bytes from a file and gives its seconds and ids back.
Set OMP_NUM_THREADS, RAYON_NUM_THREADS and TOKENIZERS_PARALLELISM as below.

    RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false \\
        python benchmarks/bench_tokenizers.py --input sample.parquet --json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shards import Tokenizer, TokenizerConfig, make_tokenizer
from shards.tokenizers.bpe import hugging_face_json, parse_ranks
from shards.tokenizers.encoders import (
    Encoded,
    HuggingFaceEncoder,
    TiktokenEncoder,
    column_of,
)

SPLINTR = """
import sys, time
import numpy as np, splintr
data = open(sys.argv[1], "rb").read()
offsets = np.load(sys.argv[2])
ranks = open(sys.argv[3], "rb").read()
pattern, repeat = sys.argv[5], int(sys.argv[6])
engine = splintr.Tokenizer.from_bytes(ranks, pattern, {})
seconds = []
for _ in range(repeat + 1):
    started = time.perf_counter()
    texts = [data[a:b].decode() for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist())]
    flat, places = engine.encode_batch_flat(texts)
    ids, counts = np.frombuffer(flat, np.uint32), np.diff(np.frombuffer(places, np.uint64).astype(np.int64))
    seconds.append(time.perf_counter() - started)
np.savez(sys.argv[4], seconds=seconds, ids=ids, counts=counts)
"""


def read_text(path: str, column: str, limit: int) -> pa.Array:
    """At most ``limit`` bytes of a column's texts."""
    content = column_of(pq.read_table(path, columns=[column]).column(0))
    lengths = np.cumsum(np.diff(np.frombuffer(content.buffers()[1], np.int64, len(content) + 1)))
    return column_of(content.slice(0, int(np.searchsorted(lengths, limit, side="right"))))


def bytes_of(content: pa.Array) -> int:
    offsets = np.frombuffer(content.buffers()[1], np.int64, len(content) + 1, content.offset * 8)
    return int(offsets[-1] - offsets[0])


def timed(work: Callable[[], Encoded], repeat: int) -> tuple[list[float], Encoded]:
    seconds: list[float] = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - started)
    return seconds, found


class Ours:
    """A fresh tokenizer with its engine built, as an encoder: from the Arrow column to the array that is stored."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = Tokenizer(tokenizer.vocabulary)
        self.engine = self._tokenizer.engine

    def encode(self, content: pa.Array) -> Encoded:
        ids, offsets = self._tokenizer.encode_batch(content)
        return ids, np.diff(offsets)


def engines(name: str) -> tuple[Tokenizer, dict[str, Callable[[], Any]]]:
    """The tokenizer and its engines; each is built when it is called."""
    tokenizer = make_tokenizer(TokenizerConfig(name))
    known = tokenizer.vocabulary
    ranks, pattern = parse_ranks(known.data, name), str(known.pattern)
    exported = hugging_face_json(ranks, pattern, known.specials, known.added).decode()
    return tokenizer, {
        "ours": lambda: Ours(tokenizer),
        "tiktoken": lambda: TiktokenEncoder(ranks, pattern, known.specials, known.added),
        "Hugging Face tokenizers": lambda: HuggingFaceEncoder(exported),
    }


def splintr(python: str, tokenizer: Tokenizer, content: pa.Array, repeat: int) -> tuple[list[float], Encoded]:
    """splintr-rs on the same bytes, in an interpreter that has it."""
    from shards.tokenizers.patterns import PATTERNS

    offsets = np.frombuffer(content.buffers()[1], np.int64, len(content) + 1, content.offset * 8)
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name) for name in ("text", "offsets.npy", "ranks", "found.npz")]
        places[0].write_bytes(content.buffers()[2].to_pybytes()[offsets[0] : offsets[-1]])
        np.save(places[1], offsets - offsets[0])
        places[2].write_bytes(tokenizer.vocabulary.data)
        pattern = PATTERNS[str(tokenizer.vocabulary.pattern)].plain
        words = [python, "-c", SPLINTR, *map(str, places), pattern, str(repeat)]
        subprocess.run(words, check=True)
        found = np.load(places[3])
        return found["seconds"].tolist(), (found["ids"], found["counts"])


def row(name: str, size: int, seconds: list[float], *, same: bool) -> dict[str, object]:
    first, *more = [size / 1e6 / one for one in seconds]
    return {
        "engine": name,
        "first_mb_s": round(first, 1),
        "best_mb_s": round(max([first, *more]), 1),
        "same": same,
    }


def run(options: argparse.Namespace) -> list[dict[str, object]]:
    content = read_text(options.input, options.column, int(options.megabytes * 1e6))
    little = read_text(options.input, options.column, int(options.slow_megabytes * 1e6))
    rows: list[dict[str, object]] = []
    for name in ("codex", "codegen"):
        tokenizer, made = engines(name)
        reference = made["tiktoken"]().encode(content)
        for label, build in made.items():
            text = content if label == "ours" else little
            engine = build()
            seconds, found = timed(lambda engine=engine, text=text: engine.encode(text), options.repeat)
            total = int(reference[1][: len(text)].sum())
            expected = reference[0][:total], reference[1][: len(text)]
            same = np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])
            shown = f"{label} ({tokenizer.engine})" if label == "ours" else label
            rows.append(row(f"{name}: {shown}", bytes_of(text), seconds, same=same))
        if name == "codex" and options.splintr_python:
            seconds, found = splintr(options.splintr_python, tokenizer, content, options.repeat)
            same = np.array_equal(found[1], reference[1]) and np.array_equal(found[0], reference[0])
            rows.append(row("codex: splintr-rs", bytes_of(content), seconds, same=same))
    return rows


def arguments() -> argparse.Namespace:
    here = sys.executable if importlib.util.find_spec("splintr") else ""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", required=True, help="Parquet file with a text column")
    parser.add_argument("--column", default="content")
    parser.add_argument("--megabytes", type=float, default=64.0, help="text to use")
    parser.add_argument("--slow-megabytes", type=float, default=8.0, help="text for the slow libraries")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--splintr-python", default=here, help="an interpreter that has splintr-rs")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    rows = run(options)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(f"{'MB/s':42}{'first':>10}{'best':>10}  ids equal")
        for one in rows:
            print(f"{one['engine']!s:42}{one['first_mb_s']:>10}{one['best_mb_s']:>10}  {one['same']}")
    ours = [one for one in rows if "splintr" not in str(one["engine"])]
    if not all(one["same"] for one in ours):
        raise SystemExit("ids differ from tiktoken's")


if __name__ == "__main__":
    main()
