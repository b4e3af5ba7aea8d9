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
    """Write a split's ids, a description, and nanoGPT's ``meta.pkl``.

    Only the end of text tells documents apart, so one that lost its end to packing gets one (``ends_added``).
    """
    stem, dtype = STEMS[source.split], source.dtype.newbyteorder("<")
    end = np.array([source.eot_id], dtype).tobytes()
    documents = tokens = added = 0
    with place.write(f"{stem}.bin") as sink:
        for document in source.documents():
            sink.write(document.ids.astype(dtype, copy=False).tobytes())
            documents, tokens = documents + 1, tokens + len(document.ids)
            if not document.complete:
                sink.write(end)
                added += 1
    about = {
        "documents": documents, "dtype": source.dtype.name, "ends_added": added, "eot": source.eot_id,
        "tokens": tokens + added, "vocab_size": source.vocab_size,
    }  # fmt: skip
    place.write_bytes(f"{stem}.json", (json.dumps(about, indent=1, sort_keys=True) + "\n").encode())
    place.write_bytes(META, pickle.dumps({"vocab_size": source.vocab_size}, protocol=2))
    return Exported((f"{stem}.bin", f"{stem}.json", META), documents, tokens)
