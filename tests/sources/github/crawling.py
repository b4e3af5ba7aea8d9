"""Help for these tests: everything a source reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from reads import git

from columns.document import DOCUMENT
from sources import IngestConfig, Listing, read_unit
from sources.github import GithubSource, State, States


def read_source(
    source: GithubSource, config: IngestConfig | None = None
) -> tuple[pa.Table, Counter[str], Listing]:
    config = config or IngestConfig()
    listing = source.units(config)
    skipped = Counter(listing.skipped)
    batches = [batch for unit in listing.units for batch in read_unit(unit, config, skipped=skipped)]
    return pa.Table.from_batches(batches, DOCUMENT), skipped, listing


def states(source: GithubSource) -> dict[str, State]:
    held = States(source.github.store)
    try:
        return {state.name: state for state in held.all()}
    finally:
        held.close()


def paths(table: pa.Table) -> list[str]:
    return pc.binary_join_element_wise(table["repo"], table["path"].cast("string"), ":").to_pylist()


def change(folder: Path, name: str, content: bytes) -> str:
    """Commit one more file; returns the commit."""
    (folder / name).write_bytes(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "more")
    return git(folder, "rev-parse", "HEAD")
