"""Learner: a model, its optimizer and its place in the data, one global batch at a time.

Gradients are sums over tokens, added over ranks in one collective of fixed order, and divided by the number
of targets of the whole global batch: so a step does not depend on how rows are shared out (but for the order of
floating-point additions), and a step done again on the same machines gives the same bits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from columns.errors import InputError
from training.extra import require
from training.loader import BatchConfig, Loader
from training.model import ModelConfig, Transformer, loss_sum, rows_of
from training.samples import Samples
from training.streams import TokenLoader

if TYPE_CHECKING:
    import torch
    from torch import distributed
else:
    torch = require("torch")
    distributed = require("torch.distributed")

_BETAS = (0.9, 0.95)
_CUBLAS = ":4096:8"


@dataclass(frozen=True)
class LearnConfig:
    """How a model is trained; everything here changes the result.

    ``steps`` global batches of ``batch_size`` rows over all workers; rows are cut to ``context`` tokens (None: not
    cut). The learning rate rises to ``rate`` over ``warmup`` steps and falls towards ``final`` of it along a cosine.
    AdamW with ``decay`` on matrices alone; gradients are clipped to the norm ``clip``. ``seed`` decides the first
    weights and the order of the data. ``width``, ``layers``, ``heads``: the model.
    """

    steps: int = 100
    batch_size: int = 8
    context: int | None = None
    width: int = 128
    layers: int = 2
    heads: int = 4
    rate: float = 3e-3
    warmup: int = 10
    final: float = 0.1
    decay: float = 0.1
    clip: float = 1.0
    seed: int = 0

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.context is not None and self.context < 2:
            raise ValueError(f"context: expected at least 2, got {self.context}")
        for name in ("rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name)}")
        for name in ("warmup", "decay", "final", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected at least 0, got {getattr(self, name)}")

    def rate_at(self, step: int) -> float:
        """The learning rate of step 0, 1, 2…: linear warm-up, then half a cosine (arXiv 1608.03983).

        >>> config = LearnConfig(steps=4, warmup=2, rate=1.0, final=0.0)
        >>> [round(config.rate_at(step), 3) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
        """
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        through = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * through)))


class Learner:
    """One rank's share of a training run.

    ``samples`` is a stream without an end; ``device`` is one of torch's (``cpu``, ``cuda``, ``cuda:1``). Rank r of
    ``world_size`` takes its rows of each global batch; with more than one rank a process group of torch must be there.
    On a GPU weights are float32 and products bfloat16; on the CPU all is float32. `InputError` for a context that does
    not divide the rows.
    """

    def __init__(
        self,
        config: LearnConfig,
        samples: Samples,
        vocab_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        device: str = "cpu",
    ) -> None:
        self.config = config
        self.context = _context(config.context, samples.store.seq_len)
        self.world_size = world_size
        self.device = device
        self.step = 0
        shape = ModelConfig(vocab_size, config.width, config.layers, config.heads)
        self.model = Transformer(shape, config.seed).to(device)
        self._optimizer = _optimizer(self.model, config)
        batch = BatchConfig(config.batch_size, labels=False, documents=True)
        self._loader = TokenLoader(Loader(samples, batch, rank=rank, world_size=world_size))

    def run(self) -> Iterator[dict[str, Any]]:
        """Do the steps that are left; after each, its facts: ``step`` (from 1), ``loss`` in nats per token over the
        global batch before the update, ``rate``, ``norm`` of the gradient before clipping, ``tokens`` with a target.
        """
        if self.step >= self.config.steps:
            return
        for batch in self._loader:
            yield self._advance(batch)
            if self.step >= self.config.steps:
                return

    def _advance(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        self._optimizer.zero_grad(set_to_none=True)
        loss, count = self._gradients(batch)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        rate = self.config.rate_at(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self.step += 1
        return {"step": self.step, "loss": loss, "rate": rate, "norm": float(norm), "tokens": count}

    def _gradients(self, batch: Mapping[str, Any]) -> tuple[float, int]:
        """Fill in the gradients of the global batch's mean loss; that loss, and its number of targets."""
        rows = {name: held.to(self.device) for name, held in rows_of(batch, self.context).items()}
        with mixed_precision(self.device):
            total, count = loss_sum(self.model, rows)
        total.backward()  # type: ignore[no-untyped-call]
        said = torch.stack([total.detach().double(), count.double()])
        held = [weight.grad for weight in self.model.parameters() if weight.grad is not None]
        self._add_up(said, held)
        summed, targets = said.tolist()
        for gradient in held:
            gradient.div_(max(targets, 1.0))
        return summed / max(targets, 1.0), int(targets)

    def _add_up(self, said: torch.Tensor, gradients: list[torch.Tensor]) -> None:
        """Add over ranks, in place; all gradients as one tensor, so that the order of additions is always the same."""
        if self.world_size == 1:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(said)
        distributed.all_reduce(flat)
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def epochs(self) -> float:
        """How often the rows of the data have been gone through so far."""
        order, position = self._loader.loader.order, self._loader.loader.position
        return position / sum(member.rows for member in order.members)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on, the same on every rank: plain values and tensors.

        The tensors are the learner's own and change with its next step; so it is with a state that is loaded.
        """
        return {
            "step": self.step,
            "config": asdict(self.config),
            "vocab_size": self.model.config.vocab_size,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "loader": self._loader.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, with any number of ranks; `InputError` for one of another run."""
        mine = asdict(self.config) | {"vocab_size": self.model.config.vocab_size}
        theirs = dict(state["config"]) | {"vocab_size": state["vocab_size"]}
        differing = [name for name in mine if mine[name] != theirs.get(name)]
        if differing:
            said = ", ".join(f"{name} {theirs.get(name)}, not {mine[name]}" for name in differing)
            raise InputError(
                f"the checkpoint is of another run: {said}",
                hint="go on with the same options, or give another output directory",
            )
        self._loader.load_state_dict(state["loader"])
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])


def prepare(threads: int = 1) -> None:
    """Make this process compute the same bits again, on ``threads`` threads; another number may give others.

    On a GPU, operations that have no deterministic form give a warning.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", _CUBLAS)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())


def default_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def mixed_precision(device: str) -> torch.autocast:
    """Matrix products in bfloat16 on a GPU; nothing on the CPU."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu")


def _context(wanted: int | None, seq_len: int) -> int:
    context = wanted or seq_len
    if seq_len % context:
        raise InputError(f"context: expected a divisor of the rows' {seq_len} tokens, got {context}")
    return context


def _optimizer(model: torch.nn.Module, config: LearnConfig) -> torch.optim.AdamW:
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    others = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": config.decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.rate, betas=_BETAS)
