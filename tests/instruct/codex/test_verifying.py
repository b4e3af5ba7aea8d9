"""Verification: tests that count, solutions that pass every time, and problems that samples solve."""

import sys

import pyarrow as pa
import pytest

from instruct.codex import (
    VerifyConfig,
    choose_cases,
    completion,
    described,
    keep_solved,
    mark_duplicates,
    question,
    verify,
)
from instruct.evaluation import PUBLISHED_STOPS, VERDICT
from instruct.problems import PROBLEM, STDIN, problem_table
from tests.instruct.inprocess import InProcess

TWICE = {
    "task_id": "twice", "io_format": STDIN, "prompt": '"""Twice."""\n', "canonical_solution": "print(2 * int(input()))",
    "wrong": ["print(4)", "print(int(input()) ** 2)"], "tests_from": "statement",
    "cases": [
        {"stdin": "2", "stdout": "4", "shown": True}, {"stdin": "0", "stdout": "0", "shown": False},
        {"stdin": "5", "stdout": "10", "shown": False}, {"stdin": "2\n", "stdout": "4", "shown": False},
    ],
}  # fmt: skip
ADD = {
    "task_id": "add", "entry_point": "add", "prompt": 'def add(x, y):\n    """Sum."""\n',
    "canonical_solution": "    return x + y\n", "tests": ["assert add(1, 2) == 3"],
}  # fmt: skip
CONFIG = VerifyConfig()


def only(table):
    (row,) = table.to_pylist()
    return row


def test_hidden_cases_count_where_a_wrong_solution_fails_them():
    """The first wrong one fails 0 and 5, the second 5; nobody fails the second 2."""
    table, counts = choose_cases(problem_table([TWICE]), InProcess(), CONFIG)
    row = only(table)
    assert [case["stdin"] for case in row["cases"]] == ["2", "0", "5"]
    assert (row["n_tests"], row["tests_from"]) == (3, "wrong_solutions")
    assert counts == {"cases.kept": 3, "cases.left_out": 1}


def test_hidden_cases_without_wrong_solutions_are_left_out_where_some_are_shown():
    row = only(choose_cases(problem_table([TWICE | {"wrong": []}]), InProcess(), CONFIG)[0])
    assert ([case["shown"] for case in row["cases"]], row["tests_from"]) == ([True], "statement")


def test_cases_that_are_all_hidden_and_unopposed_stay():
    hidden = [case | {"shown": False} for case in TWICE["cases"]]
    row = only(choose_cases(problem_table([TWICE | {"wrong": [], "cases": hidden}]), InProcess(), CONFIG)[0])
    assert row["n_tests"] == 4


def test_no_more_is_run_than_asked():
    sandbox = InProcess()
    choose_cases(problem_table([TWICE]), sandbox, VerifyConfig(most_wrong=1, most_cases=2))
    assert sandbox.ran == 2


def test_functions_and_dropped_rows_are_left_alone():
    table = problem_table([ADD, TWICE | {"dropped": "malformed"}])
    found, counts = choose_cases(table, InProcess(), CONFIG)
    assert found.equals(table)
    assert not counts


def test_a_solution_that_passes_every_time():
    sandbox = InProcess()
    table, counts = verify(problem_table([ADD]), sandbox, CONFIG)
    assert (only(table)["verify_runs"], only(table)["dropped"]) == (3, None)
    assert counts == {"verified": 1}
    assert sandbox.ran == 3


def test_the_first_solution_that_passes_becomes_the_canonical_one():
    row = ADD | {
        "canonical_solution": "    return x\n",
        "solutions": ["    return 3\n", "    return x + y\n"],
    }
    found = only(verify(problem_table([row]), InProcess(), CONFIG)[0])
    assert (found["canonical_solution"], found["verify_runs"], found["problem"]) == (
        "    return 3\n",
        3,
        None,
    )


def test_so_many_solutions_are_tried():
    row = ADD | {
        "canonical_solution": "    return x\n",
        "solutions": ["    return y\n", "    return x + y\n"],
    }
    found = only(verify(problem_table([row]), InProcess(), VerifyConfig(most_solutions=2))[0])
    assert (found["dropped"], found["verify_runs"]) == ("solution_fails", 0)
    assert "AssertionError" in found["problem"]


FLAKY = (
    "    import sys\n    sys.flaky = getattr(sys, 'flaky', 0) + 1\n    return x + y if sys.flaky < 3 else 0\n"
)


