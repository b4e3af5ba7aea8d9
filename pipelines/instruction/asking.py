"""Asking: models as steps ask them, what is not recorded, and how texts' tokens are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from columns.errors import EnvironmentProblem, InputError
from instruct.models import (
    BYTES_PER_TOKEN,
    Answer,
    Cost,
    Model,
    ModelConfig,
    Prompt,
    estimated_tokens,
    write_requests,
)
from pipelines.instruction.steps import Context

TOKENIZER = "tokenizer"
_NOT_RECORDED = "not_recorded"
UNANSWERED = frozenset({"failed", "not_json"})
"""Problems of a server, not of what it was asked: nothing of them is recorded."""


@dataclass
class Asking:
    """A model that says what a file of recorded answers lacks, and writes it down as requests for a batch elsewhere."""

    model: Model
    context: Context
    role: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def config(self) -> ModelConfig:
        """How the model is asked."""
        return self.model.config

    def answer(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Answers in the order of prompts, then samples; `InputError` where a recording has none of them.

        `EnvironmentProblem` where every request failed: such a step is not finished, so that the next run asks again.
        """
        answers = self.model.answer(prompts)
        failed = sum(one.problem in UNANSWERED for one in answers)
        if answers and failed == len(answers):
            raise EnvironmentProblem(
                f"{self.role}: none of {len(answers):,} requests had a usable answer ({answers[-1].problem})",
                hint="look at the server and its address; then run the same command again",
            )
        self.counts.update(f"answer {one.problem}" for one in answers if one.problem)
        if failed:
            self.context.say(
                f"{self.role}: {failed:,} of {len(answers):,} requests had no usable answer, their rows are marked; "
                "to ask these again, remove the step's folder and run the same command"
            )
        missing = sum(one.problem == _NOT_RECORDED for one in answers)
        if missing:
            self._told(prompts, answers, missing)
        return answers

    def _told(self, prompts: Sequence[Prompt], answers: Sequence[Answer], missing: int) -> None:
        lacking = {one.prompt_id for one in answers if one.problem == _NOT_RECORDED}
        place = Path(self.context.place.path(f"requests-{self.role}.jsonl"))
        place.parent.mkdir(parents=True, exist_ok=True)
        write_requests(place, [one for one in prompts if one.id in lacking], self.config)
        said = f"{self.role}: {missing:,} of {len(answers):,} answers are not recorded"
        hint = (
            f"{place.name} in the output has the requests, as a batch for an OpenAI-compatible server; its output is "
            f"a file of recorded answers. Asked: {self.config}"
        )
        if missing == len(answers):
            raise InputError(said, hint=hint)
        self.context.say(f"{said}; {hint}")


@contextmanager
def asking(context: Context, role: str, config: ModelConfig, default: str = "") -> Iterator[Asking]:
    """The model of a role, open; ``default`` plays a role that has none of its own."""
    with context.model(player(context, role, default), config) as model:
        yield Asking(model, context, role)


def player(context: Context, role: str, default: str) -> str:
    """The role whose model, and key, answers for a role."""
    return role if role in context.models.sources else default or role


def highest_cost(
    context: Context, role: str, config: ModelConfig, prompts: Sequence[Prompt], times: int = 1
) -> Cost:
    """The highest cost of prompts for a live model, by the rule of estimates; nothing where answers are recorded."""
    if "://" not in context.models.sources.get(role, ""):
        return Cost()
    requests = len(prompts) * config.samples * times
    read = sum(map(estimated_tokens, prompts)) * config.samples * times
    return context.models.budget.cost(read, requests * config.max_tokens, requests)


def token_counter(context: Context) -> Callable[[str], int]:
    """What counts a text's tokens: the tokenizer of the role ``tokenizer`` (tokenizer.json), or one per 3 bytes."""
    given = context.inputs.get(TOKENIZER, ())
    if not given:
        return lambda text: -(-len(text.encode()) // BYTES_PER_TOKEN)
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(given[0].path)
    except Exception as error:
        raise InputError(
            f"{given[0].path}: not a tokenizer: {str(error)[:200]}",
            hint="expected a tokenizer.json of tokenizers",
        ) from None
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
