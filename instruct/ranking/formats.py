"""Formats: what training and evaluation of a ranked set read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

_QUOTES = '"""'


def docstring(text: str) -> str:
    """A text in triple quotes; quotes inside that would end it are written with a backslash.

    >>> print(docstring("Add."))
    \"\"\"
    Add.
    \"\"\"
    """
    inside = text.replace("\\", "\\\\").replace(_QUOTES, '\\"\\"\\"')
    return f"{_QUOTES}\n{inside}\n{_QUOTES}"


def training_text(instruction: str, code: str) -> str:
    """The training format: the task as a docstring in triple quotes, then the code (PanGu-Coder2, section 3.5)."""
    return training_prompt(instruction) + _snippet(code)


def training_prompt(instruction: str) -> str:
    """What stands before the code in the training format, and has no loss in RRHF's training.

    >>> training_prompt("Add.") + "def add(): ..." == training_text("Add.", "def add(): ...").rstrip()
    True
    """
    return f"{docstring(instruction)}\n"


def _snippet(code: str) -> str:
    return code.strip("\n") + "\n"


def evaluation_prompt(instruction: str, signature: str) -> str:
    """The evaluation prompt: the task as a docstring, then the function's signature (PanGu-Coder2, section 4.1)."""
    return f"{docstring(instruction)}\n{signature}"


def rrtf_lines(pairs: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """RRTF records of kept pairs, as JSON lines: x, y_tea, y_stu, r_tea, r_stu.

    ``x`` and an answer together are a text in the training format. All that ``L = L_rank + L_ft`` needs beside a
    model: ``L_rank = -sum (r_tea - r_stu) min(0, p_tea - p_stu)`` over ``r_tea > r_stu`` (PanGu-Coder2, arXiv
    2307.14936, section 3.4).
    """
    for pair in pairs:
        record = {
            "id": pair["id"],
            "x": training_prompt(pair["prompt"]),
            "y_tea": _snippet(pair["chosen"]),
            "y_stu": _snippet(pair["rejected"]),
            "r_tea": pair["score_chosen"],
            "r_stu": pair["score_rejected"],
        }
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def rrhf_lines(pairs: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """RRHF records, one per task: query, responses, scores (GanjinZero/RRHF, train.py), as JSON lines.

    The first response is the teacher's: training takes the first of the highest scores for its own loss.
    """
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for pair in pairs:
        by_task.setdefault(pair["prompt_id"], []).append(pair)
    for same in by_task.values():
        record = {
            "query": training_prompt(same[0]["prompt"]),
            "responses": [_snippet(one) for one in (same[0]["chosen"], *(pair["rejected"] for pair in same))],
            "scores": [
                max(pair["score_chosen"] for pair in same),
                *(pair["score_rejected"] for pair in same),
            ],
        }
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def training_lines(pairs: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Texts in the training format, one per task, of the chosen answer, as JSON lines ``{"id", "text"}``."""
    seen: set[str] = set()
    for pair in pairs:
        if pair["prompt_id"] not in seen:
            seen.add(pair["prompt_id"])
            record = {"id": pair["prompt_id"], "text": training_text(pair["prompt"], pair["chosen"])}
            yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
