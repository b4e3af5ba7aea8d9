"""Best-fit packing beside OLMo-core's `InstancePacker`, on made-up document lengths.

Caveats first: only the decision which document goes into which row is timed, for documents that fit a row and are
sorted before; moving ids is not. Lengths are log-normal with a median of 600 tokens. OLMo-core is Python with a segment
tree, ours is compiled. Its packer is loaded from its package's file (`ai2-olmo-core`), whose other dependencies it does
not need; without it ours is timed alone. The bins of both are compared item by item.

    python benchmarks/bench_packing.py --lengths 1000000 --peer FOLDER_WITH_OLMO_CORE
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shards import PackConfig, pack
from shards.packing.best_fit import bins
from shards.packing.documents import Documents


def lengths_of(count: int, seed: int) -> np.ndarray:
    """Log-normal lengths with a long tail, as those of code files are: median 600 tokens."""
    drawn = np.random.default_rng(seed).lognormal(math.log(600), 1.4, count)
    return np.maximum(drawn, 1).astype(np.int64)


def peer_packer(folder: Path) -> Callable[[int], Any]:
    """OLMo-core's packer, out of its file alone."""
    tree = ast.parse((folder / "olmo_core" / "data" / "utils.py").read_text("utf-8"))
    wanted = {"SegmentTreeNode", "SegmentTree", "InstancePacker"}
    tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in wanted]
    import typing

    names = {
        "dataclass": dataclass,
        "deque": deque,
        "defaultdict": defaultdict,
        "math": math,
        "np": np,
        **vars(typing),
    }
    exec(compile(tree, "olmo_core/data/utils.py", "exec"), names)
    return names["InstancePacker"]


def best_of(work: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Least CPU seconds of some runs, and the last result."""
    taken = []
    for _ in range(repeat):
        started = time.process_time()
        result = work()
        taken.append(time.process_time() - started)
    return min(taken), result


def by_peer(packer: Callable[[int], Any], sizes: np.ndarray, room: int) -> list[list[int]]:
    found = packer(room)
    for number, size in enumerate(sizes.tolist()):
        found._pack_document(number, size)
    return found.instance_bins


def as_lists(found: np.ndarray) -> list[list[int]]:
    made: list[list[int]] = [[] for _ in range(int(found.max()) + 1)]
    for item, at in enumerate(found.tolist()):
        made[at].append(item)
    return made


def shares(lengths: np.ndarray, seq_len: int) -> dict[str, dict[str, float]]:
    """Padding, and how many documents are cut, by each method."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths - 1)])
    names = pa.array([n.to_bytes(16, "big") for n in range(len(lengths))], pa.binary(16))
    documents = Documents(np.zeros(int(offsets[-1]), np.uint16), offsets, names)
    found = {}
    for method, tail in (("concat", "pad"), ("best_fit", "drop"), ("single", "drop")):
        packed = pack(documents, 0, PackConfig(seq_len=seq_len, method=method, tail=tail))  # type: ignore[arg-type]
        fits = int((lengths <= seq_len).sum())
        long = len(lengths) - fits
        found[method] = {
            "padding": packed.padding / (packed.written + packed.padding),
            "cut_of_those_that_fit": (packed.split_documents - long) / fits,
        }
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", type=int, default=1_000_000)
    parser.add_argument("--seq-len", type=int, default=2048)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer", type=Path, help="folder with the package olmo_core")
    options = parser.parse_args()
    lengths = lengths_of(options.lengths, 7)
    sizes = np.sort(lengths[lengths <= options.seq_len])[::-1].copy()
    bins(sizes[:9], options.seq_len)
    ours, found = best_of(lambda: bins(sizes, options.seq_len), options.repeat)
    result: dict[str, Any] = {
        "documents": len(sizes), "rows": int(found.max()) + 1, "thresher_cpu_seconds": round(ours, 4),
        "documents_per_second": round(len(sizes) / ours), "shares": shares(lengths[:200_000], options.seq_len),
    }  # fmt: skip
    if options.peer:
        packer = peer_packer(options.peer)
        theirs, bins_of_peer = best_of(lambda: by_peer(packer, sizes, options.seq_len), 1)
        result["olmo_core_cpu_seconds"] = round(theirs, 3)
        result["times"] = round(theirs / ours)
        result["same_bins"] = bins_of_peer == as_lists(found)
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
