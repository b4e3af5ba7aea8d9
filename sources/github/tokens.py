"""Tokens: taken from the environment, used in turn, shown nowhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from columns.errors import InputError


class Token:
    """One token and when it may be used again; its value is never part of a text about it."""

    __slots__ = ("free_at", "number", "value")

    def __init__(self, number: int, value: str | None) -> None:
        self.number = number
        self.value = value
        self.free_at = 0.0

    def __repr__(self) -> str:
        return f"Token {self.number}" if self.value else "no token"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("tokens stay in the process that read them")


class Tokens:
    """The tokens of a run; without any, one nameless visitor."""

    def __init__(self, values: Sequence[str] = ()) -> None:
        self._lock = threading.Lock()
        self._turn = 0
        self.known = bool(values)
        self._all = [Token(n, value) for n, value in enumerate(values, 1)] or [Token(0, None)]

    @classmethod
    def from_environment(cls, variables: Sequence[str]) -> Tokens:
        """Tokens of the first variable that is set; `InputError` when one holds what no header may hold."""
        for variable in variables:
            values = [value.strip() for value in os.environ.get(variable, "").split(",") if value.strip()]
            if not all(value.isascii() and value.isprintable() and " " not in value for value in values):
                raise InputError(
                    f"{variable}: not a token", hint="tokens are printable ASCII, separated by commas"
                )
            if values:
                return cls(values)
        return cls()

    def __repr__(self) -> str:
        return f"Tokens({len(self._all) if self.known else 0})"

    def take(self) -> Token:
        """The next token in turn that is free first."""
        with self._lock:
            if not self._all:
                raise InputError(
                    "the API refuses every token (401)",
                    hint="they are wrong, expired or revoked; make new ones",
                )
            self._turn += 1
            turned = self._all[self._turn % len(self._all) :] + self._all[: self._turn % len(self._all)]
            return min(turned, key=lambda token: token.free_at)

    def rest(self, token: Token, until: float) -> None:
        """Do not use a token before ``until``."""
        with self._lock:
            token.free_at = max(token.free_at, until)

    def drop(self, token: Token) -> None:
        """Forget a token that the server refuses."""
        with self._lock:
            self._all = [kept for kept in self._all if kept is not token]
