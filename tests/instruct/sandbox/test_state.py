"""Nothing of a job reaches the next one, and nothing depends on how many workers there are."""

from __future__ import annotations

import pytest

from instruct.sandbox import Calls, Limits, Sandbox, Script, Trial

LEAKS = {
    "file": ("open('/tmp/left', 'w').write('x')", "import os; print(os.listdir('/tmp'))", "[]\n"),
    "hidden_file": ("import os; open('/tmp/a', 'w'); os.remove('/tmp/a'); os.mkdir('/tmp/b'); os.chmod('/tmp/b', 0)",
                    "import os; print(os.listdir('/tmp'))", "[]\n"),
    "mode_of_the_directory": ("import os; os.chmod('/tmp', 0o500)", "open('/tmp/a', 'w'); print(1)", "1\n"),
    "attribute_of_the_directory": ("import os; os.setxattr('/tmp', 'user.a', b'1')",
                                   "import os; print(os.listxattr('/tmp'))", "[]\n"),
    "builtin": ("import builtins; builtins.print = builtins.len = lambda *_: 0", "print(len('abc'))", "3\n"),
    "module": ("import math; math.pi = 3", "import math; print(round(math.pi, 2))", "3.14\n"),
    "environment": ("import os; os.environ['A'] = os.environ['B'] = 'c'",
                    "import os; print(dict(os.environ))", "{}\n"),
    "thread": ("import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
               "import threading; print(threading.active_count())", "1\n"),
    "recursion_limit": ("import sys; sys.setrecursionlimit(50)",
                        "import sys; print(sys.getrecursionlimit())", "1000\n"),
    "path": ("import sys; sys.path.insert(0, '/tmp')", "import sys; print('/tmp' in sys.path)", "False\n"),
    "limits": ("import resource\ntry: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\nexcept OSError: pass",
               "open('/dev/null'); print('open')", "open\n"),
    "directory": ("import os; os.chdir('/')", "import os; print(os.getcwd())", "/tmp\n"),
    "mask": ("import os; os.umask(0o777)", "import os; print(oct(os.umask(0)))", None),
    "priority": ("import os; os.nice(5)", "import os; print(os.getpriority(os.PRIO_PROCESS, 0))", "0\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAKS)
def test_state_does_not_leak(name, isolation):
    first, second, expected = LEAKS[name]
    with Sandbox(limits=Limits(wall_s=2), workers=1) as sandbox:
        before, left, after = sandbox.run([Script(second), Script(first), Script(second)])
    assert left.problem in ("", "exception")
    assert after.stdout == before.stdout
    assert expected in (None, after.stdout)


def test_module_state_of_a_program_is_its_own(sandbox):
    code = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)"
    both = list(sandbox.call([Calls(code, "f", (((1,), {}), ((2,), {})))] * 2))
    assert [[each.value for each in row] for row in both] == [[1, 2], [1, 2]]


def trials():
    """Many outcomes, orders of sets and of ids that could differ, and a timeout."""
    codes = ["def f(x): return x", "def f(x): return -x", "def f(x: 1/0", "import os\ndef f(x): os._exit(0)",
             "def f(x):\n    while True: pass",
             "def f(x): return list({'a', 'b', 'c', str(x)})", "def f(x): return open"]  # fmt: skip
    order = "assert f(7) == ['a', 'b', 'c', '7']"
    some = [
        Trial(codes[ix % 7], "f", (f"assert f({ix}) == {ix}", order, "assert f(0) == 0")) for ix in range(28)
    ]
    return [*some, Trial(codes[0], "f", ("assert f(1) == 1",)), Trial(codes[0], "f", ())]


def test_results_are_the_same_for_any_number_of_workers_and_run(isolation):
    seen = []
    for workers in (1, 2, 2):
        with Sandbox(limits=Limits(wall_s=0.3), workers=workers) as sandbox:
            seen.append(list(sandbox.judge(trials())))
    assert seen[0] == seen[1] == seen[2]
    assert len({verdict.outcome for verdict in seen[0]}) == 5
