"""Conformance of the presets: every rule against an oracle written from its published definition, file by file.

Writes two pages: ``docs/conformance.md``, the agreement on a sample of real files, and ``docs/presets.md``, every
rule of every preset with its source (made from the YAML files; no sample needed).

    python benchmarks/conformance.py --presets-page
    python benchmarks/conformance.py --input sample.parquet
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow.parquet as pq

from filters import Rule, load_preset, optional_rules, preset_names
from filters.rules import STATUSES
from sources.languages import canonical
from tests.conformance.agreement import ORACLES, Agreement, agreements, measured
from tests.conformance.explained import OWN, WITHOUT
from tests.conformance.files import File

DOCS = Path(__file__).resolve().parent.parent / "docs"
SHOWN = 2
ABOUT_PRESETS = """# Filter presets

Made from `filters/presets/*.yaml` by `python benchmarks/conformance.py --presets-page`; do not edit. A file is dropped
when a rule is true; with several true rules the first one in order is blamed. `thresher recipes NAME` prints the same
values for a recipe. What was left out or changed on purpose stands above each table; what differs from the published
programs is measured in [conformance.md](conformance.md).
"""
ABOUT_CONFORMANCE = """# Conformance

Made by `python benchmarks/conformance.py --input sample.parquet`; do not edit. Each rule of a preset whose definition
is public code is compared with an oracle: plain Python written from that definition (`tests/conformance/oracle_*.py`),
on the text itself. Rules with a probability are compared before the draw. *Compared* leaves out files on which the
published program has no verdict because it ends with an error (an empty file has no longest line), and languages that
an oracle does not cover.
"""


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(head: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines) + "\n"


def introduction(preset: str) -> str:
    """The comment at the head of a preset's file, as paragraphs."""
    text = (files("filters") / "presets" / f"{preset}.yaml").read_text(encoding="utf-8")
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        head.append(line.lstrip("#").strip())
    return "\n".join(head) + "\n"


def rule_rows(rules: Sequence[Rule]) -> Iterator[Sequence[object]]:
    for rule in rules:
        note = f" ({rule.note})" if rule.note else ""
        bugs = "; ".join(f"{name}: {value if value else 'none'}" for name, value in rule.compat)
        upstream = f" With `bug_compat`: {bugs}." if bugs else ""
        yield f"`{rule.name}`", f"`{rule}`", rule.status, f"{rule.source}{note}{upstream}"


def preset_page() -> str:
    """The page of all presets."""
    parts = [ABOUT_PRESETS, table(["Status", "Means"], iter(STATUSES.items()))]
    head = ["Rule", "Drops a file when", "Status", "Source and notes"]
    for preset in preset_names():
        parts += [f"## {preset}\n", introduction(preset), table(head, rule_rows(load_preset(preset).rules))]
        if optional_rules(preset):
            parts += ["Not applied:\n", table(head, rule_rows(optional_rules(preset)))]
    return "\n".join(parts)


def agreement_rows(preset: str, found: Sequence[Agreement]) -> Iterator[Sequence[object]]:
    for rule in found:
        share = f"{100 * rule.equal / rule.compared:.2f} %" if rule.compared else "-"
        differ = f"{len(rule.only_ours)} / {len(rule.only_theirs)}"
        yield (
            f"`{rule.rule}`",
            rule.compared,
            rule.ours,
            rule.theirs,
            share,
            differ if differ != "0 / 0" else "",
        )


def explanations(preset: str, found: Sequence[Agreement]) -> Iterator[str]:
    for rule in found:
        differing = [*rule.only_ours[:SHOWN], *rule.only_theirs[:SHOWN]]
        if differing:
            reason = OWN[preset, rule.rule].text if (preset, rule.rule) in OWN else "Not explained."
            examples = ", ".join(f"`{path}`" for path in differing[:SHOWN])
            yield f"- `{rule.rule}`: {reason} Examples: {examples}."


def conformance_page(sample: Sequence[File]) -> str:
    """The page of agreements on a sample; takes minutes, most of them Pygments."""
    facts = measured(sample)
    size = sum(len(file.text.encode()) for file in sample) / 1e6
    parts = [ABOUT_CONFORMANCE, f"Sample: {len(sample):,} files of GitHub, {size:.1f} MB.\n"]
    head = ["Rule", "Compared", "Dropped, ours", "Dropped, oracle", "Equal", "Only ours / only oracle"]
    for preset in ORACLES:
        found = agreements(preset, sample, facts)
        print(preset, sum(rule.compared - rule.equal for rule in found), "verdicts differ", file=sys.stderr)
        parts += [
            f"## {preset}\n",
            table(head, agreement_rows(preset, found)),
            "\n".join(explanations(preset, found)),
        ]
        left = [f"`{rule}` ({why})" for (name, rule), why in WITHOUT.items() if name == preset]
        parts.append(f"Not compared: {'; '.join(left)}.\n")
    return "\n".join(parts)


def read_sample(path: Path) -> list[File]:
    rows = pq.read_table(path, columns=["content", "path", "language"]).to_pylist()
    return [File(row["content"], row["path"], canonical(row["language"])) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, help="Parquet file with content, path and language")
    parser.add_argument("--presets-page", action="store_true", help="write docs/presets.md")
    asked = parser.parse_args()
    if asked.presets_page:
        (DOCS / "presets.md").write_text(preset_page(), encoding="utf-8")
    if asked.input:
        (DOCS / "conformance.md").write_text(conformance_page(read_sample(asked.input)), encoding="utf-8")


if __name__ == "__main__":
    main()
