"""Frames and pumps: whatever bytes come, and however slowly, the parent stays well and keeps its deadline."""

from __future__ import annotations

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.sandbox import Limits, channel
from instruct.sandbox.inside import frames, judge, plain
from instruct.sandbox.jobs import _calls, _reports
from instruct.sandbox.trial import Calls


def soon():
    return time.monotonic() + 5


def sent(data):
    """A socket from which these bytes come, and then the end."""
    ours, theirs = channel.pair()
    with theirs:
        theirs.sendall(data)
    return ours


def framed(value):
    data = plain.encode(value)
    return len(data).to_bytes(4, "big") + data


def test_there_and_back():
    ours, theirs = channel.pair()
    with ours, theirs:
        channel.send(ours, [1, "two"], soon())
        assert channel.receive(theirs, soon(), limit=100) == [1, "two"]
        frames.send(ours.fileno(), b"abc")
        assert frames.receive(theirs.fileno()) == b"abc"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_an_expected_error(data):
    with sent(data) as ours:
        try:
            channel.receive(ours, soon(), limit=1000)
        except (OSError, plain.Malformed):
            return
    assert len(data) > 4


@pytest.mark.parametrize(("size", "wrong"), [(99, False), (100, False), (101, True)])
def test_limit(size, wrong):
    data = plain.encode("x" * (size - 5))
    with sent(len(data).to_bytes(4, "big") + data) as ours:
        if wrong:
            with pytest.raises(plain.Malformed):
                channel.receive(ours, soon(), limit=100)
        else:
            assert channel.receive(ours, soon(), limit=100) == "x" * (size - 5)


def test_a_slow_sender_is_late():
    ours, theirs = channel.pair()
    with ours, theirs:
        theirs.sendall(b"\0\0\0\5s")
        with pytest.raises(TimeoutError):
            channel.receive(ours, time.monotonic() + 0.02, limit=100)
        with pytest.raises(TimeoutError):
            channel.receive(ours, time.monotonic() - 1, limit=100)


def test_a_reader_that_does_not_read_is_late():
    ours, theirs = channel.pair()
    with ours, theirs, pytest.raises(TimeoutError):
        channel.send(ours, "x" * (1 << 22), time.monotonic() + 0.02)


def test_frames_end_where_the_other_side_ends():
    ours, theirs = channel.pair()
    theirs.close()
    with ours:
        with pytest.raises(frames.Closed):
            frames.receive(ours.fileno())
        with pytest.raises(frames.Closed):
            frames.send(ours.fileno(), b"abc")
    with sent((100).to_bytes(4, "big") + b"x" * 100) as ours, pytest.raises(frames.Closed):
        frames.receive(ours.fileno(), 99)


NONCE = b"n" * 16


@pytest.mark.parametrize(
    ("reports", "said", "problem"),
    [
        ([(NONCE, 0, "", ""), (NONCE, 1, "assertion", "x")], {0: ("", ""), 1: ("assertion", "x")}, ""),
        ([(NONCE, 0, "", "")], {0: ("", "")}, "died"),
        ([(b"m" * 16, 0, "", "")], {}, "died"),
        ([(NONCE, 1, "", "")], {}, "died"),
        ([(NONCE, 0, "", ""), (NONCE, 0, "", "")], {0: ("", "")}, "died"),
        ([(NONCE, 0, True, "")], {}, "died"),
        ([(NONCE, False, "", "")], {}, "died"),
        ([[NONCE, 0, "", ""]], {}, "died"),
        ([(NONCE, 0, "")], {}, "died"),
        ([None], {}, "died"),
        ([], {}, "died"),
    ],
)
def test_only_the_judges_own_words_count_in_order(reports, said, problem):
    with sent(b"".join(map(framed, reports))) as ours:
        assert _reports(ours, NONCE, 2, soon()) == (said, problem)


@given(st.binary(max_size=200))
def test_forged_reports_pass_nothing(data):
    with sent(data) as ours:
        assert _reports(ours, os.urandom(16), 1, soon()) == ({}, "died")


