"""Story: everything a dataset knows about one file, and why it was kept or dropped (``thresher explain``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from columns.files import PartName, Place
from columns.tables import read_arrow
from pipelines.applied import Applied, apply_rules, facts_of, read_by_rules, verdict
from pipelines.cutting import Cut, cut_sections, cuts_of
from pipelines.finished import Finished
from pipelines.lookup import LISTED, FileName, find
from pipelines.overlapping import Overlap, overlap_lines, overlaps_of
from pipelines.wording import cited, count, counted, measured, plain, problem, size, some

LICENSE = "license_"
COLOURS = {
    "fails": "red", "dropped by chance": "red", "spared by chance": "yellow", "passes": "green", "not measured": "dim"
}  # fmt: skip
_SHOWN_ELSEWHERE = frozenset({"doc_id", "content_hash", "repo", "ref", "path", "language", "size", "problem"})
_VALUE_CHARS = 24


@dataclass(frozen=True)
class Twin:
    """Another file with the same or similar text."""

    file: FileName
    similarity: float
    kept: bool


@dataclass(frozen=True)
class Segment:
    """Where some of the file's tokens are: tokens ``offset`` onwards start at ``start`` in a shard's row."""

    shard: str
    row: int
    start: int
    length: int
    offset: int


@dataclass(frozen=True)
class Find:
    """A secret or a piece of personal data, by kind and place; never what stands there."""

    kind: str
    line: int
    start: int
    end: int


@dataclass(frozen=True)
class Story:
    """One file's whole story, as plain data.

    ``rules`` are those that are for this file, failing ones first, ``rules_elsewhere`` the names of the others;
    ``other_facts`` the facts that no rule reads; ``redactions`` are replaced in the shards, ``unredacted`` are not.
    ``license`` is none where licences were not found out.
    """

    file: FileName
    ref: str
    language: str
    size: int
    content_hash: str
    problem: str
    kept: bool
    rule: str
    split: str
    verdict: str
    rules: tuple[Applied, ...]
    rules_elsewhere: tuple[str, ...]
    facts: Mapping[str, Any]
    other_facts: tuple[str, ...]
    license: Mapping[str, Any] | None
    redactions: tuple[Find, ...]
    unredacted: tuple[Find, ...]
    cuts: tuple[Cut, ...]
    keeper: FileName | None
    similarity: float | None
    exact: tuple[Twin, ...]
    near: tuple[Twin, ...]
    overlaps: tuple[Overlap, ...]
    tokens: tuple[Segment, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return dataclasses.asdict(self)


def tell(place: Place, file: str) -> Story:
    """The story of the file that ``file`` names: a path, the end of a path, ``repo:path`` or a doc id in hex.

    Raises `OutputError` when no file or more than one has that name; the hint lists near matches.
    Costs one pass over the ledger's names and the links; of a kept file also over the shards' spans.
    """
    dataset = Finished.open(place)
    number = find(dataset, file)
    part = next(part for part in dataset.parts() if part.index == number >> 32)
    row = pa.array([number & 0xFFFFFFFF])
    decision = dataset.ledger(part).take(row).to_pylist()[0]
    table = dataset.facts(part).take(row)
    facts, rules = facts_of(table), apply_rules(dataset, table, decision)
    identity = dataset.by_row([number])[number]
    keeper = dataset.by_doc_id([decision["keeper"]]).get(decision["keeper"]) if decision["keeper"] else None
    overlaps = overlaps_of(dataset, part, row[0].as_py())
    redacted, left = _finds(dataset, part, row[0].as_py())
    kept, problem = bool(decision["kept"]), facts.get("problem") or ""
    read = read_by_rules(dataset)
    return Story(
        file=FileName.of(identity), ref=identity.ref or "", language=identity.language or "", size=identity.size or 0,
        content_hash=(decision["content_hash"] or b"").hex(), problem=problem, kept=kept,
        rule=decision["rule"] or "", split=decision["split"] or "", rules=rules.rules,
        rules_elsewhere=rules.elsewhere, facts=facts, other_facts=tuple(name for name in facts if name not in read),
        license=_license(facts), redactions=redacted, unredacted=left, cuts=cuts_of(dataset, part, row[0].as_py()),
        verdict=verdict(decision, rules.rules, facts, keeper), keeper=FileName.of(keeper) if keeper else None,
        similarity=decision["similarity"], exact=_exact(dataset, number), near=_near(dataset, number),
        overlaps=overlaps, tokens=tuple(_tokens(dataset, decision["doc_id"], decision["split"])) if kept else (),
    )  # fmt: skip


def _license(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    wanted = ("id", "from", "evidence", "known", "permissive", "conflict", "others")
    found = {name: facts[LICENSE + name] for name in wanted if LICENSE + name in facts}
    return found if "id" in found else None


def _finds(dataset: Finished, part: PartName, row: int) -> tuple[tuple[Find, ...], tuple[Find, ...]]:
    """What was found in a file: what is replaced in the shards, and what is not."""
    redacted, every = (_finds_of(table, row) for table in (dataset.redactions(part), dataset.spans(part)))
    return redacted, tuple(one for one in every if one not in redacted)


def _finds_of(table: pa.Table | None, row: int) -> tuple[Find, ...]:
    if table is None:
        return ()
    mine = table.filter(pc.equal(table.column("row"), row)).select(["kind", "line", "start", "end"])
    return tuple(Find(**line) for line in mine.to_pylist())


def _exact(dataset: Finished, number: int) -> tuple[Twin, ...]:
    for table in dataset.links("exact"):
        mine = table.filter(pc.equal(table.column("row"), number)).column("representative")
        if len(mine):
            group = table.filter(pc.equal(table.column("representative"), mine[0])).column("row").to_pylist()
            return _twins(dataset, {row: 1.0 for row in group if row != number})
    return ()


def _near(dataset: Finished, number: int) -> tuple[Twin, ...]:
    found: dict[int, float] = {}
    stander = _stander(dataset, number)
    for table in dataset.links("edges"):
        for edge in table.filter(pc.equal(table.column("left"), stander)).to_pylist():
            found[edge["right"]] = edge["similarity"]
        for edge in table.filter(pc.equal(table.column("right"), stander)).to_pylist():
            found[edge["left"]] = edge["reverse"]
    return _twins(dataset, found)


def _stander(dataset: Finished, number: int) -> int:
    """The row that edges name for a file: the first of its repository where repositories are compared, else itself."""
    for kind in ("members", "exact"):
        for table in dataset.links(kind):
            mine = table.filter(pc.equal(table.column("row"), number)).column("representative").to_pylist()
            if mine:
                return int(mine[0])
    return number


def _twins(dataset: Finished, similarity: dict[int, float]) -> tuple[Twin, ...]:
    identities = dataset.by_row(similarity)
    kept: set[int] = set()
    for part in dataset.parts():
        here = [row for row in identities if row >> 32 == part.index]
        if here:
            said = (
                dataset.ledger(part, ["kept"])
                .column("kept")
                .take(pa.array([row & 0xFFFFFFFF for row in here]))
            )
            kept |= {row for row, good in zip(here, said.to_pylist(), strict=True) if good}
    ranked = sorted(similarity.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Twin(FileName.of(identities[row]), value, row in kept) for row, value in ranked)


def _tokens(dataset: Finished, doc_id: bytes, split: str | None) -> Iterator[Segment]:
    shards = dataset.place.child("shards")
    wanted = pa.scalar(doc_id, pa.binary())
    for name in shards.names():
        if not name.endswith(".arrow") or (split and not name.startswith(f"{split}-")):
            continue
        first = 0
        for batch in read_arrow(shards, name):
            ids = batch.column("doc_ids")
            hits = pc.equal(ids.flatten().cast(pa.binary()), wanted)
            rows = pc.unique(pc.list_parent_indices(ids).filter(hits)).to_pylist()
            for row in rows:
                yield from _segments(batch, row, name, first + row, doc_id)
            first += batch.num_rows


def _segments(batch: pa.RecordBatch, row: int, name: str, at: int, doc_id: bytes) -> Iterator[Segment]:
    ids, starts, offsets = (batch.column(c)[row].as_py() for c in ("doc_ids", "doc_starts", "doc_offsets"))
    ends = [*starts[1:], batch.column("n_tokens")[row].as_py()]
    for one, start, end, offset in zip(ids, starts, ends, offsets, strict=True):
        if one == doc_id:
            yield Segment(name, at, start, end - start, offset)


def render(story: Story, console: Console) -> None:
    """Print a story; every name and value from the dataset is shown as harmless text."""
    about = [
        story.language or "unknown language",
        size(story.size),
        *([plain(story.ref)] if story.ref else []),
    ]
    console.print(Text(story.file.shown(), "bold", overflow="fold"))
    console.print(Text(f"{' · '.join(about)} · {story.file.doc_id}", "dim", overflow="fold"))
    console.print(Text(f"\n{story.verdict}\n", "bold green" if story.kept else "bold red", overflow="fold"))
    if story.problem:
        console.print(
            Text(f"problem: {plain(story.problem)} ({problem(story.problem)})\n", "yellow", overflow="fold")
        )
    _render_rules(story, console)
    _render_facts(story, console)
    for heading, lines in _sections(story):
        console.print(Text(f"\n{heading}", "bold"))
        for line in lines:
            console.print(Text(f"  {line}", overflow="fold"))


def _render_rules(story: Story, console: Console) -> None:
    sources = {(rule.status, rule.source): 0 for rule in story.rules}
    sources = {source: number for number, source in enumerate(sources, 1)}
    if story.rules:
        console.print(_rule_table(story, sources))
    if story.rules_elsewhere:
        said = counted(len(story.rules_elsewhere), "rule is", "rules are")
        console.print(Text(f"{said} for other languages", "dim"))
    for (status, source), number in sources.items():
        console.print(Text(f"[{number}] {plain(cited(status, source)[1:-1])}", "dim", overflow="fold"))


def _rule_table(story: Story, sources: Mapping[tuple[str, str], int]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("rule", overflow="fold")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("drops when", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("source", no_wrap=True, style="dim")
    for rule in story.rules:
        when = plain(rule.about) if rule.file else f"{plain(rule.signal)} {rule.drops_when}"
        verdict = Text(rule.verdict, COLOURS[rule.verdict])
        note = Text(f"[{sources[rule.status, rule.source]}]")
        table.add_row(Text(plain(rule.name)), Text(_value(rule.value)), Text(when), verdict, note)
    return table


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(name)} {_value(found)}" for name, found in value.items())
    said = measured(value)
    return said if len(said) <= _VALUE_CHARS else f"{said[: _VALUE_CHARS - 4]} ..."


def _render_facts(story: Story, console: Console) -> None:
    told = "license" if story.license is not None else None
    shown = [
        name
        for name in story.other_facts
        if story.facts[name] and name not in _SHOWN_ELSEWHERE and not (told and name.startswith(told))
    ]
    if shown:
        console.print(Text("\nother facts", "bold"))
        lines = [Text.assemble((plain(name), "dim"), f" {_value(story.facts[name])}") for name in shown]
        console.print(Padding(Columns(lines, equal=True, padding=(0, 2)), (0, 0, 0, 2)))


def _sections(story: Story) -> Iterator[tuple[str, list[str]]]:
    if story.license is not None:
        yield "licence", list(_license_lines(story.license))
    if story.redactions:
        yield f"redacted in the shards ({count(len(story.redactions))})", _find_lines(story.redactions)
    if story.unredacted:
        why = "not redacted" if story.kept else "the file is not in the shards"
        heading = f"secrets and personal data found, {why} ({count(len(story.unredacted))})"
        yield heading, _find_lines(story.unredacted)
    yield from cut_sections(story.cuts)
    if story.exact:
        yield f"same text ({counted(len(story.exact), 'other file')})", _listed(story.exact)
    if story.near:
        yield f"similar text ({counted(len(story.near), 'verified pair')})", _listed(story.near)
    if story.overlaps:
        yield "benchmark overlaps", overlap_lines(story.overlaps)
    if story.tokens:
        total = sum(segment.length for segment in story.tokens)
        yield f"tokens ({count(total)})", [_segment_line(segment) for segment in story.tokens[:LISTED]]


def _license_lines(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["id"]:
        yield "not known"
    else:
        kind = "permissive" if found.get("permissive") else "not permissive"
        evidence = f" ({plain(found['evidence'])})" if found.get("evidence") else ""
        said = f"{plain(found['id'])}, from the {plain(found.get('from') or 'unknown')}{evidence}"
        yield ", ".join(part for part in (said, kind) if part)
    if found.get("conflict"):
        yield f"conflict: {plain(found.get('others') or 'others say something else')}"


def _find_lines(finds: tuple[Find, ...]) -> list[str]:
    by_kind: dict[str, list[int]] = {}
    for one in finds:
        by_kind.setdefault(one.kind, []).append(one.line)
    return [
        f"{plain(kind)}: {'line' if len(set(lines)) == 1 else 'lines'} "
        + some([count(line) for line in dict.fromkeys(lines)], LISTED)
        + (f" ({count(len(lines))} times)" if len(lines) > 1 else "")
        for kind, lines in by_kind.items()
    ]


def _listed(twins: tuple[Twin, ...]) -> list[str]:
    lines = [
        f"{t.similarity:.3f}  {'kept   ' if t.kept else 'dropped'}  {t.file.shown()}" for t in twins[:LISTED]
    ]
    return (
        [*lines, f"and {count(len(twins) - LISTED)} more (--json lists all)"]
        if len(twins) > LISTED
        else lines
    )


def _segment_line(segment: Segment) -> str:
    tokens = f"tokens {count(segment.offset)}–{count(segment.offset + segment.length - 1)}"
    return f"{segment.shard}  row {count(segment.row)}, from {count(segment.start)}: {tokens}"
