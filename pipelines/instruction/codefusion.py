"""CodeFusion (Singh et al. 2023, arXiv 2310.17680): pairs of a sentence and code, and snippets to pre-train on.

Read, marked against the test, coded into ids of one length, and exported as Arrow and JSON lines. The kernels are
`instruct.pairs`; here they are given files, a tokenizer and an order.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import RecipeError
from columns.files import Place
from instruct.pairs import (
    BASH,
    EXCEL,
    MARKED,
    PAIR,
    PYTHON,
    Coder,
    FixedConfig,
    MaskConfig,
    OverlapConfig,
    byte_level_coder,
    count_overlap,
    divide_disjoint,
    divide_last,
    mark_pairs,
    mark_snippets,
    pretraining_records,
    pretraining_schema,
    read_pairs,
    read_snippets,
    tuning_records,
    tuning_schema,
)  # fmt: skip
from instruct.pairs.division import Division
from instruct.pairs.pair import TEST, TRAIN, UNSPLIT
from pipelines.instruction.steps import WHOLE, Context, Made, Step
from pipelines.instruction.systems import Needs, System
from shards.tokenizers import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer
from shards.tokenizers.bpe import parse_ranks

PAD, MASK = "<pad>", "<mask>"
CODET5 = "codet5"
ROLES = {
    "python": "Python pairs: a CoNaLa folder or file, or a file of prose-benchmarks",
    "bash": "Bash pairs: a folder of NL2Bash, or a file of prose-benchmarks",
    "excel": "rules of Excel's conditional formatting: a file of prose-benchmarks",
    "snippets": "code without sentences, one snippet a line; the language is told by the file's name",
    CODET5: "a folder with CodeT5's vocab.json and merges.txt, in place of the recipe's tokenizer",
}
PUBLISHED = {
    "read": "Bash 10,085 + 2,522, Python 2,379 + 500, rules 712 + 178 pairs",
    "snippets": "Bash 88,528 snippets (61,952 distinct), rules 226,467 (3,498); Python not counted",
    "overlap": "test rows with a training row's code: Bash 747; distinct codes on both sides: rules 16, Python 5",
}
_LANGUAGES = {"python": PYTHON, "bash": BASH, "excel": EXCEL}
_CODE = ("instruct.pairs", "contamination", "shards.tokenizers", "pipelines.instruction.codefusion")
_FILES = ("vocab.json", "merges.txt")


def _tokenizer() -> TokenizerConfig:
    return TokenizerConfig(vocab_size=8192, pattern="r50k", special_tokens=(PAD, MASK))


@dataclass(frozen=True)
class CodeFusionConfig:
    """The recipe's section. ``bash_split`` divides Bash pairs whose source names no split; ``none`` takes all to train.

    The tokenizer must give back every byte, and have ``<pad>`` and ``<mask>``.
    """

    bash_split: Division = "published"
    overlap: OverlapConfig = field(default_factory=OverlapConfig)
    tokenizer: TokenizerConfig = field(default_factory=_tokenizer)
    fixed: FixedConfig = field(default_factory=FixedConfig)
    masks: MaskConfig = field(default_factory=MaskConfig)

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        missing = {PAD, MASK} - set(self.tokenizer.special_tokens)
        if missing:
            raise ValueError(f"tokenizer.special_tokens: expected {PAD} and {MASK}, no {min(missing)} there")
        if self.tokenizer.spec.startswith(("tokenizers", "sentencepiece")):
            raise ValueError(
                "tokenizer.spec: expected a byte-level tokenizer (train, codex, codegen, tiktoken); "
                f"CodeT5's files go by --input {CODET5}=DIR"
            )


def read(context: Context, _unit: int) -> Made:
    """All pairs, each with its split."""
    tables = [PAIR.empty_table()]
    for role, lang in _LANGUAGES.items():
        for prefix, path in _inputs(context, role):
            tables.append(_table(read_pairs(path, lang, prefix=prefix), context.config.bash_split))
    table = pa.concat_tables(tables)
    return Made(table, _counts(table, ("lang", "split")) + _counts(table, ("lang", "problem")))


def snippets(context: Context, _unit: int) -> Made:
    """All snippets."""
    found = [
        pa.Table.from_batches(read_snippets(path, prefix=prefix), PAIR)
        for prefix, path in _inputs(context, "snippets")
    ]
    table = pa.concat_tables([PAIR.empty_table(), *found])
    return Made(table, _counts(table, ("lang",)) + _counts(table, ("lang", "problem")))


def _inputs(context: Context, role: str) -> Iterator[tuple[str, Path]]:
    """Inputs of a role with what their ids begin with: bash, bash2, …"""
    for number, one in enumerate(context.inputs.get(role, ()), 1):
        yield role if number == 1 else f"{role}{number}", Path(one.path)


def _table(batches: Iterator[pa.RecordBatch], division: Division) -> pa.Table:
    table = pa.Table.from_batches(batches, PAIR)
    if pc.any(pc.not_equal(table["split"], UNSPLIT)).as_py() or not table.num_rows:
        return table
    if division == "none" or table["lang"][0].as_py() != BASH:
        sides = [TRAIN] * table.num_rows
    elif division == "published":
        sides = divide_last(table.num_rows)
    else:
        sides = divide_disjoint(table["nl"].to_pylist(), table["code"].to_pylist())
    return table.set_column(PAIR.get_field_index("split"), PAIR.field("split"), pa.array(sides))


def _counts(table: pa.Table, columns: Sequence[str]) -> Counter[str]:
    """Rows by the values of columns, those with a null left out."""
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    return Counter(": ".join(row) for row in rows if None not in row)


def overlap(context: Context, _unit: int) -> Made:
    """Pairs with marks, and how much of each test training shows before anything is dropped."""
    table = _in_order(context.read_all("read"))
    marked, counts = mark_pairs(table, context.config.overlap)
    for lang in sorted(set(table["lang"].to_pylist())):
        one = table.filter(pc.and_(pc.equal(table["lang"], lang), pc.is_valid(table["code"])))
        train, test = (one.filter(pc.equal(one["split"], side))["code"].to_pylist() for side in (TRAIN, TEST))
        found = count_overlap(train, test)
        counts[f"{lang}: test rows with a training row's code"] = found.shared
        counts[f"{lang}: distinct codes on both sides"] = found.distinct
    return Made(marked, counts)


def pool(context: Context, _unit: int) -> Made:
    """Snippets with marks, against the codes of the test."""
    pairs = context.read_all("read", ["lang", "split", "code"]).to_pylist()
    tested = {(row["lang"], row["code"]) for row in pairs if row["split"] == TEST and row["code"] is not None}
    return Made(*mark_snippets(_in_order(context.read_all("snippets")), tested, context.config.overlap))


def _in_order(table: pa.Table) -> pa.Table:
    """Rows in the order of their inputs; parts hold them by hash."""
    names = [name.rpartition("/") for name in table["id"].to_pylist()]
    keys = [(start, int(number)) for start, _, number in names]
    return table.take(pa.array(sorted(range(len(keys)), key=keys.__getitem__), pa.int64()))


TOKENIZER = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "tokenizer"}),
        pa.field("name", pa.string(), metadata={"about": "codet5, train, or the name of the file"}),
        pa.field("vocab_size", pa.int64(), metadata={"about": "number of ids"}),
        pa.field("pad_id", pa.int64(), metadata={"about": "the id of padding"}),
        pa.field("mask_id", pa.int64(), metadata={"about": "the id of the mask"}),
    ]
)


def tokenizer(context: Context, _unit: int) -> Made:
    """CodeT5's where its files are an input; else the recipe's, trained on all that is kept and is no test."""
    given = context.inputs.get(CODET5, ())
    name, files = (CODET5, _codet5_files(Path(given[0].path))) if given else _own_files(context)
    with tempfile.TemporaryDirectory(prefix="thresher-tokenizer-") as folder:
        for file, data in files.items():
            Path(folder, file).write_bytes(data)
        coder = _coder(Place(folder))
    row = {"id": "tokenizer", "name": name, "vocab_size": len(coder.widths)}
    table = pa.Table.from_pylist([{**row, "pad_id": coder.pad_id, "mask_id": coder.mask_id}], TOKENIZER)
    return Made(table, Counter(ids=len(coder.widths)), {file: [data] for file, data in files.items()})


def _codet5_files(folder: Path) -> dict[str, bytes]:
    byte_level_coder(folder)
    found = {
        name: next(file for file in sorted(folder.iterdir()) if file.name.endswith(name)) for name in _FILES
    }
    return {name: file.read_bytes() for name, file in found.items()}


def _own_files(context: Context) -> tuple[str, dict[str, bytes]]:
    made = make_tokenizer(context.config.tokenizer, sorted(set(_texts(context))))
    if made.vocabulary.pattern is None:
        raise RecipeError("tokenizer: not a byte-level one", hint="take train, codex, codegen or tiktoken:…")
    with tempfile.TemporaryDirectory(prefix="thresher-tokenizer-") as folder:
        made.save(Place(folder))
        return made.name, {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}


def _texts(context: Context) -> Iterator[str]:
    for step in ("overlap", "pool"):
        table = context.read_all(step, ["split", "nl", "code", "dropped"])
        kept = table.filter(pc.and_(pc.is_null(table["dropped"]), pc.not_equal(table["split"], TEST)))
        for name in ("nl", "code"):
            yield from kept[name].drop_null().to_pylist()


def _coder(place: Place) -> Coder:
    """The coder of a tokenizer's files."""
    if place.exists(_FILES[0]):
        return byte_level_coder(Path(place.path("")))
    found = load_tokenizer(place)
    widths = np.zeros(found.vocab_size, np.int32)
    for token, rank in parse_ranks(found.vocabulary.data, found.name).items():
        widths[rank] = len(token)
    for text, rank in found.vocabulary.added.items():
        widths[rank] = len(text.encode())
    return Coder(partial(_encode, found), widths, found.special_id(PAD), found.special_id(MASK))


