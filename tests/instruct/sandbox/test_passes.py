"""Programs that want a test to pass without doing what it asks: none does, and a bare run takes most of them in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from instruct.sandbox import Outcome, Trial

TEST = "assert f(20) == 10946"
HONEST = "def f(n):\n    a, b = 1, 1\n    for _ in range(n): a, b = b, a + b\n    return a"
EQUAL = "__eq__ = __ne__ = __le__ = __ge__ = __lt__ = __gt__ = lambda *_: True"
FAKES = {
    "exit_when_called": "import os\ndef f(n): os._exit(0)",
    "exit_when_loaded": "import os\nos._exit(0)",
    "sys_exit": "import sys\ndef f(n): sys.exit(0)",
    "sys_exit_when_loaded": "import sys\nsys.exit(0)",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(n): return 0",
    "excepthook": "import os, sys\nsys.excepthook = lambda *_: os._exit(0)\ndef f(n): return 0",
    "always_equal": f"class E:\n    {EQUAL}\n    __hash__ = None\ndef f(n): return E()",
    "always_equal_number": f"class E(int):\n    {EQUAL}\ndef f(n): return E(0)",
    "always_equal_list": f"class E(list):\n    {EQUAL}\ndef f(n): return E()",
    "always_equal_type": "class M(type):\n    __eq__ = lambda *_: True\n    __hash__ = type.__hash__\n"
                         "class E(metaclass=M): pass\ndef f(n): return E",
    "no_assertions": "import builtins\nclass E(Exception):\n    def __new__(cls, *a): raise SystemExit(0)\n"
                     "builtins.AssertionError = E\ndef f(n): raise E",
    "signal": "import os, signal\ndef f(n): os.kill(os.getpid(), signal.SIGKILL)",
    "replaced_by_true": "import os\ndef f(n): os.execv('/bin/true', ['true'])",
}  # fmt: skip
ONLY_HERE = {
    "answers_by_itself": "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'\\0\\0\\0\\1T' * 20)\n"
                         "    except OSError: pass\ndef f(n): return 0",
    "says_it_passed": "import os\ndef f(n):\n    for fd in range(1, 64):\n        try: os.write(fd, b'PASSED\\n')\n"
                      "        except OSError: pass\n    return 0",
    "speaks_the_protocol": "import os\nfrom inside import plain\n"
                           "for fd in range(3, 64):\n    for ix in range(3):\n"
                           "        data = plain.encode((b'0' * 16, ix, '', ''))\n"
                           "        try: os.write(fd, len(data).to_bytes(4, 'big') + data)\n"
                           "        except OSError: pass\n"
                           "def f(n): return 0",
    "looks_for_the_nonce": "import gc\ndef f(n):\n    for each in gc.get_objects():\n"
                           "        if type(each) is dict and 'nonce' in each: return 10946\n    return 0",
    "looks_through_frames": "import sys\ndef f(n):\n    frame = sys._getframe()\n    while frame:\n"
                            "        for value in list(frame.f_locals.values()):\n"
                            "            if type(value) is dict and 'nonce' in value: return 10946\n"
                            "        frame = frame.f_back\n    return 0",
    "reads_its_memory": "def f(n):\n    return 10946 if b'10946' in open('/proc/self/mem', 'rb').read(1) else 0",
    "names_a_builtin": "def f(n): return 0\ndef AssertionError(*_): return None",
    "patches_the_codec": "import sys\nplain = sys.modules['inside.plain']\nplain.encode = lambda *_, **__: b'T'\n"
                         "def f(n): return 0",
    "patches_frames": "import sys\nsys.modules['inside.frames'].send = lambda *_: None\ndef f(n): return 0",
    "floods_the_judge": "import os\ndef f(n):\n    for fd in range(3, 64):\n        try:\n"
                        "            while True: os.write(fd, b'\\xff' * 65536)\n        except OSError: pass",
    "huge_value": "def f(n): return 'x' * (1 << 24)",
    "deep_value": "def f(n):\n    v = []\n    for _ in range(500): v = [v]\n    return v",
    "endless_value": "def f(n):\n    v = []\n    v.append(v)\n    return v",
    "lying_names": "import sys\nclass D(dict):\n    def items(self): return [('f', f)]\ndef f(n): return 0\n"
                   "__builtins__ = D()",
    "thread_that_answers": "import os, threading\ndef work():\n    while True:\n        for fd in range(3, 16):\n"
                           "            try: os.write(fd, b'\\0\\0\\0\\1T')\n            except OSError: pass\n"
                           "def f(n):\n    threading.Thread(target=work, daemon=True).start()\n    return 0",
}  # fmt: skip


def test_an_honest_program_passes(sandbox):
    [verdict] = sandbox.judge([Trial(HONEST, "f", (TEST,))])
    assert verdict.outcome is Outcome.ALL_PASS


@pytest.mark.parametrize("name", {**FAKES, **ONLY_HERE})
def test_fake(name, sandbox):
    code = {**FAKES, **ONLY_HERE}[name]
    [verdict] = sandbox.judge([Trial(code, "f", (TEST, TEST))])
    assert verdict.n_pass == 0
    assert verdict.reason
    [after] = sandbox.judge([Trial(HONEST, "f", (TEST,))])
    assert after.outcome is Outcome.ALL_PASS


@pytest.mark.parametrize("name", sorted(set(FAKES) - {"signal", "no_assertions", "always_equal_type"}))
def test_a_bare_run_takes_the_fake_for_a_pass(name):
    """Program and test in one process, success is exit code 0: what these programs are made for."""
    ended = subprocess.run(
        [sys.executable, "-S", "-c", f"{FAKES[name]}\n{TEST}\n"], capture_output=True, timeout=30, check=False
    )
    assert ended.returncode == 0


def test_values_are_compared_as_what_they_hold(sandbox):
    code = "from collections import Counter, namedtuple\nP = namedtuple('P', 'x y')\n"
    code += "def f(n): return {'c': Counter('aab'), 'p': P(1, 2)}"
    [verdict] = sandbox.judge([Trial(code, "f", ("assert f(0) == {'c': {'a': 2, 'b': 1}, 'p': (1, 2)}",))])
    assert verdict.outcome is Outcome.ALL_PASS


def test_a_programs_helpers_do_not_hide_builtins_of_the_tests(sandbox):
    """A tolerance test must not use the program's own abs."""
    code = "def abs(x): return 0\ndef f(n): return 1.0"
    [verdict] = sandbox.judge([Trial(code, "f", ("assert abs(f(0) - 9.0) < 1e-6",))])
    assert verdict.n_pass == 0


def test_a_programs_helpers_do_not_hide_names_of_the_setup(sandbox):
    code = "def isclose(*_): return True\ndef f(n): return 1.0"
    [verdict] = sandbox.judge([Trial(code, "f", ("assert isclose(f(0), 9.0)",), "from math import isclose")])
    assert verdict.n_pass == 0
