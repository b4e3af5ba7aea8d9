"""Replies: an endpoint's body, which is believed in nothing, as text and counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson

MAX_BODY = 8 << 20
"""Bytes of a body that are read; 8,192 tokens are well under a hundredth of it."""

_MOST_TOKENS = 1 << 31
_NAMED_FINISH = 40


@dataclass(frozen=True)
class Reply:
    """What came back for one request: a text, or a problem (`instruct.models.PROBLEMS`); tokens 0 where unknown."""

    text: str
    problem: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    finish: str = ""


def parse_body(body: bytes) -> Reply:
    """The reply in a body of bytes.

    >>> parse_body(b"{}").problem, parse_body(b"<html>").problem
    ('choices', 'not_json')
    """
    try:
        return read_body(orjson.loads(body))
    except orjson.JSONDecodeError:
        return Reply("", "not_json")


def read_body(data: Any) -> Reply:
    """The reply in a parsed body of the chat completions API: one choice with a message that has a text."""
    if not isinstance(data, dict):
        return Reply("", "not_json")
    counted = _counted(data.get("usage"))
    choices = data.get("choices")
    if not isinstance(choices, list) or len(choices) != 1:
        return replace(counted, problem="choices")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        return replace(counted, problem="no_text")
    if "\0" in text:
        return replace(counted, problem="nul")
    finish = choice.get("finish_reason")
    return replace(counted, text=text, finish=finish[:_NAMED_FINISH] if isinstance(finish, str) else "")


def _counted(usage: Any) -> Reply:
    found = usage if isinstance(usage, dict) else {}
    tokens = [found.get(name) for name in ("prompt_tokens", "completion_tokens")]
    known = [n if type(n) is int and 0 <= n < _MOST_TOKENS else 0 for n in tokens]
    return Reply("", "", known[0], known[1])
