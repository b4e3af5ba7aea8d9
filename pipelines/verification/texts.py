"""Texts: what the tokens of a sample of documents spell, against the stored documents as they are trained on.

Transforms are undone: what stands before a text is compared with what the recipe puts there, rearranged documents are
put back in order, and of joined files each is compared by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from columns.errors import OutputError, ThresherError
from columns.hashing import unit_hash
from pipelines.dataset import Dataset, Names
from pipelines.finished import Finished
from pipelines.redacting import Texts
from pipelines.verification.check import Check, Watch, some
from pipelines.verification.members import Members
from pipelines.verification.searching import Search, Seen
from pipelines.verification.spelled import Expected, Noted, Spelling
from pipelines.wording import counted, plain
from shards import TransformConfig, load_tokenizer, open_shard
from shards.forming import expected
from shards.infilling import Cuts
from shards.reader import put_together

_READ = ("doc_id", "path", "content", "language", "content_hash")


def check_texts(dataset: Finished, members: Members, sample: int | None, watch: Watch) -> list[Check]:
    """Decode a sample (None: all) of the survivors, chosen by hash, and compare; cuts and redactions count.

    What they spell is also searched for the recipe's benchmark tasks. Costs one pass over the parts that the sample is
    in, and the suites' index.
    """
    chosen = _chosen(members, sample)
    stored, config = Dataset(dataset.place), transforms_of(dataset)
    names, problems, looked = Names(stored.parts()), [], 0
    spelling, held = Spelling(load_tokenizer(stored.tokenizer), config), _Tokens(dataset, members)
    search = Search.of(dataset)
    for part in range(names.count):
        watch("texts", part, names.count)
        for batch in _wanted(Texts(stored, names), part, config, chosen):
            looked += batch.num_rows
            seen = []
            for one in _documents(batch, held, spelling):
                problems += [
                    f"{one.name}: {line}" for line in spelling.problems(one.ids, one.expected, one.noted)
                ]
                seen.append(Seen(one.name, one.language, one.content_hash, spelling.text(one.ids, one.noted)))
            search.add(seen)
    said = f"{counted(looked, 'document')} decoded and compared"
    return [Check("texts", said, some(problems)), search.check()]


def transforms_of(dataset: Finished) -> TransformConfig:
    """What the dataset's recipe does to documents; `OutputError` when this version does not know it."""
    try:
        return TypeAdapter(TransformConfig).validate_python(dataset.section("recipe", "transforms"))
    except ValidationError as problem:
        what = f"{dataset.place.url}/manifest.json: transforms: {problem.errors()[0]['msg']}"
        raise OutputError(what, hint="build it again") from problem


def _chosen(members: Members, sample: int | None) -> pa.Array:
    """The ids of the files that are compared: survivors of which something is in the shards."""
    rows = np.unique(members.row[members.row >= 0])
    rows = rows[members.kept[rows]]
    ids = members.files.column("doc_id").combine_chunks().cast(pa.binary()).take(pa.array(rows))
    if sample is None or len(ids) <= sample:
        return ids
    return ids.take(pa.array(np.argsort(unit_hash("verify", ids.to_pylist()), kind="stable")[:sample]))


def _wanted(texts: Texts, part: int, config: TransformConfig, chosen: pa.Array) -> Iterator[pa.RecordBatch]:
    for batch in texts(part, list(dict.fromkeys([*_READ, *config.columns]))):
        there = pc.is_in(batch.column("doc_id").cast(pa.binary()), value_set=chosen)
        there = pc.and_(there, batch.column("content").is_valid())
        rows = batch.filter(there)
        yield from [rows] if rows.num_rows else []


class _Document(NamedTuple):
    name: str
    language: str | None
    content_hash: bytes
    ids: np.ndarray
    expected: Expected
    noted: Noted | None


def _documents(batch: pa.RecordBatch, held: _Tokens, spelling: Spelling) -> Iterator[_Document]:
    """The documents of some stored rows as shards hold them, beside what they must be."""
    doc_ids, paths, texts, languages, hashes = (batch.column(name).to_pylist() for name in _READ)
    cuts = held.cuts(doc_ids)
    try:
        before, wanted = expected(batch, cuts, spelling.tokenizer, spelling.transforms)
    except ThresherError:
        none = Cuts(*(np.zeros_like(column) for column in cuts))
        before, wanted = expected(batch, none, spelling.tokenizer, spelling.transforms)
    for at, doc_id in enumerate(doc_ids):
        ids = [one.ids[one.offsets[at] : one.offsets[at + 1]] for one in (before, wanted)]
        for found in held.of(doc_id):
            name = plain(paths[at] or doc_id.hex())
            must = Expected(texts[at], *ids)
            yield _Document(name, languages[at], hashes[at], found, must, held.noted(doc_id))


class _Tokens:
    """The ids of a document, put together from its pieces, and what these say of it."""

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
        starts = [0, *counted_ids.run_ends.to_pylist()][: len(self._ends)]
        self._starts = dict(zip(counted_ids.values.to_pylist(), starts, strict=True))

    def of(self, doc_id: bytes) -> Iterator[np.ndarray]:
        """The ids, with the end of text where one follows; several where the same file was kept more than once."""
        at = self._order[self._starts[doc_id] : self._ends[doc_id]]
        rows = zip(*(column[at].tolist() for column in self._span[1:6]), strict=True)
        yield from put_together([
            (offset, self._open[self._pieces.names[shard]].row(row)[start : start + length])
            for shard, row, start, length, offset in rows
        ])  # fmt: skip

    def noted(self, doc_id: bytes) -> Noted | None:
        """What the first piece says of the document; None without transforms."""
        if self._pieces.notes is None:
            return None
        (row,) = self._pieces.notes.slice(int(self._order[self._starts[doc_id]]), 1).to_pylist()
        return Noted(row["form"], row["prefix"], row["length"], row["first"] == doc_id)

    def cuts(self, doc_ids: list[bytes]) -> Cuts:
        """The forms and places that the shards note of documents; all plain without transforms."""
        if self._pieces.notes is None:
            none = np.zeros(len(doc_ids), np.int64)
            return Cuts(none.astype(np.int8), none, none)
        rows = self._pieces.notes.take(pa.array([int(self._order[self._starts[one]]) for one in doc_ids]))
        return Cuts(*(np.asarray(rows.column(name)) for name in ("form", "cut_start", "cut_end")))


def unreadable(error: ThresherError) -> Check:
    """The check where texts cannot be read at all."""
    return Check("texts", "", (str(error),))