def test_a_solution_that_does_not_pass_every_time(monkeypatch):
    monkeypatch.setattr(sys, "flaky", 0, raising=False)
    found = only(verify(problem_table([ADD | {"canonical_solution": FLAKY}]), InProcess(), CONFIG)[0])
    assert (found["dropped"], found["verify_runs"]) == ("not_repeatable", 2)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"tests": []}, "no_tests"),
        ({"canonical_solution": ""}, "no_solution"),
        ({"canonical_solution": "    return 0\n"}, "solution_fails"),
        ({"canonical_solution": "    return (\n"}, "solution_fails"),
        ({"dropped": "malformed"}, "malformed"),
    ],
)
def test_rules(change, rule):
    table, counts = verify(problem_table([ADD | change, ADD | {"task_id": "other"}]), InProcess(), CONFIG)
    assert table["dropped"].to_pylist() == [rule, None]
    assert table.schema == PROBLEM
    assert counts == ({"verified": 1} if rule == "malformed" else {rule: 1, "verified": 1})


@pytest.mark.parametrize("name", ["runs", "most_solutions", "most_wrong", "most_cases"])
def test_numbers_under_one_are_refused(name):
    with pytest.raises(ValueError, match=f"verify.{name}: expected at least 1, got 0"):
        VerifyConfig(**{name: 0})


def test_duplicates_keep_the_first_by_name_whatever_the_order():
    rows = [ADD | {"task_id": name} for name in ("c", "a", "b")] + [
        ADD | {"task_id": "0", "dropped": "malformed"}
    ]
    for order in (rows, rows[::-1]):
        table, counts = mark_duplicates(problem_table(order))
        found = {row["task_id"]: (row["dropped"], row["duplicate_of"]) for row in table.to_pylist()}
        assert found == {
            "a": (None, None), "b": ("duplicate", "a"), "c": ("duplicate", "a"), "0": ("malformed", None),
        }  # fmt: skip
        assert counts == {"duplicate": 2}


def test_problems_stay_where_a_sample_passes():
    table = problem_table(
        [ADD | {"task_id": name} for name in ("a", "b", "c")] + [ADD | {"dropped": "duplicate"}]
    )
    outcomes = [("a", "some_pass"), ("a", "all_pass"), ("b", "some_pass"), ("add", "all_pass")]
    verdicts = [{"task_id": name, "sample_ix": n, "outcome": out} for n, (name, out) in enumerate(outcomes)]
    found, counts = keep_solved(table, pa.Table.from_pylist(verdicts, schema=VERDICT))
    assert [(row["dropped"], row["n_samples"], row["n_pass"]) for row in found.to_pylist()] == [
        (None, 2, 1), ("no_sample_passes", 1, 0), ("not_sampled", 0, 0), ("duplicate", None, None),
    ]  # fmt: skip
    assert counts == {"solved": 1, "no_sample_passes": 1, "not_sampled": 1, "samples": 3}


def test_a_question_ends_in_the_prompt():
    asked = question(ADD)
    assert asked.id == "add"
    assert asked.messages[-1][1].endswith(ADD["prompt"])


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("    return x\n\nprint(1)", "    return x\n"),
        ("```python\nimport a\n\ndef f():\n    pass\n```\nDone.", "import a\n\ndef f():\n    pass\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```python\nfrom __future__ import annotations\nx = 1\n```", "x = 1\n"),
        ("```py\nx = 1", "x = 1"),
        ("Two:\n```Python\na\n```\n```python\nb\n```", "a\n"),
        ("", ""),
    ],
)
def test_what_of_an_answer_counts(answer, kept):
    assert completion(answer, PUBLISHED_STOPS) == kept


def test_descriptions_put_the_docstring_last():
    prompt = 'import math\n\n\ndef area(r):\n    """The area\n    of a circle.\n    """\n'
    row = {
        "task_id": "a",
        "entry_point": "area",
        "prompt": prompt,
        "canonical_solution": "    return math.pi * r * r\n",
    }
    table, counts = described(problem_table([row]))
    found = only(table)
    assert found["input"] == "import math\n\n\ndef area(r):\n    return math.pi * r * r\n"
    assert found["target"] == '    """The area\n    of a circle.\n    """\n'
    assert counts == {"described": 1}
    space = {}
    exec(found["input"], space)
    assert space["area"](1) > 3


