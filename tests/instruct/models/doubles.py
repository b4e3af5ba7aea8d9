"""A model without HTTP: a function from a prompt and a sample to a text, or to a problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from instruct.models import PROBLEMS, Answer, ModelConfig, Prompt


class FakeModel:
    def __init__(
        self, text: Callable[[Prompt, int], str], samples: int = 1, temperature: float = 0.5
    ) -> None:
        self.config = ModelConfig(
            "fake", temperature=temperature, top_p=1.0, max_tokens=64, seed=3, samples=samples
        )
        self.text = text
        self.asked: list[Prompt] = []

    def answer(self, prompts: Sequence[Prompt]) -> list[Answer]:
        self.asked += prompts
        return [self._answer(prompt, ix) for prompt in prompts for ix in range(self.config.samples)]

    def _answer(self, prompt: Prompt, ix: int) -> Answer:
        said = self.text(prompt, ix)
        text, problem = ("", said) if said in PROBLEMS else (said, "")
        return Answer(prompt.id, ix, text, problem, "fake", 1, 1, "stop")
