"""The meter under threads: what is held, given back and waited for."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import EnvironmentProblem
from instruct.models import Budget, Cost, ModelConfig, Prompt, Recording, estimated_tokens
from instruct.models.budget import Meter
from instruct.models.prompt import answer_key
from instruct.models.reply import Reply

COSTS = st.builds(
    Cost, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99).map(float)
)


@given(st.lists(COSTS, max_size=6))
def test_costs_add_up_in_any_order(costs):
    assert sum(costs, Cost()) == sum(costs[::-1], Cost())
    assert sum(costs, Cost()).requests == sum(one.requests for one in costs)


@given(st.integers(0, 9), st.integers(0, 9))
def test_a_limit_may_be_reached_and_not_passed(spent, limit):
    said = Budget(max_requests=limit).exceeded(Cost(requests=spent))
    assert said == (f"{limit} requests" if spent > limit else "")


def test_what_a_failed_request_held_is_given_back():
    meter = Meter(Budget(max_requests=1))
    for _ in range(3):
        with pytest.raises(RuntimeError, match="lost"), meter.reserve(Cost(1)):
            raise RuntimeError("lost")
    assert meter.spent == Cost()
    with meter.reserve(Cost(1)):
        meter.spend(Cost(1))
    with pytest.raises(EnvironmentProblem, match="1 requests"), meter.reserve(Cost(1)):
        raise AssertionError("sent")


def test_a_request_waits_for_what_others_hold_and_goes_when_less_was_spent():
    meter, held, go, done = Meter(Budget(max_tokens=10)), threading.Event(), threading.Event(), []

    def first():
        with meter.reserve(Cost(1, 0, 8)):
            held.set()
            go.wait(20)
            meter.spend(Cost(1, 0, 2))
            done.append("first")

    def second():
        held.wait(20)
        with meter.reserve(Cost(1, 0, 8)):
            meter.spend(Cost(1, 0, 8))
            done.append("second")

    threads = [threading.Thread(target=one) for one in (first, second)]
    for one in threads:
        one.start()
    assert held.wait(20)
    assert done == []
    go.set()
    for one in threads:
        one.join(20)
    assert done == ["first", "second"]
    assert meter.spent == Cost(2, 0, 10)


def test_threads_together_lose_no_count():
    meter = Meter(Budget())

    def work():
        for _ in range(200):
            with meter.reserve(Cost(1, 2, 3)):
                meter.spend(Cost(1, 2, 3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert meter.spent == Cost(800, 1600, 2400)
    assert (meter._reserved, meter._open) == (Cost(), 0)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_the_estimate_is_no_lower_than_a_third_of_the_bytes(texts):
    prompt = Prompt("p", tuple(("user", text) for text in texts))
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    assert size / 3 <= estimated_tokens(prompt) - 8 * len(texts) < size / 3 + max(1, len(texts))


def test_threads_record_whole_lines(tmp_path):
    asked = ModelConfig("m", 0.0, 1.0, 8, 0)
    keys = [answer_key(Prompt("p", (("user", str(n)),)), asked, 0) for n in range(60)]
    recording = Recording(tmp_path / "r.jsonl", writable=True)

    def work(start):
        for key in [*keys[start:], *keys[:start]]:
            recording.add(key, Reply(f"of {key}", "", 1, 1, "stop"))

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 20, 40)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    recording.close()
    again = Recording(tmp_path / "r.jsonl")
    assert (len(again), again.unusable) == (60, 0)
    assert [again.get(key).text for key in keys] == [f"of {key}" for key in keys]
    assert (tmp_path / "r.jsonl").read_bytes().count(b"\n") == 60
    again.close()
