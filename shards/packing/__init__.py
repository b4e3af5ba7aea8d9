"""Packing: documents into rows of ``seq_len`` ids, every token accounted for.

    pack(documents, eot_id, config)     one shard's rows
    pool(rows, eot_id, config)          incomplete rows of several shards, put together again

A *method* decides where every piece of every document goes, and nothing else; one kernel then moves the ids.

The map:

    config      PackConfig                      documents   Documents, Packed
    pieces      Pieces: what goes where         filling     pieces to rows
    chunks      concatenate and cut             best_fit    few documents cut, little padding
    single      one document a row
"""

from shards.packing.config import PackConfig
from shards.packing.documents import Documents, Packed
from shards.packing.packing import pack, pool

__all__ = ["Documents", "PackConfig", "Packed", "pack", "pool"]
