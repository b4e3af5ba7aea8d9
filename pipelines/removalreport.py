"""Removal report: what a takedown removed, from where, what stands there now, and the proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from columns.files import Place
from pipelines.stage import read_json
from pipelines.wording import count, counted, plain

REMOVALS = "removals"
LISTED = 200


def write_removal(root: Place, number: int, report: Mapping[str, Any]) -> None:
    """Write ``removals/000003.json`` and ``.md`` into the dataset's directory; they outlive the version."""
    place = root.child(REMOVALS)
    place.write_bytes(f"{number:06d}.json", orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    place.write_bytes(f"{number:06d}.md", ("\n".join(_lines(report)) + "\n").encode())


def read_removal(root: Place, number: int) -> dict[str, Any]:
    """The report of a version as plain data; empty where there is none."""
    return read_json(root.child(REMOVALS), f"{number:06d}.json") or {}


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    files, promoted, shards = report["files"], report["promoted"], report["shards"]
    yield f"# Removal: version {report['version']}"
    yield ""
    yield f"Made {report['made']} from version {report['parent']}."
    yield ""
    yield "| asked for | reason | signed off by | on |"
    yield "|---|---|---|---|"
    for wish in report["wishes"]:
        cells = (
            f"{wish['kind']} `{_cell(wish['value'])}`",
            *(_cell(wish[k]) for k in ("reason", "signed_off_by", "day")),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "## What was removed"
    yield ""
    kept = sum(file["kept"] for file in files)
    yield f"{counted(len(files), 'file')}, {count(kept)} of them in the shards. Their texts and facts are gone;"
    yield "a row with repository and path says `opted_out`."
    yield ""
    yield "| file | doc id | before | shard |"
    yield "|---|---|---|---|"
    for file in files[:LISTED]:
        was = "kept" if file["kept"] else f"dropped by {_cell(file['rule'] or '')}"
        yield f"| {_named(file)} | `{file['doc_id']}` | {was} | {file['shard'] or ''} |"
    yield from _more(files)
    yield "## What took its place"
    yield ""
    yield f"{counted(len(promoted), 'file')} that were dropped as copies and that the recipe's rules let stay."
    if promoted:
        yield ""
        yield "| file | doc id | dropped before as | licence |"
        yield "|---|---|---|---|"
        for file in promoted[:LISTED]:
            licence = _cell(file["license"] or "not known")
            yield f"| {_named(file)} | `{file['doc_id']}` | {file['instead_of']} | {licence} |"
        yield from _more(promoted)
    yield ""
    yield "## Shards"
    yield ""
    yield f"{counted(len(shards['rewritten']), 'shard')} written anew, {count(shards['unchanged'])} as they were."
    yield ""
    yield from (f"- {name}" for name in shards["rewritten"])
    yield ""
    yield from _proof(report["proof"])


def _proof(proof: Mapping[str, Any]) -> Iterator[str]:
    left = ", ".join(f"{count(number)} in {place}" for place, number in proof["left"].items())
    yield "## Proof"
    yield ""
    yield f"**{'Nothing of the removed files is left' if proof['holds'] else 'SOMETHING IS LEFT'}** in this version."
    yield ""
    yield f"- Ids of the {count(proof['removed'])} removed documents that are left: {left}."
    yield f"- All {count(proof['shards'])} shards were read, {counted(proof['pieces'], 'piece')} of documents;"
    yield f"  {count(proof['strangers'])} of a document that the ledger does not keep. Every token is in a piece."
    yield f"- The removed documents had {counted(proof['runs'], 'different run')} of 32 tokens; others hold one"
    yield f"  in {counted(proof['elsewhere'], 'place')} (copies that stay, licence headers, common code)."
    if proof["documents"]:
        yield ""
        yield "| documents with most such places | doc id | places |"
        yield "|---|---|---|"
        for one in proof["documents"]:
            yield f"| {_named(one)} | `{one['doc_id']}` | {count(one['runs'])} |"


def _more(files: list[Mapping[str, Any]]) -> Iterator[str]:
    if len(files) > LISTED:
        yield ""
        yield f"and {count(len(files) - LISTED)} more: see the JSON file beside this one."
    yield ""


def _named(file: Mapping[str, Any]) -> str:
    return _cell(f"{file['repo']}:{file['path']}" if file["repo"] else str(file["path"]))


def _cell(text: str) -> str:
    """A text from outside as a cell of a table."""
    return plain(text).replace("|", "\\|").replace("`", "'")
