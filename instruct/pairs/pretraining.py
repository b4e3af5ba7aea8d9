"""Pre-training records: snippets without sentences, for the two tasks of CodeFusion's unsupervised phase.

``gen``, unsupervised code generation: the code from noise alone, so a record is its ids. ``cpd``, continuous
paragraph denoising (Lin et al. 2022, arXiv 2212.11685) adapted to code: the same ids with identifiers and keywords
hidden. The paper noises their embeddings; ``mask_positions`` says which, and ``cpd_input_ids`` has the mask token
there.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from instruct.pairs.coder import Coded, Coder
from instruct.pairs.fixed import FixedConfig, ids_type, pad_mask, padded
from instruct.pairs.masking import MaskConfig, Masked, mask_names
from instruct.pairs.spans import name_spans

GEN, CPD = "gen", "cpd"
TASKS = (GEN, CPD)
RULES = ("overlong", "unparsed", "nothing_to_mask")
_FIXED = FixedConfig()
_MASKS = MaskConfig()


def _field(name: str, kind: pa.DataType, about: str) -> pa.Field:
    return pa.field(name, kind, metadata={"about": about})


def pretraining_schema(length: int = 128) -> pa.Schema:
    """The schema of pre-training records."""
    return pa.schema(
        [
            _field("id", pa.string(), "the snippet and the task"),
            _field("parent_id", pa.string(), "the snippet"),
            _field("lang", pa.string(), "python, bash or excel_cf"),
            _field("task", pa.string(), "gen: from noise alone; cpd: with names and keywords hidden"),
            _field("n_code", pa.int32(), "tokens of the snippet; null: it was dropped before"),
            _field(
                "code_ids", ids_type(length), "ids of the snippet, padded at the end; all padding: dropped"
            ),
            _field("pad_mask", pa.list_(pa.bool_(), length), "true where code_ids is padding"),
            _field(
                "cpd_input_ids",
                ids_type(length),
                "cpd: the same with the mask token at the hidden places; gen: all padding",
            ),
            _field("mask_positions", pa.list_(pa.int16()), "cpd: the hidden places, ascending; gen: none"),
            _field("n_spans", pa.int32(), "cpd: identifiers and keywords in the snippet"),
            _field("n_masked", pa.int32(), "cpd: how many of them are hidden"),
            _field(
                "n_straddled", pa.int32(), "cpd: how many no run of whole tokens covers, so cannot be hidden"
            ),
            _field("dropped", pa.string(), "the first rule that leaves the record out; null: kept"),
        ]
    )


def pretraining_records(
    marked: pa.Table, coder: Coder, fixed: FixedConfig = _FIXED, masks: MaskConfig = _MASKS
) -> tuple[pa.Table, Counter[str]]:
    """Two records, gen and cpd, of every marked snippet: ``MARKED[n] -> pretraining_schema(length)[2 n]``, and counts.

    A snippet with more tokens than fit is ``overlong`` before it is parsed; cpd needs one name that can be hidden.
    Costs encoding and, for cpd, one parse: about 0.2 ms per snippet.
    """
    rows, length = marked.to_pylist(), fixed.length
    wanted = [row["code"] for row in rows if not row["dropped"]]
    coded = iter(coder.code(wanted))
    made: list[dict[str, Any]] = []
    for row in rows:
        found = None if row["dropped"] else next(coded)
        made += _records(row, found, length, masks)
    counts = Counter(f"{row['lang']}: {row['task']} {row['dropped'] or 'kept'}" for row in made)
    for name in ("n_spans", "n_masked", "n_straddled"):
        counts[name] = sum(row[name] or 0 for row in made)
    return _table(made, coder, length), +counts


def _records(row: dict, coded: Coded | None, length: int, masks: MaskConfig) -> list[dict[str, Any]]:
    dropped = row["dropped"] or ("overlong" if coded and len(coded.ids) > length else None)
    common = {"parent_id": row["id"], "lang": row["lang"], "n_code": len(coded.ids) if coded else None}
    gen = {"task": GEN, "coded": None if dropped else coded, "dropped": dropped}
    cpd = {**gen, "task": CPD}
    if coded and not dropped:
        cpd |= _hidden(row, coded, masks)
    empty = dict.fromkeys(("n_spans", "n_masked", "n_straddled", "positions"))
    return [{"id": f"{row['id']}/{one['task']}", **common, **empty, **one} for one in (gen, cpd)]


def _hidden(row: dict, coded: Coded, masks: MaskConfig) -> dict[str, Any]:
    spans = name_spans(row["code"], row["lang"])
    if spans is None:
        return {"dropped": "unparsed", "coded": None}
    found: Masked = mask_names(row["id"], row["code"].encode(), coded, spans, masks)
    facts = {"n_spans": len(spans), "n_masked": found.spans, "n_straddled": found.straddled}
    if not found.positions:
        return {**facts, "dropped": "nothing_to_mask", "coded": None}
    return {**facts, "positions": found.positions}


def _table(made: list[dict[str, Any]], coder: Coder, length: int) -> pa.Table:
    schema = pretraining_schema(length)
    codes = [row["coded"] for row in made]
    inputs = [_input(row["coded"], row["positions"], coder.mask_id) for row in made]
    columns = {
        "code_ids": padded(codes, length, coder.pad_id),
        "pad_mask": pad_mask(codes, length),
        "cpd_input_ids": padded(inputs, length, coder.pad_id),
        "mask_positions": pa.array([row["positions"] or [] for row in made], pa.list_(pa.int16())),
    }
    return pa.Table.from_arrays(
        [
            columns[field.name]
            if field.name in columns
            else pa.array([row[field.name] for row in made], field.type)
            for field in schema
        ],
        schema=schema,
    )


def _input(coded: Coded | None, positions: list[int] | None, mask_id: int) -> Coded | None:
    if coded is None or not positions:
        return None
    ids = coded.ids.copy()
    ids[np.array(positions)] = mask_id
    return Coded(ids, coded.ends)
