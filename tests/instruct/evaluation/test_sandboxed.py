"""The same in the real sandbox: published solutions pass, empty ones and hostile ones do not."""

import pytest

from instruct.evaluation import Sample, judge_samples
from instruct.problems import by_task, load_problems, problem_table
from instruct.sandbox import Limits, Sandbox, isolation_problem

pytestmark = pytest.mark.skipif(
    isolation_problem() is not None, reason=f"no isolation here: {isolation_problem()}"
)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=2, limits=Limits(wall_s=30, cpu_s=30)) as opened:
        yield opened


def test_canonical_solutions_164_of_164_and_empty_bodies_none(sandbox):
    problems = by_task(load_problems("humaneval"))
    right = [Sample(task, 0, row["canonical_solution"]) for task, row in problems.items()]
    assert judge_samples(problems, right, sandbox)["outcome"].to_pylist() == ["all_pass"] * 164
    empty = [Sample(task, 0, "    pass\n") for task in problems]
    assert "all_pass" not in judge_samples(problems, empty, sandbox)["outcome"].to_pylist()


ADD = {
    "task_id": "add", "entry_point": "add", "prompt": 'def add(x, y):\n    """Sum."""\n',
    "tests": ["assert add(1, 2) == 3", "assert add(-1, 2) == 1"],
}  # fmt: skip
YES = "class Yes:\n    def __eq__(self, other):\n        return True\n"
HOSTILE = {
    "ends": "    import os\n    os._exit(0)\n",
    "ends at once": "    return 0\nimport os\nos._exit(0)\n",
    "agrees with all": f"    return Yes()\n{YES}",
    "agrees as a number": "    return Yes(3)\nclass Yes(int):\n    def __eq__(self, other):\n        return True\n",
    "changes the tests": "    import builtins\n    builtins.AssertionError = None\n    return 0\n",
    "long line": f"    return {'1 + ' * 20_000}0\n",
    "floods": "    print('x' * 10**6)\n    return 0\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_do_not_pass(sandbox, name):
    table = judge_samples(by_task(problem_table([ADD])), [Sample("add", 0, HOSTILE[name])], sandbox)
    assert table["outcome"][0].as_py() != "all_pass"
    assert table["reason"][0].as_py()


def test_programs_read_and_print(sandbox):
    row = {
        "task_id": "p", "io_format": "stdin", "prompt": '"""Add."""\n',
        "cases": [{"stdin": "1 2\n", "stdout": "3\n", "shown": True}],
    }  # fmt: skip
    answers = (
        "print(sum(map(int, input().split())))",
        "print(3, 3)",
        "import os\nprint(os.listdir('/root'))",
    )
    samples = [Sample("p", number, text) for number, text in enumerate(answers)]
    table = judge_samples(by_task(problem_table([row])), samples, sandbox)
    assert [outcome == "all_pass" for outcome in table["outcome"].to_pylist()] == [True, False, False]
