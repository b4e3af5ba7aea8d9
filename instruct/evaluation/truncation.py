"""Truncation: where a model's answer ends, as the evaluation of Codex cuts it.

Source: Codex, arXiv 2107.03374, section 3 (the stop sequences); there the model stops generating, here a sample that
went on is cut, and where it was cut is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence

PUBLISHED_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def truncated(text: str, stops: Sequence[str]) -> tuple[str, str | None]:
    """The text before the earliest stop sequence, and that stop; None where there is none.

    Where two begin at the same place, the first of ``stops`` is named. Empty stops are left out.

    >>> truncated("    return x\\n\\nprint(1)", PUBLISHED_STOPS)
    ('    return x\\n', '\\nprint')
    """
    places = [(text.find(stop), order) for order, stop in enumerate(stops) if stop and stop in text]
    if not places:
        return text, None
    at, order = min(places)
    return text[:at], stops[order]
