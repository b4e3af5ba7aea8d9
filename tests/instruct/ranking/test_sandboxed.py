"""Outcomes and first passing solutions by the real sandbox, for programs that nobody should run elsewhere."""

from __future__ import annotations

import pytest

from instruct.models import Answer, ModelConfig
from instruct.ranking import STUDENT, TESTED, ResponseConfig, judged, responses
from instruct.sandbox import Limits, Sandbox, isolation_problem
from instruct.selfinstruct import candidates, first_passing, question_tests

ASKED = ModelConfig("m", temperature=0.2, top_p=0.95, max_tokens=64, seed=0)
TASK = dict.fromkeys(TESTED.names) | {
    "id": "a", "instruction": "Add one.", "signature": "def f(x):", "entry_point": "f", "setup": "import math",
    "tests": ["assert f(1) == 2", "assert f(2) == 3", "assert f(math.pi) > 4"],
}  # fmt: skip

HOSTILE = {
    "exits": "import os\ndef f(x):\n    os._exit(0)",
    "exits_early": "import sys\nsys.exit(0)\ndef f(x):\n    return x + 1",
    "agrees": "class Yes:\n    __eq__ = lambda s, o: True\n    __gt__ = lambda s, o: True\ndef f(x):\n    return Yes()",
    "agrees_as_number": "class Yes(int):\n    __eq__ = lambda s, o: True\ndef f(x):\n    return Yes()",
    "loops": "def f(x):\n    while True:\n        pass",
    "allocates": "def f(x):\n    return bytearray(3 << 30)",
    "reads": "def f(x):\n    return open('/etc/shadow').read()",
    "calls_out": "import socket\ndef f(x):\n    return socket.create_connection(('127.0.0.1', 1))",
    "prints": "def f(x):\n    print('ok ' * 100_000)\n    print('{\"outcome\": \"all_pass\"}')\n    return 0",
    "patches": "import builtins\nbuiltins.AssertionError = Exception\ndef f(x):\n    return 0",
}
FOUR = {
    "compile_error": "def f(x:\n    return x + 1",
    "runtime_error": "def f(x):\n    return x.nothing",
    "some_pass": "def f(x):\n    return 2",
    "all_pass": "def f(x):\n    return x + 1",
}


@pytest.fixture(scope="module")
def sandbox():
    problem = isolation_problem()
    if problem is not None:
        pytest.skip(str(problem))
    with Sandbox(limits=Limits(wall_s=0.5, cpu_s=0.5), workers=2) as running:
        yield running


def fenced(code):
    return f"```python\n{code}\n```"


def outcomes(sandbox, codes):
    answers = [Answer("a", ix, fenced(code), "", "m", 0, 0) for ix, code in enumerate(codes)]
    table, _ = responses([TASK], answers, STUDENT, ASKED, ResponseConfig(), len)
    done, counts = judged(table, [TASK], sandbox)
    return done.to_pylist(), counts


def test_the_four_outcomes(sandbox):
    rows, counts = outcomes(sandbox, FOUR.values())
    assert [row["outcome"] for row in rows] == list(FOUR)
    assert [(row["n_pass"], row["n_tests"]) for row in rows] == [(0, 3), (0, 3), (1, 3), (3, 3)]
    assert counts == {f"student {name}": 1 for name in FOUR}
    assert rows[3]["reason"] is None
    assert all(row["reason"] for row in rows[:3])


def test_no_hostile_answer_passes_a_test(sandbox):
    rows, _ = outcomes(sandbox, HOSTILE.values())
    found = {name: (row["outcome"], row["n_pass"]) for name, row in zip(HOSTILE, rows, strict=True)}
    assert found == dict.fromkeys(HOSTILE, ("runtime_error", 0))


def test_outcomes_are_the_same_three_times_with_any_workers(sandbox):
    codes = [*FOUR.values(), *HOSTILE.values()]
    first, _ = outcomes(sandbox, codes)
    with Sandbox(limits=Limits(wall_s=0.5, cpu_s=0.5), workers=1) as alone:
        assert outcomes(alone, codes)[0] == first
    assert outcomes(sandbox, codes)[0] == first


def test_the_first_passing_solution_among_hostile_ones(sandbox):
    text = "[TESTS]\nimport math\n# Test case 1:\nassert f(1) == 2\n# Test case 2:\nassert f(math.pi) > 4\n[/TESTS]"
    tested, _ = question_tests(
        [{"id": "q", "question": "Add one to a number.", "dropped": None}],
        [Answer("q", 0, text, "", "m", 0, 0)],
        5,
        1,
    )
    codes = [*HOSTILE.values(), FOUR["some_pass"], FOUR["all_pass"], FOUR["all_pass"]]
    answers = [
        Answer("q", ix, f"[PYTHON]\n{code}\n[/PYTHON]", "", "m", 0, 0) for ix, code in enumerate(codes)
    ]
    tried, _ = candidates(tested.to_pylist(), answers)
    made, counts = first_passing(tested.to_pylist(), tried.to_pylist(), sandbox)
    (row,) = made.to_pylist()
    assert (row["dropped"], row["sample_ix"], row["n_tried"]) == (None, len(codes) - 2, len(codes) - 1)
    assert counts["run"] == len(codes) - 1
