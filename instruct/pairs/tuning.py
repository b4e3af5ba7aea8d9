"""Tuning records: pairs as ids of one length, for the supervised phase of CodeFusion."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from instruct.pairs.coder import Coded, Coder
from instruct.pairs.fixed import FixedConfig, ids_type, pad_mask, padded
from instruct.pairs.labels import agrees, sheet_of
from instruct.pairs.parser import parse_rule
from instruct.pairs.validity import validity

RULES = ("nl_overlong", "code_overlong")
_FIXED = FixedConfig()


def _field(name: str, kind: pa.DataType, about: str) -> pa.Field:
    return pa.field(name, kind, metadata={"about": about})


def tuning_schema(length: int = 128) -> pa.Schema:
    """The schema of tuning records."""
    flags = pa.list_(pa.bool_(), length)
    return pa.schema(
        [
            _field("id", pa.string(), "the pair"),
            _field("lang", pa.string(), "python, bash or excel_cf"),
            _field("split", pa.string(), "train, validation, test or mined"),
            _field("nl", pa.large_string(), "the sentence"),
            _field("code", pa.large_string(), "the code"),
            _field("sheet", pa.large_string(), "rules: the table it is for, as JSON"),
            _field("valid", pa.bool_(), "the code parses in its language; null: not looked at"),
            _field(
                "agrees",
                pa.bool_(),
                "rules: they format what the source labels; null: it labels not every row",
            ),
            _field("n_nl", pa.int32(), "tokens of the sentence"),
            _field("n_code", pa.int32(), "tokens of the code"),
            _field(
                "nl_ids",
                ids_type(length),
                "ids of the sentence, padded at the end; all padding: it does not fit",
            ),
            _field(
                "code_ids",
                ids_type(length),
                "ids of the code, padded at the end; all padding: it does not fit",
            ),
            _field("nl_pad_mask", flags, "true where nl_ids is padding"),
            _field("pad_mask", flags, "true where code_ids is padding"),
            _field("dropped", pa.string(), "the first rule that leaves the pair out; null: kept"),
        ]
    )


def tuning_records(
    marked: pa.Table, coder: Coder, config: FixedConfig = _FIXED
) -> tuple[pa.Table, Counter[str]]:
    """Marked pairs as records, row by row: ``MARKED[n] -> tuning_schema(length)[n]``, and counts by language and rule.

    A pair whose sentence or code has more tokens than fit is marked, and the side that does not fit is all padding:
    nothing is cut. Pairs that are dropped already are all padding too.
    """
    length, rows = config.length, marked.to_pylist()
    sentences = _coded(coder, [None if row["dropped"] else row["nl"] for row in rows])
    codes = _coded(coder, [None if row["dropped"] else row["code"] for row in rows])
    counts: Counter[str] = Counter()
    for row, sentence, code in zip(rows, sentences, codes, strict=True):
        row["n_nl"], row["n_code"] = _count(sentence), _count(code)
        row["valid"] = None if row["dropped"] else validity(row["code"], row["lang"]).valid
        row["agrees"] = None if row["dropped"] else _agrees(row)
        row["dropped"] = row["dropped"] or _rule(row, length)
        counts[f"{row['lang']}: {row['dropped'] or row['split'] or 'kept'}"] += 1
        counts[f"{row['lang']}: invalid, kept"] += row["dropped"] is None and not row["valid"]
        counts[f"{row['lang']}: labelled by the source, agreeing"] += row["agrees"] is True
        counts[f"{row['lang']}: labelled by the source, not agreeing"] += row["agrees"] is False
    schema = tuning_schema(length)
    made = {
        "nl_ids": padded(sentences, length, coder.pad_id),
        "code_ids": padded(codes, length, coder.pad_id),
        "nl_pad_mask": pad_mask(sentences, length),
        "pad_mask": pad_mask(codes, length),
    }
    columns = [
        made[field.name] if field.name in made else pa.array([row[field.name] for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema), +counts


def _agrees(row: dict) -> bool | None:
    sheet, rule = sheet_of(row["sheet"]), parse_rule(row["code"]).rule if row["sheet"] else None
    if sheet is None or rule is None or row["labels"] is None:
        return None
    return agrees(rule, sheet, row["labels"])


def _coded(coder: Coder, texts: list[str | None]) -> list[Coded | None]:
    there = iter(coder.code([text for text in texts if text is not None]))
    return [None if text is None else next(there) for text in texts]


def _count(coded: Coded | None) -> int | None:
    return None if coded is None else len(coded.ids)


def _rule(row: dict, length: int) -> str | None:
    if row["n_nl"] > length:
        return RULES[0]
    return RULES[1] if row["n_code"] > length else None
