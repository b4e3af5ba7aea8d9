"""Prompts, answers and how a model is asked: the part of a model that a recipe names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import orjson


@dataclass(frozen=True)
class ModelConfig:
    """How a model is asked; a part of the recipe, because it changes the answers. Where it is reached is an option.

    ``model`` is the name that the endpoint knows. ``samples`` answers are asked for each prompt, one request each:
    sample i is asked with the seed ``seed + i``, so an answer can be asked again alone, and endpoints without a
    choice of several answers can be used. `ValueError` for values that no endpoint takes.

    >>> ModelConfig("code-model", temperature=0.2, top_p=0.95, max_tokens=512, seed=0).samples
    1
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    model: str
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    stop: tuple[str, ...] = ()
    samples: int = 1

    def __post_init__(self) -> None:
        checks = (
            ("model", self.model, bool(self.model.strip()), "the name that the endpoint knows"),
            ("temperature", self.temperature, 0 <= self.temperature <= 2, "0 to 2"),
            ("top_p", self.top_p, 0 < self.top_p <= 1, "over 0, at most 1"),
            ("max_tokens", self.max_tokens, self.max_tokens >= 1, "at least 1"),
            ("seed", self.seed, 0 <= self.seed < 1 << 31, "0 to 2^31 - 1"),
            ("stop", self.stop, len(self.stop) <= 4, "at most 4 texts"),
            ("samples", self.samples, 1 <= self.samples <= 100_000, "1 to 100,000"),
        )
        for name, value, holds, expected in checks:
            if not holds:
                raise ValueError(f"{name}: expected {expected}, got {value!r}")


@dataclass(frozen=True)
class Prompt:
    """What a model is asked: a stable id, and messages as (role, text); roles are system, user and assistant."""

    id: str
    messages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """One answer. ``problem`` says why there is no text: a name of `PROBLEMS`, or empty.

    ``finish`` is the endpoint's word for why the text ends ("stop", "length"), empty where it said none.
    """

    prompt_id: str
    sample_ix: int
    text: str
    problem: str
    model: str
    tokens_in: int
    tokens_out: int
    finish: str = ""


PROBLEMS = {
    "not_recorded": "the file of recorded responses has no answer to this prompt",
    "failed": "no usable answer came in any of the attempts; the next run asks again",
    "refused": "the endpoint refused this prompt (400, 413, 422), for example because it is too long",
    "not_json": "the body is not JSON in any of the attempts",
    "too_large": "the body is over 8 MiB",
    "choices": "the number of choices is not one",
    "no_text": "the choice has no text",
    "nul": "the text has a NUL character",
    "holds_key": "the answer repeats the key that was sent with the request; it is not kept",
}
"""Why an answer has no text."""


def answer_key(prompt: Prompt, config: ModelConfig, sample_ix: int) -> str:
    """The name of an answer in a file of recorded responses: SHA-256 (hex) of what was asked, in canonical JSON.

    The prompt's id is no part of it: the same question asked twice has one answer.

    >>> asked = ModelConfig("m", temperature=0, top_p=1, max_tokens=8, seed=0)
    >>> answer_key(Prompt("a", (("user", "Hi"),)), asked, 0) == answer_key(Prompt("b", (("user", "Hi"),)), asked, 0)
    True
    """
    asked = {
        "model": config.model,
        "messages": [list(message) for message in prompt.messages],
        "temperature": float(config.temperature),
        "top_p": float(config.top_p),
        "max_tokens": config.max_tokens,
        "seed": config.seed,
        "stop": list(config.stop),
        "sample_ix": sample_ix,
    }
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def request_body(prompt: Prompt, config: ModelConfig, sample_ix: int) -> dict[str, object]:
    """The request for one answer as the chat completions API takes it."""
    body: dict[str, object] = {
        "model": config.model,
        "messages": [{"role": role, "content": text} for role, text in prompt.messages],
        "temperature": float(config.temperature),
        "top_p": float(config.top_p),
        "max_tokens": config.max_tokens,
        "seed": config.seed + sample_ix,
        "n": 1,
    }
    return body | ({"stop": list(config.stop)} if config.stop else {})