def answered(*frames_of):
    ours, theirs = channel.pair()
    theirs.sendall(b"".join(map(framed, frames_of)))
    returned = []
    with ours, theirs:
        problem = _calls(ours, Calls("", "f", (((), {}),)), returned, Limits(), time.monotonic() + 0.05)
    return returned, problem[0]


READY = ("", "", [], [])


@pytest.mark.parametrize("ready", [None, (), ("",), (1, 2), ["", ""], ("x" * 10, "y"), (b"", b"", [], [])])
def test_a_program_that_does_not_say_that_it_is_ready(ready):
    assert answered(ready) == ([], "died")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (),
        ("", "", None),
        ("", "", None, 5),
        ("", "", None, b"x"),
        (1, "", None, b"N"),
        ("", "", None, b"NN"),
    ],
)
def test_an_answer_that_is_none(answer):
    assert answered(READY, answer) == ([], "died")


def test_an_answer_and_a_made_up_problem():
    [returned], problem = answered(READY, ("", "", b"N", plain.encode([1])))
    assert (returned.value, returned.mutated, problem) == ([1], True, "")
    [returned], _ = answered(READY, ("passed", "x" * 500, None, b"N"))
    assert (returned.value, returned.problem, len(returned.error)) == (None, "died", 200)


@pytest.mark.parametrize(
    "frame", [b"", b"x", plain.encode(None), plain.encode(("", "", None)), plain.encode(("", "", None, b"l\0")),
              plain.encode(("", 1, None, b"N"))]
)  # fmt: skip
def test_the_judge_takes_a_false_answer_for_the_programs_end(frame):
    ours, theirs = channel.pair()
    with ours, theirs:
        theirs.sendall(len(frame).to_bytes(4, "big") + frame)
        link = judge.Link(ours.fileno(), 1000)
        with pytest.raises(judge.Gone):
            link.call("f", (), {})
        assert link.problem == "died"
        with pytest.raises(judge.Gone):
            link.call("f", (), {})


@pytest.mark.parametrize("after", [None, 1, (), ((1,), []), ([[1]], {}), (([1], 2, 3), {"k": 1})])
def test_false_changes_of_arguments_change_nothing_else(after):
    mine = ([0], "text")
    judge._put_back((mine, {"k": {1: 2}}), after)
    assert mine[1] == "text"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("KeyError", KeyError), ("UnicodeDecodeError", ValueError), ("open", Exception), ("nothing", Exception),
     (5, Exception), ("OSError", OSError), ("StopIteration", StopIteration), ("__import__", Exception),
     ("int", Exception)],
)  # fmt: skip
def test_exceptions_come_back_as_built_in_ones(name, kind):
    raised = judge._exception(name, f"{name}: text")
    assert type(raised) is kind
    assert "text" in str(raised)


def pumped(writes, *, limit=100, text=b"", late=5.0, close=True):
    """Pump from a pipe into which these are written, beside one that takes standard input."""
    (out, into), (stdin, feed) = os.pipe(), os.pipe()
    taken = []

    def work():
        for each in writes:
            os.write(into, each)
        if close:
            os.close(into)
        while part := os.read(stdin, 1 << 16):
            taken.append(part)

    thread = threading.Thread(target=work)
    thread.start()
    texts, problem = channel.pump(feed, text, (out,), limit, time.monotonic() + late)
    thread.join()
    for fd in (out, stdin, *(() if close else (into,))):
        os.close(fd)
    return texts[0], problem, b"".join(taken)


def test_pump():
    assert pumped([b"a", b"b"]) == (b"ab", "", b"")
    assert pumped([b"x" * 100]) == (b"x" * 100, "", b"")
    assert pumped([b"x" * 101]) == (b"x" * 100, "output", b"")
    assert pumped([b"a"], close=False, late=0.05) == (b"a", "timeout", b"")


def test_a_large_input_is_fed_while_the_program_runs():
    text = b"x" * 300_000
    assert pumped([], text=text, close=False, late=0.3)[2] == text
