"""What is exported: one split of a dataset, row by row or document by document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from columns.files import Place
from shards.format import PLAIN_COLUMNS
from shards.reader import Shard, ShardSet, TokenDocument


@dataclass(frozen=True)
class Source:
    """One split of a dataset; ``place`` is the dataset, ``vocab_size`` counts the ids a model must know."""

    place: Place
    split: str
    vocab_size: int

    @cached_property
    def whole(self) -> ShardSet:
        """The split's shards; `OutputError` where there are none."""
        return ShardSet(self.place, self.split)

    @property
    def shards(self) -> list[Shard]:
        """Every shard, in order."""
        return self.whole.shards

    @property
    def seq_len(self) -> int:
        """Ids per row."""
        return self.shards[0].seq_len

    @property
    def dtype(self) -> np.dtype:
        """uint16 or uint32."""
        found = self.shards[0].reader.schema.field("input_ids").type.value_type
        return np.dtype(found.to_pandas_dtype())

    @property
    def eot_id(self) -> int:
        """The id that ends every document, and fills rows."""
        return int(self.shards[0].metadata["thresher.eot"])

    @property
    def notes(self) -> pa.Schema:
        """What the shards note of each piece of a transformed document, a value of this type; empty without."""
        fields = list(self.shards[0].reader.schema)[len(PLAIN_COLUMNS) :]
        return pa.schema([pa.field(field.name, field.type.value_type) for field in fields])

    def documents(self) -> Iterator[TokenDocument]:
        """Documents in the order of the shards, each with its end of text; padding is left out.

        Files of a repository that were joined are one document. Memory: a list of one shard's pieces, and the pool's.
        """
        return self.whole.documents(joined=True)

    def files(self) -> Iterator[TokenDocument]:
        """The same, but each file by itself, with what the shards note of it."""
        return self.whole.documents()


@dataclass(frozen=True)
class Exported:
    """What was written: file names below the place, samples (rows or documents) and tokens without padding."""

    files: tuple[str, ...]
    samples: int
    tokens: int


Writer = Callable[[Source, Place], Exported]


def row_tokens(source: Source) -> int:
    """Tokens in all rows, padding not counted."""
    return sum(
        int(batch.column("n_tokens").to_numpy().sum(dtype=np.int64))
        for shard in source.shards
        for batch in shard.batches
    )
