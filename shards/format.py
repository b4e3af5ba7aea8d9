"""The format of shards and token parts: schemas, metadata keys and file names.

A *token part* holds the token ids of kept documents, sorted by (split, key, doc_id); it is scratch.
A *shard* is what a trainer reads: rows of exactly ``seq_len`` ids, and which piece of which document lies
where in each row.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import pyarrow as pa

from columns.document import DOC_ID_BYTES
from columns.files import PartName, Place

FORMAT = "thresher/1"
SHARD_SUFFIX = "arrow"
BATCH_ROWS = 1024
PLAIN_COLUMNS = ("input_ids", "n_tokens", "doc_ids", "doc_starts", "doc_offsets")
Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")

_CHUNK = 4 << 20


def token_type(dtype: np.dtype) -> pa.DataType:
    """The Arrow type of one token id: uint16 or uint32."""
    if dtype not in (np.uint16, np.uint32):
        raise ValueError(f"token ids: expected uint16 or uint32, got {dtype}")
    return pa.uint16() if dtype == np.uint16 else pa.uint32()


def tokens_schema(dtype: np.dtype) -> pa.Schema:
    """Rows of a token part; ``ids`` are without the end-of-text token.

    >>> tokens_schema(np.dtype("uint16")).field("ids").type
    LargeListType(large_list<item: uint16>)
    """
    return pa.schema(
        [
            pa.field("key", pa.uint64(), nullable=False),
            pa.field("doc_id", pa.binary(DOC_ID_BYTES), nullable=False),
            pa.field("split", pa.string(), nullable=False),
            pa.field("language", pa.string()),
            pa.field("ids", pa.large_list(token_type(dtype)), nullable=False),
        ]
    )


def shard_schema(seq_len: int, dtype: np.dtype, notes: pa.Schema | None = None) -> pa.Schema:
    """Rows of a shard, without metadata.

    ``input_ids`` FixedSizeList[seq_len]; ``n_tokens`` ids that are not padding; per document piece in the
    row: its id, where in the row it begins, and which of the document's tokens it begins with. ``notes`` are further
    columns that have one value per piece (`shards.forming.NOTES`).
    """
    return pa.schema(
        [
            pa.field("input_ids", pa.list_(token_type(dtype), seq_len), nullable=False),
            pa.field("n_tokens", pa.int32(), nullable=False),
            pa.field("doc_ids", pa.list_(pa.binary(DOC_ID_BYTES)), nullable=False),
            pa.field("doc_starts", pa.list_(pa.int32()), nullable=False),
            pa.field("doc_offsets", pa.list_(pa.int64()), nullable=False),
            *(pa.field(field.name, pa.list_(field.type), nullable=False) for field in notes or ()),
        ]
    )


def shard_metadata(
    *,
    seq_len: int,
    tokenizer_sha256: str,
    eot_id: int,
    split: str,
    shuffle_seed: int,
    pooled: bool = False,
    grouped: bool = False,
) -> dict[str, str]:
    """What every shard says about itself; enough to read it without the manifest.

    ``tokenizer_sha256`` is the tokenizer's identity, which covers its special tokens too (`Vocabulary.identity`).
    ``pooled``: the last shard of the split holds what the others have left. ``grouped``: files of a repository follow
    each other, so a document's shard does not follow from its id; only then said.

    >>> found = shard_metadata(seq_len=8, tokenizer_sha256="", eot_id=3, split="train", shuffle_seed=0)
    >>> found["thresher.eot"]
    '3'
    """
    return {
        "thresher.format": FORMAT,
        "thresher.seq_len": str(seq_len),
        "thresher.tokenizer_sha256": tokenizer_sha256,
        "thresher.eot": str(eot_id),
        "thresher.split": split,
        "thresher.shuffle_seed": str(shuffle_seed),
        "thresher.pooled": str(int(pooled)),
    } | ({"thresher.grouped": "1"} if grouped else {})


def shard_names(split: Split, count: int) -> list[str]:
    """The names of a split's shards, in order.

    >>> shard_names("train", 1)
    ['train-00000-of-00001.arrow']
    """
    return PartName.series(split, count, SHARD_SUFFIX)


def file_sha256(place: Place, name: str) -> str:
    """SHA-256 of a file in hex, read in pieces of 4 MiB."""
    digest = hashlib.sha256()
    with place.open(name) as source:
        while piece := source.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
