"""Mixtures: made data with a share of older data rehearsed, by tokens, drawn by hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from columns.hashing import unit_hash

DRAWN = pa.schema(
    [
        pa.field("source", pa.string(), metadata={"about": "which source it is from"}),
        pa.field("id", pa.string(), metadata={"about": "the text in it"}),
        pa.field("epoch", pa.int32(), metadata={"about": "which pass over the source draws it, from 0"}),
        pa.field("tokens", pa.int64(), metadata={"about": "its tokens"}),
    ]
)


@dataclass(frozen=True)
class MixtureConfig:
    """Shares of rehearsal by tokens: code 6 %, natural language 2 % (Code Llama, arXiv 2308.12950, section 2.5).

    ``seed`` salts the draw; ``tolerance`` is how far a share may be off before the manifest says so.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    code: float = 0.06
    language: float = 0.02
    seed: int = 0
    tolerance: float = 0.005

    def __post_init__(self) -> None:
        if not (self.code >= 0 and self.language >= 0 and self.code + self.language < 1):
            raise ValueError(f"code, language: expected shares from 0 on, less than 1 together, got {self}")


@dataclass(frozen=True)
class Source:
    """Texts that can be drawn: ids and tokens (at least 1) of each."""

    name: str
    ids: Sequence[str]
    tokens: Sequence[int]


def mixed(main: Source, rehearsed: Sequence[tuple[Source, float]], seed: int) -> pa.Table:
    """All of ``main`` once, and of each other source as many tokens as its share of the whole asks for (`DRAWN`).

    A source is drawn in the order of a hash of id, seed and pass; a small one is passed over again. Drawing stops
    with the text that brings the tokens nearest to their target, so a share is off by less than half a text. A source
    without texts gives none.

    >>> made = Source("made", ["a", "b"], [460, 460])
    >>> code = Source("code", ["c", "d"], [30, 31])
    >>> mixed(made, [(code, 0.08)], 0)["tokens"].to_pylist()[2:]
    [30, 31, 31]
    """
    total = sum(main.tokens) / (1 - sum(share for _, share in rehearsed))
    rows = [(main.name, one, 0, size) for one, size in zip(main.ids, main.tokens, strict=True)]
    for source, share in rehearsed:
        rows += _drawn(source, share * total, seed)
    named = [dict(zip(DRAWN.names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, schema=DRAWN)


def _drawn(source: Source, target: float, seed: int) -> list[tuple[str, str, int, int]]:
    rows: list[tuple[str, str, int, int]] = []
    tokens, epoch = 0, 0
    while source.ids:
        order = np.argsort(
            unit_hash(f"mixture/{seed}/{source.name}/{epoch}", (one.encode() for one in source.ids)),
            kind="stable",
        )
        for at in order.tolist():
            size = max(1, source.tokens[at])
            if abs(tokens + size - target) >= abs(tokens - target):
                return rows
            rows.append((source.name, source.ids[at], epoch, size))
            tokens += size
        epoch += 1
    return rows


def mixture_manifest(
    drawn: pa.Table, sources: Mapping[str, tuple[float, int]], tolerance: float
) -> dict[str, object]:
    """What was mixed: of each source target share, share, tokens, texts, epochs, and whether it is within tolerance.

    ``sources``: by name the target share and the tokens of one pass over it. An epoch is the tokens drawn over these.
    """
    rows = drawn.group_by("source").aggregate([("tokens", "sum"), ("tokens", "count")]).to_pylist()
    by_name = {row["source"]: row for row in rows}
    total = sum(row["tokens_sum"] for row in rows)
    told = {
        name: _told(by_name.get(name), total, target, once, tolerance)
        for name, (target, once) in sources.items()
    }
    return {"tokens": total, "sources": told}


def _told(
    row: Mapping[str, int] | None, total: int, target: float, once: int, tolerance: float
) -> dict[str, object]:
    tokens = row["tokens_sum"] if row else 0
    share = tokens / total if total else 0.0
    return {
        "target_share": round(target, 6),
        "share": round(share, 6),
        "tokens": tokens,
        "texts": row["tokens_count"] if row else 0,
        "epochs": round(tokens / once, 4) if once else 0.0,
        "within_tolerance": abs(share - target) <= tolerance,
    }
