"""Families of facts: what each costs, as the job measures them. MB of text per CPU second, parser processes included.

Caveats: batches of 8 MB, one thread; ``syntax`` starts one parser process, whose start counts. Families read only what
concerns them: ``html`` skips every file that is not HTML, ``licenses`` reads heads. The first run of each, which
compiles or loads kernels, is not counted. The last line is everything that the preset ``opencoder`` needs of Python
files, its rules applied.

    python benchmarks/bench_families.py --input sample.parquet
"""

from __future__ import annotations

import argparse
import json
import resource

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import rebatch
from columns.document import typed_column
from filters import failed
from pipelines.families import FAMILIES, FamilyConfig, joined_facts
from pipelines.recipe import load_recipe
from sources import IngestConfig, parse_spec, read_unit
from syntax import SyntaxConfig
from syntax.sandbox import sandbox


def documents(spec: str) -> list[pa.RecordBatch]:
    """The documents of an input, in batches of 8 MB."""
    config, batches = IngestConfig(), []
    for unit in parse_spec(spec).units(config).units:
        batches += list(read_unit(unit, config, batch_bytes=8 << 20, skipped={}))
    return list(rebatch(batches))


def cpu_seconds() -> float:
    """User and system time of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(name: str, batches: list[pa.RecordBatch], repeat: int) -> float:
    """CPU seconds of one family over all batches, the median of some runs."""
    config, taken = FamilyConfig((name,)), []
    FAMILIES[name].measure(batches[0].slice(0, 20), config)
    sandbox(SyntaxConfig().limits).close()
    for _ in range(repeat):
        start = cpu_seconds()
        for batch in batches:
            FAMILIES[name].measure(batch, config)
        sandbox(SyntaxConfig().limits).close()
        taken.append(cpu_seconds() - start)
    return float(np.median(taken))


def whole_preset(batches: list[pa.RecordBatch]) -> float:
    """CPU seconds of all families of OpenCoder's rules, and of the rules."""
    recipe = load_recipe("opencoder").recipe
    config, rules = recipe.families(), recipe.rules()

    def decide(batch: pa.RecordBatch) -> None:
        facts = joined_facts(batch, config)
        columns = {name: batch.column(name) for name in ("language", "content_hash")}
        columns |= dict(zip(facts.schema.names, facts.columns, strict=True))
        failed(pa.RecordBatch.from_pydict(columns), rules)

    decide(batches[0].slice(0, 20))
    sandbox(SyntaxConfig().limits).close()
    start = cpu_seconds()
    for batch in batches:
        decide(batch)
    sandbox(SyntaxConfig().limits).close()
    return cpu_seconds() - start


def of_language(batches: list[pa.RecordBatch], language: str) -> list[pa.RecordBatch]:
    """The documents of one language."""
    return [batch.filter(pc.equal(batch.column("language"), language)) for batch in batches]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", required=True, help="source code: Parquet, a folder, …")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    batches = documents(asked.input)
    megabytes = sum(typed_column(batch, "content").nbytes for batch in batches) / 1e6
    for name in [name for name in FAMILIES if name != "tokens"]:
        seconds = measured(name, batches, 2 if name == "syntax" else asked.repeat)
        found = {"family": name, "facts": len(FAMILIES[name].schema), "mb_per_cpu_s": megabytes / seconds}
        print(
            json.dumps(found)
            if asked.json
            else f"{name:12} {found['facts']:3} facts {found['mb_per_cpu_s']:8.1f} MB/s"
        )
    python = of_language(batches, "python")
    seconds = whole_preset(python)
    megabytes = sum(typed_column(batch, "content").nbytes for batch in python) / 1e6
    found = {"preset": "opencoder", "language": "python", "mb_per_cpu_s": megabytes / seconds}
    print(json.dumps(found) if asked.json else f"opencoder, python files: {found['mb_per_cpu_s']:.2f} MB/s")


if __name__ == "__main__":
    main()
