"""Token parts: the kept documents of one part as token ids, and the slice of all parts that makes a shard.

A part is sorted by (split, key, doc_id) and its schema metadata lists, per batch, the split and the first and
last key. `gather` therefore opens only the batches of its key range: memory is bounded by one shard, on a
local disk and on an object store alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import OutputError
from columns.files import Place
from columns.tables import write_arrow
from shards.format import BATCH_ROWS, tokens_schema
from shards.forming import LISTS, Nodes, TransformConfig, as_lists, as_ragged, form_rows, part_schema
from shards.order import order_keys
from shards.packing import Documents
from shards.ragged import Ragged
from shards.tokenizers import Tokenizer

_INDEX = b"thresher.batches"
_NONE = TransformConfig()


def tokenise_part(
    documents: Iterable[pa.RecordBatch],
    ledger: pa.Table,
    tokenizer: Tokenizer,
    shuffle_seed: int,
    transforms: TransformConfig = _NONE,
    nodes: Nodes | None = None,
) -> pa.Table:
    """Tokenise one part's kept documents: a table of `tokens_schema`, sorted by (split, key, doc_id).

    ``documents`` need ``doc_id``, ``content`` and ``language``, and what ``transforms.columns`` names; ``ledger`` is
    row-aligned with them and needs ``kept`` and ``split``. With transforms the table has what
    `shards.forming.form_rows` adds; ``nodes`` finds the spans that unit "node" needs. Memory: twice the part's ids (as
    uint16 about a byte per byte of text). Raises `OutputError` when the two are not of equal length.
    """
    schema = part_schema(tokens_schema(tokenizer.dtype), transforms)
    found, row = [_empty(schema)], 0
    for batch in documents:
        verdict = ledger.slice(row, batch.num_rows)
        row += batch.num_rows
        if verdict.num_rows == batch.num_rows:
            found.append(_tokenise(batch, verdict, tokenizer, shuffle_seed, transforms, nodes))
    if row != ledger.num_rows:
        raise OutputError(
            f"{row} documents but {ledger.num_rows} ledger rows", hint="run the decide stage again"
        )
    return _ordered(found, ["split", "key", "doc_id"])


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], item.type) for item in schema], schema=schema)


def merge_tokens(made: pa.Table, stored: Sequence[pa.RecordBatch], rows: np.ndarray) -> pa.Table:
    """A part of the tokens that were ``made`` and of some rows of a ``stored`` part, in the order of parts."""
    first = sum(batch.num_rows for batch in stored)
    chosen = np.concatenate([rows, np.arange(first, first + made.num_rows)])
    plain = [batch.replace_schema_metadata(None) for batch in stored]
    return _ordered([*plain, *made.to_batches()] or [_empty(made.schema)], ["split", "key", "doc_id"], chosen)


def _ordered(
    batches: Sequence[pa.RecordBatch], columns: Sequence[str], chosen: np.ndarray | None = None
) -> pa.Table:
    """Join and sort batches, or the ``chosen`` ones of their rows.

    Ids are copied once (Arrow's own take would need 8 bytes more per token).
    """
    joined = pa.Table.from_batches(batches)
    lists = [name for name in LISTS if name in joined.schema.names]
    rows = joined.drop_columns(lists)
    if chosen is None:
        order = pc.sort_indices(rows, [(name, "ascending") for name in columns])
    else:
        some = rows.take(pa.array(chosen))
        by_key = pc.sort_indices(some, [(name, "ascending") for name in columns])
        order = pa.array(chosen).take(by_key)
    found = rows.take(order)
    for name in lists:
        ids = _take_lists([batch.column(name) for batch in batches], order.to_numpy())
        found = found.append_column(joined.schema.field(name), ids)
    return found.combine_chunks()


def _take_lists(lists: Sequence[pa.LargeListArray], order: np.ndarray) -> pa.LargeListArray:
    values = [item.values.to_numpy(zero_copy_only=True) for item in lists]
    bounds = [item.offsets.to_numpy(zero_copy_only=True) for item in lists]
    owner = np.repeat(np.arange(len(lists)), [len(item) for item in lists])
    starts = np.concatenate([item[:-1] for item in bounds])
    lengths = np.concatenate([np.diff(item) for item in bounds])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[order])])
    ids = np.empty(int(offsets[-1]), values[0].dtype)
    for number, row in enumerate(order.tolist()):
        piece = values[owner[row]][starts[row] : starts[row] + lengths[row]]
        ids[offsets[number] : offsets[number + 1]] = piece
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(ids))


def _tokenise(
    batch: pa.RecordBatch,
    verdict: pa.Table,
    tokenizer: Tokenizer,
    seed: int,
    transforms: TransformConfig,
    nodes: Nodes | None,
) -> pa.RecordBatch:
    kept = pc.fill_null(verdict.column("kept").combine_chunks(), False)
    rows = batch.select(["doc_id", "content", "language", *transforms.columns]).filter(kept)
    split = verdict.column("split").combine_chunks().filter(kept)
    schema = part_schema(tokens_schema(tokenizer.dtype), transforms)
    found = {
        "doc_id": rows.column("doc_id"),
        "split": split.cast(pa.string()),
        "language": rows.column("language"),
    }
    if transforms.active:
        found |= form_rows(rows, tokenizer, transforms, nodes)
    else:
        found["ids"] = as_lists(Ragged(*tokenizer.encode_batch(rows.column("content"))))
    identity = found["group"] if "group" in found else found["doc_id"]
    found["key"] = pa.array(order_keys(identity, seed), pa.uint64())
    return pa.RecordBatch.from_arrays([found[name] for name in schema.names], schema=schema)


def write_tokens(place: Place, name: str, tokens: pa.Table) -> int:
    """Write one part of tokens with its index; returns the rows."""
    batches = list(_batches(tokens))
    index = [[b["split"][0].as_py(), b["key"][0].as_py(), b["key"][-1].as_py()] for b in batches]
    schema = tokens.schema.with_metadata({_INDEX: json.dumps(index).encode()})
    return write_arrow(place, name, (b.replace_schema_metadata(schema.metadata) for b in batches), schema)


def _batches(tokens: pa.Table) -> Iterator[pa.RecordBatch]:
    """Slices of at most `BATCH_ROWS` rows, none with two splits; the rows are sorted by split."""
    for split in sorted(pc.unique(tokens.column("split")).to_pylist()):
        rows = np.flatnonzero(pc.equal(tokens.column("split"), split).to_numpy())
        yield from tokens.slice(rows[0], len(rows)).combine_chunks().to_batches(BATCH_ROWS)


def count_tokens(tokens: pa.Table, by: str) -> dict[str, int]:
    """Tokens per value of a column (``split`` or ``language``), one end of text per document included.

    >>> column = {"language": ["python"], "ids": pa.array([[1, 2]], pa.large_list(pa.uint16()))}
    >>> count_tokens(pa.table(column), "language")
    {'python': 3}
    """
    lengths = pc.list_value_length(tokens.column("ids")).to_pylist()
    totals: Counter[str] = Counter()
    for value, length in zip(tokens.column(by).to_pylist(), lengths, strict=True):
        totals[value or "unknown"] += length + 1
    return dict(sorted(totals.items()))


def gather(place: Place, names: Sequence[str], lo: int, hi: int | None, split: str) -> Documents:
    """One split's documents with ``lo <= key < hi`` (None: to the end) of all parts, by (key, doc_id).

    The result does not depend on how documents were spread over parts. Memory: the slice, once. Raises
    `OutputError` when there are no parts.
    """
    rows = gather_rows(place, names, lo, hi, split)
    return Documents(*as_ragged(rows.column("ids")), rows.column("doc_id"))


def gather_rows(place: Place, names: Sequence[str], lo: int, hi: int | None, split: str) -> pa.RecordBatch:
    """The same as rows of the token parts, with all their columns; `shards.forming.formed` makes documents of them."""
    if not names:
        raise OutputError(f"no token parts at {place.url}", hint="run the shard stage again")
    slices = [piece for name in names for piece in _slices(place, name, lo, hi, split)]
    found = _ordered(slices, ["key", "doc_id"]).to_batches()
    return found[0] if found else slices[0]


def _slices(place: Place, name: str, lo: int, hi: int | None, split: str) -> Iterator[pa.RecordBatch]:
    """The matching slices of one part, the first always empty so that even no match has a schema."""
    with place.open(name) as source, pa.ipc.open_file(source) as reader:
        yield _empty(reader.schema.remove_metadata())
        for number, (found, first, last) in enumerate(json.loads(reader.schema.metadata[_INDEX])):
            if found == split and last >= lo and (hi is None or first < hi):
                batch = reader.get_batch(number).replace_schema_metadata(None)
                yield _between(batch, lo, hi)


def _between(batch: pa.RecordBatch, lo: int, hi: int | None) -> pa.RecordBatch:
    keys = batch.column("key").to_numpy(zero_copy_only=True)
    start = int(np.searchsorted(keys, np.uint64(lo)))
    stop = len(keys) if hi is None else int(np.searchsorted(keys, np.uint64(hi)))
    return batch.slice(start, stop - start)
