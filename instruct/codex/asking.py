"""Asking: a problem as a question to a chat model, and what of its answer follows the prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from instruct.evaluation import PUBLISHED_STOPS, truncated
from instruct.models import Prompt
from instruct.problems import STDIN

_TASK = "Continue this Python code. Answer with code only: what comes after it, or the whole of it."
_BLOCK = re.compile(
    r"^```[ \t]*(?:python3?|py)?[ \t]*\n(.*?)(?:^```|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE
)
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)


def question(problem: Mapping[str, Any]) -> Prompt:
    """What a model is asked of a problem; the words are ours, for the paper's models went on from the prompt alone.

    >>> question({"task_id": "a", "prompt": "def f(x):\\n"}).messages[-1][1].endswith("def f(x):\\n")
    True
    """
    return Prompt(problem["task_id"], (("user", f"{_TASK}\n\n{problem['prompt']}"),))


def stops_of(io_format: str) -> tuple[str, ...]:
    """Where answers to a problem end: a function's at the published stops, a whole program's nowhere.

    >>> stops_of("stdin")
    ()
    """
    return () if io_format == STDIN else PUBLISHED_STOPS


def completion(answer: str, stops: Sequence[str]) -> str:
    """What of an answer is put behind the prompt: its first fenced block as it is, else the text up to a stop.

    A block may hold the function anew; then the later definition is the one that counts. Behind the prompt no import
    of ``__future__`` may stand, so it is left out; where it is needed the prompt has it.

    >>> completion("Sure.\\n```python\\ndef f(x):\\n    return x\\n```\\n", PUBLISHED_STOPS)
    'def f(x):\\n    return x\\n'
    >>> completion("    return x\\n\\nprint(f(1))", PUBLISHED_STOPS)
    '    return x\\n'
    """
    block = _BLOCK.search(answer)
    return _FUTURE.sub("", block[1]) if block else truncated(answer, stops)[0]
