"""The page: what was gathered, put into words and rendered as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from columns.files import Place
from contamination.planting import LEVELS
from pipelines import wording
from pipelines.card import recalls
from pipelines.finished import Finished, Identity, OwnRule, Rule
from pipelines.report.charts import SLIM, WIDTH, Bar, bars_chart, funnel_chart
from pipelines.report.gather import NEAR, UNREADABLE, Example, Gathered, gather
from pipelines.report.histograms import histograms, undrawn
from pipelines.report.near import copied_view, near_view
from pipelines.report.pairs import chained_pair, replaced_pair
from pipelines.summary import fold

EXCERPT_CHARS, EXCERPT_LINES, LINE_CHARS = 20_000, 12, 160
MOST_OPEN, MOST_BARS = 12, 12
TOLD = frozenset({"name", "about", "filters.rules", "filters.add", "filters.own", "filters.own_rules"})


def write_report(place: Place) -> None:
    """Write ``report.html`` into a finished dataset; `OutputError` when the place holds none.

    Reads the facts twice, the ledger four times and the contents of the files shown; memory holds one part.
    """
    place.write_bytes("report.html", render_report(Finished.open(place)).encode())


def render_report(dataset: Finished) -> str:
    """The page's HTML: the same dataset gives the same bytes."""
    style = (resources.files("pipelines.report") / "page.css").read_text("utf-8")
    found = gather(dataset, EXCERPT_CHARS)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    shown, idle = fold(dataset.section("funnel") or [])
    drawn = histograms(dataset)
    view = {
        "style": Markup(style), "style_hash": digest, "m": dataset.manifest, "found": found,
        "funnel": shown, "idle": idle, "chart": funnel_picture(shown, WIDTH), "slim": funnel_picture(shown, SLIM),
        "totals": totals(dataset),
        "steps": list(_steps(dataset, found)), "histograms": drawn, "undrawn": undrawn(dataset, drawn),
        "near": near_view(dataset), "copied": copied_view(dataset), "against": dataset.section("dedup", "against"),
        "pair": replaced_pair(found), "apart": chained_pair(found),
        "licenses": dataset.section("licenses"), "privacy": dataset.section("privacy"),
        "most_open": MOST_OPEN, **_license_charts(dataset), **_privacy_chart(dataset),
        "tokens": _tokens(dataset), "values": list(recipe_values(dataset)),
        "problems": sorted(dataset.section("documents", "problems").items(), key=lambda item: (-item[1], item[0])),
        "skipped": sorted(dataset.section("documents", "skipped").items(), key=lambda item: (-item[1], item[0])),
        "unreadable": found.examples.get(UNREADABLE, []), "recipe": dataset.section("recipe"),
        "test_levels": LEVELS,
        "recalls": list(recalls(dataset.section("contamination", "selftest"))),
        "leak_actions": wording.LEAK_ACTIONS,
        "tasks": sorted(dataset.section("contamination", "tasks").items(), key=lambda item: (-item[1], item[0])),
    }  # fmt: skip
    return _template().render(view)


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "plain": wording.plain, "count": wording.count, "size": wording.size, "measured": wording.measured,
        "title": wording.step_title, "meaning": wording.step_meaning, "named": named,
    }  # fmt: skip
    environment.filters |= {"problem": wording.problem, "left_out": wording.skipped}
    environment.globals |= {"share": wording.share, "counted": wording.counted}
    return environment.from_string((resources.files("pipelines.report") / "page.html.j2").read_text("utf-8"))


def named(identity: Identity) -> str:
    """A file's name for people: repository and path, harmless to show."""
    path = wording.plain(identity.path or identity.doc_id.hex())
    return f"{wording.plain(identity.repo)} : {path}" if identity.repo else path


def totals(dataset: Finished) -> dict[str, Any]:
    """The figures of the header."""
    funnel = dataset.section("funnel") or [{"files": 0, "bytes": 0}]
    first, last = funnel[0], funnel[-1]
    return {
        "files": first["files"], "bytes": first["bytes"], "kept": last["files"], "kept_bytes": last["bytes"],
        "tokens": dataset.section("tokens", "written") or 0, "shards": len(dataset.section("shards") or []),
    }  # fmt: skip


def funnel_picture(steps: Sequence[Mapping[str, Any]], width: int) -> Markup:
    """The funnel in files."""
    bars = []
    for step in steps:
        removed = step["removed_files"]
        said = (
            f"−{wording.count(removed)}"
            if removed
            else wording.count(step["files"])
            if step["rule"] == "read"
            else "–"
        )
        bars.append(Bar(wording.step_title(step["rule"]), step["files"], step["files"] + removed, said))
    return funnel_chart(bars, "Files that remain after each rule", width)


