"""Questions: short programming tasks that a model makes up, fifty at a time."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from instruct.models import Answer, Prompt

QUESTION = pa.schema(
    [
        pa.field(
            "id",
            pa.string(),
            metadata={"about": "identity: a hash of the text, and which of equal ones it is"},
        ),
        pa.field("question", pa.large_string(), metadata={"about": "the task"}),
        pa.field("level", pa.string(), metadata={"about": "easy or medium, as asked for"}),
        pa.field("call", pa.int32(), metadata={"about": "which call of its level it came from, from 0"}),
        pa.field("number", pa.int32(), metadata={"about": "its number in the answer, as the model wrote it"}),
        pa.field("model", pa.string(), metadata={"about": "the model that wrote it"}),
        pa.field(
            "leaks", pa.list_(pa.string()), metadata={"about": "benchmark tasks found in it, as suite/task"}
        ),
        pa.field("dropped", pa.string(), metadata={"about": "duplicate, too_short or leak; null: kept"}),
    ]
)

LEVELS = ("easy", "medium")

_PROMPT = """Make up {count} different programming questions as they are asked in interviews, of {level} \
difficulty. Each must be answered by one standalone Python function that needs nothing beyond the standard library. \
Do not answer them. Write one question per line, numbered."""
_ITEM = re.compile(
    r"^[ \t]{0,8}(?:\*\*)?(?:Q(?:uestion)?[ \t]*)?(\d{1,4})(?:[.):]|[ \t]*-)(?:\*\*)?[ \t]+(?=\S)",
    re.MULTILINE,
)
_MOST_CHARS = 4000


@dataclass(frozen=True)
class QuestionConfig:
    """How many questions are asked for, how many in one call, of which levels; what is too short.

    62,000 questions, 50 in a call, easy and medium: Code Llama, arXiv 2308.12950, section 2.5 and its appendix.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    wanted: int = 62_000
    per_call: int = 50
    levels: tuple[str, ...] = LEVELS
    min_words: int = 4

    def __post_init__(self) -> None:
        if self.wanted < 1 or not 1 <= self.per_call <= 500 or not self.levels:
            raise ValueError(f"expected at least 1 question, 1 to 500 in a call, and a level, got {self}")

    @property
    def calls(self) -> int:
        """Calls for each level, so that all together give at least ``wanted`` questions.

        >>> QuestionConfig().calls
        620
        """
        return -(-self.wanted // (self.per_call * len(self.levels)))


def question_prompts(config: QuestionConfig) -> list[Prompt]:
    """One prompt per level; each call is one of its samples. The words are ours; the server adds the tags."""
    return [
        Prompt(level, (("user", _PROMPT.format(count=config.per_call, level=level)),))
        for level in config.levels
    ]


def parse_questions(text: str) -> list[tuple[int, str]]:
    """The numbered items of an answer: each number with its text, lines that follow joined to it.

    Takes ``1. …``, ``1) …``, ``Question 1: …``, bold or not; what stands before the first number is no question.

    >>> parse_questions("Sure:\\n1. Add two numbers.\\n2) Sort\\n   words.\\n")
    [(1, 'Add two numbers.'), (2, 'Sort words.')]
    """
    items = list(_ITEM.finditer(text))
    ends = [*(item.start() for item in items[1:]), len(text)]
    found = (
        (int(item[1]), " ".join(text[item.end() : end].split()))
        for item, end in zip(items, ends, strict=False)
    )
    return [(number, question[:_MOST_CHARS]) for number, question in found if question]


def questions(
    answers: Iterable[Answer],
    config: QuestionConfig,
    leaks: Callable[[Sequence[str]], list[list[str]]],
) -> tuple[pa.Table, Counter[str]]:
    """All questions in answers (of `question_prompts`) as `QUESTION` rows, in the order of levels and calls.

    Exact duplicates of an earlier one are dropped (62,000 questions leave about 52,000: Code Llama, section 2.5), and
    what is too short or holds a benchmark's task (ours). Counts: questions, rows per rule, calls without any
    question.
    """
    rows: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for answer in answers:
        made = list(_rows(answer, config, seen))
        counts[f"calls {answer.problem or 'without a question'}"] += not made
        rows += made
    left = [row for row in rows if row["dropped"] is None]
    for row, found in zip(left, leaks([row["question"] for row in left]), strict=True):
        row["leaks"], row["dropped"] = found, "leak" if found else None
    counts.update(f"dropped {row['dropped']}" if row["dropped"] else "kept" for row in rows)
    return pa.Table.from_pylist(rows, schema=QUESTION), +counts


def _rows(answer: Answer, config: QuestionConfig, seen: Counter[str]) -> Iterator[dict[str, Any]]:
    for number, question in parse_questions(answer.text):
        digest = hashlib.sha256(question.encode()).hexdigest()[:16]
        seen[digest] += 1
        short = len(question.split()) < config.min_words
        yield {
            "id": f"q-{digest}" if seen[digest] == 1 else f"q-{digest}-{seen[digest]}",
            "question": question,
            "level": answer.prompt_id,
            "call": answer.sample_ix,
            "number": number,
            "model": answer.model,
            "dropped": "duplicate" if seen[digest] > 1 else "too_short" if short else None,
        }
