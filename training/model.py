"""Model: a small decoder-only transformer, with documents of a row kept apart.

Pre-norm blocks (Xiong et al. 2020, arXiv 2002.04745), RMS norm (Zhang and Sennrich 2019, arXiv 1910.07467), rotary
positions (Su et al. 2021, arXiv 2104.09864), one matrix for tokens in and out (Press and Wolf 2017, arXiv
1608.05859), weights as GPT-2 initialises them. No dropout, so nothing random happens after the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from training.boundaries import PADDING
from training.extra import require
from training.loader import IGNORED

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.nn import functional
else:
    torch = require("torch")
    nn, functional = torch.nn, torch.nn.functional

_DEVIATION = 0.02
_ROTARY_BASE = 10_000.0


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model: ids, width, blocks, heads of attention; ``width / heads`` must be even."""

    vocab_size: int
    width: int = 128
    layers: int = 2
    heads: int = 4

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("vocab_size", "width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width: expected a multiple of {2 * self.heads}, got {self.width}")


class Transformer(nn.Module):
    """``(ids, segments, positions)``, each int64 ``[n, length]``, to logits ``[n, length, vocab_size]``.

    A token sees itself and earlier tokens of its own segment. ``seed`` decides the first weights, the
    same on every device. Memory of attention: a byte per pair of tokens of a row, shared by the blocks.
    """

    def __init__(self, config: ModelConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocab_size, config.width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width)
        self._begin(torch.Generator().manual_seed(seed))

    def _begin(self, generator: torch.Generator) -> None:
        """Normal weights; those that write into the residual stream smaller by its number of additions."""
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                into = name.endswith(("out.weight", "down.weight"))
                deviation = _DEVIATION / (2 * self.config.layers) ** 0.5 if into else _DEVIATION
                nn.init.normal_(weight, 0.0, deviation, generator=generator)

    def forward(self, ids: torch.Tensor, segments: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """The logits of each token's successor."""
        mask = visible(segments)
        turns = _turns(positions, self.config.width // self.config.heads)
        hidden = self.token(ids)
        for block in self.blocks:
            hidden = block(hidden, mask, turns)
        return functional.linear(self.norm(hidden), self.token.weight)


class _Block(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.before, self.between = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor, turns: Any) -> torch.Tensor:
        hidden = hidden + self.out(self._attend(self.before(hidden), mask, turns))
        return hidden + self.down(functional.gelu(self.up(self.between(hidden))))

    def _attend(self, hidden: torch.Tensor, mask: torch.Tensor, turns: Any) -> torch.Tensor:
        rows, length, width = hidden.shape
        heads = self.qkv(hidden).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = _turned(heads[0], turns), _turned(heads[1], turns), heads[2]
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return found.transpose(1, 2).reshape(rows, length, width)


def visible(segments: torch.Tensor) -> torch.Tensor:
    """Which token may see which: ``int64[n, length] -> bool[n, 1, length, length]``, causal and within segments.

    >>> visible(torch.tensor([[0, 0, 1]]))[0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    length = segments.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    return ((segments[:, :, None] == segments[:, None, :]) & causal)[:, None]


def _turns(positions: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, float32 ``[n, 1, length, width / 2]``."""
    powers = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width
    angles = positions[:, None, :, None].float() * _ROTARY_BASE**-powers
    return angles.cos(), angles.sin()


def _turned(heads: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Pairs of one head's values, turned by the position; ``[n, heads, length, width]``."""
    cosine, sine = turns
    left, right = heads.float().chunk(2, dim=-1)
    both = torch.cat([left * cosine - right * sine, left * sine + right * cosine], dim=-1)
    return both.to(heads.dtype)


def targets(ids: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
    """What each token is to predict: the next id of its own segment, -100 where there is none.

    >>> targets(torch.tensor([[5, 6, 7, 8, 0]]), torch.tensor([[0, 0, 1, 1, -1]])).tolist()
    [[6, -100, 8, -100, -100]]
    """
    found = torch.full_like(ids, IGNORED)
    same = (segments[:, 1:] == segments[:, :-1]) & (segments[:, 1:] != PADDING)
    found[:, :-1] = torch.where(same, ids[:, 1:], IGNORED)
    return found


def rows_of(batch: Mapping[str, torch.Tensor], context: int) -> dict[str, torch.Tensor]:
    """A loader's batch cut into rows of ``context`` tokens: ids, segments and positions, nothing left out.

    ``context`` divides the length of a row. What a cut goes through is continued without what came before.
    """
    names = {"ids": "input_ids", "segments": "segment_ids", "positions": "position_ids"}
    return {name: batch[given].reshape(-1, context) for name, given in names.items()}


def loss_sum(model: nn.Module, rows: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy in nats, summed over the tokens that have a target, and their number (int64)."""
    logits = model(rows["ids"], rows["segments"], rows["positions"])
    wanted = targets(rows["ids"], rows["segments"])
    total = functional.cross_entropy(
        logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total, (wanted != IGNORED).sum()
