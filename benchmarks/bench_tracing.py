"""Tracing projects' tests: what it costs beside the plain run, and what it yields.

Caveats: whole processes on a shared machine, in the same sandbox and with the same commands; each side is run
``--repeats`` times by turns and the best time counts, the sandbox's start and the copy of the project with it.
``end to end`` is `instruct.tracing.trace_project` as a whole: plan, two traced runs, three replays, tables. Yields
depend on the projects' versions and on what is installed. Projects are given by the user, as folders or ``*.tar.gz``:

    pip download --no-binary :all: --no-deps toolz boltons humanize more-itertools python-slugify algorithms -d DIR
    python benchmarks/bench_tracing.py --projects DIR --python python3.12 --site-packages PACKAGES

With ``--check`` every project is traced three times, by one worker, two and four, and the tables must be the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from instruct.tracing import TraceConfig, trace_project
from instruct.tracing.ci import read_plan
from instruct.tracing.project import run_traced
from instruct.tracing.wheels import own_pytest, site_of


def projects(folder: Path, into: Path) -> Iterator[Path]:
    """Folders of projects as they are, source archives unpacked."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield path
        elif path.name.endswith(".tar.gz"):
            with tarfile.open(path) as archive:
                archive.extractall(into, filter="data")
            yield into / path.name.removesuffix(".tar.gz")


def overhead(tree: Path, folders: tuple[Path, ...], python: Path, repeats: int) -> dict[str, Any]:
    config, commands = TraceConfig(wall_s=900, rounds=1), read_plan(tree).commands
    best = [float("inf"), float("inf")]
    outcomes: list[list[str]] = [[], []]
    for traced in [False, True] * repeats:
        begun = time.perf_counter()
        _, runs, _ = run_traced(tree, commands, config, python=python, folders=folders, traced=traced)
        best[traced] = min(best[traced], time.perf_counter() - begun)
        outcomes[traced] = [run.outcome for run in runs]
    times = {"plain_s": round(best[False], 2), "traced_s": round(best[True], 2)}
    return {
        **times,
        "overhead": round(best[True] / best[False], 2),
        "same_outcome": outcomes[True] == outcomes[False],
    }


def measure(tree: Path, args: argparse.Namespace, folders: tuple[Path, ...]) -> dict[str, Any]:
    config = TraceConfig(wall_s=900)
    begun = time.perf_counter()
    found = trace_project(tree, config, python=args.python, site_packages=folders)
    spent = time.perf_counter() - begun
    tests = found.problems["n_tests"].to_pylist()
    outputs = found.functions["outputs"].to_pylist()
    kept = [task is not None for task in found.functions["task_id"].to_pylist()]
    three = sum(
        n >= 3 and o >= 2
        for n, o in zip(tests, [o for o, k in zip(outputs, kept, strict=True) if k], strict=True)
    )
    if args.check:
        for workers in (1, 2, 4):
            again = trace_project(tree, config, python=args.python, site_packages=folders, workers=workers)
            assert again.problems == found.problems, f"{tree.name}: problems differ with {workers} workers"
            assert again.functions == found.functions, f"{tree.name}: functions differ with {workers} workers"
    left = found.summary["funnel"]["left"]  # type: ignore[index]
    cost = overhead(tree, folders, args.python, args.repeats)
    outcome = "; ".join(run.outcome for run in found.runs)
    more = {
        "problems": len(tests),
        "tests": sum(tests),
        "three_tests_two_outputs": three,
        "end_to_end_s": round(spent, 1),
    }
    return {"project": tree.name, "outcome": outcome, **left, **more, **cost}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--projects", type=Path, required=True, help="folder of source archives or projects")
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--site-packages", type=Path, action="append")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="three runs more, all results the same")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder)
        packages = tuple(args.site_packages or site_of(args.python))
        packages += own_pytest(into / "pytest", packages)
        rows = [measure(tree, args, packages) for tree in projects(args.projects, into)]
    median = statistics.median(row["overhead"] for row in rows)
    if args.json:
        print(json.dumps({"rows": rows, "median_overhead": median}, indent=1))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    print(f"median overhead {median}")


if __name__ == "__main__":
    main()