def _encode(found: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    ids, offsets = found.encode_batch(pa.array(texts, pa.large_string()))
    return [ids[start:end] for start, end in zip(offsets[:-1], offsets[1:], strict=True)]


def tuning(context: Context, unit: int) -> Made:
    """Pairs as ids."""
    coder = _coder(context.place.child("tokenizer"))
    return Made(*tuning_records(context.read("overlap", unit), coder, context.config.fixed))


def pretraining(context: Context, unit: int) -> Made:
    """Snippets as ids, for both tasks."""
    config, coder = context.config, _coder(context.place.child("tokenizer"))
    return Made(*pretraining_records(context.read("pool", unit), coder, config.fixed, config.masks))


EXPORTED = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "the file and the language"}),
        pa.field("file", pa.string(), metadata={"about": "the file in this folder"}),
        pa.field("lang", pa.string(), metadata={"about": "python, bash or excel_cf"}),
        pa.field("rows", pa.int64(), metadata={"about": "rows of that language in it"}),
    ]
)


def export(context: Context, _unit: int) -> Made:
    """What is kept: an Arrow file of ids for each split and each task, and the pairs' texts as JSON lines."""
    pairs, records = (_kept(context, step) for step in ("tuning", "pretraining"))
    tables = {
        f"pairs-{side}.arrow": _where(pairs, "split", side)
        for side in sorted(set(pairs["split"].to_pylist()))
    }
    tables |= {
        f"pretraining-{task}.arrow": _where(records, "task", task)
        for task in sorted(set(records["task"].to_pylist()))
    }
    texts = pairs.select(["id", "lang", "split", "nl", "code", "sheet"])
    counts = {
        (file, lang): rows
        for file, table in tables.items()
        for lang, rows in _counts(table, ("lang",)).items()
    }
    rows = [
        {"id": f"{file}/{lang}", "file": file, "lang": lang, "rows": number}
        for (file, lang), number in counts.items()
    ]
    files: dict[str, Any] = {file: [_arrow(table)] for file, table in tables.items()}
    files["pairs.jsonl"] = (orjson.dumps(row) + b"\n" for row in texts.to_pylist())
    said = Counter({f"{file}: {lang}": number for (file, lang), number in counts.items()})
    return Made(pa.Table.from_pylist(rows, EXPORTED), said, files)


