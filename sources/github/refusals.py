"""Refusals: why a repository is not read, and whether asking again may help."""

from __future__ import annotations

from typing import Literal

STATES = ("done", "moved", "gone", "too_large", "forbidden", "left_out", "failed")

Condition = Literal["done", "moved", "gone", "too_large", "forbidden", "left_out", "failed"]


class Refusal(Exception):
    """The repository will not be read now: its state and the reason."""

    def __init__(self, state: Condition, reason: str) -> None:
        super().__init__(f"{state}: {reason}")
        self.state: Condition = state
        self.reason = reason


class Passing(Exception):
    """A failure that may pass: the reason, and after how many seconds the server wants to be asked again."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


def refusal_of_status(status: int) -> Refusal | None:
    """What an HTTP status says for good about a repository; None when it says nothing of the kind.

    >>> refusal_of_status(451)
    Refusal('forbidden: 451: unavailable for legal reasons')
    """
    reasons: dict[int, tuple[Condition, str]] = {
        401: ("gone", "401: private, or not there"),
        403: ("forbidden", "403: access refused"),
        404: ("gone", "404: not there"),
        410: ("gone", "410: removed"),
        451: ("forbidden", "451: unavailable for legal reasons"),
    }
    return Refusal(*reasons[status]) if status in reasons else None
