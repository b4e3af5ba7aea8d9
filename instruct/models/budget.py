"""Budgets: what asking costs, estimated before anything is sent, and limits that are never passed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from columns.errors import EnvironmentProblem, InputError
from instruct.models.prompt import ModelConfig, Prompt

BYTES_PER_TOKEN = 3
MESSAGE_TOKENS = 8
"""The rule of estimates: one token per 3 bytes of UTF-8, as code has in GPT-3's vocabulary (3.02 for Python; prose
has more bytes per token, so the estimate is high), and 8 for the frame of each message."""


@dataclass(frozen=True)
class Cost:
    """Requests, tokens sent and received, and their price in the currency of the user's prices (0 without prices)."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    price: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.requests + other.requests,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.price + other.price,
        )

    def __str__(self) -> str:
        tokens = f"{self.tokens_in:,} tokens in, {self.tokens_out:,} out"
        priced = f", price {self.price:,.2f}" if self.price else ""
        return f"{self.requests:,} requests, {tokens}{priced}"


@dataclass(frozen=True)
class Budget:
    """Limits on what is asked of a model (None: no limit), and its prices per million tokens, which the user gives.

    What the recording already holds counts: a rerun never spends a budget a second time. A request is sent only when
    its highest possible cost (`max_tokens` received) fits into what is left, so a limit is never passed as long as
    the estimate of tokens sent is no lower than the truth. Attempts of one request count once.

    `InputError` for negative numbers, or a price limit without prices.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    max_price: float | None = None
    price_in: float | None = None
    price_out: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not 0 <= value < float("inf"):
                raise InputError(f"budget: {name} is {value!r}", hint="expected a number from 0 on")
        if self.max_price is not None and (self.price_in is None or self.price_out is None):
            raise InputError(
                "budget: a limit on the price without prices",
                hint="give the prices of a million tokens read and written, from your provider's list: "
                "price_in and price_out, of a build --budget read=… --budget written=…",
            )

    def cost(self, tokens_in: int, tokens_out: int, requests: int = 1) -> Cost:
        """The cost of requests with so many tokens.

        >>> Budget(price_in=2.0, price_out=4.0).cost(500_000, 250_000).price
        2.0
        """
        price = (tokens_in * (self.price_in or 0.0) + tokens_out * (self.price_out or 0.0)) / 1e6
        return Cost(requests, tokens_in, tokens_out, price)

    def exceeded(self, cost: Cost) -> str:
        """Which limit a cost is over, as text; empty when it fits."""
        spent = (
            ("requests", cost.requests, self.max_requests),
            ("tokens", cost.tokens_in + cost.tokens_out, self.max_tokens),
            ("price", cost.price, self.max_price),
        )
        over = (f"{limit:,} {name}" for name, value, limit in spent if limit is not None and value > limit)
        return next(over, "")


def estimated_tokens(prompt: Prompt) -> int:
    """Tokens of a prompt by the rule of `BYTES_PER_TOKEN`.

    >>> estimated_tokens(Prompt("a", (("user", "def f(x):"),)))
    11
    """
    return sum(
        MESSAGE_TOKENS + -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
        for _, text in prompt.messages
    )


def highest(prompt: Prompt, config: ModelConfig, budget: Budget) -> Cost:
    """The highest cost of one answer: the estimate of what is sent, and all tokens that may come back."""
    return budget.cost(estimated_tokens(prompt), config.max_tokens)


@dataclass
class Meter:
    """What has been spent and what is reserved by requests on their way; shared by threads."""

    budget: Budget
    spent: Cost = Cost()
    _reserved: Cost = Cost()
    _open: int = 0
    _turn: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def reserve(self, cost: Cost) -> Iterator[None]:
        """Hold a request's highest cost while it is on its way, waiting for others' when it does not fit beside them.

        `EnvironmentProblem` when it does not fit into what is left.
        """
        with self._turn:
            while self.budget.exceeded(self.spent + self._reserved + cost) and self._open:
                self._turn.wait()
            if limit := self.budget.exceeded(self.spent + cost):
                raise EnvironmentProblem(
                    f"the budget of {limit} is reached: {self.spent} are spent, and the next request may need {cost}",
                    hint="answers so far are kept; raise the budget and run the same command again to go on",
                )
            self._reserved, self._open = self._reserved + cost, self._open + 1
        try:
            yield
        finally:
            with self._turn:
                back = Cost(-cost.requests, -cost.tokens_in, -cost.tokens_out, -cost.price)
                self._reserved, self._open = self._reserved + back, self._open - 1
                self._turn.notify_all()

    def spend(self, cost: Cost) -> None:
        """Count what a request has cost."""
        with self._turn:
            self.spent = self.spent + cost
