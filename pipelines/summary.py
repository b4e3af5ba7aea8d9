"""Summary: a dataset's funnel and totals, as plain data and as tables (``thresher inspect``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table
from rich.text import Text

from columns.files import Place
from pipelines.finished import Finished
from pipelines.wording import (
    LEAK_ACTIONS,
    count,
    counted,
    plain,
    problem,
    share,
    size,
    skipped,
    some,
    step_meaning,
    step_title,
)  # fmt: skip

MANY_RULES, IDLE_NAMED = 20, 5
FACTS = ("rows", "reused", "moved", "measured")
COLOURS = {"published": "green", "de-facto": "yellow", "unverified": "red", "ours": "cyan"}


def summarise(place: Place) -> dict[str, Any]:
    """Funnel, totals, tokens, shards and problems of a finished dataset, from its manifest.

    ``facts`` is how many files' facts were measured or reused, as the stage counted.

    Raises `OutputError` when the place holds no dataset.
    """
    dataset = Finished.open(place)
    funnel = list(dataset.section("funnel") or [])
    first, last = (funnel[0], funnel[-1]) if funnel else ({}, {})
    shards = list(dataset.section("shards") or [])
    return {
        "recipe": dataset.section("recipe", "name") or "",
        "files": {"read": first.get("files", 0), "kept": last.get("files", 0)},
        "bytes": {"read": first.get("bytes", 0), "kept": last.get("bytes", 0)},
        "funnel": funnel,
        "dedup": {"near": bool(dataset.section("recipe", "dedup", "near")), **_without_curve(dataset)},
        "facts": {name: number for name, number in dataset.counted("facts").items() if name in FACTS},
        "contamination": dict(dataset.section("contamination")),
        "tokens": dict(dataset.section("tokens")),
        "tokenizer": dict(dataset.section("tokenizer")),
        "shards": {
            "count": len(shards),
            "rows": sum(shard["rows"] for shard in shards),
            "bytes": sum(shard["bytes"] for shard in shards),
        },
        "licenses": dict(dataset.section("licenses")),
        "privacy": dict(dataset.section("privacy")),
        "problems": dict(dataset.section("documents", "problems")),
        "skipped": dict(dataset.section("documents", "skipped")),
        "fingerprints": dict(dataset.section("fingerprints")),
    }


def _without_curve(dataset: Finished) -> dict[str, Any]:
    return {key: value for key, value in dataset.section("dedup").items() if key != "curve"}


def fold(funnel: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The steps of a funnel to show, and the rules to name only: with many rules, those that removed nothing.

    >>> steps = [{"rule": f"r{i}", "removed_files": i // 20} for i in range(22)]
    >>> [len(steps) for steps in fold(steps)], len(fold(steps[1:21])[1])
    ([2, 20], 0)
    """
    rules = [step for step in funnel if not step_meaning(step["rule"])]
    idle = [step for step in rules if not step["removed_files"]] if len(rules) > MANY_RULES else []
    return [step for step in funnel if step not in idle], idle


def example_file(place: Place) -> str:
    """The path of one file that a rule dropped (else of a kept one), to try ``explain`` on; may be empty."""
    dataset = Finished.open(place)
    kept = ""
    for part in dataset.parts():
        ledger = dataset.ledger(part, ["path", "rule", "keeper", "size"]).sort_by([("size", "ascending")])
        ledger = ledger.filter(pc.match_substring_regex(ledger.column("path"), r"^[\w./-]+$"))
        for rule in ("near_duplicate", *(rule.name for rule in dataset.rules()), "exact_duplicate"):
            found = ledger.filter(pc.equal(ledger.column("rule"), rule)).column("path")
            if len(found):
                return str(found[0].as_py())
        kept = kept or next((str(path) for path in ledger.column("path").to_pylist()), "")
    return kept


def render(summary: dict[str, Any], console: Console) -> None:
    """Print a summary; fits 80 columns."""
    shown, idle = fold(summary["funnel"])
    console.print(_funnel(shown))
    if idle:
        names = some([plain(step["rule"]) for step in idle], IDLE_NAMED)
        console.print(Text(f"{counted(len(idle), 'rule')} removed nothing: {names} (--json has all)", "dim"))
    console.print(_totals(summary))
    render_left(summary, console)


def render_left(summary: Mapping[str, Any], console: Console) -> None:
    """Print what could not be read and what was left out, each with its number and its reason in words."""
    for name, number in sorted(summary["problems"].items()):
        said = f"{plain(name)}: {counted(number, 'file')}, {problem(name)}"
        console.print(Text.assemble(("problem    ", "yellow"), said))
    for name, number in sorted(summary["skipped"].items()):
        console.print(
            Text.assemble(("left out   ", "yellow"), f"{plain(name)}: {count(number)}, {skipped(name)}")
        )


