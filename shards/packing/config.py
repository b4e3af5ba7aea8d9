"""The configuration of packing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

Method = Literal["concat", "best_fit", "single"]
Tail = Literal["drop", "pad", "pool"]
Side = Literal["right", "left"]


@dataclass(frozen=True)
class PackConfig:
    """How token streams become rows and shards.

    ``method``: "concat" puts documents one behind the other and cuts every ``seq_len`` ids (CodeGen, Codex); "best_fit"
    cuts only documents longer than a row and puts each remainder where it leaves the least room (best-fit
    decreasing: Ding et al., arXiv 2404.10830); "single" gives each document a row of its own (CodeFusion).
    ``tail``, of "concat" only: what becomes of a shard's last, incomplete row. "drop" loses it, "pad" keeps it, "pool"
    puts those of all shards of a split together in one more shard, so that nothing is lost.
    ``overlong``, of "single" only: documents longer than a row are "cut" into several rows, lose their end
    ("truncate") or are left out ("drop"). ``pad``: on which side of a row padding is.
    ``shard_tokens`` is the size a shard aims at; ``shuffle_seed`` salts both the order and the train/validation split.
    """

    seq_len: int = 2048
    method: Method = "concat"
    tail: Tail = "drop"
    overlong: Literal["cut", "truncate", "drop"] = "cut"
    pad: Side = "right"
    shuffle_seed: int = 0
    validation_fraction: float = 0.01
    shard_tokens: int = 32 << 20

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    @property
    def pools(self) -> bool:
        """Whether incomplete rows of several shards are put together."""
        return self.method == "concat" and self.tail == "pool"

    def __post_init__(self) -> None:
        if not 1 <= self.seq_len < 1 << 31:
            raise ValueError(f"seq_len: expected 1 to 2**31 - 1, got {self.seq_len}")
        choices = {
            "method": get_args(Method), "tail": get_args(Tail), "overlong": ("cut", "truncate", "drop"),
            "pad": get_args(Side),
        }  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                listed = ", ".join(allowed[:-1]) + f" or {allowed[-1]}"
                raise ValueError(f"{name}: expected {listed}, got {getattr(self, name)!r}")
        if not 0.0 <= self.validation_fraction <= 1.0:
            raise ValueError(f"validation_fraction: expected 0 to 1, got {self.validation_fraction}")
        if self.shard_tokens < self.seq_len:
            raise ValueError(
                f"shard_tokens: expected at least seq_len {self.seq_len}, got {self.shard_tokens}"
            )
