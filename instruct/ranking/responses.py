"""Responses: what student and teacher answer to a task, as rows, and how they do in the task's tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from instruct.models import Answer, ModelConfig, Prompt
from instruct.ranking.extraction import extract
from instruct.ranking.formats import evaluation_prompt
from instruct.sandbox import Trial, Verdict

TEACHER, STUDENT = "teacher", "student"
OUTCOMES = ("compile_error", "runtime_error", "some_pass", "all_pass")
"""From the worst to the best (PanGu-Coder2, arXiv 2307.14936, section 3.4)."""

RESPONSE = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "identity: task, role and sample"}),
        pa.field("prompt_id", pa.string(), metadata={"about": "the task"}),
        pa.field("model", pa.string(), metadata={"about": "the model that wrote it"}),
        pa.field("role", pa.string(), metadata={"about": "teacher or student"}),
        pa.field("temperature", pa.float32(), metadata={"about": "at which it was sampled"}),
        pa.field("sample_ix", pa.int32(), metadata={"about": "which of the role's samples, from 0"}),
        pa.field("text", pa.large_string(), metadata={"about": "the whole answer"}),
        pa.field("code", pa.large_string(), metadata={"about": "the program in it, '' where there is none"}),
        pa.field("how", pa.string(), metadata={"about": "fenced, bare, embedded, continued or none"}),
        pa.field(
            "problem", pa.string(), metadata={"about": "what is wrong with the answer itself; null: nothing"}
        ),
        pa.field(
            "outcome",
            pa.string(),
            metadata={"about": "compile_error, runtime_error, some_pass, all_pass; null: not run"},
        ),
        pa.field("n_pass", pa.int32(), metadata={"about": "tests that it passes"}),
        pa.field("n_tests", pa.int32(), metadata={"about": "tests that it was given"}),
        pa.field(
            "reason", pa.string(), metadata={"about": "why tests failed: assertion, timeout, memory, …"}
        ),
    ]
)


@dataclass(frozen=True)
class ResponseConfig:
    """``max_tokens``: longer answers are marked ``too_long`` (PanGu-Coder2 trains on up to 8,192 tokens)."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    max_tokens: int = 8192

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens: expected at least 1, got {self.max_tokens}")


class Judge(Protocol):
    """What runs programs against tests: `instruct.sandbox.Sandbox`, or a double of it."""

    def judge(self, trials: Iterable[Trial]) -> Iterator[Verdict]:
        """Verdicts in the order of trials."""


def response_prompts(tested: Iterable[Mapping[str, Any]]) -> list[Prompt]:
    """The prompts of tasks that can be tested (`TESTED` rows): the published evaluation prompt, docstring and head."""
    return [
        Prompt(row["id"], (("user", evaluation_prompt(row["instruction"], row["signature"])),))
        for row in tested
        if row["dropped"] is None
    ]


def responses(
    tested: Sequence[Mapping[str, Any]],
    answers: Iterable[Answer],
    role: str,
    asked: ModelConfig,
    config: ResponseConfig,
    tokens: Callable[[str], int],
) -> tuple[pa.Table, Counter[str]]:
    """Answers of one role as `RESPONSE` rows that are not run yet. Counts: rows, and how many have which problem."""
    tasks = {row["id"]: row for row in tested}
    rows = [_row(tasks[answer.prompt_id], answer, role, asked, config, tokens) for answer in answers]
    counts = Counter(f"{role} {row['problem']}" for row in rows if row["problem"])
    counts[f"{role} usable"] = sum(row["problem"] is None for row in rows)
    return pa.Table.from_pylist(rows, schema=RESPONSE), counts


def _row(
    task: Mapping[str, Any],
    answer: Answer,
    role: str,
    asked: ModelConfig,
    config: ResponseConfig,
    tokens: Callable[[str], int],
) -> dict[str, Any]:
    found = extract(answer.text, task["entry_point"], task["signature"])
    too_long = not found.problem and tokens(answer.text) > config.max_tokens
    return {
        "id": f"{answer.prompt_id}/{role}/{answer.sample_ix}",
        "prompt_id": answer.prompt_id,
        "model": answer.model,
        "role": role,
        "temperature": asked.temperature,
        "sample_ix": answer.sample_ix,
        "text": answer.text,
        "code": found.code,
        "how": found.how,
        "problem": "too_long" if too_long else found.problem or None,
    }


def judged(
    answers: pa.Table, tested: Iterable[Mapping[str, Any]], judge: Judge
) -> tuple[pa.Table, Counter[str]]:
    """`RESPONSE` rows with the outcome of their task's tests. Counts: rows per role and outcome.

    An answer without code is ``compile_error``: there is nothing that could be compiled. Answers to tasks that are
    not in ``tested`` stay as they are.
    """
    tasks = {row["id"]: row for row in tested if row["dropped"] is None}
    rows = answers.to_pylist()
    ours = [row for row in rows if row["prompt_id"] in tasks]
    run = [row for row in ours if row["code"].strip()]
    verdicts = judge.judge(_trial(row, tasks[row["prompt_id"]]) for row in run)
    for row, verdict in zip(run, verdicts, strict=True):
        row["outcome"], row["n_pass"], row["n_tests"] = str(verdict.outcome), verdict.n_pass, verdict.n_tests
        row["reason"] = verdict.reason or None
    for row in ours:
        if not row["code"].strip():
            row["outcome"], row["n_pass"], row["n_tests"] = (
                OUTCOMES[0],
                0,
                len(tasks[row["prompt_id"]]["tests"]),
            )
    counts = Counter(f"{row['role']} {row['outcome']}" for row in ours)
    return pa.Table.from_pylist(rows, schema=RESPONSE), counts


def _trial(row: Mapping[str, Any], task: Mapping[str, Any]) -> Trial:
    return Trial(row["code"], task["entry_point"], tuple(task["tests"]), task["setup"])
