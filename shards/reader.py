"""Reading shards: token ids as NumPy views of the mapped file, documents put together again, and `find`.

The file stays mapped while a `Shard` lives; views keep it alive by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.document import DOC_ID_BYTES
from columns.errors import OutputError
from columns.files import PartName, Place
from columns.versions import current_place
from shards.format import BATCH_ROWS, FORMAT, PLAIN_COLUMNS, SHARD_SUFFIX, SPLITS
from shards.order import order_keys, shard_of


class Found(NamedTuple):
    """One piece of a document: ``length`` tokens at ``row``, ``start``, from its token ``doc_offset``."""

    shard: str
    row: int
    start: int
    doc_offset: int
    length: int


Piece = tuple[int, np.ndarray]
"""Which of a document's tokens it begins with, and its ids."""


class TokenDocument(NamedTuple):
    """A document as the shards hold it: ``ids`` with the end of text; some are missing when not ``complete``.

    ``notes``: what shards note of a transformed document, by column (`shards.forming.NOTES`), else None.
    """

    doc_id: bytes
    ids: np.ndarray
    complete: bool
    notes: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Shard:
    """One open shard; rows are numbered from 0."""

    name: str
    source: Any
    reader: Any

    @property
    def metadata(self) -> dict[str, str]:
        """What the shard says about itself: format, sequence length, tokenizer, end of text, split."""
        found = self.reader.schema.metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}

    @property
    def seq_len(self) -> int:
        """Ids per row."""
        return int(self.reader.schema.field("input_ids").type.list_size)

    @cached_property
    def batches(self) -> list[pa.RecordBatch]:
        """All record batches, of 1024 rows but for the last; mapped, not read, where local."""
        return [self.reader.get_batch(index) for index in range(self.reader.num_record_batches)]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(batch.num_rows for batch in self.batches)

    @cached_property
    def views(self) -> list[np.ndarray]:
        """The ids of each batch, ``uint16|uint32[rows, seq_len]``, without a copy where the file is local."""
        return [ids_view(batch.column("input_ids")) for batch in self.batches]

    def row(self, index: int) -> np.ndarray:
        """The ids of one row, a view ``[seq_len]``."""
        if not 0 <= index < self.rows:
            raise IndexError(f"{self.name}: row {index} of {self.rows}")
        view: np.ndarray = self.views[index // BATCH_ROWS][index % BATCH_ROWS]
        return view

    def spans(self) -> Iterator[tuple[int, int, int, int, bytes]]:
        """Every piece of every row: ``(row, start, stop, doc_offset, doc_id)``."""
        row = 0
        for batch in self.batches:
            for n_tokens, doc_ids, starts, offsets in zip(
                *(
                    batch.column(name).to_pylist()
                    for name in ("n_tokens", "doc_ids", "doc_starts", "doc_offsets")
                ),
                strict=True,
            ):
                ends = [*starts[1:], *(first + n_tokens for first in starts[:1])]
                for item in zip(starts, ends, offsets, doc_ids, strict=True):
                    yield (row, *item)
                row += 1

    def documents(
        self, elsewhere: Mapping[bytes, Sequence[Piece]] | None = None, *, joined: bool = False
    ) -> Iterator[TokenDocument]:
        """The shard's documents in order of their first piece; ``elsewhere`` are pieces in other shards.

        ``joined``: files that were joined to one document are one, under its first file's id and without notes.
        """
        eot, more, noted = int(self.metadata["thresher.eot"]), elsewhere or {}, {} if joined else self.notes()
        for doc_id, pieces in self.pieces(joined=joined).items():
            notes = noted.get(doc_id)
            for ids in put_together([*pieces, *more.get(doc_id, ())]):
                whole = ids[-1] == eot if notes is None else len(ids) == notes["doc_lengths"]
                yield TokenDocument(doc_id, ids, bool(whole), notes)

    def notes(self) -> dict[bytes, dict[str, Any]]:
        """What the shard notes of each transformed document; nothing without transforms."""
        found: dict[bytes, dict[str, Any]] = {}
        names = self.reader.schema.names[len(PLAIN_COLUMNS) :]
        for batch in self.batches if names else ():
            ids, *columns = (batch.column(name).flatten().to_pylist() for name in ("doc_ids", *names))
            rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
            found.update(zip(ids, rows, strict=True))
        return found

    def pieces(self, *, joined: bool = False) -> dict[bytes, list[Piece]]:
        """The pieces of each document (``joined``: of each joined one), views of the file, in the order of rows."""
        found: dict[bytes, list[Piece]] = {}
        members = self._members() if joined else repeat(None)
        for (row, start, stop, offset, doc_id), member in zip(self.spans(), members, strict=False):
            first, before = member or (doc_id, 0)
            found.setdefault(first, []).append((before + offset, self.row(row)[start:stop]))
        return found

    def _members(self) -> Iterator[tuple[bytes, int] | None]:
        """Of each piece its joined document: the first file's id, and the tokens of it before this file."""
        if "doc_firsts" not in self.reader.schema.names:
            yield from repeat(None)
        for batch in self.batches:
            columns = (batch.column(name).flatten().to_pylist() for name in ("doc_firsts", "doc_befores"))
            yield from zip(*columns, strict=True)

    def find(self, doc_id: bytes) -> list[Found]:
        """Where the pieces of a document are; reads only the id column."""
        wanted = pa.scalar(doc_id, pa.binary(DOC_ID_BYTES))
        return [piece for index in range(len(self.batches)) for piece in self._find_in(index, wanted)]

    def _find_in(self, index: int, wanted: pa.Scalar) -> Iterator[Found]:
        batch = self.batches[index]
        doc_ids = batch.column("doc_ids")
        hits = np.flatnonzero(pc.equal(doc_ids.flatten(), wanted).to_numpy(zero_copy_only=False))
        bounds = doc_ids.offsets.to_numpy() - doc_ids.offsets[0].as_py()
        starts = batch.column("doc_starts").flatten()
        offsets = batch.column("doc_offsets").flatten()
        for hit in hits.tolist():
            row = int(np.searchsorted(bounds, hit, side="right")) - 1
            last = hit + 1 == bounds[row + 1]
            end = starts[int(bounds[row])].as_py() + batch.column("n_tokens")[row].as_py()
            stop = end if last else starts[hit + 1].as_py()
            start = starts[hit].as_py()
            yield Found(self.name, index * BATCH_ROWS + row, start, offsets[hit].as_py(), stop - start)


def ids_view(ids: pa.Array) -> np.ndarray:
    """A column ``input_ids``, a FixedSizeList, as ``uint16|uint32[rows, seq_len]`` over its own buffer."""
    width = ids.type.list_size
    dtype = ids.type.value_type.to_pandas_dtype()
    _, data = ids.values.buffers()
    start = (ids.offset * width + ids.values.offset) * np.dtype(dtype).itemsize
    return np.frombuffer(data, dtype, len(ids) * width, start).reshape(len(ids), width)


def put_together(pieces: list[Piece]) -> Iterator[np.ndarray]:
    """The ids of documents of one id: usually one; several where the same file was kept more than once."""
    held: list[list[np.ndarray]] = []
    for offset, ids in sorted(pieces, key=itemgetter(0)):
        fits = next((one for one in held if sum(map(len, one)) == offset), None)
        if fits is None:
            held.append([ids])
        else:
            fits.append(ids)
    yield from map(np.concatenate, held)


def open_shard(place: Place | str | PathLike[str], name: str) -> Shard:
    """Open one shard; `OutputError` when the file is not a shard or of another format version."""
    at = place if isinstance(place, Place) else Place(str(place))
    try:
        source = at.open(name)
        shard = Shard(name, source, pa.ipc.open_file(source))
    except (OSError, pa.ArrowInvalid) as error:
        raise OutputError(f"{name}: not a shard: {error}") from None
    if shard.metadata.get("thresher.format") != FORMAT:
        raise OutputError(f"{name}: format {shard.metadata.get('thresher.format')}, expected {FORMAT}")
    return shard


class ShardSet:
    """All shards of a dataset, or of one split: ``ShardSet("DIR")`` or ``ShardSet("DIR", split="train")``.

    ``DIR`` is the dataset (its current version) or a ``shards`` folder. Raises `OutputError` when there are no shards
    or one is missing.
    """

    def __init__(self, place: Place | str | PathLike[str], split: str | None = None) -> None:
        at = current_place(place if isinstance(place, Place) else Place(str(place)))
        self.place = at.child("shards") if at.child("shards").names() else at
        self.names = _complete(self.place, SPLITS if split is None else (split,))

    @cached_property
    def shards(self) -> list[Shard]:
        """Every shard, opened, in order of name."""
        return [open_shard(self.place, name) for name in self.names]

    def rows(self) -> int:
        """Rows in all shards."""
        return sum(shard.rows for shard in self.shards)

    def documents(self, *, joined: bool = False) -> Iterator[TokenDocument]:
        """Every document, shard by shard; what a pool holds is put behind the document that it is of, or comes last.

        ``joined``: files of a repository that were joined are one document, as they are trained on.
        """
        for split in sorted({PartName.parse(shard.name).stem for shard in self.shards}):
            shards = [shard for shard in self.shards if PartName.parse(shard.name).stem == split]
            pool = shards.pop() if shards[0].metadata["thresher.pooled"] == "1" else None
            more = pool.pieces(joined=joined) if pool else {}
            begun: set[bytes] = set()
            for shard in shards:
                begun.update(shard.pieces(joined=joined) if pool else ())
                yield from shard.documents(more, joined=joined)
            if pool:
                yield from (one for one in pool.documents(joined=joined) if one.doc_id not in begun)

    def find(self, doc_id: bytes) -> list[Found]:
        """Where a document's pieces are; its key names the shard per split that is opened, beside the pool if any.

        Where files of repositories were joined, every shard is looked through.
        """
        about = open_shard(self.place, self.names[0]).metadata
        if about.get("thresher.grouped") == "1":
            return [piece for shard in self.shards for piece in shard.find(doc_id)]
        key = order_keys(pa.array([doc_id], pa.binary(DOC_ID_BYTES)), int(about["thresher.shuffle_seed"]))
        pooled = int(about["thresher.pooled"])
        parts = [PartName.parse(name) for name in self.names]
        indices = {count: int(shard_of(key, count - pooled)[0]) for count in {part.count for part in parts}}
        places = {count: (index, count - 1) if pooled else (index,) for count, index in indices.items()}
        names = [part.format() for part in parts if part.index in places[part.count]]
        return [piece for name in names for piece in open_shard(self.place, name).find(doc_id)]


def _complete(place: Place, splits: tuple[str, ...]) -> list[str]:
    parts = [PartName.parse(name) for name in place.names() if name.endswith(f".{SHARD_SUFFIX}")]
    wanted = [part for part in parts if part.stem in splits]
    if not wanted:
        raise OutputError(f"no shards of {', '.join(splits)} at {place.url}", hint="build the dataset first")
    sets = {(part.stem, part.count) for part in wanted}
    expected = {name for stem, count in sets for name in PartName.series(stem, count, SHARD_SUFFIX)}
    missing = sorted(expected - {part.format() for part in wanted})
    if missing:
        raise OutputError(f"{place.url}: {len(missing)} shards are missing, the first is {missing[0]}")
    return sorted(expected)
