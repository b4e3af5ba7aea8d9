"""Encoded data in a text: base64 runs, lists of hexadecimal bytes, unicode escapes and hexadecimal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.signals.facts import fact_batch, share
from filters.signals.runs import base64_runs, hex_words, hexdata_runs, unicode_escape_runs

ENCODED = pa.schema(
    [
        pa.field(
            "encoded_max_chars",
            pa.int64(),
            metadata={"about": "longest match of any of the three patterns, in characters"},
        ),
        pa.field(
            "encoded_fraction",
            pa.float64(),
            metadata={"about": "characters in matches, summed over the three patterns, per character"},
        ),
        pa.field(
            "base64_max_chars", pa.int64(), metadata={"about": "longest match of [a-zA-Z0-9+/\\n=]{64,}"}
        ),
        pa.field(
            "hexdata_max_chars",
            pa.int64(),
            metadata={"about": "longest match of (?:\\b(?:0x|\\\\x)?[0-9a-fA-F]{2}(?:,|\\b\\s*)){8,}"},
        ),
        pa.field(
            "unicode_escape_max_chars",
            pa.int64(),
            metadata={"about": "longest match of (?:\\\\u[0-9a-fA-F]{4}){8,}"},
        ),
        pa.field(
            "hex_word_fraction",
            pa.float64(),
            metadata={"about": "share of characters that are in words \\b0[xX][0-9a-fA-F]+\\b"},
        ),
    ]
)


def measure_encoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Measure the ``content`` of documents: one row of `ENCODED` per row, null where content is null.

    The three patterns are The Stack v2's (StarCoder 2, arXiv 2402.19173, section 2.1), which drops a file for a match
    of more than 1,024 characters or for matches that make up more than half of it. What a match is equals Python's
    `re` (``\\b`` and ``\\s`` of Unicode included), so a list of ``\\x`` escapes loses its first one behind a quote. As
    in OpenCoder (OpenCoder-llm/opc_data_filtering, quality_signals/code.py @44b857e) the matches of the three
    patterns are summed: characters that two of them match count twice, so ``encoded_fraction`` can exceed 1.0.

    ``hex_word_fraction`` is taken of the whole text, as OpenCoder's rule for documents; its rule for code takes the
    comments out before. `filters.signals.runs.hex_words` takes any text.

    >>> text = "x = '" + "QUJD" * 20 + "'  # 0xFF"
    >>> batch = pa.RecordBatch.from_pydict({"content": pa.array([text, None], pa.large_string())})
    >>> facts = measure_encoded(batch).to_pylist()
    >>> facts[0]["base64_max_chars"], round(facts[0]["encoded_fraction"], 3), facts[1]["encoded_fraction"]
    (80, 0.851, None)
    """
    content = batch.column("content")
    chars = text_chars(content)
    runs = [base64_runs(content), hexdata_runs(content), unicode_escape_runs(content)]
    longest = [run.longest for run in runs]
    values: dict[str, np.ndarray[Any, Any]] = {
        "encoded_max_chars": np.maximum.reduce(longest),
        "encoded_fraction": share(np.add.reduce([run.chars for run in runs]), chars),
        "base64_max_chars": longest[0],
        "hexdata_max_chars": longest[1],
        "unicode_escape_max_chars": longest[2],
        "hex_word_fraction": share(hex_words(content).chars, chars),
    }
    return fact_batch(ENCODED, values, content)


def text_chars(content: pa.Array) -> np.ndarray:
    """Characters of every text, ``int64[n]``; a null text has none.

    >>> text_chars(pa.array(["é", None], pa.large_string())).tolist()
    [1, 0]
    """
    counts = pc.fill_null(pc.utf8_length(content), 0)
    return np.asarray(counts.cast(pa.int64()))
