"""Preference: which answer of a pair is better, by tests first and by who wrote it on a tie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import pyarrow as pa

from instruct.ranking.responses import OUTCOMES, STUDENT, TEACHER
from instruct.sandbox import Outcome

PAIR = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "identity: task and student sample"}),
        pa.field("prompt_id", pa.string(), metadata={"about": "the task"}),
        pa.field("prompt", pa.large_string(), metadata={"about": "the task's text"}),
        pa.field("signature", pa.string(), metadata={"about": "the head of the function"}),
        pa.field("chosen", pa.large_string(), metadata={"about": "the teacher's code"}),
        pa.field(
            "rejected", pa.large_string(), metadata={"about": "the student's code, or its text without any"}
        ),
        pa.field(
            "score_chosen", pa.float64(), metadata={"about": "the teacher's score, with what a tie adds"}
        ),
        pa.field("score_rejected", pa.float64(), metadata={"about": "the student's score"}),
        pa.field(
            "reason", pa.string(), metadata={"about": "outcome: tests decide; tie: the teacher ranks higher"}
        ),
        pa.field("dropped", pa.string(), metadata={"about": "the rule that drops the pair; null: kept"}),
    ]
)

DROPS: Mapping[str, str] = {
    "no_teacher": "no answer of the teacher is usable; followed by what is wrong with its first",
    "no_student": "the student gave no answer",
    "teacher_worse": "the student's best answer scores higher than the teacher's best",
    "no_chosen": "the teacher's best answer scores below min_teacher",
    "leak": "a benchmark's task is in the task and the teacher's code",
    "same": "both answers have the same code",
}
"""Why a pair is dropped."""


@dataclass(frozen=True)
class RankingConfig:
    """``scores`` of the four outcomes, from the worst; ``tie``: what a tie adds to the teacher's score.

    PanGu-Coder2 publishes the order and that the teacher wins a tie (arXiv 2307.14936, section 3.4), but no numbers;
    0 to 3 and half a step are ours. With ``tie`` 0 a tied pair has no weight in the ranking loss. ``min_teacher`` is
    the score that the teacher's answer must reach to be trained on.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    scores: tuple[float, float, float, float] = (0.0, 1.0, 2.0, 3.0)
    tie: float = 0.5
    min_teacher: float = 0.0

    def __post_init__(self) -> None:
        steps = [after - before for before, after in zip(self.scores, self.scores[1:], strict=False)]
        if len(self.scores) != len(OUTCOMES) or not all(0 < step < inf for step in steps):
            raise ValueError(f"scores: expected four ascending numbers, got {self.scores}")
        if not 0 <= self.tie < min(steps):
            raise ValueError(f"tie: expected 0 or more, and less than a step of the scores, got {self.tie}")

    def score(self, outcome: str) -> float:
        """The score of an outcome.

        >>> RankingConfig().score("some_pass")
        2.0
        """
        return self.scores[Outcome(outcome).rank]


def pairs(
    tested: Iterable[Mapping[str, Any]],
    answers: Iterable[Mapping[str, Any]],
    config: RankingConfig,
    leaks: Callable[[Sequence[str]], list[list[str]]],
) -> tuple[pa.Table, Counter[str]]:
    """The teacher's best answer with each of the student's, as `PAIR` rows, task by task.

    ``tested`` are `TESTED` rows, ``answers`` `RESPONSE` rows with outcomes. Best: the highest score, of equal ones
    the first sample. A task whose teacher scores below the student is dropped as a whole; on a tie the teacher ranks
    higher (PanGu-Coder2, section 3.4). A task without a pair has one row that says why. ``leaks`` names benchmark
    tasks in texts. Counts: rows kept by reason, and dropped by rule.
    """
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for answer in answers:
        if answer["outcome"] is not None:
            by_task.setdefault(answer["prompt_id"], []).append(answer)
    rows = [
        row
        for task in tested
        if task["dropped"] is None
        for row in _pairs(task, by_task.get(task["id"], []), config)
    ]
    left = [row for row in rows if row["dropped"] is None]
    found = leaks([f"{row['prompt']}\n\n{row['chosen']}" for row in left])
    for row, tasks in zip(left, found, strict=True):
        row["dropped"] = "leak" if tasks else None
    counts = Counter(
        f"dropped {row['dropped']}" if row["dropped"] else f"kept {row['reason']}" for row in rows
    )
    return pa.Table.from_pylist(rows, schema=PAIR), counts


def best(answers: Sequence[Mapping[str, Any]], config: RankingConfig) -> Mapping[str, Any] | None:
    """The answer with the highest score, of equal ones the first sample; None of none."""
    order = sorted(answers, key=lambda one: (-config.score(one["outcome"]), one["sample_ix"]))
    return order[0] if order else None


def _pairs(
    task: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], config: RankingConfig
) -> Iterator[dict[str, Any]]:
    teachers = [one for one in answers if one["role"] == TEACHER]
    students = sorted((one for one in answers if one["role"] == STUDENT), key=lambda one: one["sample_ix"])
    teacher = best([one for one in teachers if one["problem"] is None], config)
    student = best(students, config)
    if teacher is None:
        problem = min(teachers, key=lambda one: one["sample_ix"])["problem"] if teachers else "no_answer"
        yield _row(task, None, None, config, f"no_teacher_{problem}")
    elif student is None:
        yield _row(task, teacher, None, config, "no_student")
    else:
        worse = config.score(teacher["outcome"]) < config.score(student["outcome"])
        low = config.score(teacher["outcome"]) < config.min_teacher
        dropped = "teacher_worse" if worse else "no_chosen" if low else None
        for one in students:
            same = one["code"].strip() == teacher["code"].strip()
            yield _row(task, teacher, one, config, dropped or ("same" if same else None))


def _row(
    task: Mapping[str, Any],
    teacher: Mapping[str, Any] | None,
    student: Mapping[str, Any] | None,
    config: RankingConfig,
    dropped: str | None,
) -> dict[str, Any]:
    chosen = None if teacher is None else config.score(teacher["outcome"])
    rejected = None if student is None else config.score(student["outcome"])
    tie = chosen is not None and chosen == rejected
    return {
        "id": task["id"] if student is None else f"{task['id']}/{student['sample_ix']}",
        "prompt_id": task["id"],
        "prompt": task["instruction"],
        "signature": task["signature"],
        "chosen": None if teacher is None else teacher["code"],
        "rejected": None if student is None else student["code"] or student["text"],
        "score_chosen": None if chosen is None else chosen + (config.tie if tie else 0.0),
        "score_rejected": rejected,
        "reason": "tie" if tie else "outcome",
        "dropped": dropped,
    }
