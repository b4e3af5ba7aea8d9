"""A small trained tokenizer and token streams that the tests of this room share."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from shards.packing import Documents
from shards.tokenizers import Tokenizer, TokenizerConfig, make_tokenizer

STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])


@pytest.fixture(scope="session")
def library_texts() -> list[str]:
    """Real code that every machine with Python has: about 2 MB of the standard library."""
    names = sorted(STANDARD_LIBRARY.glob("*.py"))[:80]
    return [path.read_text(encoding="utf-8", errors="replace") for path in names]


@pytest.fixture(scope="session")
def tokenizer(library_texts: list[str]) -> Tokenizer:
    return make_tokenizer(TokenizerConfig(vocab_size=2000), library_texts[:20])


@pytest.fixture(scope="session")
def stream() -> Callable[..., Documents]:
    """Documents of given lengths whose ids count 1, 2, 3… so that every token can be told apart."""

    def build(lengths: list[int], dtype: type = np.uint16, first: int = 0) -> Documents:
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = (1 + np.arange(offsets[-1]) % 60000).astype(dtype)
        doc_ids = [(first + index).to_bytes(16, "big") for index in range(len(lengths))]
        return Documents(ids, offsets, pa.array(doc_ids, pa.binary(16)))

    return build
