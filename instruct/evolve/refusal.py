"""Refusals: apologies instead of answers."""

from __future__ import annotations

import re

_REFUSAL_WORDS = 80
_REFUSAL = re.compile(
    r"\bsorry\b|\bas an? (?:ai|language model)\b|\bi(?: am|'m) (?:unable|not able)\b", re.IGNORECASE
)


def is_refusal(text: str) -> bool:
    """Whether a text is an apology instead of an answer: one of its phrases, in fewer than 80 words.

    The limit of 80 words is WizardLM's (arXiv 2304.12244, section 3.3, as recalled).

    >>> is_refusal("Sorry, I cannot."), is_refusal("Print 'sorry' if " + "x " * 90)
    (True, False)
    """
    return len(text.split()) < _REFUSAL_WORDS and _REFUSAL.search(text) is not None
