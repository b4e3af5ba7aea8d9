"""One job of each kind in its sandbox: what is sent, what is believed, and what it means."""

from __future__ import annotations

import os
import secrets
import socket
import time

from instruct.sandbox import channel
from instruct.sandbox.cell import Cell, died
from instruct.sandbox.inside import plain
from instruct.sandbox.limits import Limits
from instruct.sandbox.trial import Calls, Outcome, Ran, Returned, Script, Trial, Verdict

_REPORT = 1 << 16
_SYNTAX, _ESCAPED = 65, 70
_PROBLEMS = frozenset(("exception", "timeout", "memory", "died", "not_plain", "name_error", "syntax"))


def judged(trial: Trial, program: Cell, tests: Cell) -> Verdict:
    """Run a trial: the program in one sandbox, its tests in another, and a stream between the two."""
    limits = program.limits
    for cell in (program, tests):
        cell.start()
    program.open()
    tests.open()
    deadline = time.monotonic() + limits.wall_s
    nonce = secrets.token_bytes(16)
    job = {
        "nonce": nonce, "tests": list(trial.tests), "setup": trial.setup, "entry_point": trial.entry_point,
        "limit": limits.output_bytes,
    }  # fmt: skip
    program_end, tests_end = channel.pair()
    with program_end, tests_end:
        given = _given(program, "candidate", _program(trial.code, limits), deadline, program_end)
        reports = _given(tests, "judge", job, deadline, tests_end)
    with given, reports:
        said, problem = _reports(reports, nonce, max(len(trial.tests), 1), deadline)
    tests.end()
    ended = died(program.end())
    return _verdict(len(trial.tests), said, problem, ended if ended in ("timeout", "memory") else "died")


def _program(code: str, limits: Limits) -> dict[str, object]:
    return {"code": code, "limit": limits.output_bytes}


def _given(cell: Cell, role: str, job: object, deadline: float, *ends: socket.socket | int) -> socket.socket:
    """Start a job; this end of its own stream. A job that does not read is found out by the deadline, or by the end."""
    ours, theirs = channel.pair()
    with theirs:
        cell.begin(role, [theirs, *ends])
    try:
        channel.send(ours, job, deadline)
    except (OSError, plain.NotPlain):
        ours.close()
    return ours


def _reports(
    reports: socket.socket, nonce: bytes, n_tests: int, deadline: float
) -> tuple[dict[int, tuple[str, str]], str]:
    """What the judge said of each test, by number, and why it said no more: "", ``timeout`` or ``died``."""
    said: dict[int, tuple[str, str]] = {}
    while len(said) < n_tests:
        try:
            report = channel.receive(reports, deadline, limit=_REPORT)
        except TimeoutError:
            return said, "timeout"
        except (OSError, plain.Malformed):
            return said, "died"
        if type(report) is not tuple or [type(part) for part in report] != [bytes, int, str, str]:
            return said, "died"
        sent, ix, problem, error = report
        if not secrets.compare_digest(sent, nonce) or ix != len(said):
            return said, "died"
        said[ix] = problem, error
    return said, ""


def _verdict(n_tests: int, said: dict[int, tuple[str, str]], problem: str, ended: str) -> Verdict:
    missing = (problem, "no answer in time" if problem == "timeout" else "the tests ended")
    results = [said.get(ix, missing) for ix in range(max(n_tests, 1))]
    passed = tuple(not reason for reason, _ in results[:n_tests])
    reason, error = next((result for result in results if result[0]), ("", ""))
    reason = ended if reason == "died" else reason
    if reason == "syntax":
        outcome = Outcome.COMPILE_ERROR
    elif n_tests == 0:
        outcome = Outcome.RUNTIME_ERROR if reason else Outcome.NO_TESTS
    elif all(passed):
        outcome = Outcome.ALL_PASS
    else:
        outcome = Outcome.SOME_PASS if any(passed) else Outcome.RUNTIME_ERROR
    return Verdict(outcome, sum(passed), n_tests, passed, reason, error[:200])


def called(calls: Calls, cell: Cell) -> tuple[Returned, ...]:
    """Run a program and call its function; the values are decoded here and have no behaviour of their own."""
    limits = cell.limits
    cell.open()
    deadline = time.monotonic() + limits.wall_s
    ours, theirs = channel.pair()
    returned: list[Returned] = []
    with ours:
        with theirs:
            given = _given(cell, "candidate", _program(calls.code, limits), deadline, theirs)
        with given:
            problem, error = _calls(ours, calls, returned, limits, deadline)
    ended = died(cell.end())
    problem = ended if problem == "died" and ended == "timeout" else problem
    missing = Returned(None, problem, error, mutated=False)
    return (*returned, *(missing for _ in range(len(calls.calls) - len(returned))))


def _calls(
    ours: socket.socket, calls: Calls, returned: list[Returned], limits: Limits, deadline: float
) -> tuple[str, str]:
    """Append what each call returned; the problem that ended the row of calls, and one line about it."""
    try:
        ready = channel.receive(ours, deadline, limit=1 << 20)
        if type(ready) is not tuple or [type(part) for part in ready[:2]] != [str, str]:
            return "died", "the program ended"
        if ready[0]:
            return (ready[0] if ready[0] in _PROBLEMS else "died"), ready[1][:200]
        for args, kwargs in calls.calls:
            try:
                channel.send(ours, (calls.entry_point, args, kwargs), deadline)
            except plain.NotPlain as error:
                returned.append(Returned(None, "not_plain", f"an argument is {error}", mutated=False))
                continue
            answer = channel.receive(ours, deadline, limit=limits.output_bytes + (1 << 23))
            returned.append(_returned(answer, limits.output_bytes))
    except TimeoutError:
        return "timeout", "no answer in time"
    except (OSError, plain.Malformed):
        return "died", "the program ended"
    return "", ""


def _returned(answer: object, limit: int) -> Returned:
    if type(answer) is not tuple or len(answer) != 4 or [type(part) for part in answer[:2]] != [str, str]:
        raise plain.Malformed("no answer")
    problem, error, after, value = answer
    if problem:
        return Returned(None, problem if problem in _PROBLEMS else "died", error[:200], mutated=False)
    if type(value) is not bytes or len(value) > limit:
        raise plain.Malformed("no value")
    return Returned(plain.decode(value), "", "", mutated=after is not None)


def ran(script: Script, cell: Cell) -> Ran:
    """Run a whole program, feed it, and read what it writes."""
    limits = cell.limits
    cell.open()
    deadline = time.monotonic() + limits.wall_s
    (stdin, feed), (out, stdout), (err, stderr) = (os.pipe() for _ in range(3))
    try:
        given = _given(cell, "script", {"code": script.code}, deadline, stdin, stdout, stderr)
    finally:
        for fd in (stdin, stdout, stderr):
            os.close(fd)
    with given:
        text = script.stdin.encode("utf-8", "surrogatepass")
        texts, problem = channel.pump(feed, text, (out, err), limits.output_bytes, deadline)
    os.close(out)
    os.close(err)
    written, complained = (text.decode("utf-8", "replace") for text in texts)
    status = cell.end()
    if problem or status is None or os.WIFSIGNALED(status):
        return Ran(written, complained, problem or died(status), problem == "output")
    code = os.waitstatus_to_exitcode(status)
    return Ran(written, complained, _ended(code, complained), truncated=False, exit_code=code)


def _ended(code: int, complained: str) -> str:
    if code == 0:
        return ""
    if code == _SYNTAX:
        return "syntax"
    last = complained.rstrip().rpartition("\n")[2]
    return "memory" if last.partition(":")[0] == "MemoryError" else "exception"