@pytest.mark.parametrize(
    ("prompt", "entry", "rule"),
    [
        ('"""A program."""\n', "", "no_function"),
        ("def f(x):\n", "f", "no_docstring"),
        ('def f(x): "One line."\n', "f", "no_docstring"),
        ("def f(:\n", "f", "no_function"),
        ('def g(x):\n    "G."\n', "f", "no_function"),
    ],
)
def test_what_cannot_be_described(prompt, entry, rule):
    row = {"task_id": "a", "entry_point": entry, "prompt": prompt, "canonical_solution": "    return 1\n"}
    table, counts = described(problem_table([row, row | {"task_id": "b", "dropped": "duplicate"}]))
    assert only(table)["dropped"] == rule
    assert counts == {rule: 1}


def test_a_program_whose_cases_all_go_has_no_tests():
    """Nothing is shown, and no wrong solution fails the only hidden case."""
    cases = [{"stdin": "2", "stdout": "4", "shown": False}]
    chosen, counts = choose_cases(
        problem_table([TWICE | {"wrong": ["print(4)"], "cases": cases}]), InProcess(), CONFIG
    )
    assert (only(chosen)["n_tests"], counts["cases.left_out"]) == (0, 1)
    assert only(chosen)["tests_from"] == "statement"
    assert only(verify(chosen, InProcess(), CONFIG)[0])["dropped"] == "no_tests"


def test_a_wrong_solution_that_breaks_fails_every_case():
    row = only(choose_cases(problem_table([TWICE | {"wrong": ["print("]}]), InProcess(), CONFIG)[0])
    assert len(row["cases"]) == 4


def test_cases_of_several_tasks_are_not_mixed():
    other = TWICE | {"task_id": "u", "wrong": ["print(0)"]}
    alone = [only(choose_cases(problem_table([one]), InProcess(), CONFIG)[0]) for one in (TWICE, other)]
    assert choose_cases(problem_table([TWICE, ADD, other]), InProcess(), CONFIG)[0].to_pylist()[::2] == alone


def test_what_was_verified_before_is_verified_anew():
    table, _ = verify(problem_table([ADD, TWICE]), InProcess(), CONFIG)
    assert verify(table, InProcess(), CONFIG)[0].equals(table)
    worse = problem_table([ADD | {"canonical_solution": "    return 0\n", "verify_runs": 3}])
    found = only(verify(worse, InProcess(), CONFIG)[0])
    assert (found["dropped"], found["verify_runs"]) == ("solution_fails", 0)


def test_equal_solutions_are_tried_once():
    sandbox = InProcess()
    row = ADD | {
        "canonical_solution": "    return 0\n",
        "solutions": ["    return 0\n", "", "    return 0\n"],
    }
    verify(problem_table([row]), sandbox, CONFIG)
    assert sandbox.ran == 1


@pytest.mark.parametrize(
    ("solution", "told"),
    [("    return 0\n", "assertion"), ("    return (\n", "syntax"), ("    return None + x\n", "exception")],
)
def test_a_problem_says_why_its_first_solution_fails(solution, told):
    row = ADD | {"canonical_solution": solution, "solutions": ["    raise KeyError\n"]}
    found = only(verify(problem_table([row]), InProcess(), CONFIG)[0])
    assert found["problem"].startswith(told)
    assert len(found["problem"]) <= 200


@pytest.mark.parametrize(
    ("change", "equal"),
    [
        ({"canonical_solution": "\n    return x + y\n\n"}, True),
        ({"prompt": '\ndef add(x, y):\n    """Sum."""\n\n'}, True),
        ({"tests": ["assert add(0, 0) == 0"], "source": "ci"}, True),
        ({"canonical_solution": "    return y + x\n"}, False),
        ({"prompt": 'def add(x, y):\n    """sum."""\n'}, False),
        ({"prompt": "", "canonical_solution": ADD["prompt"] + ADD["canonical_solution"]}, False),
    ],
)
def test_what_is_a_duplicate(change, equal):
    table, counts = mark_duplicates(problem_table([ADD, ADD | change | {"task_id": "b"}]))
    assert table["dropped"].to_pylist() == [None, "duplicate" if equal else None]
    assert counts == ({"duplicate": 1} if equal else {})


def test_marking_twice_changes_nothing():
    once, _ = mark_duplicates(problem_table([ADD, ADD | {"task_id": "b"}]))
    again, counts = mark_duplicates(once)
    assert (again.equals(once), counts) == (True, {})
