"""What a program may send instead of an answer, and what is made of it on either side of the border."""

from __future__ import annotations

import sys
import time
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruct.sandbox import Calls, Limits, Sandbox, Script, Trial, channel
from instruct.sandbox import sandbox as sandboxes
from instruct.sandbox.inside import candidate, frames, judge, plain, script
from instruct.sandbox.jobs import _returned
from tests.instruct.sandbox.test_plain import VALUES


def framed(data):
    return len(data).to_bytes(4, "big") + data


def colliding(count):
    """A set of numbers that all have the same hash, so that making it takes time with the square of ``count``."""
    prime = sys.hash_info.modulus
    items = b"".join(plain.encode(prime * factor) for factor in range(1, count + 1))
    return b"S" + count.to_bytes(4, "big") + items


def hashed(value):
    """Whether a value holds a set or a dict."""
    if type(value) in (list, tuple):
        return any(map(hashed, value))
    return type(value) in (set, frozenset, dict)


@settings(max_examples=30)
@given(VALUES)
def test_without_hashing_sets_and_dicts_are_malformed_and_all_else_is_read(value):
    data = plain.encode(value)
    if hashed(value):
        with pytest.raises(plain.Malformed, match="a set or a dict"):
            plain.decode(data, hashing=False)
    else:
        assert plain.encode(plain.decode(data, hashing=False)) == data


@pytest.mark.parametrize("outer", [b"", b"l\0\0\0\1", b"t\0\0\0\2N", b"l\0\0\0\1t\0\0\0\1"])
def test_numbers_that_collide_are_never_put_into_a_set_by_the_parent(outer):
    ours, theirs = channel.pair()
    with ours, theirs:
        frames.send(theirs.fileno(), outer + colliding(3000))
        with pytest.raises(plain.Malformed, match="a set or a dict"):
            channel.receive(ours, time.monotonic() + 30, limit=1 << 20)


def test_a_value_over_the_limit_is_no_answer_and_is_not_read():
    value = plain.encode([1, 2, 3])
    assert _returned(("", "", None, value), len(value)).value == [1, 2, 3]
    for data in (value, colliding(10)):
        with pytest.raises(plain.Malformed, match="no value"):
            _returned(("", "", None, data), len(data) - 1)


class Dribble:
    """A stream that gives its bytes in pieces of the sizes it is told, then one by one."""

    def __init__(self, data, sizes):
        self.data, self.sizes, self.waits = data, list(sizes), []

    def settimeout(self, seconds):
        self.waits.append(seconds)

    def recv(self, most):
        size = min(most, self.sizes.pop(0) if self.sizes else 1)
        part, self.data = self.data[:size], self.data[size:]
        return part

    def read(self, _, most):
        return self.recv(most)


SOME = st.lists(
    st.none() | st.integers() | st.text(max_size=9) | st.binary(max_size=40).map(lambda data: [data]),
    max_size=4,
)
SIZES = st.lists(st.integers(1, 30), max_size=12)


@settings(max_examples=60)
@given(SOME, SIZES, st.integers(0, 20))
def test_frames_are_the_same_however_the_stream_is_cut_or_joined(values, sizes, lost):
    data = b"".join(framed(plain.encode(value)) for value in values)
    stream = Dribble(data[: len(data) - lost], sizes)
    late, got = time.monotonic() + 30, []
    with pytest.raises(ConnectionResetError):
        while True:
            got.append(channel.receive(stream, late, limit=100))
    whole, ends = 0, 0
    for value in values:
        ends += 4 + len(plain.encode(value))
        whole += ends <= len(data) - lost
    assert got == values[:whole]
    assert all(0 < seconds <= 30 for seconds in stream.waits)


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=50), max_size=4), SIZES)
def test_inside_too(parts, sizes):
    stream = Dribble(b"".join(map(framed, parts)), sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "os", stream)
        assert [frames.receive(0, 50) for _ in parts] == parts
        with pytest.raises(frames.Closed):
            frames.receive(0)


