"""Lists: which repositories are wanted, from files of several kinds or from the API."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from columns.errors import InputError
from columns.urls import without_login
from sources.bigquery import BigQueryConfig
from sources.bigquery.cost import Confirm
from sources.bigquery.rows import query_rows
from sources.config import IngestConfig
from sources.github.api import Api
from sources.github.choice import GithubChoice
from sources.github.facts import Facts, facts_of_api, facts_of_row, repository_name
from sources.github.refusals import Refusal
from sources.inflate import Broken, blocks
from sources.locations import locate, missing, open_location
from sources.tables.headers import resolve
from sources.tables.lines import numbered_lines
from sources.unit import Skipped

PARQUET = (".parquet",)
JSONL = (
    ".jsonl",
    ".ndjson",
    ".json",
    ".jsonl.gz",
    ".ndjson.gz",
    ".json.gz",
    ".jsonl.zst",
    ".ndjson.zst",
    ".json.zst",
)

QUERY = ".sql"
SUFFIXES = (*PARQUET, *JSONL, ".txt", ".list")

_MAX_LINE = 64 << 20
_ROWS = 1 << 14
_EXTRA = {
    "fork_of": ("parent", "parent_full_name"),
    "default_branch": ("default_branch",),
    "archived": ("archived",),
}
_FULL_REF = re.compile(r"^refs/(heads|tags)/")
_MAX_SQL = 1 << 20
_NAMES = ("full_name", "name_with_owner", "nameWithOwner", "name")


class Wanted(NamedTuple):
    """A repository that a list names: at which commit, branch or tag (None: its HEAD), and what the list says of it."""

    name: str
    ref: str | None = None
    facts: Facts = Facts()


def distinct(wanted: Iterable[Wanted], skipped: Skipped) -> list[Wanted]:
    """Each repository once, by name whatever its case; of several entries the smallest one.

    Only entries that differ are counted: a table with a row per file names each repository many times.
    """
    kept: dict[str, set[Wanted]] = {}
    for entry in wanted:
        kept.setdefault(entry.name.lower(), set()).add(entry)
    others = sum(map(len, kept.values())) - len(kept)
    skipped.update({"duplicate_repository": others} if others else {})
    return [min(kept[key], key=repr) for key in sorted(kept)]


def from_file(path: str, config: IngestConfig, choice: GithubChoice, skipped: Skipped) -> Iterator[Wanted]:
    """Repositories of files: lines of names or URLs, Parquet, JSON lines, or hours of GH Archive."""
    if "://" not in path and not any(sign in path for sign in "*?[") and not os.path.exists(path):
        raise missing(path)
    for location in locate(path, SUFFIXES, skipped):
        lower = location.url.lower()
        if lower.endswith(PARQUET):
            yield from _from_rows(_parquet_rows(location.url, config), config, skipped)
        elif lower.endswith(JSONL):
            yield from _from_json(location.url, config, choice, skipped)
        else:
            yield from _from_lines(location.url)


def from_organisation(owner: str, api: Api, skipped: Skipped) -> Iterator[Wanted]:
    """Public repositories of an organisation or user; `InputError` when there is no such owner."""
    return _from_api(api.organisation(owner), f"organisation {owner}", skipped)


def from_search(query: str, api: Api, skipped: Skipped) -> Iterator[Wanted]:
    """Repositories that match a search of the API (at most 1,000); `InputError` when it is refused."""
    return _from_api(api.search(query), f"search {query!r}", skipped)


def from_query(
    path: str, config: IngestConfig, bigquery: BigQueryConfig, confirm: Confirm | None, skipped: Skipped
) -> Iterator[Wanted]:
    """Repositories of a query's rows, as those of a table's; `InputError` when it has no column of names.

    The query is estimated, checked against the limits and confirmed before it is billed.
    """

    def choose(found: Sequence[str]) -> list[str]:
        header = _header(found, config)
        if "repo" not in header:
            raise InputError(
                f"{path}: no column of repositories; found: {', '.join(found) or 'none'}",
                hint="SELECT … AS repo, with names such as owner/name; nothing was billed",
            )
        return sorted(set(header.values()))

    batches = query_rows(path, _sql(path), choose, bigquery, confirm)
    return _from_rows((row for batch in batches for row in batch.to_pylist()), config, skipped)


def from_entry(text: str) -> Wanted | None:
    """``owner/name`` or a URL, with ``@REF`` where one is meant; None when it names no repository.

    >>> from_entry("pallets/flask@3.0.0")[:2], from_entry("nothing")
    (('pallets/flask', '3.0.0'), None)
    """
    where, at, ref = text.strip().rpartition("@")
    if not at or "/" in ref.partition(":")[2] or (name := repository_name(where)) is None:
        where, ref = text.strip(), ""
        name = repository_name(where)
    return Wanted(name, _ref(ref)) if name else None


def _sql(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_SQL).strip().rstrip(";")
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a query ({type(error).__name__})") from None
    if not text:
        raise InputError(f"{path}: no query in it", hint="one SELECT with a column repo")
    return text


def _from_api(found: Iterator[dict[str, Any]], what: str, skipped: Skipped) -> Iterator[Wanted]:
    try:
        for item in found:
            name = item.get("full_name")
            known = repository_name(name) if isinstance(name, str) else None
            if known is None:
                skipped["not_a_repository"] += 1
            else:
                yield Wanted(known, None, facts_of_api(item))
    except Refusal as refusal:
        raise InputError(f"{what}: {refusal.reason}") from None


def _from_lines(url: str) -> Iterator[Wanted]:
    for line in numbered_lines(blocks(url), _MAX_LINE):
        text = (
            (b"?" if line.data is None else line.data)
            .decode("utf-8", "backslashreplace")
            .partition("#")[0]
            .strip()
        )
        if not text:
            continue
        entry = from_entry(text)
        if entry is None:
            raise InputError(
                f"{url}, line {line.number}: not a repository: {without_login(text)[:80]!r}",
                hint="one owner/name or URL a line",
            )
        yield entry


def _from_json(url: str, config: IngestConfig, choice: GithubChoice, skipped: Skipped) -> Iterator[Wanted]:
    held: list[Mapping[str, Any]] = []
    try:
        for line in numbered_lines(blocks(url), _MAX_LINE):
            row = _json_row(line.data)
            if row is None:
                skipped["malformed_list_row"] += bool(line.size)
            elif isinstance(row.get("repo"), dict):
                yield from _from_event(row, choice, skipped)
            else:
                held.append(row)
    except Broken:
        skipped["truncated_list"] += 1
    yield from _from_rows(held, config, skipped)


def _json_row(data: bytes | None) -> dict[str, Any] | None:
    try:
        row = orjson.loads(data or b"")
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _from_event(event: Mapping[str, Any], choice: GithubChoice, skipped: Skipped) -> Iterator[Wanted]:
    """A GH Archive event names its repository as {"repo": {"name": "owner/name"}} (gharchive.org)."""
    if choice.events and event.get("type") not in choice.events:
        return
    name = event["repo"].get("name")
    known = repository_name(name) if isinstance(name, str) else None
    if known is None:
        skipped["not_a_repository"] += 1
    else:
        yield Wanted(known)


def _parquet_rows(url: str, config: IngestConfig) -> Iterator[Mapping[str, Any]]:
    try:
        with open_location(url) as file, pq.ParquetFile(file) as table:
            names = sorted(set(_header(table.schema_arrow.names, config).values()))
            for batch in table.iter_batches(_ROWS, columns=names):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise InputError(f"{url}: not a readable Parquet file: {str(error)[:100]}") from None


def _from_rows(rows: Iterable[Mapping[str, Any]], config: IngestConfig, skipped: Skipped) -> Iterator[Wanted]:
    for row in rows:
        values = {ours: row[theirs] for ours, theirs in _header(row, config).items()}
        repo = values.get("repo")
        repo = repo.get("name") if isinstance(repo, Mapping) else repo
        entry = from_entry(repo) if isinstance(repo, str) else None
        if entry is None:
            skipped["not_a_repository"] += 1
        else:
            ref = values.get("ref")
            yield Wanted(entry.name, _ref(ref) or entry.ref, facts_of_row(values))


def _header(names: Iterable[str], config: IngestConfig) -> dict[str, str]:
    found = list(names)
    header = resolve(found, config.columns)
    for ours, theirs in ({"repo": _NAMES} | _EXTRA).items():
        match = next((name for name in theirs if name in found), None)
        if match is not None:
            header.setdefault(ours, match)
    return header


def _ref(ref: object) -> str | None:
    ref = _FULL_REF.sub("", ref) if isinstance(ref, str) else ref
    fine = isinstance(ref, str) and ref.isprintable() and " " not in ref and len(ref) < 256
    return ref if fine and isinstance(ref, str) and ref and not ref.startswith("-") else None
