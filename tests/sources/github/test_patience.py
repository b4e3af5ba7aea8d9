from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Calendar

from columns.retry import retry_after
from sources.github.patience import LONGEST_WAIT, patiently, pause
from sources.github.refusals import STATES, Passing, Refusal, refusal_of_status


def failing(times, after=None):
    left = [times]

    def work():
        if left[0]:
            left[0] -= 1
            raise Passing("not now", after)
        return "done"

    return work


@given(st.text(max_size=20), st.integers(0, 50))
def test_pauses_double_and_are_the_same_every_time(key, attempt):
    whole = min(LONGEST_WAIT, 2.0**attempt)
    assert whole / 2 <= pause(key, attempt) == pause(key, attempt) <= whole


@pytest.mark.parametrize("times", [0, 1, 3])
def test_success_after_failures(times):
    clock = Calendar()
    assert patiently(failing(times), key="a", attempts=4, clock=clock, longest=100) == "done"
    assert clock.waits == [pause("a", attempt) for attempt in range(times)]


def test_last_failure_is_not_followed_by_a_wait():
    clock = Calendar()
    with pytest.raises(Refusal, match=r"failed: not now \(2 attempts\)"):
        patiently(failing(9), key="a", attempts=2, clock=clock, longest=100)
    assert len(clock.waits) == 1


def test_wishes_of_the_server():
    clock = Calendar()
    assert patiently(failing(2, 12.0), key="a", attempts=4, clock=clock, longest=100) == "done"
    assert clock.waits == [12, 12]
    with pytest.raises(Refusal, match="asks for a wait of 500 s"):
        patiently(failing(1, 500.0), key="a", attempts=4, clock=clock, longest=100)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5", 5), ("0", 0), ("-1", None), ("soon", None), ("", None), ("9" * 400, 999999999),
     ("Thu, 01 Jan 1970 00:01:40 GMT", 90), ("Thu, 01 Jan 1970 00:00:01 GMT", 0)],
)  # fmt: skip
def test_retry_after(written, seconds):
    assert retry_after({"Retry-After": written}, 10.0) == seconds


@pytest.mark.parametrize("status", range(200, 600))
def test_final_statuses_have_states(status):
    refusal = refusal_of_status(status)
    assert refusal is None or (refusal.state in STATES and str(status) in refusal.reason)
