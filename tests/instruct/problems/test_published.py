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


def mbpp(tmp_path, **change):
    (row,) = load_problems("mbpp", written(tmp_path, MBPP | change, name="mbpp.jsonl")).to_pylist()
    return row


def test_mbpp_challenge_tests_are_left_out_and_the_statement_is_the_prompt(tmp_path):
    row = mbpp(tmp_path)
    assert row["prompt"] == '"""\nSquare it.\n"""\n'
    assert not any("False" in test for test in row["tests"])
    assert (row["source"], row["repo"], row["tests_from"]) == ("suite", "mbpp", "published")


@pytest.mark.parametrize(
    ("test", "harness"),
    [
        ("assert square(2) == 4", False),
        ("assert square(2) == square(-2)", False),
        ("assert len(str(square(2))) == 1", False),
        ("assert helper(2) == square(2) - 1", True),
        ("assert isinstance(square(2), int)", True),
        ("assert map(int, [square(1)])", True),
    ],
)
def test_where_the_answer_s_own_objects_are_needed_tests_run_beside_it(tmp_path, test, harness):
    code = "def square(x):\n    return x * x\ndef helper(x):\n    return x + 1\n"
    row = mbpp(tmp_path, code=code, test_list=[test])
    assert bool(row["harness"]) is harness
    assert row["entry_point"] == ("published_case" if harness else "square")


@pytest.mark.parametrize(
    ("test", "made"),
    [
        ("assert not isinstance(square(2), str)", "assert published_case(0)"),
        ("assert isinstance(square(2), int) == True", "assert published_case(0) == True"),
        ("assert isinstance(square(2), int) in (True, 1)", "assert published_case(0) in (True, 1)"),
        ("assert 1 < square(2) < helper(9)", "assert published_case(0)"),
        ("assert helper(1) is not None, 'why'", "assert published_case(0) is not None"),
    ],
)
def test_the_left_side_is_what_runs_beside_the_answer(tmp_path, test, made):
    code = "def square(x):\n    return x * x\ndef helper(x):\n    return x + 1\n"
    row = mbpp(tmp_path, code=code, test_list=[test, "assert helper(square(1)) == 2"])
    assert row["tests"][0] == made
    assert outcome(row) is Outcome.ALL_PASS
    assert (
        outcome(row, "def square(x):\n    return x\ndef helper(x):\n    return ''\n") is not Outcome.ALL_PASS
    )


def test_the_setup_of_mbpp_is_run_before_its_tests(tmp_path):
    row = mbpp(tmp_path, test_setup_code="given = [3]", test_list=["assert square(given[0]) == 9"])
    assert "given = [3]" in row["setup"]
    assert outcome(row) is Outcome.ALL_PASS


def test_tests_that_call_nothing_of_the_answer_have_no_entry_point(tmp_path):
    assert mbpp(tmp_path, test_list=["assert other(2) == 4"])["entry_point"] == ""


@pytest.mark.parametrize("change", [{"code": "def ("}, {"test_list": ["assert ("]}])
def test_what_is_no_python_says_so(tmp_path, change):
    row = mbpp(tmp_path, **change)
    assert (row["dropped"], row["problem"]) == ("malformed", "its solution or tests are not Python")


def test_a_suite_of_humaneval_s_layout_whose_check_is_not_flat_is_one_test(tmp_path):
    test = "def check(candidate):\n    for x in (1, 2):\n        assert candidate(x) == helper()\n"
    (row,) = load_problems("house", written(tmp_path, OWN | {"test": test})).to_pylist()
    assert row["tests"] == ["check(f)"]
    assert outcome(row) is Outcome.ALL_PASS
    assert outcome(row, "    return 7 if x == 1 else 8\n") is Outcome.RUNTIME_ERROR
