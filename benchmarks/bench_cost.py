"""The cost model beside builds: CPU seconds and shuffled bytes of each stage, predicted from a sample and measured.

Caveats first. CPU seconds of one machine, as its load and clock let them be; the model's rounds, starts and prices are
arithmetic that nothing here measures. A smaller input is every n-th row of the file, so it has fewer copies than the
whole. The sample is a sixteenth and not a thousandth: the file is small.

    python benchmarks/bench_cost.py --input sample.parquet --json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from columns.files import Place
from pipelines.build import BuildOptions
from pipelines.cost import JobCost, Meter, grown
from pipelines.engine import Engine
from pipelines.metered import MeteredBuild, MeteredEngine
from pipelines.progress import Display
from pipelines.recipe import load_recipe

SHARES = (0.125, 0.25, 0.5, 1.0)
SAMPLE = 0.0625


def measured(source: Path, recipe: str, folder: Path) -> list[JobCost]:
    """Build a dataset; what each job took."""
    meter = Meter()
    engine = MeteredEngine.of(Engine(workers=1), meter)
    options = BuildOptions((str(source),), Place(str(folder)))
    loaded = load_recipe(recipe, ["guard.share=1.0"])
    MeteredBuild(loaded, options, engine, Display(Console(), quiet=True), meter=meter).run()
    return meter.jobs


def stages(jobs: list[JobCost]) -> dict[str, tuple[float, float]]:
    """CPU seconds and shuffled bytes by stage."""
    found: dict[str, tuple[float, float]] = {}
    for job in jobs:
        cpu, shuffled = found.get(job.stage, (0.0, 0.0))
        found[job.stage] = (cpu + job.cpu_seconds, shuffled + job.shuffled)
    return found


def cut(table: pa.Table, share: float, folder: Path) -> Path:
    """A share of the rows, spread evenly over the table."""
    rows = max(1, round(table.num_rows * share))
    chosen = table.take(pa.array([at * table.num_rows // rows for at in range(rows)]))
    path = folder / f"{share}.parquet"
    pq.write_table(chosen, path, row_group_size=max(1, rows // 8))
    return path


def compared(source: Path, recipe: str, limit: int | None = None) -> dict[str, object]:
    """Predict each size from the smallest, build it, and set both beside each other."""
    table = pq.read_table(source)
    if limit:
        table = table.slice(0, limit)
    with tempfile.TemporaryDirectory(prefix="thresher-cost-") as name:
        folder = Path(name)
        measured(cut(table, SAMPLE, folder), recipe, folder / "warm")
        sample = measured(cut(table, SAMPLE, folder), recipe, folder / "sample")
        rows = []
        for share in SHARES:
            real = stages(measured(cut(table, share, folder), recipe, folder / f"set{share}"))
            guessed = stages(grown(sample, share / SAMPLE, 1, 1))
            rows += [
                {
                    "share": share, "stage": stage, "cpu_predicted": guessed[stage][0], "cpu_measured": real[stage][0],
                    "shuffled_predicted": guessed[stage][1], "shuffled_measured": real[stage][1],
                }
                for stage in real
            ]  # fmt: skip
    return {"files": table.num_rows, "bytes": table.nbytes, "recipe": recipe, "sample": SAMPLE, "rows": rows}


def shown(found: dict[str, object]) -> str:
    """The comparison as a table for the page: predicted / measured, by stage and size."""
    rows = found["rows"]
    assert isinstance(rows, list)
    names = list(dict.fromkeys(row["stage"] for row in rows))
    lines = [
        "| stage | " + " | ".join(f"{share:g} of it" for share in SHARES) + " |",
        "|---|" + "---|" * len(SHARES),
    ]
    for name in [*names, "together"]:
        cells = []
        for share in SHARES:
            chosen = [row for row in rows if row["share"] == share and name in (row["stage"], "together")]
            predicted, real = (
                sum(row[f"cpu_{kind}"] for row in chosen) for kind in ("predicted", "measured")
            )
            cells.append(f"{predicted:.1f} / {real:.1f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for share in SHARES:
        chosen = [row for row in rows if row["share"] == share]
        predicted, real = (
            sum(row[f"shuffled_{kind}"] for row in chosen) for kind in ("predicted", "measured")
        )
        lines.append(f"shuffled, {share:g} of it: {predicted / 1e6:.1f} / {real / 1e6:.1f} MB")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", type=Path, required=True, help="a Parquet file of source code")
    parser.add_argument("--recipe", default="codex")
    parser.add_argument("--rows", type=int, help="take only so many rows of the file")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = compared(args.input, args.recipe, args.rows)
    sys.stdout.write((json.dumps(found, default=dataclasses.asdict) if args.json else shown(found)) + "\n")


if __name__ == "__main__":
    main()
