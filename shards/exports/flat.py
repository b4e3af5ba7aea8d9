"""nanoGPT's files: all documents one behind the other in ``train.bin`` and ``val.bin``, without any header.

nanoGPT reads uint16 and takes the vocabulary's size from ``meta.pkl``. ``SPLIT.json`` says what the ``.bin`` cannot.
"""

from __future__ import annotations

import json
import pickle

import numpy as np

from columns.files import Place
from shards.exports.source import Exported, Source

STEMS = {"train": "train", "validation": "val"}
META = "meta.pkl"


def write_flat(source: Source, place: Place) -> Exported:
    """Write a split's ids, a description, and nanoGPT's ``meta.pkl``."""
    stem = STEMS[source.split]
    documents = tokens = 0
    with place.write(f"{stem}.bin") as sink:
        for document in source.documents():
            sink.write(document.ids.astype(source.dtype.newbyteorder("<"), copy=False).tobytes())
            documents, tokens = documents + 1, tokens + len(document.ids)
    about = {
        "documents": documents, "dtype": np.dtype(source.dtype).name, "eot": source.eot_id, "tokens": tokens,
        "vocab_size": source.vocab_size,
    }  # fmt: skip
    place.write_bytes(f"{stem}.json", (json.dumps(about, indent=1, sort_keys=True) + "\n").encode())
    place.write_bytes(META, pickle.dumps({"vocab_size": source.vocab_size}, protocol=2))
    return Exported((f"{stem}.bin", f"{stem}.json", META), documents, tokens)
