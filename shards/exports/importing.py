"""Importing: documents of token ids into native shards with a manifest, as a build would order and pack them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from columns.errors import InputError
from columns.files import Place
from shards.format import SPLITS, shard_names
from shards.manifest import Manifest
from shards.order import key_range, order_keys, shard_count, split_of
from shards.packing import Documents, PackConfig, Packed, pack
from shards.writer import write_shard


def import_documents(
    documents: Documents,
    place: Place,
    config: PackConfig,
    *,
    eot_id: int,
    vocab_size: int,
    tokenizer_sha256: str = "",
) -> Manifest:
    """Write shards and manifest of documents without their ends of text; returns the manifest.

    Order and split follow the documents' ids, so the order they come in does not count. There is no text, no ledger and
    no tokenizer. `InputError` for ids outside the vocabulary, or a tail to be pooled. Memory: one shard.
    """
    largest = max(eot_id, int(documents.ids.max()) if len(documents.ids) else 0)
    if largest >= vocab_size:
        raise InputError(f"id {largest}: the vocabulary has {vocab_size}", hint="give the right --vocab-size")
    if config.pools:
        raise InputError("tail: expected drop or pad for an import, got pool")
    keys = order_keys(documents.doc_ids, config.shuffle_seed)
    validation = split_of(_hashes(documents.doc_ids), config.shuffle_seed, config.validation_fraction)
    infos: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    by_split: dict[str, int] = {}
    for split in SPLITS:
        mine = np.flatnonzero(validation == (split == "validation"))
        by_split[split] = int(documents.lengths[mine].sum())
        total = shard_count(by_split[split], config.shard_tokens)
        for index, name in enumerate(shard_names(split, total)):
            packed = pack(_between(documents, mine, keys, *key_range(index, total)), eot_id, config)
            info = write_shard(
                place.child("shards"), name, packed, config, tokenizer_sha256=tokenizer_sha256, eot_id=eot_id
            )
            infos.append(info.describe())
            counts.update(_counts(packed))
    manifest = Manifest(
        recipe={"name": "import", "pack": asdict(config)}, shards=infos,
        tokenizer={"eot": eot_id, "vocab_size": vocab_size, "sha256": "", "identity": tokenizer_sha256},
        tokens=_account(counts, by_split, len(documents.doc_ids)),
    )  # fmt: skip
    manifest.write(place)
    return manifest


def _hashes(doc_ids: pa.Array) -> pa.Array:
    return pa.array([one + one for one in doc_ids.to_pylist()], pa.binary(32))


def _between(documents: Documents, rows: np.ndarray, keys: np.ndarray, lo: int, hi: int | None) -> Documents:
    """The documents of some rows whose key is in the range, by key and id."""
    mine = rows[(keys[rows] >= np.uint64(lo)) & (keys[rows] < np.uint64(hi) if hi is not None else True)]
    names = documents.doc_ids.take(pa.array(mine)).to_pylist()
    order = mine[sorted(range(len(mine)), key=lambda at: (int(keys[mine[at]]), names[at]))]
    lengths = np.diff(documents.offsets)[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    pieces = [documents.ids[documents.offsets[row] : documents.offsets[row + 1]] for row in order.tolist()]
    ids = np.concatenate(pieces) if pieces else documents.ids[:0]
    return Documents(ids, offsets, documents.doc_ids.take(pa.array(order, pa.int64())))


def _counts(packed: Packed) -> dict[str, int]:
    dropped = {f"dropped.{rule}": number for rule, number in packed.dropped.items()}
    return dropped | {
        "produced": packed.produced, "written": packed.written, "padding": packed.padding,
        "split_documents": packed.split_documents,
    }  # fmt: skip


def _account(counts: Counter[str], by_split: dict[str, int], documents: int) -> dict[str, Any]:
    dropped = {
        key.removeprefix("dropped."): number for key, number in counts.items() if key.startswith("dropped.")
    }
    sums = {key: counts[key] for key in ("produced", "written", "padding", "split_documents")}
    return {
        **sums, "dropped": dict(sorted(dropped.items())), "by_split": by_split, "documents": documents,
        "by_language": {"unknown": sums["produced"]} if sums["produced"] else {},
    }  # fmt: skip
