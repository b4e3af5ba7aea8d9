"""Forming: the transforms of documents on their way into shards, and what is noted of each.

Before rows are cut (`form_rows`, per part of the tokens): what stands before a document, and its rearranged form beside
the plain one. When a shard's rows are known (`formed`): files of a repository in order, which form each document has.

>>> config = TransformConfig(InfillConfig(rate=0.9), repository=RepositoryConfig(join=True))
>>> config.active, config.special_tokens(), config.columns
(True, ('<fim_prefix>', '<fim_middle>', '<fim_suffix>'), ('content_hash', 'repo', 'ref', 'path'))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from columns.document import DOC_ID_BYTES
from shards.infilling import InfillConfig, draw_cuts, encode_infilled, fitting
from shards.infilling.cuts import Cuts, Span
from shards.infilling.encoding import encode_plain
from shards.packing import Documents, PackConfig
from shards.prefixes import FIELDS, Part, PrefixConfig, comment, encode_mixed, encode_prefixes, one_line
from shards.ragged import Ragged, rows_of
from shards.repositories import RepositoryConfig, import_order, imports_of, memberships, resolve, tree_order
from shards.tokenizers import Tokenizer

LISTS = ("ids", "filled")
NOTES = pa.schema(
    [
        pa.field("doc_forms", pa.int8()),
        pa.field("doc_cuts", pa.list_(pa.int64(), 2)),
        pa.field("doc_prefixes", pa.int32()),
        pa.field("doc_lengths", pa.int64()),
    ]
)
JOINED = pa.schema([pa.field("doc_firsts", pa.binary(DOC_ID_BYTES)), pa.field("doc_befores", pa.int64())])
FORMS = ("plain", "psm", "spm")

Nodes = Callable[[pa.RecordBatch], Sequence[Sequence[Span]]]
"""Finds, per row of documents, the spans of functions and classes, in characters."""


@dataclass(frozen=True)
class TransformConfig:
    """What is done to documents before they are packed; nothing unless it is asked for."""

    infill: InfillConfig = field(default_factory=InfillConfig)
    prefix: PrefixConfig = field(default_factory=PrefixConfig)
    repository: RepositoryConfig = field(default_factory=RepositoryConfig)

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    @property
    def active(self) -> bool:
        """Whether anything is asked for; without it parts and shards are as they always were."""
        return bool(self.infill.rate or self.prefix.fields or self.repository.join)

    @property
    def both(self) -> bool:
        """Whether parts hold two forms, of which one is chosen when rows are known."""
        return bool(self.infill.rate) and self.infill.level == "context"

    @property
    def notes(self) -> pa.Schema | None:
        """What shards note of each piece beside its document and place: `NOTES`, and `JOINED` where files are joined.

        >>> TransformConfig(repository=RepositoryConfig(join=True)).notes.names[3:]
        ['doc_lengths', 'doc_firsts', 'doc_befores']
        """
        if not self.active:
            return None
        return pa.schema([*NOTES, *(JOINED if self.repository.join else ())])

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of documents that are read beside id, content and language."""
        found = ["content_hash"] * self.active
        found += ["repo", "ref", "path"] * self.repository.join
        found += [name for name in FIELDS[1:] if self.prefix.fields]
        found += ["path"] * bool(self.infill.rate and self.infill.unit == "node")
        return tuple(dict.fromkeys(found))

    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that the tokenizer must have."""
        asked = (self.infill, self.prefix, self.repository)
        return tuple(dict.fromkeys(name for one in asked for name in one.special_tokens()))


def part_schema(tokens: pa.Schema, config: TransformConfig) -> pa.Schema:
    """The schema of token parts: ``tokens`` and what `form_rows` adds.

    >>> from shards.format import tokens_schema
    >>> part_schema(tokens_schema(np.dtype(np.uint16)), TransformConfig(InfillConfig(rate=0.5))).names[5:]
    ['filled', 'form', 'cut_start', 'cut_end', 'prefix']
    """
    added: list[pa.Field] = []
    if config.both:
        added.append(pa.field("filled", tokens.field("ids").type, nullable=False))
    if config.active:
        kinds = {"form": pa.int8(), "cut_start": pa.int64(), "cut_end": pa.int64(), "prefix": pa.int32()}
        added += [pa.field(name, kind, nullable=False) for name, kind in kinds.items()]
    if config.repository.join:
        added += [pa.field("group", pa.binary()), pa.field("path", pa.string())]
        added.append(pa.field("imports", pa.list_(pa.string())))
    return pa.schema([*tokens, *added])


def form_rows(
    rows: pa.RecordBatch, tokenizer: Tokenizer, config: TransformConfig, nodes: Nodes | None = None
) -> dict[str, pa.Array]:
    """The columns of a token part that depend on transforms: ids with what stands before them, the other form, notes.

    ``rows`` are documents with ``content`` as it goes into shards; choices follow from ``content_hash``, which is of
    the text as it was read. No ``bos`` is there yet. Raises `InputError` for a special token that is not known.
    """
    texts = rows.column("content").to_pylist()
    before = _before(rows, tokenizer, config)
    plain, cuts = encode_plain(tokenizer, rows.column("content")), _cuts(rows, texts, config, nodes)
    found = _notes(before, cuts)
    if config.infill.rate:
        filled = encode_infilled(texts, cuts, tokenizer, config.infill)
        if config.both:
            some = np.flatnonzero(cuts.form)
            whole = before.take(some).then(filled.take(some))
            lengths = np.zeros(len(texts), np.int64)
            lengths[some] = whole.lengths
            found["filled"] = as_lists(rows_of(whole.ids, lengths))
        else:
            plain = _chosen(plain, filled, cuts.form)
    found["ids"] = as_lists(before.then(plain))
    return found | (_membership(rows, texts, config) if config.repository.join else {})


def expected(
    rows: pa.RecordBatch, cuts: Cuts, tokenizer: Tokenizer, config: TransformConfig
) -> tuple[Ragged, Ragged]:
    """What must stand before each text, and the text's ids in the form and with the cuts that shards note of it.

    ``rows`` as for `form_rows`. No ``bos`` and no end of text are among them. Nothing is drawn and nothing parsed, so
    this says of finished shards whether they hold what they say. Raises `InputError` as `form_rows`.
    """
    before, plain = _before(rows, tokenizer, config), encode_plain(tokenizer, rows.column("content"))
    if not cuts.form.any():
        return before, plain
    filled = encode_infilled(rows.column("content").to_pylist(), cuts, tokenizer, config.infill)
    return before, _chosen(plain, filled, cuts.form)


def _chosen(plain: Ragged, filled: Ragged, form: np.ndarray) -> Ragged:
    """Of each document the form that it has."""
    number = np.arange(len(form))
    return plain.above(filled).take(np.where(form, number + len(form), number))


def _cuts(
    rows: pa.RecordBatch, texts: Sequence[str | None], config: TransformConfig, nodes: Nodes | None
) -> Cuts:
    hashes = [digest or b"" for digest in rows.column("content_hash").to_pylist()]
    spans = nodes(rows) if nodes and config.infill.rate and config.infill.unit == "node" else ()
    return draw_cuts(texts, hashes, config.infill, spans)


def _before(rows: pa.RecordBatch, tokenizer: Tokenizer, config: TransformConfig) -> Ragged:
    """What stands before each text: the repository's token, the prefix, the path as a comment."""
    found = rows_of(np.empty(0, tokenizer.dtype), np.zeros(rows.num_rows, np.int64))
    if config.prefix.fields:
        found = encode_prefixes(rows, tokenizer, config.prefix)
    if not config.repository.join:
        return found
    name = config.repository.token
    opened: list[list[Part]] = [[tokenizer.special_id(name)] if name else [] for _ in range(rows.num_rows)]
    found = encode_mixed(tokenizer, opened).then(found)
    return found.then(_path_comments(rows, tokenizer)) if config.repository.comment else found


