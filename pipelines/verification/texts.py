"""Texts: what the tokens of a sample of documents spell, against the stored documents as they are trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import ThresherError
from columns.hashing import unit_hash
from pipelines.dataset import Dataset, Names
from pipelines.finished import Finished
from pipelines.redacting import Texts
from pipelines.verification.check import Check, Watch, some
from pipelines.verification.members import Members
from pipelines.wording import counted, plain
from shards import Tokenizer, load_tokenizer, open_shard


def check_texts(dataset: Finished, members: Members, sample: int | None, watch: Watch) -> Check:
    """Decode a sample (None: all) of the survivors, chosen by hash, and compare; cuts and redactions count.

    Costs one pass over the parts that the sample is in.
    """
    chosen = _chosen(members, sample)
    stored = Dataset(dataset.place)
    names, problems, looked = Names(stored.parts()), [], 0
    tokenizer, held = load_tokenizer(stored.tokenizer), _Tokens(dataset, members)
    for part in range(names.count):
        watch("texts", part, names.count)
        for doc_id, path, text in _wanted(Texts(stored, names), part, chosen):
            looked += 1
            problems += [f"{plain(path)}: {line}" for line in _compared(held.of(doc_id), text, tokenizer)]
    return Check("texts", f"{counted(looked, 'document')} decoded and compared", some(problems))


def _chosen(members: Members, sample: int | None) -> pa.Array:
    """The ids of the files that are compared: survivors of which something is in the shards."""
    rows = np.unique(members.row[members.row >= 0])
    rows = rows[members.kept[rows]]
    ids = members.files.column("doc_id").combine_chunks().cast(pa.binary()).take(pa.array(rows))
    if sample is None or len(ids) <= sample:
        return ids
    return ids.take(pa.array(np.argsort(unit_hash("verify", ids.to_pylist()), kind="stable")[:sample]))


def _wanted(texts: Texts, part: int, chosen: pa.Array) -> Iterator[tuple[bytes, str, str]]:
    for batch in texts(part, ["doc_id", "path", "content"]):
        there = pc.is_in(batch.column("doc_id").cast(pa.binary()), value_set=chosen)
        there = pc.and_(there, batch.column("content").is_valid())
        some_rows = batch.filter(there)
        columns = (some_rows.column(name).to_pylist() for name in ("doc_id", "path", "content"))
        yield from ((doc_id, path or doc_id.hex(), text) for doc_id, path, text in zip(*columns, strict=True))


class _Tokens:
    """The ids of a document, put together from its pieces."""

    def __init__(self, dataset: Finished, members: Members) -> None:
        self._span, self._pieces = members.pieces.span, members.pieces
        self._place = dataset.place.child("shards")
        self._open = {name: open_shard(self._place, name) for name in members.pieces.names
                      if name not in members.pieces.unread}  # fmt: skip
        document = self._span.document
        order = pc.sort_indices(pa.table({"id": document, "at": self._span.offset}),
                                [("id", "ascending"), ("at", "ascending")])  # fmt: skip
        self._order = np.asarray(order)
        counted_ids = pc.run_end_encode(document.take(order))
        self._ends = dict(zip(counted_ids.values.to_pylist(), counted_ids.run_ends.to_pylist(), strict=True))
        starts = [0, *counted_ids.run_ends.to_pylist()[:-1]]
        self._starts = dict(zip(counted_ids.values.to_pylist(), starts, strict=True))

    def of(self, doc_id: bytes) -> np.ndarray:
        """The ids, with the end of text."""
        at = self._order[self._starts[doc_id] : self._ends[doc_id]]
        rows = zip(*(column[at].tolist() for column in self._span[1:5]), strict=True)
        return np.concatenate([
            self._open[self._pieces.names[shard]].row(row)[start : start + length]
            for shard, row, start, length in rows
        ])  # fmt: skip


def _compared(ids: np.ndarray, text: str, tokenizer: Tokenizer) -> Iterator[str]:
    """What is wrong with a document's ids; of one without its end the beginning is compared."""
    whole = len(ids) and ids[-1] == tokenizer.eot_id
    wanted, _ = tokenizer.encode_batch(pa.array([text], pa.large_string()))
    found = ids[:-1] if whole else ids
    bos = tokenizer.vocabulary.bos_id
    plain_ids = found[1:] if bos >= 0 and len(found) and found[0] == bos else found
    if not whole:
        if not np.array_equal(found, wanted[: len(found)]):
            yield "its tokens are not the beginning of the document"
    elif tokenizer.decode(plain_ids) != text and not np.array_equal(found, wanted):
        yield f"its tokens spell another text, from token {_apart(found, wanted):,} on"


def _apart(found: np.ndarray, wanted: np.ndarray) -> int:
    """The first token in which two documents differ.

    >>> _apart(np.array([1, 2]), np.array([1, 3, 4]))
    1
    """
    shorter = min(len(found), len(wanted))
    apart = np.flatnonzero(found[:shorter] != wanted[:shorter])
    return int(apart[0]) if len(apart) else shorter


def unreadable(error: ThresherError) -> Check:
    """The check where texts cannot be read at all."""
    return Check("texts", "", (str(error),))
