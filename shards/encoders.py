"""Encoders: three engines that turn texts into token ids; none ever yields a special token.

* `TiktokenEncoder` (tiktoken): the reference, about 8–10 MB/s on one core.
* `GigatokenEncoder` (gigatoken, optional): 40–220 MB/s; used only where it passed `same_ids`.
* `HuggingFaceEncoder` (tokenizers): any ``tokenizer.json``, 1–4 MB/s.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from shards.bpe import Ranks, dump_ranks
from shards.patterns import PATTERNS

_PIECE = 1 << 16

PROBE = (
    "",
    " ",
    "def f(x):\n    return x  # na\u00efve\n\n\n",
    "<|endoftext|> <|endofprompt|><|fim_prefix|>",
    "\t\tif a:\r\n",
    "I'Ve won't \u017f'\u017f 1234567 x12345y ..//==\n\n",
    " " * 61 + "x",
    "\u65e5\u672c\u8a9e \U0001d518\U0001d52b \U0001f469\u200d\U0001f4bb e\u0301\u0300",
    "\u00a0\u2028\x85\x0b\x1c\x00end  ",
)


class Encoder(Protocol):
    """Texts to ids: returns all ids in one array, and the number of ids per text."""

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode texts as ordinary text: ``(ids uint32[t], counts int64[n])``."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Join ids back to text; bytes that are not UTF-8 become U+FFFD."""
        ...


class TiktokenEncoder:
    """Byte-level BPE by tiktoken. Without special tokens in it, no text can spell one."""

    def __init__(self, ranks: Ranks, pattern: str, specials: dict[str, int]) -> None:
        import tiktoken

        spelling = PATTERNS[pattern].possessive
        self._plain = tiktoken.Encoding("plain", pat_str=spelling, mergeable_ranks=ranks, special_tokens={})
        self._bytes = {rank: token for token, rank in ranks.items()}
        self._bytes.update({rank: text.encode() for text, rank in specials.items()})

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder.encode`."""
        found = [self._one(text) for text in texts]
        counts = np.fromiter((len(ids) for ids in found), np.int64, len(found))
        return (np.concatenate(found) if found else np.zeros(0, np.uint32)), counts

    def _one(self, text: str) -> np.ndarray:
        try:
            return self._plain.encode_to_numpy(text, disallowed_special=())
        except ValueError:
            if len(text) <= _PIECE:
                raise
            pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
            return np.concatenate([self._one(piece) for piece in pieces])

    def decode(self, ids: Sequence[int]) -> str:
        """See `Encoder.decode`."""
        return b"".join(self._bytes[int(token)] for token in ids).decode("utf-8", "replace")


class GigatokenEncoder(TiktokenEncoder):
    """The same ids by gigatoken's hand-written cutters; dense ranks and a proven pattern are needed.

    ValueError for ranks that it cannot take (some trained ones). A panic of its Rust code over a batch sends
    that batch to tiktoken: content never stops a run.
    """

    def __init__(self, ranks: Ranks, pattern: str, specials: dict[str, int]) -> None:
        super().__init__(ranks, pattern, specials)
        engine: Any = importlib.import_module("gigatoken.gigatoken_rs")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "ranks.tiktoken")
            path.write_bytes(dump_ranks(ranks))
            try:
                self._fast = engine.BPETokenizer.from_tiktoken(
                    path, PATTERNS[pattern].gigatoken, special_tokens={}
                )
            except BaseException as error:
                if not _is_panic(error):
                    raise
                raise ValueError(f"gigatoken cannot take these ranks: {error}") from error

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder.encode`."""
        if not texts:
            return np.zeros(0, np.uint32), np.zeros(0, np.int64)
        try:
            layout = self._fast.encode_batch(list(texts), parallel=False).layout
        except BaseException as error:
            if not _is_panic(error):
                raise
            return super().encode(texts)
        offsets = np.asarray(layout.offsets, np.int64)
        return np.asarray(layout.content.data)[offsets[0] : offsets[-1]], np.diff(offsets)


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"  # of pyo3, which exports no such class


class HuggingFaceEncoder:
    """Any ``tokenizer.json``, with truncation, padding, templates and special tokens in text switched off."""

    def __init__(self, data: str) -> None:
        from tokenizers import Tokenizer as HuggingFace

        self._model = HuggingFace.from_str(data)
        self._model.encode_special_tokens = True
        self._model.no_truncation()
        self._model.no_padding()

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder.encode`."""
        found = [item.ids for item in self._model.encode_batch_fast(list(texts), add_special_tokens=False)]
        counts = np.fromiter((len(ids) for ids in found), np.int64, len(found))
        flat = (token for ids in found for token in ids)
        return np.fromiter(flat, np.uint32, int(counts.sum())), counts

    def decode(self, ids: Sequence[int]) -> str:
        """See `Encoder.decode`."""
        return str(self._model.decode([int(token) for token in ids], skip_special_tokens=False))


def rank_encoder(ranks: Ranks, pattern: str, specials: dict[str, int]) -> Encoder:
    """The fastest engine here that gives tiktoken's ids: gigatoken where installed and equal."""
    reference = TiktokenEncoder(ranks, pattern, specials)
    dense = max(ranks.values()) == len(ranks) - 1
    if not dense or PATTERNS[pattern].gigatoken is None or importlib.util.find_spec("gigatoken") is None:
        return reference
    try:
        fast = GigatokenEncoder(ranks, pattern, specials)
        return fast if same_ids(fast, reference, PROBE) else reference
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError):
        return reference


def same_ids(left: Encoder, right: Encoder, texts: Sequence[str]) -> bool:
    """Whether two encoders give the same ids for every text."""
    (first, first_counts), (second, second_counts) = left.encode(texts), right.encode(texts)
    return np.array_equal(first, second) and np.array_equal(first_counts, second_counts)