def _path_comments(rows: pa.RecordBatch, tokenizer: Tokenizer) -> Ragged:
    pairs = zip(rows.column("language").to_pylist(), rows.column("path").to_pylist(), strict=True)
    return encode_mixed(
        tokenizer, [[comment(language, one_line(path))] if path else [] for language, path in pairs]
    )


def _notes(before: Ragged, cuts: Cuts) -> dict[str, pa.Array]:
    return {
        "form": pa.array(cuts.form, pa.int8()), "cut_start": pa.array(cuts.start, pa.int64()),
        "cut_end": pa.array(cuts.end, pa.int64()), "prefix": pa.array(before.lengths, pa.int32()),
    }  # fmt: skip


def _membership(
    rows: pa.RecordBatch, texts: Sequence[str | None], config: TransformConfig
) -> dict[str, pa.Array]:
    """Which repository each file belongs to, and what its place among the files depends on."""
    groups = memberships(*(rows.column(name) for name in ("repo", "ref", "doc_id")))
    read = config.repository.order == "imports"
    pairs = zip(rows.column("language").to_pylist(), texts, strict=True)
    imports = [imports_of(language, text or "") if read else [] for language, text in pairs]
    return {
        "group": groups, "path": rows.column("path"),
        "imports": pa.array(imports, pa.list_(pa.string())),
    }  # fmt: skip


