"""Story: everything a dataset knows about one file, and why it was kept or dropped (``thresher explain``)."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table
from rich.text import Text

from columns.errors import OutputError
from columns.files import PartName, Place
from columns.tables import read_arrow
from pipelines.finished import Finished, Identity, Rule, row_id, rows_where
from pipelines.wording import cited, count, counted, drops_when, measured, plain, size

LISTED = 8
_HEX = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class Twin:
    """Another file with the same or similar text."""

    file: FileName
    similarity: float
    kept: bool


@dataclass(frozen=True)
class Overlap:
    """A benchmark task that shares text with the file; ``over`` when it reaches the recipe's threshold."""

    task: str
    coverage: float
    matched: int
    lines: tuple[int, int]
    over: bool


@dataclass(frozen=True)
class Segment:
    """Where some of the file's tokens are: tokens ``offset`` onwards start at ``start`` in a shard's row."""

    shard: str
    row: int
    start: int
    length: int
    offset: int


@dataclass(frozen=True)
class Story:
    """One file's whole story, as plain data."""

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
    signals: tuple[Signal, ...]
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
    facts = dataset.facts(part).take(row).to_pylist()[0]
    identity = dataset.by_row([number])[number]
    keeper = dataset.by_doc_id([decision["keeper"]]).get(decision["keeper"]) if decision["keeper"] else None
    signals = tuple(_signals(dataset, facts, decision["failed"] or ()))
    overlaps = tuple(_overlaps(dataset, part, row[0].as_py(), decision["tasks"] or ()))
    kept = bool(decision["kept"])
    return Story(
        file=FileName.of(identity), ref=identity.ref or "", language=identity.language or "", size=identity.size or 0,
        content_hash=(decision["content_hash"] or b"").hex(), problem=facts.get("problem") or "", kept=kept,
        rule=decision["rule"] or "", split=decision["split"] or "", signals=signals,
        verdict=verdict(dataset, decision, facts, keeper), keeper=FileName.of(keeper) if keeper else None,
        similarity=decision["similarity"], exact=_exact(dataset, number), near=_near(dataset, number),
        overlaps=overlaps, tokens=tuple(_tokens(dataset, decision["doc_id"], decision["split"])) if kept else (),
    )  # fmt: skip


def _exact(dataset: Finished, number: int) -> tuple[Twin, ...]:
    for table in dataset.links("exact"):
        mine = table.filter(pc.equal(table.column("row"), number)).column("representative")
        if len(mine):
            group = table.filter(pc.equal(table.column("representative"), mine[0])).column("row").to_pylist()
            return _twins(dataset, {row: 1.0 for row in group if row != number})
    return ()


def _near(dataset: Finished, number: int) -> tuple[Twin, ...]:
    found: dict[int, float] = {}
    for table in dataset.links("edges"):
        left, right = table.column("left"), table.column("right")
        mine = table.filter(pc.or_(pc.equal(left, number), pc.equal(right, number))).to_pylist()
        found |= {
            edge["right"] if edge["left"] == number else edge["left"]: edge["similarity"] for edge in mine
        }
    return _twins(dataset, found)


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


def _overlaps(dataset: Finished, part: PartName, row: int, tasks: Any) -> Iterator[Overlap]:
    table = dataset.overlaps(part)
    lines = [] if table is None else table.filter(pc.equal(table.column("row"), row)).to_pylist()
    for line in sorted(lines, key=lambda line: (-line["coverage"], line["suite"], line["task"])):
        task = f"{line['suite']}/{line['task']}"
        span = (line["first_line"], line["last_line"])
        yield Overlap(task, line["coverage"], line["matched"], span, task in tasks)


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
        console.print(Text(f"problem: {plain(story.problem)}\n", "yellow", overflow="fold"))
    console.print(_signal_table(story))
    for heading, lines in _sections(story):
        console.print(Text(f"\n{heading}", "bold"))
        for line in lines:
            console.print(Text(f"  {line}", overflow="fold"))


def _signal_table(story: Story) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("signal", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("drops when", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("source", overflow="fold", style="dim")
    for signal in story.signals:
        said = (
            Text("fails", "red")
            if signal.failed
            else Text("passes", "green")
            if signal.drops
            else Text("–", "dim")
        )
        if signal.value is None:
            said = Text("not measured", "dim")
        shown = (plain(signal.name), measured(signal.value), ", ".join(signal.drops))
        table.add_row(*map(Text, shown), said, Text(plain(" ".join(signal.cited))))
    return table


def _sections(story: Story) -> Iterator[tuple[str, list[str]]]:
    if story.exact:
        yield f"same text ({counted(len(story.exact), 'other file')})", _listed(story.exact)
    if story.near:
        yield f"similar text ({counted(len(story.near), 'verified pair')})", _listed(story.near)
    if story.overlaps:
        yield "benchmark overlaps", [_overlap_line(overlap) for overlap in story.overlaps[:LISTED]]
    if story.tokens:
        total = sum(segment.length for segment in story.tokens)
        yield f"tokens ({count(total)})", [_segment_line(segment) for segment in story.tokens[:LISTED]]


def _listed(twins: tuple[Twin, ...]) -> list[str]:
    lines = [
        f"{t.similarity:.3f}  {'kept   ' if t.kept else 'dropped'}  {t.file.shown()}" for t in twins[:LISTED]
    ]
    return (
        [*lines, f"and {count(len(twins) - LISTED)} more (--json lists all)"]
        if len(twins) > LISTED
        else lines
    )


def _overlap_line(overlap: Overlap) -> str:
    first, last = overlap.lines
    over = "over the threshold" if overlap.over else "below the threshold"
    return f"{plain(overlap.task)}  {overlap.coverage:.0%} of it, lines {first}–{last}, {over}"


def _segment_line(segment: Segment) -> str:
    tokens = f"tokens {count(segment.offset)}–{count(segment.offset + segment.length - 1)}"
    return f"{segment.shard}  row {count(segment.row)}, from {count(segment.start)}: {tokens}"