def _funnel(steps: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("rule", overflow="fold")
    table.add_column("status", no_wrap=True)
    for name in ("files", "bytes", "removed", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for step in steps:
        removed, came = step["removed_files"], step["files"] + step["removed_files"]
        status = Text(step["status"], COLOURS.get(step["status"], ""))
        gone = (f"−{count(removed)}", share(removed, came)) if removed else ("", "")
        table.add_row(
            Text(plain(step_title(step["rule"]))), status, count(step["files"]), size(step["bytes"]), *gone
        )
    return table


def _totals(summary: dict[str, Any]) -> Text:
    files, volume, tokens, shards = (summary[key] for key in ("files", "bytes", "tokens", "shards"))
    produced, written = (count(tokens.get(key, 0)) for key in ("produced", "written"))
    lines = [
        ("kept", f"{count(files['kept'])} of {counted(files['read'], 'file')}, {_sizes(volume)}"),
        ("tokens", f"{written} written = {produced} produced{_dropped(tokens)}"),
        ("produced", _splits(tokens) or "none"),
        ("languages", _first(tokens.get("by_language", {}))),
        ("shards", f"{count(shards['count'])}, {counted(shards['rows'], 'row')}, {size(shards['bytes'])}"),
        ("benchmarks", _benchmarks(summary["contamination"])),
    ]
    lines += [("near-dups", _near(summary["dedup"]))] if _has_near(summary["dedup"]) else []
    lines += [("known", _known(summary["dedup"]["against"]))] if summary["dedup"].get("against") else []
    lines += [("cuts", _copies(summary["dedup"]["cuts"]))] if summary["dedup"].get("cuts") else []
    lines += [("reused", _reused(summary["facts"]))] if _has_reused(summary["facts"]) else []
    lines += [("licences", _licenses(summary["licenses"]))] if summary["licenses"] else []
    lines += [("private", _private(summary["privacy"]))] if summary["privacy"] else []
    return Text("\n").join(
        [Text(""), *(Text.assemble((f"{name:<11}", "bold"), said) for name, said in lines)]
    )


def _sizes(volume: dict[str, int]) -> str:
    return f"{size(volume['kept'])} of {size(volume['read'])}"


def _dropped(tokens: dict[str, Any]) -> str:
    return "".join(
        f" − {count(number)} {plain(rule)}" for rule, number in sorted(tokens.get("dropped", {}).items())
    )


def _splits(tokens: dict[str, Any]) -> str:
    return ", ".join(
        f"{plain(name)} {count(number)}" for name, number in sorted(tokens.get("by_split", {}).items())
    )


def _first(languages: dict[str, int], most: int = 5) -> str:
    ranked = sorted(languages.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{plain(name or 'unknown')} {count(number)}" for name, number in ranked[:most])
    return f"{said}, and {count(len(ranked) - most)} more" if len(ranked) > most else said or "none"


def _benchmarks(contamination: dict[str, Any]) -> str:
    suites = ", ".join(plain(name) for name in sorted(contamination.get("suites", {}))) or "none"
    if suites == "none":
        return "none checked"
    hits, actions = contamination.get("files", 0), contamination.get("actions", {})
    done = ", ".join(f"{count(number)} {LEAK_ACTIONS[name]}" for name, number in actions.items())
    said = f"{suites}; {counted(hits, 'file holds', 'files hold')} a task"
    return f"{said}: {done}" if done else said


def _has_near(found: Mapping[str, Any]) -> bool:
    return bool(found["near"]) and "candidates" in found


def _near(found: Mapping[str, Any]) -> str:
    """Pairs, chains and over-full buckets."""
    checked = "none" if found.get("verify") == "none" else count(found["edges"])
    full = found.get("buckets_capped", 0) + found.get("insides_capped", 0)
    said = [f"{counted(found['candidates'], 'pair')} compared, {checked} verified", *_chains(found)]
    return "; ".join([*said, *([counted(full, "over-full bucket")] if full else [])])


def _chains(found: Mapping[str, Any]) -> list[str]:
    chains = found.get("chains") or {}
    if not chains.get("largest"):
        return []
    members, noun = chains["largest"][0]["members"], ("file", "files")
    if found.get("unit") == "repository":
        noun = ("repository", "repositories")
    return [f"{counted(chains['chains'], 'chain')}, largest {counted(members, *noun)}"]


def _known(found: Mapping[str, Any]) -> str:
    names = some([plain(corpus["name"]) for corpus in found.get("corpora", ())], 2)
    return f"{count(found.get('exact', 0))} equal, {count(found.get('near', 0))} similar to a file of {names}"


def _copies(found: Mapping[str, int]) -> str:
    listed = sum(number for name, number in found.items() if name.startswith("found."))
    cut = f"{count(found.get('applied', 0))} cut out of {counted(found.get('files', 0), 'file')}"
    return f"{counted(listed, 'span')} found, {cut}"


def _has_reused(found: Mapping[str, int]) -> bool:
    return bool(found.get("reused") or found.get("moved"))


def _reused(found: Mapping[str, int]) -> str:
    """Files whose facts an older dataset had, wholly or but for what reads the path."""
    moved = f", {count(found['moved'])} more in part" if found.get("moved") else ""
    every = counted(found["rows"], "file's facts", "files' facts")
    return f"{count(found['reused'])} of {every}{moved}, measured {count(found['measured'])}"


def _licenses(found: Mapping[str, Any]) -> str:
    conflicts = counted(found.get("conflict", 0), "conflict")
    return (
        f"{count(found.get('known', 0))} known, {count(found.get('permissive', 0))} permissive, {conflicts}"
    )


def _private(found: Mapping[str, Any]) -> str:
    kinds = sorted(found.get("redacted", {}).items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{plain(kind)} {count(number)}" for kind, number in kinds)
    return f"{counted(found.get('found', 0), 'find')}; redacted in the shards: {said or 'none'}"
