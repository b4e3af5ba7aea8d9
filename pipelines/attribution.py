"""Attribution: who is in a dataset, as a table: repository, path, licence and commit of every kept file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.document import DOCUMENT
from columns.errors import OutputError
from columns.files import PartName, Place
from columns.tables import read_whole, write_table
from pipelines.finished import Finished

_LICENSE = ("license_id", "license_from", "license_evidence")
_NAMED = (
    "repo",
    "ref",
    "path",
    "blob_id",
    "content_hash",
    "language",
    "size",
    "updated",
    "source",
    "provenance",
)
FILES = pa.schema(
    [
        DOCUMENT.field("doc_id"),
        *(DOCUMENT.field(name) for name in _NAMED),
        pa.field("license", pa.string(), metadata={"about": "SPDX expression, or what the source states"}),
        pa.field(
            "license_from", pa.string(), metadata={"about": "who says so: header, file, repository or source"}
        ),
        pa.field(
            "license_evidence",
            pa.string(),
            metadata={"about": "line of the header or paths of licence files"},
        ),
        pa.field("split", pa.string(), metadata={"about": "train or validation"}),
    ]
)
REPOSITORIES = pa.schema(
    [
        DOCUMENT.field("repo"),
        DOCUMENT.field("source"),
        pa.field("refs", pa.list_(pa.string()), metadata={"about": "commits, branches or tags, sorted"}),
        pa.field("licenses", pa.list_(pa.string()), metadata={"about": "licences of its files, sorted"}),
        pa.field("files", pa.int64(), metadata={"about": "its files in the dataset"}),
        pa.field("bytes", pa.int64(), metadata={"about": "their sizes together"}),
    ]
)


def attributed(dataset: Finished) -> Iterator[pa.RecordBatch]:
    """Every kept file as a row of `FILES`, part by part; content is not read.

    The licence is the one found out (``licenses.detect``), else what the source states, which says so itself.
    """
    for part in dataset.parts():
        yield attributed_part(dataset, part)


def attributed_part(dataset: Finished, part: PartName) -> pa.RecordBatch:
    """The kept files of one part: `FILES`."""
    ledger = dataset.ledger(part, ["kept", "split"])
    kept = pa.array(np.flatnonzero(np.asarray(ledger.column("kept"))))
    documents = read_whole(
        dataset.place.child("documents"), part.format(), ["doc_id", *_NAMED, "license"]
    ).take(kept)
    known = [name for name in _LICENSE if name in dataset.schema().names]
    found = dataset.facts(part, known).take(kept) if known else documents.select([])
    columns = {name: documents.column(name) for name in ("doc_id", *_NAMED)}
    columns |= _licenses(documents.column("license"), found) | {"split": ledger.column("split").take(kept)}
    return concat(pa.table([columns[name] for name in FILES.names], schema=FILES).to_batches(), FILES)


def _licenses(stated: pa.ChunkedArray, found: pa.Table) -> dict[str, pa.ChunkedArray]:
    if "license_id" not in found.column_names:
        by = pc.if_else(pc.is_valid(stated), "source", None)
        return {"license": stated, "license_from": by, "license_evidence": pa.nulls(len(stated), pa.string())}
    license_id = found.column("license_id")
    by = pc.coalesce(found.column("license_from"), pc.if_else(pc.is_valid(stated), "source", None))
    evidence = pc.if_else(pc.is_valid(license_id), found.column("license_evidence"), None)
    return {"license": pc.coalesce(license_id, stated), "license_from": by, "license_evidence": evidence}


def repositories(files: Iterator[pa.RecordBatch]) -> pa.RecordBatch:
    """The same by repository: one row each, by name and source (`REPOSITORIES`).

    >>> repositories(iter([])).num_rows
    0
    """
    table = pa.Table.from_batches(files, FILES).select(["repo", "source", "ref", "license", "size"])
    grouped = table.group_by(["repo", "source"]).aggregate(
        [("ref", "distinct"), ("license", "distinct"), ("size", "count"), ("size", "sum")]
    )
    ordered = grouped.sort_by([("repo", "ascending"), ("source", "ascending")])
    lists = {name: ordered.column(f"{name}_distinct").to_pylist() for name in ("ref", "license")}
    columns = [
        *(ordered.column(name).combine_chunks() for name in ("repo", "source")),
        *(
            pa.array([sorted(filter(None, one)) for one in lists[name]], pa.list_(pa.string()))
            for name in lists
        ),
        ordered.column("size_count").combine_chunks().cast(pa.int64()),
        pc.fill_null(ordered.column("size_sum").combine_chunks(), 0),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=REPOSITORIES)


def export(dataset: Finished, target: str, *, by_repository: bool = False) -> int:
    """Write the table as Parquet under its final name when it is whole; returns its rows."""
    path = Path(target)
    if not path.parent.is_dir():
        raise OutputError(f"{target}: no such folder", hint="give a file in a folder that is there")
    files = attributed(dataset)
    batches, schema = ([repositories(files)], REPOSITORIES) if by_repository else (files, FILES)
    return write_table(Place(str(path.parent)), path.name, batches, schema)
