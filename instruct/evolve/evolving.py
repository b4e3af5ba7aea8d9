"""Evolving: rounds in which a model makes every task slightly harder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from instruct.evolve.methods import FORBIDDEN, METHODS, chosen_method, evolve_prompt
from instruct.evolve.refusal import is_refusal
from instruct.models import Answer, ModelConfig, Prompt

EVOLVED = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "identity: a hash of parent, round, method and text"}),
        pa.field("parent_id", pa.string(), metadata={"about": "the task it was made from; null for a seed"}),
        pa.field("round", pa.int32(), metadata={"about": "0 for a seed, else the round that made it"}),
        pa.field("method", pa.string(), metadata={"about": "how it was made harder; null for a seed"}),
        pa.field("instruction", pa.large_string(), metadata={"about": "the task"}),
        pa.field("model", pa.string(), metadata={"about": "the model that wrote it; null for a seed"}),
        pa.field("temperature", pa.float32(), metadata={"about": "at which it was sampled"}),
        pa.field("seed", pa.int64(), metadata={"about": "with which it was sampled"}),
        pa.field("dropped", pa.string(), metadata={"about": "the first rule that drops it; null: kept"}),
    ]
)


class Answering(Protocol):
    """What answers prompts: `instruct.models.Model`, or a double of it."""

    @property
    def config(self) -> ModelConfig:
        """How the model is asked."""

    def answer(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Answers in the order of prompts, then samples."""


@dataclass(frozen=True)
class EvolveConfig:
    """Rounds, the methods that are drawn from, and the salt of the draw; ``keep_seeds``: the seeds are tasks, too."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rounds: int = 3
    methods: tuple[str, ...] = tuple(METHODS)
    seed: int = 0
    keep_seeds: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown or not self.methods:
            raise ValueError(f"methods: expected some of {', '.join(METHODS)}, got {', '.join(self.methods)}")
        if not 0 <= self.rounds <= 20:
            raise ValueError(f"rounds: expected 0 to 20, got {self.rounds}")


def evolve(seeds: pa.Table, model: Answering, config: EvolveConfig) -> tuple[pa.Table, Counter[str]]:
    """Seeds (`SEED`) and all that rounds made of them, as `EVOLVED` rows, in the order of seeds, round by round.

    Every task of a round that is one is evolved once more in the next (Evol-Instruct;
    PanGu-Coder2 evolves in depth only, arXiv 2307.14936, section 3.3). A task without an answer is dropped as
    ``no_answer``, one with a forbidden text as ``forbidden``; both end their line. Counts: ``round N`` rows made, and
    the answers' problems.
    """
    rows = [_seed_row(row, config) for row in seeds.to_pylist()]
    counts: Counter[str] = Counter()
    alive = [row for row in rows if row["dropped"] in (None, "seed")]
    for round_ in range(1, config.rounds + 1):
        made = _round(alive, model, config, round_, counts)
        counts[f"round {round_}"] += len(made)
        rows += made
        alive = [row for row in made if row["dropped"] is None]
    return pa.Table.from_pylist(rows, schema=EVOLVED), counts


def seed_prompts(seeds: pa.Table, config: EvolveConfig) -> list[Prompt]:
    """What the first round asks, for estimates."""
    rows = [row for row in seeds.to_pylist() if row["dropped"] is None]
    return [_asked(row, config, 1)[1] for row in rows] if config.rounds else []


def _seed_row(row: Mapping[str, Any], config: EvolveConfig) -> dict[str, Any]:
    dropped = row["dropped"] or (None if config.keep_seeds else "seed")
    return {"id": row["id"], "round": 0, "instruction": row["instruction"], "dropped": dropped}


def _asked(row: Mapping[str, Any], config: EvolveConfig, round_: int) -> tuple[str, Prompt]:
    method = chosen_method(row["id"], round_, config.methods, config.seed)
    return method, Prompt(row["id"], (("user", evolve_prompt(row["instruction"], method)),))


def _round(
    alive: Sequence[Mapping[str, Any]],
    model: Answering,
    config: EvolveConfig,
    round_: int,
    counts: Counter[str],
) -> list[dict[str, Any]]:
    asked = [_asked(row, config, round_) for row in alive]
    answers = model.answer([prompt for _, prompt in asked])
    counts.update(f"answer: {answer.problem}" for answer in answers if answer.problem)
    methods = {prompt.id: method for method, prompt in asked}
    return [_made(answer, methods[answer.prompt_id], round_, model.config) for answer in answers]


def _made(answer: Answer, method: str, round_: int, asked: ModelConfig) -> dict[str, Any]:
    instruction = answer.text.strip()
    name = f"{answer.prompt_id}\n{round_}\n{method}\n{answer.sample_ix}\n{instruction}"
    return {
        "id": f"task-{hashlib.sha256(name.encode()).hexdigest()[:16]}",
        "parent_id": answer.prompt_id,
        "round": round_,
        "method": method,
        "instruction": instruction,
        "model": answer.model,
        "temperature": asked.temperature,
        "seed": asked.seed + answer.sample_ix,
        "dropped": _failed(instruction),
    }


def _failed(instruction: str) -> str | None:
    if not instruction:
        return "no_answer"
    lowered = instruction.lower()
    if any(word in lowered for word in FORBIDDEN):
        return "forbidden"
    return "refusal" if is_refusal(instruction) else None