@settings(max_examples=40)
@given(st.binary(max_size=90), SIZES)
def test_what_is_written_in_part_is_written_on(data, sizes):
    written = bytearray()

    def write(_, rest):
        size = sizes.pop(0) if sizes else len(rest)
        written.extend(rest[:size])
        return min(size, len(rest))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "os", types.SimpleNamespace(write=write))
        frames.send(0, data)
    assert bytes(written) == framed(data)


FALSE = [
    ("", "", b"N"), ("", "", None, b"N", b"N"), ("", b"N"), (b"N",), (), ["", "", None, b"N"], (1, "", None, b"N"),
    ("passed", "", None, b"N"), ("syntax", "", None, b"N"), ("timeout", "", None, b"N"), ("x" * 9000, "", None, b"N"),
    ("", None, None, b"N"), ("", "", b"l\0", b"N"), ("", "", b"", b"N"), ("", "", None, b""), ("", "", None, "N"),
]  # fmt: skip


@pytest.mark.parametrize("answer", FALSE)
@pytest.mark.parametrize("test", ["try: f(1)\nexcept Exception: pass", "f(1)"])
def test_no_test_takes_a_false_answer_for_an_exception_it_expects(answer, test):
    ours, theirs = channel.pair()
    with ours, theirs:
        frames.send(theirs.fileno(), plain.encode(answer))
        link = judge.Link(ours.fileno(), 1000)
        assert judge._tried(test, {"f": link.proxy("f")}, link) == ("died", "the program ended")
        assert judge._tried("f(1)", {"f": link.proxy("f")}, link) == ("died", "the program ended")


@pytest.mark.parametrize(
    ("said", "ready"),
    [
        (("", "", ["f"], ["A"]), ("", "")),
        (("syntax", "x" * 999, [], []), ("syntax", "x" * 200)),
        (("memory", "no", (), ()), ("memory", "no")),
        (("not_plain", "", [], []), None),
        (("assertion", "", [], []), None),
        (("", "", None, []), None),
        (("", "", []), None),
        (("", 1, [], []), None),
        ("four", None),
        (None, None),
    ],
)
def test_what_a_program_says_when_it_is_loaded(said, ready):
    ours, theirs = channel.pair()
    with ours, theirs:
        frames.send(theirs.fileno(), plain.encode(said))
        link = judge.Link(ours.fileno(), 1000)
        assert judge._ready(link) == (ready or ("died", "the program ended while it was loaded"))
        assert link.functions == (("f",) if ready == ("", "") else ())


def test_names_that_a_program_claims_hide_neither_builtins_nor_the_setup():
    link = judge.Link(-1, 1000)
    link.functions = ("len", "AssertionError", "__builtins__", "__name__", "mine", "g", "not a name")
    problem, error, scope = judge._scope("def mine(): return 1", "f", link)
    assert (problem, error) == ("", "")
    assert scope["mine"]() == 1
    assert scope["__name__"] == "tests"
    assert not {"len", "AssertionError"} & set(scope)
    assert [scope[name].__name__ for name in ("g", "f", "candidate", "not a name")] == [
        "g",
        "f",
        "f",
        "not a name",
    ]
    assert judge._scope("1 / 0", "f", link)[:2] == ("setup", "ZeroDivisionError: division by zero")


FORGER = """
import os, time
from inside import plain
def f(x):
    data = WHAT
    for fd in range(3, 64):
        try: os.write(fd, len(data).to_bytes(4, 'big'))
        except OSError: continue
        while data: data = data[os.write(fd, data):]
        time.sleep(9)
"""
SET = "b'S' + (30000).to_bytes(4, 'big') + b''.join(plain.encode(k * (2**61 - 1)) for k in range(1, 30001))"


def test_programs_that_speak_the_protocol_are_seen_through_at_once(sandbox):
    three = FORGER.replace("WHAT", "plain.encode(('', '', b'N'))")
    [verdict] = sandbox.judge([Trial(three, "f", ("try: f(1)\nexcept ValueError: pass", "assert f(1)"))])
    assert (verdict.passed, verdict.reason) == ((False, False), "died")
    [[returned]] = sandbox.call([Calls(FORGER.replace("WHAT", SET), "f", (((1,), {}),))])
    assert (returned.value, returned.problem) == (None, "died")