class Formed(NamedTuple):
    """A shard's documents as they are packed, and the counts of what was done, for the manifest."""

    documents: Documents
    counts: dict[str, int]


def formed(rows: pa.RecordBatch, config: TransformConfig, pack: PackConfig, tokenizer: Tokenizer) -> Formed:
    """Documents of one shard in their final order and form.

    ``rows`` are of token parts, by (key, doc_id). The documents' notes are `NOTES`: the form (0 plain, 1 prefix,
    suffix, middle, 2 suffix, prefix, middle), where the middle begins and ends in the text, in characters, how many
    tokens stand before the text, and how many the document has, its end of text included where one follows. Where files
    are joined, `JOINED` too: the first file of the joined document, and how many of its tokens come before this file.
    Memory: the ids twice, and once more where there are two forms.
    """
    order, group = _order(rows, config)
    facts = rows.drop_columns(list({*LISTS} & {*rows.schema.names})).take(pa.array(order, pa.int64()))
    first, last = _bounds(group)
    ids = as_ragged(rows.column("ids"))
    bos = tokenizer.vocabulary.bos_id
    begun = first & (bos >= 0)
    form = facts.column("form").to_numpy()
    if config.both:
        filled = as_ragged(rows.column("filled"))
        more, there = begun + last, filled.lengths[order] > 0
        chosen = fitting(
            ids.lengths[order] + more, np.where(there, filled.lengths[order] + more, 0), group, pack
        )
        ids, form = ids.above(filled).take(order + chosen * len(order)), np.where(chosen, form, 0)
    else:
        ids = ids.take(order)
    if begun.any():
        ids = rows_of(np.full(int(begun.sum()), bos, ids.ids.dtype), begun.astype(np.int64)).then(ids)
    ended = last if config.repository.join else None
    documents = Documents(*ids, facts.column("doc_id"), ended)
    notes = _noted(facts, form.astype(np.int8), begun, documents.lengths)
    if config.repository.join:
        notes = _joined(notes, documents, first)
    documents = documents._replace(notes=notes)
    return Formed(documents, _counted(documents, facts, form))


