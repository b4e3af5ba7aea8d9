"""Columns: the contract between the rooms. Everything is a column of an Arrow record batch.

The map::

    document.py     DOCUMENT: one source file as one row; typed_column, text_buffers: columns for kernels
    batch.py        cutting and joining batches by bytes
    text.py         text statistics kernels: lines, lengths, character classes
    words.py        word hashes, shared by shingling and benchmark n-grams
    lexing/         comments, string literals and code of every language, byte by byte
    hashing.py      content hashes, document ids, the product's only randomness
    fingerprint.py  fingerprints of configurations and code
    entries.py      a user's YAML list, entry by entry
    shares.py       how sure a counted share is
    files.py        Place, PartName: atomic writes on any filesystem
    storage.py      steady, StableFile: what fails for a moment is tried again; full disks
    versions.py     the versions of a dataset directory, and which is the current one
    tables.py       Parquet and Arrow IPC parts
    urls.py         URLs without their logins
    retry.py        when a server wants to be asked again
    errors.py       the tree of errors a user can mend
    beam.py         the one Beam-aware file: coder, MapBatches, Exchange
    testing.py      documents for tests, the batch law
"""

from columns.batch import concat, rebatch, row_bytes, split_by_bytes
from columns.document import DOCUMENT, PROBLEMS, document_batch, text_buffers, typed_column
from columns.errors import EnvironmentProblem, InputError, OutputError, RecipeError, ThresherError
from columns.files import PartName, Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.hashing import content_hashes, doc_id, unit_hash

__all__ = [
    "DOCUMENT",
    "PROBLEMS",
    "EnvironmentProblem",
    "InputError",
    "OutputError",
    "PartName",
    "Place",
    "RecipeError",
    "ThresherError",
    "code_fingerprint",
    "concat",
    "content_hashes",
    "doc_id",
    "document_batch",
    "fingerprint",
    "rebatch",
    "row_bytes",
    "split_by_bytes",
    "text_buffers",
    "typed_column",
    "unit_hash",
]
