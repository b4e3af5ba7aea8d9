"""What-if on a synthetic dataset: seconds for every file decided again, and ledger bytes per file.

Caveats first. Facts, links, overlaps and tokens are random, with shares like a real corpus's: one file in five is an
exact copy, one in ten has a near-copy, one in a thousand overlaps a benchmark. The document parts are removed before
anything is timed, so no content can be read. Wall-clock and CPU seconds of this process after one warm-up run, the
files in the page cache; starting Python and importing are not counted. Ledger: compressed size, random hashes included.

    python benchmarks/bench_whatif.py --files 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import orjson
import pyarrow as pa

from columns.document import DOCUMENT
from columns.files import Place
from columns.tables import write_arrow, write_table
from contamination import EVIDENCE
from dedup import BUCKET, EDGE, EXACT
from filters import SIGNALS
from pipelines.compare import compare
from pipelines.dataset import MANIFEST, Dataset, Names
from pipelines.decide import decide
from pipelines.decisions import DecideConfig, decide_stage
from pipelines.diff import diff
from pipelines.engine import Engine
from pipelines.finished import FORMAT
from pipelines.leaks import find_leaks, leaks_stage
from pipelines.manifest import describe_recipe
from pipelines.recipe import LoadedRecipe, Recipe, load_recipe
from pipelines.stage import Stage, UnitRecord
from pipelines.stored import Stored
from pipelines.whatif import what_if

LANGUAGES = (
    "python",
    "javascript",
    "java",
    "c",
    "c++",
    "go",
    "typescript",
    "php",
    "ruby",
    "rust",
    "html",
    "shell",
)
WORDS = tuple(
    f"{kind}_{thing}"
    for kind in ("core", "test", "api", "web", "my")
    for thing in ("data", "view", "util", "main")
)
TOKENS = pa.schema([("doc_id", pa.binary(16)), ("ids", pa.large_list(pa.uint16()))])
KEPT_SETTINGS = {"nothing": (), "line_max": ("filters.line_max=300",), "preset": ("filters.preset=codegen",),
                 "keep": ("dedup.keep.order=[licensed, stars, path]",)}  # fmt: skip


def main() -> None:
    """Make, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", help="where the dataset is made and kept; else a temporary folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp())
    try:
        base, other = (load_recipe("codex", KEPT_SETTINGS[name]) for name in ("nothing", "line_max"))
        if not (folder / "dataset").exists():
            make(folder / "dataset", base, other, options.files, options.parts)
        found = measure(folder, base.recipe, options.repeat)
    finally:
        if not options.folder:
            shutil.rmtree(folder)
    print(
        json.dumps(found)
        if options.json
        else "\n".join(f"{key:<28}{value:>12}" for key, value in found.items())
    )


def make(folder: Path, base: LoadedRecipe, other: LoadedRecipe, files: int, parts: int) -> None:
    """Two dataset directories over the same facts, as far as the ledger, without content."""
    rng = np.random.default_rng(0)
    dataset, names = Dataset(Place(str(folder))), Names(parts)
    facts, tokens = all_facts(rng, files), []
    bounds = np.linspace(0, files, parts + 1).astype(int)
    ids = np.concatenate(
        [(part << 32) + np.arange(end - start) for part, (start, end) in enumerate(pairs(bounds))]
    )
    documents, measured, links = (
        Stage(name, place, name, parts)
        for name, place in (
            ("ingest", dataset.documents),
            ("measure", dataset.facts),
            ("link", dataset.links),
        )
    )
    for stage in (documents, measured, links):
        stage.begin()
    for part, (start, end) in enumerate(pairs(bounds)):
        batch = facts.slice(start, end - start).sort_by([("repo", "ascending"), ("path", "ascending")])
        tokens.append(batch.column("doc_id").combine_chunks())
        write_part(dataset, names, part, batch, rng)
    write_links(dataset, names, facts, ids, rng)
    record(documents, [names.part], parts)
    record(measured, [names.part, names.overlaps], parts)
    record(links, [partial(names.link, kind) for kind in ("exact", "edges", "buckets")], parts)
    finish(dataset, base)
    finish(Dataset(Place(str(twin(folder)))), other)
    dataset.documents.remove([names.part(part) for part in range(parts)])
    write_tokens(dataset, names, tokens, rng)


def twin(folder: Path) -> Path:
    """A second run over the same facts."""
    other = folder.with_name("changed")
    other.mkdir()
    for name in ("documents", "facts", "links"):
        (other / name).symlink_to(folder / name)
    return other