def _bounds(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which documents are the first and the last of their group: two ``bool[n]``."""
    changes = group[1:] != group[:-1]
    some = np.ones(min(1, len(group)), np.bool_)
    return np.concatenate([some, changes]), np.concatenate([changes, some])


def _order(rows: pa.RecordBatch, config: TransformConfig) -> tuple[np.ndarray, np.ndarray]:
    """Which row is where, and which group it belongs to there: two ``int64[n]``."""
    if not config.repository.join:
        return np.arange(rows.num_rows), np.arange(rows.num_rows)
    table = rows.select(["key", "group", "path", "doc_id", "language", "imports"]).to_pylist()
    by_group: dict[tuple[int, bytes], list[int]] = {}
    for at in sorted(range(len(table)), key=lambda at: _place(table[at])):
        by_group.setdefault((table[at]["key"], table[at]["group"]), []).append(at)
    members = list(by_group.values())
    order = [at for one in members for at in _in_sequence([table[at] for at in one], one, config.repository)]
    group = np.repeat(np.arange(len(members)), [len(one) for one in members])
    return np.array(order, np.int64), group.astype(np.int64)


def _place(row: dict[str, Any]) -> tuple[int, bytes, str, bytes]:
    return row["key"], row["group"], row["path"] or "", row["doc_id"]


def _in_sequence(files: list[dict[str, Any]], rows: list[int], config: RepositoryConfig) -> list[int]:
    """The rows of one repository, given by path, in the order that is asked for."""
    paths = [file["path"] or "" for file in files]
    if config.order == "tree":
        return [rows[at] for at in tree_order(paths)]
    imports = resolve(paths, [file["language"] for file in files], [file["imports"] for file in files])
    return [rows[at] for at in import_order(paths, imports)]


def _noted(facts: pa.RecordBatch, form: np.ndarray, begun: np.ndarray, lengths: np.ndarray) -> pa.RecordBatch:
    cuts = np.stack([facts.column(name).to_numpy() for name in ("cut_start", "cut_end")], axis=1)
    cuts[form == 0] = 0
    columns = [
        pa.array(form, pa.int8()),
        pa.FixedSizeListArray.from_arrays(pa.array(cuts.ravel(), pa.int64()), 2),
        pa.array(facts.column("prefix").to_numpy() + begun, pa.int32()),
        pa.array(lengths, pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=NOTES)


def _joined(notes: pa.RecordBatch, documents: Documents, first: np.ndarray) -> pa.RecordBatch:
    """The notes, and of which joined document each file is: its first file, and the tokens before this one."""
    lengths = documents.lengths
    begins, at = (
        np.cumsum(lengths) - lengths,
        np.maximum.accumulate(np.where(first, np.arange(len(first)), 0)),
    )
    firsts = documents.doc_ids.take(pa.array(at, pa.int64()))
    columns = [*notes.columns, firsts, pa.array(begins - begins[at], pa.int64())]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema([*NOTES, *JOINED]))


def _counted(documents: Documents, facts: pa.RecordBatch, form: np.ndarray) -> dict[str, int]:
    """Documents of each form, with something before them, and joined ones; tokens of each split and language."""
    found = Counter({f"forms.{FORMS[kind]}": int((form == kind).sum()) for kind in range(len(FORMS))})
    found["forms.prefixed"] = int((facts.column("prefix").to_numpy() > 0).sum())
    if documents.ended is not None:
        found["forms.joined"] = len(form) - int(documents.ended.sum())
    for name in ("split", "language"):
        for value, length in zip(facts.column(name).to_pylist(), documents.lengths.tolist(), strict=True):
            found[f"{name}.{value or 'unknown'}"] += length
    return dict(found)


def as_lists(rows: Ragged) -> pa.LargeListArray:
    """Rows as an Arrow column over the same ids."""
    return pa.LargeListArray.from_arrays(pa.array(rows.offsets, pa.int64()), pa.array(rows.ids))


def as_ragged(lists: pa.LargeListArray) -> Ragged:
    """An Arrow column of ids, which is no slice, as rows over its own buffers."""
    return Ragged(lists.values.to_numpy(zero_copy_only=True), lists.offsets.to_numpy(zero_copy_only=True))
