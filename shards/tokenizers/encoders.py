"""Encoders: engines that turn texts into token ids; none ever yields a special token.

* `TiktokenEncoder` (tiktoken): the reference, about 8–10 MB/s on one core.
* `GigatokenEncoder` (gigatoken, optional): reads Arrow's buffers as they are and gives arrays, no Python string is
  made; 200–380 MB/s, 40–110 with CodeGen's runs. Used only where it passed `same_ids`.
* `HuggingFaceEncoder` (tokenizers): any ``tokenizer.json``, 1–4 MB/s.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shards.tokenizers.bpe import Ranks, dump_ranks
from shards.tokenizers.patterns import PATTERNS
from shards.tokenizers.rare import buffers_of, rows_with_rare
from shards.tokenizers.runs import Cutter

_PIECE = 1 << 16
_FILLER = b"\xff\xff"
FORGET_BYTES = 512 << 20

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


Encoded = tuple[np.ndarray, np.ndarray]


class Encoder(Protocol):
    """Texts to ids: returns all ids in one array, and the number of ids per text."""

    def encode(self, content: pa.Array) -> Encoded:
        """Encode ``large_string[n]`` without nulls as ordinary text: ``(ids uint32[t], counts int64[n])``."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Join ids back to text; bytes that are not UTF-8 become U+FFFD."""
        ...


def column_of(texts: Sequence[str | None] | pa.Array) -> pa.Array:
    """Texts as encoders take them: one ``large_string`` array without nulls, whose bytes are UTF-8.

    A null is an empty text. Raises ``ValueError`` where bytes are not UTF-8, which no document of ours has.

    >>> column_of(["a", None]).to_pylist()
    ['a', '']
    """
    found = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.large_string())
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    found = found if found.type == pa.large_string() else found.cast(pa.large_string())
    try:
        found.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"content: expected UTF-8, got other bytes ({error})") from None
    return pc.fill_null(found, "") if found.null_count else found


class TiktokenEncoder:
    """Byte-level BPE by tiktoken. Without special tokens in it, no text can spell one.

    ``added`` are ordinary tokens that are cut out of text before BPE, the longest first.
    """

    def __init__(
        self, ranks: Ranks, pattern: str, specials: Mapping[str, int], added: Mapping[str, int] | None = None
    ) -> None:
        import tiktoken

        spelling = PATTERNS[pattern].possessive
        self._plain = tiktoken.Encoding("plain", pat_str=spelling, mergeable_ranks=ranks, special_tokens={})
        self._cut = Cutter(added) if added else None
        self._bytes = {rank: token for token, rank in ranks.items()}
        self._bytes.update({rank: text.encode() for text, rank in {**specials, **(added or {})}.items()})

    def encode(self, content: pa.Array) -> Encoded:
        """See `Encoder.encode`."""
        found = [self._one(text) for text in content.to_pylist()]
        counts = np.fromiter((len(ids) for ids in found), np.int64, len(found))
        return (np.concatenate(found) if found else np.zeros(0, np.uint32)), counts

    def _one(self, text: str) -> np.ndarray:
        if self._cut is None:
            return self._ordinary(text)
        pieces = [
            self._ordinary(piece) if token is None else np.array([token], np.uint32)
            for piece, token in self._cut(text)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.uint32)

    def _ordinary(self, text: str) -> np.ndarray:
        try:
            return self._plain.encode_to_numpy(text, disallowed_special=())
        except ValueError:
            if len(text) <= _PIECE:
                raise
            pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
            return np.concatenate([self._ordinary(piece) for piece in pieces])

    def decode(self, ids: Sequence[int]) -> str:
        """See `Encoder.decode`."""
        return b"".join(self._bytes[int(token)] for token in ids).decode("utf-8", "replace")


