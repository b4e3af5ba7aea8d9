"""Byte-level BPE: training, and its two file formats (tiktoken ranks, Hugging Face ``tokenizer.json``).

The ranks are the definition: token bytes in merge order. Ranks 0–255 are the bytes, then come runs of white space
where asked (2 to 25 spaces as in Codex, Chen et al. 2021, §3.2: indentation costs one token, 30 % fewer tokens on
code; or these and 2 to 9 tabs), then what was learned. Training counts pieces and breaks ties by token number, so the
result depends on the set of texts only, not on their order or on threads.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

from columns.errors import InputError
from shards.tokenizers.patterns import PATTERNS
from shards.tokenizers.runs import CODEX_RUNS

SPACE_RUNS = tuple(CODEX_RUNS)
SMALLEST_VOCABULARY = 256 + len(SPACE_RUNS) + 1
RunsName = Literal["spaces", "tabs", "none"]
RUNS: dict[str, tuple[bytes, ...]] = {
    "spaces": SPACE_RUNS,
    "tabs": (*SPACE_RUNS, *(b"\t" * count for count in range(2, 10))),
    "none": (),
}
_LONGEST_PIECE = 256

Ranks = dict[bytes, int]


def train_ranks(
    texts: Iterable[str], vocab_size: int, pattern: str = "cl100k", runs: RunsName = "spaces"
) -> Ranks:
    """Learn at most ``vocab_size - 1`` ranks (the last id is left for end of text) from texts.

    ``runs`` are the runs of white space that are ranks whatever the texts hold: ``spaces``, ``tabs`` too, or ``none``.

    Cost: about 0.3 s of CPU per MB of code. Pieces over 256 characters are cut for training
    only, so that one endless line cannot make it quadratic.

    >>> len(train_ranks(["ab ab ab ab"], 300)) >= 281
    True
    """
    from tokenizers import Tokenizer as HuggingFace
    from tokenizers import models, trainers

    model = HuggingFace(models.BPE())
    model.pre_tokenizer = _pre_tokenizer(pattern, longest=_LONGEST_PIECE)
    alphabet = sorted(BYTE_OF)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1, min_frequency=2, initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator(iter(texts), trainer)
    merges = json.loads(model.to_str())["model"]["merges"]
    learned = (_to_bytes(left + right) for left, right in merges)
    return _number([*(bytes([value]) for value in range(256)), *RUNS[runs], *learned], vocab_size - 1)


def _number(tokens: Iterable[bytes], limit: int) -> Ranks:
    distinct = list(dict.fromkeys(tokens))[:limit]
    return {token: rank for rank, token in enumerate(distinct)}


def dump_ranks(ranks: Ranks) -> bytes:
    """The ranks in tiktoken's file format: base64 token, space, rank, one per line, by rank.

    >>> dump_ranks({b"a": 0})
    b'YQ== 0\\n'
    """
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ordered)


def parse_ranks(data: bytes, name: str) -> Ranks:
    """Read tiktoken's file format; `InputError` names the first line that is not of that form."""
    ranks: Ranks = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except ValueError:
            what = f"{name}, line {number}: expected 'BASE64 RANK', got {line[:40]!r}"
            raise InputError(what, hint="a tiktoken rank file is needed here") from None
    missing = sum(bytes([value]) not in ranks for value in range(256))
    if missing or len(set(ranks.values())) != len(ranks):
        what = f"{name}: not a byte-level vocabulary"
        raise InputError(f"{what} ({missing} of 256 bytes missing, or ranks repeated)")
    return ranks


def hugging_face_json(
    ranks: Ranks, pattern: str, specials: Mapping[str, int], added: Mapping[str, int] | None = None
) -> bytes:
    """The same tokenizer as ``tokenizer.json``, so that any Hugging Face trainer can load it.

    ``specials`` become its special tokens, ``added`` its added tokens that text may spell.

    Each token's merge is the pair that the lower ranks leave of it. Cost: 0.3 s for 32,768 tokens.
    """
    from tokenizers import AddedToken, decoders, models
    from tokenizers import Tokenizer as HuggingFace

    vocabulary = {_to_text(token): rank for token, rank in ranks.items()}
    merges = [_merge_of(token, ranks) for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1]
    ordinary = dict(added or {})
    known = {**vocabulary, **specials, **ordinary}
    model = HuggingFace(models.BPE(vocab=known, merges=[m for m in merges if m]))
    model.pre_tokenizer = _pre_tokenizer(pattern)
    model.decoder = decoders.ByteLevel()
    model.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in _by_id(specials)])
    model.add_tokens([AddedToken(text, normalized=False) for text in _by_id(ordinary)])
    return (json.dumps(json.loads(model.to_str()), sort_keys=True, ensure_ascii=True) + "\n").encode()


def _by_id(tokens: Mapping[str, int]) -> list[str]:
    return sorted(tokens, key=tokens.__getitem__)


def _merge_of(token: bytes, ranks: Ranks) -> tuple[str, str] | None:
    parts = split_token(token, ranks)
    return (_to_text(parts[0]), _to_text(parts[1])) if len(parts) == 2 else None


def split_token(token: bytes, ranks: Ranks) -> list[bytes]:
    """What BPE makes of a token's bytes using only lower ranks than its own (two parts when reachable).

    >>> ranks = train_ranks(["abc abc"], 300)
    >>> split_token(b" " * 4, ranks)
    [b'  ', b'  ']
    """
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 1:
        joined = [ranks.get(left + right, ranks[token]) for left, right in pairwise(parts)]
        best = min(joined)
        if best >= ranks[token]:
            break
        at = joined.index(best)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _pre_tokenizer(pattern: str, longest: int | None = None) -> Any:
    from tokenizers import Regex, pre_tokenizers

    steps: list[Any] = [pre_tokenizers.Split(Regex(PATTERNS[pattern].plain), behavior="isolated")]
    if longest is not None:
        steps.append(pre_tokenizers.FixedLength(length=longest))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    return pre_tokenizers.Sequence(steps)


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-in for every byte: itself where visible, else the next of U+0100, U+0101…"""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [value for value in range(256) if value not in visible]
    stand_ins = {value: chr(256 + position) for position, value in enumerate(hidden)}
    return {value: stand_ins.get(value, chr(value)) for value in range(256)}


_TEXT_OF = _byte_alphabet()
BYTE_OF = {text: value for value, text in _TEXT_OF.items()}


def _to_text(token: bytes) -> str:
    return "".join(_TEXT_OF[value] for value in token)


def _to_bytes(text: str) -> bytes:
    return bytes(BYTE_OF[character] for character in text)