def _steps(dataset: Finished, found: Gathered) -> Iterator[dict[str, Any]]:
    every: list[Rule | OwnRule] = [*dataset.rules(), *dataset.own_rules()]
    rules = {rule.name: rule for rule in every}
    for step in dataset.section("funnel") or []:
        if step["removed_files"]:
            rule = rules.get(step["rule"])
            examples = [_shown(example, rule, found) for example in found.examples.get(step["rule"], [])]
            source = f"{rule.file}, version {rule.version}" if isinstance(rule, OwnRule) else ""
            yield {"step": step, "rule": rule, "when": _when(rule), "examples": examples, "own": source}


def _when(rule: Rule | OwnRule | None) -> str:
    if isinstance(rule, OwnRule):
        return rule.about
    return wording.drops_files(rule) if rule else ""


def _shown(example: Example, rule: Rule | OwnRule | None, found: Gathered) -> dict[str, Any]:
    """An example for the page. A file with a benchmark task or a secret in it is named, its text is never shown."""
    private = example.identity.row in found.private
    hidden = (
        "it holds a benchmark task"
        if example.tasks
        else "it holds secrets or personal data"
        if private
        else ""
    )
    text = "" if hidden else found.texts.get(example.identity.row, "")
    return {"name": named(example.identity), "size": example.identity.size or 0, "why": _why(example, rule, found),
            "lines": excerpt(text), "hidden": hidden}  # fmt: skip


def _why(example: Example, rule: Rule | OwnRule | None, found: Gathered) -> str:
    if rule is not None:
        read = rule.reads if isinstance(rule, OwnRule) else [rule.signal]
        said = ", ".join(f"{name} {wording.measured(example.facts.get(name))}" for name in read)
        if isinstance(rule, OwnRule):
            return said
        when = wording.drops_when(rule.op, None if rule.table else rule.value)
        return f"{said}; the rule drops {rule.signal} {when}"
    keeper = found.keepers.get(example.keeper) if example.keeper else None
    if keeper is not None:
        how = (
            f"similarity {example.similarity:.3f} to"
            if example.rule == NEAR and example.similarity
            else "same text as"
        )
        return f"{how} {named(keeper)}"
    if example.tasks:
        return f"contains {', '.join(wording.plain(task) for task in example.tasks[:4])}"
    return wording.plain(str(example.facts.get("problem") or ""))


def excerpt(text: str, lines: int = EXCERPT_LINES, width: int = LINE_CHARS) -> list[str]:
    """The first lines of a text, each cut to a width and harmless to show."""
    found = wording.plain(text, lines=True).split("\n")
    shown = [line if len(line) <= width else f"{line[:width]} … (cut)" for line in found[:lines]]
    return [*shown, "…"] if len(found) > lines else shown


def _license_charts(dataset: Finished) -> dict[str, Any]:
    found = dataset.section("licenses")
    top = [(wording.plain(name), number) for name, number in found.get("top", ())]
    sources = sorted(found.get("from", {}).items(), key=lambda item: (-item[1], item[0]))
    said = [(wording.plain(name), number) for name, number in sources]
    return {"license_charts": {"top": bars_chart(top[:MOST_BARS], "Files by licence"),
                               "source": bars_chart(said, "Files by who states their licence")}}  # fmt: skip


def _privacy_chart(dataset: Finished) -> dict[str, Any]:
    kinds = sorted(dataset.section("privacy", "redacted").items(), key=lambda item: (-item[1], item[0]))
    rows = [(wording.plain(kind), number) for kind, number in kinds]
    return {
        "redacted": sum(number for _, number in kinds),
        "redacted_chart": bars_chart(rows, "Replaced in the shards, by kind"),
    }


def _tokens(dataset: Finished) -> dict[str, Markup]:
    found = {}
    for name, title in (("by_language", "Tokens per language"), ("by_split", "Tokens per split")):
        rows = sorted(dataset.section("tokens", name).items(), key=lambda item: (-item[1], item[0]))
        rest = sum(value for _, value in rows[15:])
        shown = [*rows[:15], ("all others", rest)] if rest else rows[:15]
        found[name] = bars_chart([(wording.plain(key or "unknown"), value) for key, value in shown], title)
    return found


def recipe_values(dataset: Finished) -> Iterator[dict[str, str]]:
    """Every value of the recipe, flat, with its status and source where the recipe states them."""
    for rule in dataset.rules():
        yield {"key": f"filters.{rule.name}", "value": _when(rule), "status": rule.status, "source": rule.source,
               "note": rule.note}  # fmt: skip
    for own in dataset.own_rules():
        yield {"key": f"filters.{own.name}", "value": own.about, "status": "ours", "note": "",
               "source": f"{own.file}, version {own.version}"}  # fmt: skip
    for key, value in sorted(_leaves(dataset.section("recipe"), "")):
        if not key.startswith("notes.") and key not in TOLD:
            status, source = dataset.note(key)
            yield {"key": key, "value": value, "status": status, "source": source, "note": ""}


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        yield prefix, ", ".join(map(str, value)) or "none"
    else:
        yield (
            prefix,
            "yes"
            if value is True
            else "no"
            if value is False
            else "none"
            if value in (None, {})
            else str(value),
        )