class GigatokenEncoder(TiktokenEncoder):
    """The same ids by gigatoken's hand-written cutters; a proven pattern is needed.

    A hole in the ranks is filled with a token that no UTF-8 text can spell. Texts with a character of a later Unicode
    go to tiktoken (`rare`), and so does a batch over which its Rust code panics: content never stops a run. Its
    cache of pieces grows with what it has read (6 bytes for each of a new piece), so it is built anew now and then.
    ValueError for ranks that it cannot take (some trained ones).
    """

    def __init__(
        self, ranks: Ranks, pattern: str, specials: Mapping[str, int], added: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(ranks, pattern, specials, added)
        self._build = partial(_gigatoken, _filled(ranks, added or {}), pattern, added or {})
        self._fast, self._read = self._build(), 0

    def encode(self, content: pa.Array) -> Encoded:
        """See `Encoder.encode`."""
        rare = rows_with_rare(content)
        if not rare.any():
            return self._quickly(content)
        plain = pa.array(~rare)
        return _interleave(
            rare, self._quickly(content.filter(plain)), super().encode(content.filter(pa.array(rare)))
        )

    def _quickly(self, content: pa.Array) -> Encoded:
        if not len(content):
            return np.zeros(0, np.uint32), np.zeros(0, np.int64)
        self._forget(content.nbytes)
        try:
            layout = self._fast.encode_batch(_awkward(content), parallel=False).layout
        except BaseException as error:
            if not _is_panic(error):
                raise
            return super().encode(content)
        offsets = np.asarray(layout.offsets, np.int64)
        return np.asarray(layout.content.data)[offsets[0] : offsets[-1]], np.diff(offsets)

    def _forget(self, size: int) -> None:
        """Build the engine anew, with an empty cache, when it has read enough."""
        if self._read + size > FORGET_BYTES and self._read:
            self._fast, self._read = self._build(), 0
        self._read += size


def _gigatoken(ranks: Ranks, pattern: str, added: Mapping[str, int]) -> Any:
    engine: Any = importlib.import_module("gigatoken.gigatoken_rs")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ranks.tiktoken")
        path.write_bytes(dump_ranks(ranks))
        try:
            return engine.BPETokenizer.from_tiktoken(
                path, PATTERNS[pattern].gigatoken, special_tokens=dict(added)
            )
        except BaseException as error:
            if not _is_panic(error):
                raise
            raise ValueError(f"gigatoken cannot take these ranks: {error}") from error


def _filled(ranks: Ranks, added: Mapping[str, int]) -> Ranks:
    """Ranks without a hole: at most one, as p50k has at 50256, is filled; no text holds the filler's bytes."""
    used = {*ranks.values(), *added.values()}
    holes = [rank for rank in range(max(used) + 1) if rank not in used]
    if len(holes) > 1 or (holes and _FILLER in ranks):
        raise ValueError(f"ranks: expected at most one hole, got {len(holes)}")
    return {**ranks, **dict.fromkeys([_FILLER] * len(holes), holes[0])} if holes else ranks


def _awkward(content: pa.Array) -> Any:
    """An Arrow array as gigatoken reads it, over the same memory."""
    awkward: Any = importlib.import_module("awkward")

    offsets, data = buffers_of(content)
    letters = awkward.contents.NumpyArray(data, parameters={"__array__": "char"})
    places = awkward.index.Index64(offsets)
    return awkward.Array(
        awkward.contents.ListOffsetArray(places, letters, parameters={"__array__": "string"})
    )


def _interleave(rare: np.ndarray, plain: Encoded, other: Encoded) -> Encoded:
    """Rows of two encoders in their order: those of ``rare`` come from the second."""
    counts = np.empty(len(rare), np.int64)
    counts[~rare], counts[rare] = plain[1], other[1]
    from_other = np.repeat(rare, counts)
    ids = np.empty(len(from_other), np.uint32)
    ids[~from_other], ids[from_other] = plain[0], other[0]
    return ids, counts


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

    def encode(self, content: pa.Array) -> Encoded:
        """See `Encoder.encode`."""
        texts = content.to_pylist()
        found = [item.ids for item in self._model.encode_batch_fast(texts, add_special_tokens=False)]
        counts = np.fromiter((len(ids) for ids in found), np.int64, len(found))
        flat = (token for ids in found for token in ids)
        return np.fromiter(flat, np.uint32, int(counts.sum())), counts

    def decode(self, ids: Sequence[int]) -> str:
        """See `Encoder.decode`."""
        return str(self._model.decode([int(token) for token in ids], skip_special_tokens=False))


def rank_encoder(
    ranks: Ranks, pattern: str, specials: Mapping[str, int], added: Mapping[str, int] | None = None
) -> Encoder:
    """The fastest engine here that gives tiktoken's ids: gigatoken where installed and equal."""
    reference = TiktokenEncoder(ranks, pattern, specials, added)
    if PATTERNS[pattern].gigatoken is None or importlib.util.find_spec("gigatoken") is None:
        return reference
    try:
        fast = GigatokenEncoder(ranks, pattern, specials, added)
        return fast if same_ids(fast, reference, PROBE) else reference
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError):
        return reference


def same_ids(left: Encoder, right: Encoder, texts: Sequence[str]) -> bool:
    """Whether two encoders give the same ids for every text."""
    content = column_of(texts)
    (first, first_counts), (second, second_counts) = left.encode(content), right.encode(content)
    return np.array_equal(first, second) and np.array_equal(first_counts, second_counts)