def _kept(context: Context, step: str) -> pa.Table:
    parts = (context.read(step, part) for part in range(context.parts))
    kept = pa.concat_tables([part.filter(pc.is_null(part["dropped"])) for part in parts]).drop_columns(
        "dropped"
    )
    return _in_order(kept) if step == "tuning" else kept.sort_by("id")


def _where(table: pa.Table, column: str, value: str) -> pa.Table:
    return table.filter(pc.equal(table[column], value))


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


def steps(config: CodeFusionConfig) -> tuple[Step, ...]:
    """The steps, in order."""
    length = config.fixed.length

    def step(
        name: str,
        make: Callable[[Context, int], Made],
        schema: pa.Schema,
        about: str,
        *reads: str,
        **more: Any,
    ) -> Step:
        return Step(name, make, schema, about, reads, code=_CODE, **more)

    whole, languages = {"spread": WHOLE}, tuple(_LANGUAGES)
    ids = tuning_schema(length)
    return (
        step("read", read, PAIR, "pairs as they are", **whole, roles=languages, uses=("bash_split",)),
        step("snippets", snippets, PAIR, "code without sentences", **whole, roles=("snippets",)),
        step("overlap", overlap, MARKED, "pairs, what repeats marked", "read", **whole, uses=("overlap",)),
        step("pool", pool, MARKED, "snippets marked alike", "read", "snippets", **whole, uses=("overlap",)),
        step(
            "tokenizer", tokenizer, TOKENIZER, "the vocabulary", "overlap", "pool", **whole, roles=(CODET5,),
            uses=("tokenizer",),
        ),
        step("tuning", tuning, ids, "pairs as ids of one length", "overlap", "tokenizer", uses=("fixed",)),
        step(
            "pretraining", pretraining, pretraining_schema(length), "snippets as ids, and with names hidden", "pool",
            "tokenizer", uses=("fixed", "masks"),
        ),
        step("export", export, EXPORTED, "what is kept, as Arrow and JSON lines", "tuning", "pretraining", **whole),
    )  # fmt: skip


def needs(_config: CodeFusionConfig) -> Needs:
    """Pairs or snippets of some language."""
    return Needs(((*_LANGUAGES, "snippets"),))


SYSTEM = System("codefusion", CodeFusionConfig, steps, ROLES, needs=needs, published=PUBLISHED)
