"""Published suites as problems."""

import json

import pytest

from columns.errors import InputError
from contamination import ContaminationConfig, load_suite
from instruct.evaluation import Attempt, judge
from instruct.problems import by_task, leaked, load_problems
from instruct.sandbox import Outcome
from tests.instruct.inprocess import InProcess


def written(tmp_path, *rows, name="suite.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def outcome(row, answer=None):
    (verdict,) = judge([Attempt(row, row["canonical_solution"] if answer is None else answer)], InProcess())
    return verdict.outcome


def test_humaneval():
    table = load_problems("humaneval")
    assert table.num_rows == 164
    assert table["source"].to_pylist() == ["suite"] * 164
    whole = [row["task_id"] for row in table.to_pylist() if row["tests"] == [f"check({row['entry_point']})"]]
    assert whole == [f"HumanEval/{n}" for n in (32, 38, 44, 50, 53, 129)]


def test_humaneval_from_a_file_is_the_installed_one(shared):
    path = shared / "data/benchmarks/humaneval/HumanEval.jsonl.gz"
    assert load_problems("humaneval", path).equals(load_problems("humaneval"))


OWN = {
    "task_id": "own/1", "prompt": "def helper():\n    return 7\n\ndef f(x):\n    '''Seven.'''\n", "entry_point": "f",
    "canonical_solution": "    return helper()\n",
    "test": "def check(candidate):\n    assert candidate(1) == helper()\n    assert candidate(2) == 7\n",
}  # fmt: skip


def test_a_suite_of_humaneval_s_layout(tmp_path):
    (row,) = load_problems("house", written(tmp_path, OWN)).to_pylist()
    assert (row["repo"], row["n_tests"]) == ("house", 2)
    assert outcome(row) is Outcome.ALL_PASS
    assert outcome(row, "    return 8\n") is Outcome.RUNTIME_ERROR


def test_a_prompt_that_ends_in_its_signature(tmp_path):
    (row,) = load_problems(
        "house", written(tmp_path, OWN | {"prompt": "def helper():\n    return 7\n\ndef f(x):\n"})
    ).to_pylist()
    assert outcome(row) is Outcome.ALL_PASS


def test_a_prompt_that_is_no_code_has_no_helpers(tmp_path):
    row = OWN | {"prompt": "Seven:\n\n", "test": "def check(candidate):\n    assert candidate(1) == 7\n"}
    (found,) = load_problems("house", written(tmp_path, row)).to_pylist()
    assert "Seven" not in found["setup"]


MBPP = {
    "task_id": 5, "text": "Square it.", "test_setup_code": "",
    "code": "import sys\r\ndef square(x):\r\n    return x * x",
    "test_list": ["assert square(2) == 4", "assert sys.maxsize > square(3)"], "challenge_test_list": ["assert False"],
}  # fmt: skip


def test_mbpp(tmp_path):
    (row,) = load_problems("mbpp", written(tmp_path, MBPP, name="mbpp.jsonl")).to_pylist()
    assert (row["task_id"], row["entry_point"], row["n_tests"]) == ("5", "square", 2)
    assert row["setup"] == "import sys"
    assert outcome(row) is Outcome.ALL_PASS


def test_mbpp_tests_that_need_the_answer_s_own_objects(tmp_path):
    node = (
        "class Node:\n    def __init__(self, n):\n        self.n = n\ndef value(node):\n    return node.n\n"
    )
    row = MBPP | {
        "code": node, "test_setup_code": "root = Node(3)",
        "test_list": ["assert value(root) == 3", "assert (value(Node(4))) == 4"],
    }  # fmt: skip
    (found,) = load_problems("mbpp", written(tmp_path, row, name="mbpp.jsonl")).to_pylist()
    assert found["entry_point"] == "published_case"
    assert outcome(found) is Outcome.ALL_PASS
    assert outcome(found, node.replace("node.n", "3")) is Outcome.SOME_PASS


def test_mbpp_tests_that_hand_over_a_type(tmp_path):
    code = "def without(values, kind):\n    return [v for v in values if not isinstance(v, kind)]"
    row = MBPP | {"code": code, "test_list": ["assert without([1, 'a'], int) == ['a']"]}
    (found,) = load_problems("mbpp", written(tmp_path, row, name="mbpp.jsonl")).to_pylist()
    assert found["tests"] == ["assert published_case(0) == ['a']"]
    assert outcome(found) is Outcome.ALL_PASS


def test_mbpp_whose_code_is_no_python_is_marked(tmp_path):
    (row,) = load_problems("mbpp", written(tmp_path, MBPP | {"code": "def ("}, name="mbpp.jsonl")).to_pylist()
    assert row["dropped"] == "malformed"


def test_a_task_for_the_second_time_names_the_line(tmp_path):
    with pytest.raises(InputError, match=r"line 2: task own/1 for the second time"):
        load_problems("house", written(tmp_path, OWN, OWN))


def test_what_is_no_suite_names_the_line(tmp_path):
    with pytest.raises(InputError, match=r"suite.jsonl, line 2: not a task"):
        load_problems("house", written(tmp_path, OWN, {"task_id": "x"}))


def test_another_language_cannot_be_run(shared):
    with pytest.raises(InputError, match="only Python can be run"):
        load_problems("humaneval_x", shared / "data/benchmarks/humaneval-x/humaneval_go.jsonl.gz")


def test_tasks_by_their_id(tmp_path):
    assert list(by_task(load_problems("house", written(tmp_path, OWN)))) == ["own/1"]


def test_planted_tasks_are_found_and_others_are_not():
    config = ContaminationConfig()
    suite = load_suite("humaneval")
    texts = [
        "def add_tax(price, rate):\n    return price * (1 + rate)\n",
        *(task.solutions[0] for task in suite.tasks[:5]),
    ]
    found = leaked(texts, config, config.index())
    assert found[0] == []
    assert all(
        f"humaneval/{task.id}" in names for task, names in zip(suite.tasks[:5], found[1:], strict=True)
    )