def test_a_script_that_is_too_deep_to_compile_says_that_it_needs_memory(sandbox):
    [ran] = sandbox.run([Script("-" * 100_000 + "1")])
    assert (ran.problem, ran.exit_code) == ("memory", 1)
    assert "\nMemoryError" in ran.stderr


@pytest.mark.parametrize(
    ("code", "exits"),
    [(None, 0), (0, 0), (3, 3), (256, 0), (-1, 255), (True, 1), (1 << 70, 0), ("no", 1), (2.5, 1), ((), 1)],
)
def test_exit_codes_are_those_of_python(code, exits, capsys):
    assert script._exit_code(code) == exits
    assert capsys.readouterr().err == ("" if isinstance(code, int | None) else f"{code}\n")


@pytest.mark.parametrize(
    ("code", "compiles"),
    [
        ("", True),
        ("x = 1", True),
        ("x =", False),
        ("x = '\0'", False),
        ("'\ud800'", False),
        ("(" * 300, False),
    ],
)
def test_what_compiles(code, compiles):
    assert script.compiles(code) is compiles
    assert (candidate.load(code, types.ModuleType("m"))[0] == "syntax") is not compiles


class Lies(Exception):
    def __str__(self):
        raise SystemExit


class Key(KeyError):
    pass


@pytest.mark.parametrize(
    ("error", "line", "kind"),
    [(ValueError("a\n  b"), "ValueError: a b", "ValueError"), (Lies(), "Lies: ?", "Exception"),
     (Key(), "Key", "KeyError"), (FileNotFoundError(2, "no"), "FileNotFoundError: [Errno 2] no", "FileNotFoundError"),
     (ValueError("\ud800"), "ValueError: ?", "ValueError"),
     (ValueError("x" * 300), "ValueError: " + "x" * 188, "ValueError"), (SystemExit(3), "SystemExit: 3", "SystemExit")],
)  # fmt: skip
def test_an_exception_is_one_short_line_and_a_built_in_class(error, line, kind):
    assert candidate.described(error) == line
    assert candidate._builtin(error) == kind


def test_answers_to_calls():
    module = types.ModuleType("candidate")
    code = "def f(a): a.append(1); return a\ndef big(): return 'x' * 99\ndef g(**k): raise KeyError(*k)\n"
    code += "x = 1\nclass C: pass\ndef same(a): return a"
    assert candidate.load(code, module) == ("", "")
    assert candidate._names(module) == (["f", "big", "g", "same"], ["C"])

    def answer(name, *args, **kwargs):
        return plain.decode(candidate._answer(module, plain.encode((name, args, kwargs)), 50))

    assert answer("f", [0]) == ("", "", plain.encode((([0, 1],), {})), plain.encode([0, 1]))
    assert answer("same", [0]) == ("", "", None, plain.encode([0]))
    assert answer("big")[:2] == ("not_plain", "the value is larger than 50 bytes")
    assert answer("g", k=1)[:3] == ("exception", "KeyError: 'k'", "KeyError")
    assert answer("nothing")[:2] == ("name_error", "the program defines no nothing")
    assert answer("x")[:3] == ("exception", "TypeError: 'int' object is not callable", "TypeError")


class Fails(Exception):
    pass


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order_and_a_failure_at_its_place(monkeypatch, workers):
    monkeypatch.setattr(sandboxes, "isolation_problem", lambda: None)
    asked = []

    def work(number):
        time.sleep(0.003 * (number % 3 == 0))
        if number == 7:
            raise Fails
        return -number

    with Sandbox(limits=Limits(), workers=workers) as opened:
        found = opened._each(work, (asked.append(n) or n for n in range(40)))
        assert [next(found) for _ in range(7)] == [-number for number in range(7)]
        assert len(asked) <= 7 + 4 * workers + 1
        with pytest.raises(Fails):
            next(found)
        assert list(found) == []
        assert list(opened._each(abs, [-1, -2])) == [1, 2]
