"""Exports: shards in the formats of other loaders, and token files of others as shards. Tokens to tokens, no text.

* `source` – `Source`: the rows or documents of one split, in order; `Exported`: what was written.
* by row: `mds` (MosaicML Streaming), `hugging_face` (`datasets`), `tfrecord` (jaxformer), `webdataset`.
* by document: `megatron` (``.bin`` and ``.idx``), `flat` (nanoGPT's ``.bin``), `ragged` (zstd, for archives).
* `reading`, `rows`, `importing` – `read_megatron`, `read_flat`, `ROWS` and `read_rows`, `import_documents`: back.

The same shards give the same bytes. `FORMATS` names the writers.
"""

from shards.exports.flat import write_flat
from shards.exports.hugging_face import write_hugging_face
from shards.exports.importing import import_documents
from shards.exports.mds import write_mds
from shards.exports.megatron import write_megatron
from shards.exports.ragged import write_ragged
from shards.exports.reading import read_flat, read_megatron, read_rows
from shards.exports.rows import ROWS
from shards.exports.source import Exported, Source, Writer
from shards.exports.tfrecord import write_tfrecord
from shards.exports.webdataset import write_webdataset

FORMATS: dict[str, Writer] = {
    "bin": write_flat,
    "huggingface": write_hugging_face,
    "mds": write_mds,
    "megatron": write_megatron,
    "ragged": write_ragged,
    "tfrecord": write_tfrecord,
    "webdataset": write_webdataset,
}

__all__ = [
    "FORMATS", "ROWS", "Exported", "Source", "Writer", "import_documents", "read_flat", "read_megatron", "read_rows",
    "write_flat", "write_hugging_face",
    "write_mds", "write_megatron", "write_ragged", "write_tfrecord", "write_webdataset",
]  # fmt: skip
