"""What a refresh with few changes costs against the full build, and how long a takedown takes.

Caveats first. The corpus of the refresh is the given sample again and again with its letters rotated, so code-like but
made; the changed files are spread evenly, which is the worst case for what is cut by hash. CPU seconds are those of a
process of its own with everything it starts, imports and loading of compiled kernels included: a constant part that
weighs on small sets. Bytes read are counted in a second run of each, where files are read and not mapped
(/proc/self/io, less what starting read), so every byte counts as often as it is read, from inputs, dataset and scratch
alike. The tokenizer is a given one. The takedown's corpus are short runs of lines of the sample, every tenth an edited
copy of the one before, in repositories of a hundred files; wall seconds of the command with two workers, proof
included.

    python benchmarks/bench_refresh.py --input sample.parquet --megabytes 500 --files 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow as pa
import pyarrow.parquet as pq
from bench_memory import rotation
from make_neardup_data import variants

SCHEMA = pa.schema(
    [("repo_name", pa.string()), ("path", pa.string()), ("code", pa.large_string()), ("license", pa.string())]
)
RECIPE = """
extends: {extends}
name: refreshed
ingest: {{languages: []}}
tokenizer: {{spec: codex}}
guard: {{share: 1.0}}
"""
ROWS, FILES = 1000, 16
CHILD = """
import json, os, resource, sys, time
sys.path.insert(0, {root!r})
import pyarrow as pa
from columns.files import Place
import pipelines.cli
if {count}:
    mapped = Place.open
    Place.open = lambda self, name: pa.OSFile(self.path(name)) if self.local else mapped(self, name)
def read():
    return int(open("/proc/self/io").read().split()[1])
before, started = read(), time.monotonic()
sys.argv = ["thresher", *{arguments!r}]
try:
    pipelines.cli.main()
except SystemExit as ended:
    assert not ended.code, ended.code
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
found = {{"cpu_s": round(sum(one.ru_utime + one.ru_stime for one in used), 2),
         "wall_s": round(time.monotonic() - started, 2), "read_mb": round((read() - before) / 1e6, 1)}}
