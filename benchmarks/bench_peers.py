"""The same three filters in Thresher, dolma and data-juicer: longest line, mean line, alphanumeric share.

The peers run in another Python (``--peers-python``, with ``dolma``, ``py-data-juicer``, ``detect-secrets``,
``beautifulsoup4``, ``pygments`` and ``regex`` installed), in the same run, on the same texts, on one core. What is
measured is each tool's own function on texts in memory: CPU seconds, without reading, writing and their engines.
Thresher is measured twice: the same three values, and all of `filters.SIGNALS`. Values are compared file by file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from columns.batch import rebatch
from columns.document import typed_column
from columns.text import text_stats
from filters import measure_signals
from sources import IngestConfig, parse_spec, read_unit

COLUMNS = ("line_max", "line_mean", "alnum_fraction")
LIMITS = (1000, 100, 0.25)

DOLMA = """
from dolma.core.registry import TaggerRegistry
from dolma.core.data_types import Document
import dolma.taggers
tagger = TaggerRegistry.get("code_redpajama_taggers_v1")()
KEYS = ("max_line_length_doc", "avg_line_length_doc", "alnum_prop_doc")
def measure(texts):
    for text in texts:
        found = {s.type: s.score for s in tagger.predict(Document(source="", id="", text=text)).spans}
        yield [float(found[key]) for key in KEYS]
"""
JUICER = """
from data_juicer.ops.filter.alphanumeric_filter import AlphanumericFilter
from data_juicer.ops.filter.average_line_length_filter import AverageLineLengthFilter
from data_juicer.ops.filter.maximum_line_length_filter import MaximumLineLengthFilter
from data_juicer.utils.constant import Fields
ops = [MaximumLineLengthFilter(), AverageLineLengthFilter(), AlphanumericFilter(tokenization=False)]
KEYS = ("max_line_length", "avg_line_length", "alnum_ratio")
def measure(texts):
    for start in range(0, len(texts), 1000):
        part = texts[start : start + 1000]
        batch = {"text": part, Fields.stats: [{} for _ in part]}
        for op in ops:
            batch = op.compute_stats_batched(batch)
        for stat in batch[Fields.stats]:
            yield [float(stat[key]) for key in KEYS]
"""
RUN = """
import json, sys, time
import pyarrow.parquet as pq
texts = pq.read_table(sys.argv[1]).column("content").to_pylist()
list(measure(texts[:20]))
start = time.process_time()
values = list(measure(texts))
seconds = time.process_time() - start
json.dump({"seconds": seconds, "values": values}, open(sys.argv[2], "w"))
"""


def documents(spec: str) -> list:
    """The texts of an input, in batches of 8 MB."""
    config, batches = IngestConfig(), []
    for unit in parse_spec(spec).units(config).units:
        batches += list(read_unit(unit, config, batch_bytes=8 << 20, skipped={}))
    return [batch.filter(typed_column(batch, "content").is_valid()) for batch in rebatch(batches)]


def timed(work: Callable[[], object]) -> float:
    """CPU seconds, the median of nine runs: one run takes a few hundredths of a second."""
    taken = []
    for _ in range(9):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def statistics_only(batches: list) -> list[np.ndarray]:
    """The peers' three values and nothing else: the kernel and two divisions."""
    found = []
    for batch in batches:
        stats = text_stats(typed_column(batch, "content"))
        mean = stats.line_chars / np.maximum(stats.lines, 1)
        found.append(np.stack([stats.line_max, mean, stats.alnum / np.maximum(stats.chars, 1)], 1))
    return found


def peer(python: str, code: str, table: Path) -> tuple[float, np.ndarray]:
    """CPU seconds and values of a peer in its own Python."""
    result = table.with_suffix(".json")
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code + RUN, str(table), str(result)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{python}: {done.stderr.strip().splitlines()[-1]}")
    said = json.loads(result.read_text())
    return said["seconds"], np.array(said["values"])


def agreement(mine: np.ndarray, theirs: np.ndarray) -> dict[str, str]:
    """How many files have the same value, and the same verdict, by filter."""
    said = {}
    for index, (name, limit) in enumerate(zip(COLUMNS, LIMITS, strict=True)):
        one, other = mine[:, index], theirs[:, index]
        verdict = (one < limit, other < limit) if name == "alnum_fraction" else (one > limit, other > limit)
        same = np.isclose(one, other, rtol=1e-9, atol=1e-12)
        said[name] = f"{same.sum()} values, {(verdict[0] == verdict[1]).sum()} verdicts of {len(one)}"
    return said


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="a Parquet file of source code")
    parser.add_argument("--peers-python", help="a Python in which the peers are installed")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    batches = documents(asked.input)
    megabytes = sum(typed_column(b, "content").nbytes for b in batches) / 1e6
    mine = np.concatenate(statistics_only(batches))
    seconds = timed(lambda: statistics_only(batches))
    every = timed(lambda: [measure_signals(batch) for batch in batches])
    rows = [
        {"tool": "thresher", "seconds": seconds, "mb_per_s": megabytes / seconds},
        {"tool": "thresher, all text signals", "seconds": every, "mb_per_s": megabytes / every},
    ]
    for name, code in (("dolma", DOLMA), ("data-juicer", JUICER)) if asked.peers_python else ():
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "texts.parquet"
            with pq.ParquetWriter(table, batches[0].select(["content"]).schema) as writer:
                for batch in batches:
                    writer.write_batch(batch.select(["content"]))
            took, theirs = peer(asked.peers_python, code, table)
        rows.append(
            {
                "tool": name,
                "seconds": took,
                "mb_per_s": megabytes / took,
                "slower": took / seconds,
                "slower_than_all": took / every,
            }
        )
        rows[-1]["agreement"] = agreement(mine, theirs)
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        said = "  {slower:.0f} times slower, {slower_than_all:.0f} times slower than all text signals"
        times = said.format(**row) if "slower" in row else ""
        print(f"{row['tool']:27} {row['seconds']:8.3f} CPU s {row['mb_per_s']:8.1f} MB/s{times}")
        for name, said in row.get("agreement", {}).items():
            print(f"    {name}: {said}")


if __name__ == "__main__":
    main()
