"""Help for the tests of sources: read everything a spec names."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from columns.document import DOCUMENT
from sources import IngestConfig, Listing, parse_spec, read_unit

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def read(
    spec: object, config: IngestConfig | None = None, batch_bytes: int = 1 << 20, **options: str
) -> pa.Table:
    return read_all(spec, config, batch_bytes, **options)[0]


def read_all(
    spec: object, config: IngestConfig | None = None, batch_bytes: int = 1 << 20, **options: str
) -> tuple[pa.Table, Counter[str], Listing]:
    config = config or IngestConfig()
    listing = parse_spec(str(spec)).units(config, **options)
    skipped = Counter(listing.skipped)
    batches = [
        b for u in listing.units for b in read_unit(u, config, batch_bytes=batch_bytes, skipped=skipped)
    ]
    return pa.Table.from_batches(batches, DOCUMENT), skipped, listing


def by_path(table: pa.Table) -> dict[str, dict[str, object]]:
    return {row["path"]: row for row in table.to_pylist()}


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *IDENTITY, *arguments], input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def repository(folder: Path, files: dict[str, bytes], branch: str = "main") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", branch)
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


def ids(table: pa.Table) -> Sequence[bytes]:
    return sorted(table.column("doc_id").to_pylist())
