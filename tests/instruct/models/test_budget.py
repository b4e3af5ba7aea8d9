"""Budgets: estimates, limits, and that threads together stay within them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import EnvironmentProblem, InputError
from instruct.models.budget import Budget, Cost, Meter, estimated_tokens, highest
from instruct.models.prompt import ModelConfig, Prompt


def test_the_estimate_follows_its_rule():
    assert estimated_tokens(Prompt("a", ())) == 0
    assert estimated_tokens(Prompt("a", (("user", ""),))) == 8
    assert estimated_tokens(Prompt("a", (("user", "abcd"), ("user", "é" * 3)))) == (8 + 2) + (8 + 2)


def test_the_highest_cost_has_all_tokens_that_may_come_back():
    config = ModelConfig("m", temperature=0, top_p=1, max_tokens=100, seed=0)
    cost = highest(Prompt("a", (("user", "abc"),)), config, Budget(price_in=1e6, price_out=2e6))
    assert cost == Cost(1, 9, 100, 9 + 200)
    assert str(cost) == "1 requests, 9 tokens in, 100 out, price 209.00"


@pytest.mark.parametrize(
    "limits",
    [
        {"max_requests": -1},
        {"max_price": 1.0},
        {"max_price": 1.0, "price_in": 1.0},
        {"price_in": float("nan")},
    ],
)
def test_budgets_that_mean_nothing(limits):
    with pytest.raises(InputError, match="budget"):
        Budget(**limits)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(max_requests=2), "2 requests"),
        (Budget(max_tokens=24), "24 tokens"),
        (Budget(max_price=0.5, price_in=1e5, price_out=0), "0.5 price"),
    ],
)
def test_a_limit_is_reached_and_says_which(budget, said):
    meter = Meter(budget)
    with pytest.raises(EnvironmentProblem, match=f"budget of {said} is reached") as caught:
        for _ in range(3):
            with meter.reserve(budget.cost(4, 6)):
                meter.spend(budget.cost(4, 6))
    assert "run the same command again" in caught.value.hint


def test_a_budget_of_nothing_sends_nothing():
    with pytest.raises(EnvironmentProblem), Meter(Budget(max_requests=0)).reserve(Cost(1)):
        raise AssertionError("sent")


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=30),
    st.integers(1, 4),
)
def test_threads_together_never_pass_a_limit(limit, requests, width):
    meter, costs, turn = Meter(Budget(max_tokens=limit)), iter(requests), threading.Lock()

    def work() -> None:
        while True:
            with turn:
                asked = next(costs, None)
            if asked is None:
                return
            most, short = asked
            try:
                with meter.reserve(Cost(1, 0, most)):
                    meter.spend(Cost(1, 0, max(0, most - short)))
            except EnvironmentProblem:
                return

    threads = [threading.Thread(target=work) for _ in range(width)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.spent.tokens_out <= limit
