"""Rows of a table as documents: what Parquet and JSON lines have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.document import PROBLEMS, document_batch
from sources.config import IngestConfig
from sources.languages import canonical, language_of
from sources.selection import EVIDENCE, NOTEBOOK, selected_language
from sources.tables.headers import TEXTS
from sources.text.decode import decode
from sources.unit import Skipped

_STATED = ("repo", "ref", "blob_id", "license", "stars", "forks", "fork_of", "updated")


class Table(NamedTuple):
    """Rows under document column names: ``content`` large_binary, the others as `sources.tables.cells` types them.

    ``places`` are the provenances, one per row: "FILE#row=12", "FILE#line=3"; a sequence, or a string array.
    """

    columns: Mapping[str, pa.Array]
    places: Sequence[str] | pa.Array


def row_batch(source: str, table: Table, config: IngestConfig, skipped: Skipped) -> pa.RecordBatch:
    """Turn rows into a document batch; rows of languages that are not selected are counted and left out.

    A row whose content is missing keeps the problem it states; with an unknown language it is never left out.

    A row without a path gets its provenance as path, so that it can be named. The size is the content's own;
    a stated size is used only where there is no content.
    """
    rows = len(table.places)
    places = pa.array(table.places, pa.string())
    found = {name: table.columns.get(name, None) for name in (*TEXTS, "size", "lossy", "binary")}
    text = decode(table.columns["content"], config.max_bytes)
    paths = places if found["path"] is None else pc.coalesce(found["path"], places)
    columns = {name: table.columns[name] for name in _STATED if name in table.columns} | {
        "path": paths,
        "content": text.content,
        "encoding": _encoding(text.encoding, found["encoding"]),
        "lossy": text.lossy
        if found["lossy"] is None
        else pc.or_(text.lossy, pc.fill_null(found["lossy"], False)),
        "size": _size(table.columns["content"], found["size"]),
        "language": _language(found["language"], paths),
        "source": [source] * rows,
        "provenance": places,
        "problem": _problem(text.problem, found["problem"], found["binary"]),
    }
    return _selected(document_batch(columns, rows), config, skipped)


def _encoding(decoded: pa.Array, stated: pa.Array | None) -> pa.Array:
    if stated is None:
        return decoded
    kept = pc.if_else(pc.equal(decoded, "utf-8"), pc.utf8_lower(stated), None)
    return pc.coalesce(kept, decoded)


def _size(content: pa.Array, stated: pa.Array | None) -> pa.Array:
    measured = pc.cast(pc.binary_length(content), pa.int64())
    return measured if stated is None else pc.coalesce(measured, stated)


def _language(stated: pa.Array | None, paths: pa.Array) -> pa.Array:
    if stated is None:
        return pa.array([language_of(path) for path in paths.to_pylist()], pa.string())
    encoded = stated.dictionary_encode()
    names = pa.array([canonical(name) for name in encoded.dictionary.to_pylist()], pa.string())
    taken = names.take(encoded.indices)
    if not taken.null_count:
        return taken
    pairs = zip(taken.to_pylist(), paths.to_pylist(), strict=True)
    return pa.array([language_of(path) if name is None else name for name, path in pairs], pa.string())


def _problem(decoded: pa.Array, stated: pa.Array | None, binary: pa.Array | None) -> pa.Array:
    """The problem: where the content is missing, what the source says about it."""
    is_missing = pc.fill_null(pc.equal(decoded, "missing"), False)
    if binary is not None:
        decoded = pc.if_else(pc.and_(is_missing, pc.fill_null(binary, False)), "binary", decoded)
    if stated is None:
        return decoded
    known = [p if p and p.split(":", 1)[0] in PROBLEMS else None for p in stated.to_pylist()]
    return pc.coalesce(pc.if_else(is_missing, pa.array(known, pa.string()), None), decoded)


def _selected(batch: pa.RecordBatch, config: IngestConfig, skipped: Skipped) -> pa.RecordBatch:
    if config.evidence:
        batch = _with_evidence(batch, config)
    if not config.languages:
        return batch
    extra = [EVIDENCE] * bool(config.evidence) + [NOTEBOOK] * (config.notebooks != "json")
    languages = (*config.languages, *extra)
    language, problem = batch.column("language"), batch.column("problem")
    unknown = pc.and_(pc.is_null(language), pc.is_valid(problem))
    wanted = pc.or_(pc.is_in(language, pa.array(languages, pa.string())), unknown)
    left_out = batch.num_rows - int(np.count_nonzero(wanted))
    if not left_out:
        return batch
    skipped["other_language"] += left_out
    return batch.filter(wanted)


def _with_evidence(batch: pa.RecordBatch, config: IngestConfig) -> pa.RecordBatch:
    stated, paths = (batch.column(name).to_pylist() for name in ("language", "path"))
    chosen = [selected_language(path, config, language) for path, language in zip(paths, stated, strict=True)]
    languages = [EVIDENCE if found == EVIDENCE else said for found, said in zip(chosen, stated, strict=True)]
    at = batch.schema.get_field_index("language")
    return batch.set_column(at, batch.schema.field(at), pa.array(languages, pa.string()))