def finish(dataset: Dataset, loaded: LoadedRecipe) -> None:
    """The ledger of a recipe, and as much of a manifest as `diff` reads."""
    config, upstream = DecideConfig.of(loaded.recipe), Stored.open(dataset.place).upstream()
    section = config.contamination
    find_leaks(Engine(workers=1), dataset, leaks_stage(dataset, section, upstream), section)
    decide(Engine(workers=1), dataset, decide_stage(dataset, config, upstream), config)
    about = {"format": FORMAT, "recipe": describe_recipe(loaded)}
    dataset.place.write_bytes(MANIFEST, orjson.dumps(about))


def record(stage: Stage, outputs: Sequence[Callable[[int], str]], parts: int) -> None:
    """Say that a stage is finished."""
    for part in range(parts):
        stage.record(part, UnitRecord(tuple(name(part) for name in outputs), {}, {}))
    stage.commit()


def pairs(bounds: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))


def all_facts(rng: np.random.Generator, files: int) -> pa.Table:
    """Random facts of every file."""
    repo = (rng.zipf(1.3, files) % max(1, files // 30)).astype(np.int64)
    words = pa.array(WORDS)
    pieces = [words.take(pa.array(rng.integers(0, len(WORDS), files))) for _ in range(4)]
    numbers = pa.array(rng.integers(0, 1000, files)).cast(pa.string())
    path = pa.compute.binary_join_element_wise(*pieces, numbers, "/")
    language = pa.array(LANGUAGES).take(
        pa.array(np.minimum(rng.geometric(0.25, files) - 1, len(LANGUAGES) - 1))
    )
    path = pa.compute.binary_join_element_wise(path, language, ".")
    stars = rng.zipf(1.5, files).clip(0, 200_000)[repo % files] - 1
    size = rng.lognormal(8, 1.2, files).astype(np.int64)
    problem = pa.array(np.full(files, "binary"), pa.string(), mask=rng.random(files) > 0.005)
    columns = {
        "doc_id": binary(rng, files, 16), "content_hash": binary(rng, files, 32), "problem": problem,
        "repo": pa.compute.binary_join_element_wise(
            words.take(pa.array(repo % len(WORDS))), pa.array(repo).cast(pa.string()), "/"),
        "path": path, "language": language, "license": pa.array(np.where(repo % 3, "mit", None), pa.string()),
        "size": size, "stars": stars, "forks": stars // 7,
        "updated": pa.array(rng.integers(0, 2**40, files), pa.timestamp("us", "UTC")),
    }  # fmt: skip
    return pa.table(
        columns | signals(rng, size), schema=pa.schema([*(DOCUMENT.field(n) for n in columns), *SIGNALS])
    )


def signals(rng: np.random.Generator, size: np.ndarray) -> dict[str, np.ndarray]:
    """Random values for every signal; those that the rules read are like a real corpus's."""
    lines = np.maximum(size // 33, 1)
    files = len(size)
    found = {
        "bytes": size, "chars": size, "lines": lines, "line_mean": rng.lognormal(3.4, 0.4, files),
        "line_max": rng.lognormal(4.8, 0.9, files).astype(np.int64), "alnum_fraction": rng.beta(20, 11, files),
        "autogenerated": rng.random(files) < 0.02,
    }  # fmt: skip
    return {field.name: found.get(field.name, signal(rng, field.type, len(size))) for field in SIGNALS}


def signal(rng: np.random.Generator, kind: pa.DataType, files: int) -> np.ndarray:
    if pa.types.is_boolean(kind):
        return rng.random(files) < 0.02
    return (
        rng.random(files)
        if pa.types.is_floating(kind)
        else rng.integers(0, 1000, files).astype(kind.to_pandas_dtype())
    )


def binary(rng: np.random.Generator, files: int, width: int) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(width), files, [None, pa.py_buffer(rng.bytes(files * width))])


def write_part(dataset: Dataset, names: Names, part: int, batch: pa.Table, rng: np.random.Generator) -> None:
    """Documents without content, facts and overlaps of a part."""
    wanted = ("doc_id", "repo", "path", "language", "size", "content_hash")
    documents = batch.select(wanted).append_column("ref", pa.nulls(batch.num_rows, pa.string()))
    write_table(
        dataset.documents, names.part(part), documents.combine_chunks().to_batches(), documents.schema
    )
    write_table(dataset.facts, names.part(part), batch.combine_chunks().to_batches(), batch.schema)
    rows = np.flatnonzero(rng.random(batch.num_rows) < 0.001)
    matched, total = rng.integers(1, 20, len(rows)), rng.integers(20, 90, len(rows))
    grams = [np.arange(n, dtype=np.uint64).tolist() for n in matched]
    said = {"suite": "humaneval", "rule": "8-gram", "representation": "raw", "part": "solution"}
    numbers = {"matched": matched, "total": total, "coverage": matched / total, "longest": matched}
    columns = (
        {name: [text] * len(rows) for name, text in said.items()} | numbers | {"row": rows, "grams": grams}
    )
    columns |= {"task": [f"HumanEval/{n % 164}" for n in rows], "items": np.zeros(len(rows))}
    columns |= {name: np.full(len(rows), 10) for name in ("first_line", "last_line")}
    arrays = [pa.array(columns[field.name], field.type) for field in EVIDENCE]
    found = pa.RecordBatch.from_arrays(arrays, schema=EVIDENCE)
    write_table(dataset.facts, names.overlaps(part), [found], EVIDENCE)


def write_links(
    dataset: Dataset, names: Names, facts: pa.Table, ids: np.ndarray, rng: np.random.Generator
) -> None:
    """Groups of one to eight copies of a file for a fifth of all, and near edges for a tenth."""
    mixed = rng.permutation(ids)
    copied, near = mixed[: len(ids) // 4], mixed[len(ids) // 4 : len(ids) // 4 + len(ids) // 10]
    group = np.repeat(np.arange(len(copied)), 2 + rng.zipf(2, len(copied)).clip(0, 6))[: len(copied)]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    exact = {"row": copied, "representative": np.minimum.reduceat(copied, starts)[group - group[0]]}
    lead = np.concatenate([near, exact["representative"][: len(near) // 4]])
    ends = np.stack([lead, rng.permutation(lead)], axis=1)
    ends = ends[ends[:, 0] != ends[:, 1]]
    similarity = rng.uniform(0.7, 1, len(ends)).astype(np.float32)
    edges = {
        "left": ends.min(axis=1), "right": ends.max(axis=1), "similarity": similarity, "reverse": similarity,
    }  # fmt: skip
    for kind, columns, key, schema in (
        ("exact", exact, "representative", EXACT),
        ("edges", edges, "left", EDGE),
    ):
        order = np.argsort(columns[key], kind="stable")
        table = pa.RecordBatch.from_pydict({name: column[order] for name, column in columns.items()}, schema)
        for part, (start, end) in enumerate(pairs(np.linspace(0, len(order), names.count + 1).astype(int))):
            write_table(dataset.links, names.link(kind, part), [table.slice(start, end - start)], schema)
    for part in range(names.count):
        write_table(dataset.links, names.link("buckets", part), [], BUCKET)


def write_tokens(dataset: Dataset, names: Names, ids: list[pa.Array], rng: np.random.Generator) -> None:
    """Four tokens for every kept file."""
    for part, all_ids in enumerate(ids):
        kept = Stored.open(dataset.place).ledger(part, ["kept"]).column("kept")
        doc_ids = all_ids.filter(kept.combine_chunks())
        offsets = pa.array(np.arange(len(doc_ids) + 1) * 4, pa.int64())
        tokens = pa.LargeListArray.from_arrays(
            offsets, pa.array(rng.integers(0, 9, len(doc_ids) * 4).astype(np.uint16))
        )
        batch = pa.RecordBatch.from_arrays([doc_ids, tokens], schema=TOKENS)
        write_arrow(dataset.tokens, names.tokens(part), [batch], TOKENS)


def measure(folder: Path, base: Recipe, repeat: int) -> dict[str, float]:
    """Seconds per question, and bytes per file of the ledger."""
    place, other = (Place(str(folder / name)) for name in ("dataset", "changed"))
    found: dict[str, float] = {}
    for name, changes in KEPT_SETTINGS.items():
        changed = load_recipe("codex", changes).recipe
        result = what_if(place, base, changed)
        found["files"] = result.read.files
        wall, cpu = best(lambda changed=changed: what_if(place, base, changed), repeat)
        found[f"what-if {name}: s"], found[f"what-if {name}: CPU s"] = round(wall, 2), round(cpu, 2)
    recipes = {name: load_recipe(name).recipe for name in ("codex", "codegen", "codex-paper")}
    found["compare 3 recipes: s"] = round(best(lambda: compare(place, recipes), repeat)[0], 2)
    found["diff: s"] = round(best(lambda: diff(place, other), 1)[0], 2)
    found["diff, every change: s"] = round(
        best(lambda: sum(1 for _ in diff(place, other).changes()), 1)[0], 2
    )
    found["most memory: MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    ledger = place.child("ledger")
    size = sum(ledger.size(name) for name in ledger.names() if name.startswith("part-"))
    found["ledger bytes per file"] = round(size / found["files"], 1)
    return found


def best(work, repeat: int) -> tuple[float, float]:
    """The shortest wall-clock time and its CPU time."""
    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(times)


if __name__ == "__main__":
    main()
