"""Leaking: which texts hold a benchmark's tasks, by the rules of `contamination`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from contamination import ContaminationConfig, TaskGrams
from instruct.problems import leaked


@dataclass(frozen=True)
class LeakConfig:
    """Benchmark suites, named as everywhere (``humaneval``, ``mbpp:PATH``, ``codereval:PATH``, ``leetcode:PATH``).

    ``rule`` is a preset of `contamination`.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    suites: tuple[str, ...] = ("humaneval",)
    rule: str = "thresher"

    def __post_init__(self) -> None:
        _ = self.contamination

    @property
    def contamination(self) -> ContaminationConfig:
        """The same, as `contamination` knows it; `columns.errors.RecipeError` for an unknown rule."""
        return ContaminationConfig(suites=self.suites, rule=self.rule)


class LeakCheck:
    """The tasks of suites, read once; then texts are asked about. No suite finds nothing.

    `InputError` for a suite that cannot be read.
    """

    def __init__(self, config: LeakConfig) -> None:
        self.config = config.contamination
        self._index: TaskGrams | None = self.config.index() if config.suites else None

    def tasks(self, texts: Sequence[str]) -> list[list[str]]:
        """The tasks found in each text, as ``suite/task``, sorted.

        >>> LeakCheck(LeakConfig(())).tasks(["def f(): pass"])
        [[]]
        """
        if self._index is None or not texts:
            return [[] for _ in texts]
        return leaked(texts, self.config, self._index)