print("MEASURED", json.dumps(found))
"""


def run(*arguments: str, count: bool = False) -> dict[str, float]:
    """One command in a process of its own."""
    code = CHILD.format(
        root=str(Path(__file__).resolve().parent.parent), count=count, arguments=list(arguments)
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.rpartition("MEASURED ")[2])


def grown(texts: list[str], limit: int) -> Iterator[tuple[str, str, str]]:
    """Repository, path and text: the sample with its letters rotated, copy by copy."""
    size = copy = 0
    while size < limit:
        table = rotation(copy).decode("latin-1")
        for number, text in enumerate(texts):
            yield f"owner{copy}/repo{number // 50}", f"src/{number}.py", text.translate(table)
            size += len(text)
            if size >= limit:
                return
        copy += 1


def changed(files: Iterator[tuple[str, str, str]], share: float) -> Iterator[tuple[str, str, str]]:
    """The same with a line in the middle of a share of the files, evenly spread."""
    every = round(1 / share)
    for number, (repo, path, text) in enumerate(files):
        lines = text.splitlines(keepends=True) if number % every == every // 2 else []
        middle = len(lines) // 2
        edited = "".join([*lines[:middle], f"changed = {number}\n", *lines[middle:]])
        yield repo, path, edited if lines else text


def short(texts: list[str], files: int) -> Iterator[tuple[str, str, str]]:
    for number, (path, text) in enumerate(variants(texts, files, 400)):
        yield f"owner{number // 1000}/repo{number // 100}", path, text


def write(folder: Path, files: Iterator[tuple[str, str, str]]) -> tuple[int, int]:
    """Parquet files of rows in order; returns how many rows and bytes of text."""
    folder.mkdir(parents=True)
    rows = size = 0
    writers = [
        pq.ParquetWriter(folder / f"{n:02d}.parquet", SCHEMA, compression="zstd") for n in range(FILES)
    ]
    while some := list(islice(files, ROWS)):
        repos, paths, texts = zip(*some, strict=True)
        columns = [
            pa.array(repos),
            pa.array(paths),
            pa.array(texts, pa.large_string()),
            pa.array(["mit"] * len(some)),
        ]
        writers[rows // ROWS % FILES].write_batch(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
        rows += len(some)
        size += sum(map(len, texts))
    for writer in writers:
        writer.close()
    return rows, size


def sample_texts(path: str) -> list[str]:
    schema = pq.read_schema(path).names
    column = pq.read_table(path, columns=["content" if "content" in schema else "code"]).column(0)
    return [
        text if isinstance(text, str) else text.decode("utf-8", "replace")
        for text in column.to_pylist()
        if text
    ]


def bench_refresh(
    folder: Path, texts: list[str], megabytes: int, share: float, extends: str
) -> dict[str, object]:
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(extends=extends))
    limit = megabytes * 1_000_000
    files, size = write(folder / "june", grown(texts, limit))
    write(folder / "july", changed(grown(texts, limit), share))
    found: dict[str, object] = {"recipe": extends, "files": files, "mb": round(size / 1e6), "changed": share}
    for kind in ("time", "bytes"):
        counting = kind == "bytes"
        root, june, july = (str(folder / name) for name in (f"set-{kind}", "june", "july"))
        full = run("build", str(recipe), "-i", june, "-o", root, "-q", "--workers", "2", count=counting)
        next_one = run("refresh", root, "-i", july, "-q", "--workers", "2", count=counting)
        names = ("read_mb",) if counting else ("cpu_s", "wall_s")
        for name in names:
            found |= {f"build_{name}": full[name], f"refresh_{name}": next_one[name]}
            found[f"share_of_{name}"] = round(next_one[name] / full[name], 4)
        if not counting:
            record = json.loads((Path(root) / "versions" / "000002.json").read_bytes())
            found |= {"changes": record["changes"], "cost": record["cost"]}
            found["stages"] = json.loads((Path(root) / "versions" / "000002" / "run.json").read_bytes())[
                "stages"
            ]
    return found


def bench_takedown(folder: Path, texts: list[str], files: int) -> dict[str, object]:
    recipe = folder / "short.yaml"
    recipe.write_text(RECIPE.format(extends="codex"))
    rows, size = write(folder / "short", short(texts, files))
    root = str(folder / "short-set")
    started = time.monotonic()
    run("build", str(recipe), "-i", str(folder / "short"), "-o", root, "-q", "--workers", "2")
    built = time.monotonic() - started
    middle = files // 200
    taken = run("takedown", root, "--repo", f"owner{middle // 10}/repo{middle}", "-q", "--workers", "2")
    report = json.loads((Path(root) / "removals" / "000002.json").read_bytes())
    stages = json.loads((Path(root) / "versions" / "000002" / "run.json").read_bytes())["stages"]
    return {
        "files": rows, "mb": round(size / 1e6), "build_s": round(built, 1), "takedown_s": taken["wall_s"],
        "takedown_cpu_s": taken["cpu_s"], "removed": len(report["files"]), "promoted": len(report["promoted"]),
        "holds": report["proof"]["holds"], "stages": stages,
    }  # fmt: skip


def show(name: str, found: dict[str, Any]) -> None:
    print(f"\n{name}")
    stages = [stage for stage in found.pop("stages") if not stage["skipped"]]
    for key, value in found.items():
        print(f"  {key:22} {value}")
    said = ", ".join(f"{one['stage']} {one['seconds']}" for one in stages)
    print(f"  {'stages':22} {said}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", required=True, help="Parquet file of source code")
    parser.add_argument(
        "--megabytes", type=int, default=500, help="text of the refresh's corpus; 0 leaves it out"
    )
    parser.add_argument("--share", type=float, default=0.01, help="share of files that change")
    parser.add_argument("--recipe", action="append", help="built-in recipe of the refresh; repeatable")
    parser.add_argument(
        "--files", type=int, default=1_000_000, help="files of the takedown's corpus; 0 leaves it out"
    )
    parser.add_argument("--folder", help="where the corpora and datasets are made; else a temporary folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    arguments = parser.parse_args()
    texts = sample_texts(arguments.input)
    found: dict[str, dict[str, object]] = {}
    for extends in (arguments.recipe or ["codex"]) if arguments.megabytes else ():
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found[f"refresh, {extends}"] = bench_refresh(
                Path(folder), texts, arguments.megabytes, arguments.share, extends
            )
    if arguments.files:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found["takedown"] = bench_takedown(Path(folder), texts, arguments.files)
    if arguments.json:
        print(json.dumps(found))
    else:
        for name, one in found.items():
            show(name, one)


if __name__ == "__main__":
    main()
