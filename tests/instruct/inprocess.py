"""A double of the sandbox for trusted code of tests: the same answers, in this process, nothing isolated or limited."""

from __future__ import annotations

import contextlib
import io
import sys

from instruct.sandbox import Outcome, Ran, Returned, Verdict


class InProcess:
    """`judge`, `call` and `run` as of `instruct.sandbox.Sandbox`; counts what it ran."""

    def __init__(self):
        self.ran = 0

    def judge(self, trials):
        for trial in trials:
            self.ran += 1
            yield self._judged(trial)

    def _judged(self, trial):
        n = len(trial.tests)
        space = {"__name__": "candidate"}
        try:
            compiled = compile(trial.code, "candidate", "exec")
        except (SyntaxError, ValueError) as error:
            return Verdict(Outcome.COMPILE_ERROR, 0, n, (False,) * n, "syntax", str(error).split("\n")[0])
        try:
            exec(compiled, space)
            function = space[trial.entry_point]
        except Exception as error:
            return Verdict(Outcome.RUNTIME_ERROR, 0, n, (False,) * n, "exception", repr(error)[:100])
        judge = {"__name__": "judge"}
        exec(trial.setup, judge)
        judge |= {trial.entry_point: function, "candidate": function}
        passed, reason, told = [], "", ""
        for test in trial.tests:
            try:
                exec(test, judge)
                passed.append(True)
            except Exception as error:
                passed.append(False)
                reason = reason or ("assertion" if isinstance(error, AssertionError) else "exception")
                told = told or repr(error)[:100]
        if not passed:
            return Verdict(Outcome.NO_TESTS, 0, 0, (), "", "")
        outcome = (
            Outcome.ALL_PASS if all(passed) else Outcome.SOME_PASS if any(passed) else Outcome.RUNTIME_ERROR
        )
        return Verdict(outcome, sum(passed), n, tuple(passed), reason, told)

    def call(self, calls):
        for one in calls:
            self.ran += 1
            space = {"__name__": "candidate"}
            exec(one.code, space)
            yield tuple(self._called(space[one.entry_point], *call) for call in one.calls)

    def _called(self, function, args, kwargs):
        try:
            return Returned(function(*args, **kwargs), "", "", False)
        except SyntaxError as error:
            return Returned(None, "syntax", str(error), False)
        except Exception as error:
            return Returned(None, "exception", repr(error)[:100], False)

    def run(self, scripts):
        for script in scripts:
            self.ran += 1
            yield self._run(script)

    def _run(self, script):
        out = io.StringIO()
        before = sys.stdin
        sys.stdin = io.StringIO(script.stdin)
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(script.code, "program", "exec"), {"__name__": "__main__"})
        except SyntaxError as error:
            return Ran(out.getvalue(), str(error), "syntax", False)
        except Exception as error:
            return Ran(out.getvalue(), repr(error), "exception", False)
        finally:
            sys.stdin = before
        return Ran(out.getvalue(), "", "", False)
