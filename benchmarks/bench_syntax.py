"""Syntax facts: MB of text per CPU second, the parser process and its parent counted together.

Caveats first. CPU time of this process and of its ended children (RUSAGE_SELF and RUSAGE_CHILDREN), start of the
parser process included, best of ``--repeat``; text is already in memory as Arrow. "python" is the whole of OpenCoder's
Python rules that need a parser, with CPython's own parser deciding validity. The peer does the same rules as
OpenCoder's code does them: `ast.parse` once and a `NodeVisitor` per rule, in this process, without any limit.

    python benchmarks/bench_syntax.py --input sample.parquet
"""

from __future__ import annotations

import argparse
import ast
import json
import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from columns.batch import row_bytes, split_by_bytes
from syntax import LANGUAGES, SyntaxConfig, measure_syntax
from syntax.sandbox import sandbox

BATCH = 8 << 20


def cpu_seconds(work: Callable[[], object]) -> float:
    before = _spent()
    work()
    sandbox(SyntaxConfig().limits).close()
    return _spent() - before


def _spent() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


class Visitor(ast.NodeVisitor):
    """The peer's counts, in one walk where OpenCoder's code walks five times."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("functions", "single", "classes", "variables", "fields"), 0)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.counts["functions"] += 1
        self.counts["single"] += len(node.body) == 1 and isinstance(node.body[0], ast.Return)
        self.counts["variables"] += len(node.args.args)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.counts["classes"] += 1
        self.counts["fields"] += sum(isinstance(item, ast.Assign | ast.AnnAssign) for item in node.body)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.counts["variables"] += sum(isinstance(target, ast.Name) for target in node.targets)
        self.generic_visit(node)


def peer(batch: pa.RecordBatch) -> list[dict[str, int] | None]:
    return [_peer_row(text) for text in batch.column("content").to_pylist()]


def _peer_row(text: str) -> dict[str, int] | None:
    visitor = Visitor()
    try:
        visitor.visit(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    lines = [line.lower() for line in text.split("\n") if line.strip()]
    visitor.counts["imports"] = sum("import" in line for line in lines)
    visitor.counts["passes"] = sum("pass" in line for line in lines)
    return visitor.counts


def measure(batch: pa.RecordBatch) -> None:
    for piece in split_by_bytes(batch, BATCH):
        measure_syntax(piece)


def read(path: str) -> pa.RecordBatch:
    table = pq.read_table(path, columns=["path", "content", "language"])
    language = pc.replace_substring(pc.utf8_lower(table["language"]), "cpp", "c++")
    return table.set_column(2, "language", language).combine_chunks().to_batches()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    whole, found = read(options.input), {}
    for language in LANGUAGES:
        batch = whole.filter(pc.equal(whole["language"], language))
        megabytes = float(row_bytes(batch).sum()) / 1e6
        if megabytes < 0.1:
            continue
        seconds = min(cpu_seconds(lambda: measure(batch)) for _ in range(options.repeat))  # noqa: B023
        found[language] = {
            "files": batch.num_rows,
            "mb": round(megabytes, 1),
            "mb_per_s": round(megabytes / seconds, 2),
        }
        if language == "python":
            slow = min(cpu_seconds(lambda: peer(batch)) for _ in range(options.repeat))  # noqa: B023
            found[language]["peer_mb_per_s"] = round(megabytes / slow, 2)
    print(json.dumps(found) if options.json else "\n".join(f"{name:12} {row}" for name, row in found.items()))


if __name__ == "__main__":
    main()
