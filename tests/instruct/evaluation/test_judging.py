"""Judging and scores, with the sandbox's double."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.evaluation import (
    PUBLISHED_STOPS,
    VERDICT,
    Attempt,
    Sample,
    judge,
    judge_samples,
    program,
    scores,
    settings,
)
from instruct.evaluation.judging import compared
from instruct.problems import STDIN, by_task, load_problems, problem_table
from instruct.sandbox import Outcome, Ran
from tests.instruct.inprocess import InProcess

DOUBLE = {
    "task_id": "double", "entry_point": "double", "prompt": 'def double(x):\n    """Twice x."""\n',
    "canonical_solution": "    return 2 * x\n",
    "tests": ["assert double(1) == 2", "assert double(0) == 0", "assert candidate('a') == 'aa'"],
}  # fmt: skip
ECHO = {
    "task_id": "echo", "prompt": '"""Say it again."""\n', "io_format": STDIN, "canonical_solution": "print(input())",
    "cases": [{"stdin": "a b\n", "stdout": "a b\n", "shown": True}, {"stdin": "c", "stdout": "c", "shown": False}],
}  # fmt: skip
PROBLEMS = by_task(problem_table([DOUBLE, ECHO]))


def sampled(*texts, task="double"):
    return [Sample(task, number, text) for number, text in enumerate(texts)]


def judged(samples, stops=()):
    sandbox = InProcess()
    return judge_samples(PROBLEMS, samples, sandbox, stops), sandbox


@pytest.mark.parametrize(
    ("answer", "outcome", "passes"),
    [
        ("    return 2 * x\n", "all_pass", 3),
        ("    return 2 * x if x else 1\n", "some_pass", 2),
        ("    return None\n", "runtime_error", 0),
        ("    return (\n", "compile_error", 0),
    ],
)
def test_outcomes_of_a_function(answer, outcome, passes):
    table, _ = judged(sampled(answer))
    assert table.schema == VERDICT
    assert (table["outcome"][0].as_py(), table["n_pass"][0].as_py()) == (outcome, passes)
    assert bool(table["reason"][0].as_py()) == (outcome != "all_pass")


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        ("print(input())", "all_pass", ""),
        ("print(*input().split(), sep='  ')", "all_pass", ""),
        ("print('c')", "some_pass", "wrong_output"),
        ("print(1 / 0)", "runtime_error", "exception"),
        ("print(", "compile_error", "syntax"),
    ],
)
def test_outcomes_of_a_program(answer, outcome, reason):
    table, _ = judged(sampled(answer, task="echo"))
    assert (table["outcome"][0].as_py(), table["reason"][0].as_py()) == (outcome, reason)


def test_flooded_output_never_passes():
    assert compared([Ran("4", "", "", True)], ["4"]).reason == "output"
    assert compared([], []).outcome is Outcome.NO_TESTS


def test_functions_and_programs_in_any_order():
    answers = {"double": DOUBLE["canonical_solution"], "echo": ECHO["canonical_solution"]}
    order = ["echo", "double", "double", "echo", "echo", "double"]
    attempts = [Attempt(PROBLEMS[name], answers[name] if at % 2 else "x") for at, name in enumerate(order)]
    found = [verdict.outcome is Outcome.ALL_PASS for verdict in judge(attempts, InProcess())]
    assert found == [bool(at % 2) for at in range(len(order))]


def test_equal_answers_run_once():
    table, sandbox = judged(sampled("    return 1", "    return 2 * x", "    return 1", "    return 1"))
    assert sandbox.ran == 2
    assert table["same_as"].to_pylist() == [None, None, 0, 0]
    assert table["outcome"].to_pylist()[2:] == [table["outcome"][0].as_py()] * 2


def test_answers_that_are_equal_after_the_cut_run_once():
    table, sandbox = judged(sampled("    return 2 * x\n", "    return 2 * x\n\nprint(1)"), PUBLISHED_STOPS)
    assert sandbox.ran == 1
    assert table["stop"].to_pylist() == [None, "\nprint"]


def test_equal_answers_to_two_tasks_both_run():
    other = DOUBLE | {"task_id": "other", "tests": ["assert double(1) == 3"]}
    problems = by_task(problem_table([DOUBLE, other]))
    samples = [Sample(name, 0, DOUBLE["canonical_solution"]) for name in ("double", "other")]
    table = judge_samples(problems, samples, InProcess())
    assert table["outcome"].to_pylist() == ["all_pass", "runtime_error"]


def test_progress_is_told():
    heard = []
    judge_samples(PROBLEMS, sampled("a", "b", "a"), InProcess(), told=lambda *done: heard.append(done))
    assert heard == [(1, 2), (2, 2)]


def test_a_harness_stands_behind_the_answer():
    row = DOUBLE | {"harness": "def case(n):\n    return [lambda: double(4)][n]()", "entry_point": "case"}
    problem = by_task(problem_table([row | {"tests": ["assert case(0) == 8"]}]))["double"]
    (verdict,) = judge([Attempt(problem, DOUBLE["canonical_solution"])], InProcess())
    assert verdict.outcome is Outcome.ALL_PASS


def table_of(**tasks):
    rows = [
        {
            "task_id": task,
            "sample_ix": n,
            "outcome": outcome,
            "reason": "" if outcome == "all_pass" else "assertion",
        }
        for task, outcomes in tasks.items()
        for n, outcome in enumerate(outcomes)
    ]
    return pa.Table.from_pylist(rows, schema=VERDICT)


def test_scores():
    table = table_of(a=["all_pass", "some_pass"], b=["runtime_error", "runtime_error"])
    found = scores("house", table, ["a", "b", "c"])
    assert [(rate.k, rate.value) for rate in found.rates] == [(1, 0.25)]
    assert (found.tasks, found.unattempted, found.samples, found.solved) == (3, 1, 4, 1)
    assert found.outcomes == {"runtime_error": 2, "all_pass": 1, "some_pass": 1}
    assert found.reasons == {"assertion": 3}
    json.dumps(found.row())


def test_usual_ks_are_those_that_all_tasks_have_samples_for():
    table = table_of(a=["all_pass"] * 12, b=["some_pass"] * 10)
    assert [rate.k for rate in scores("x", table, ["a", "b"]).rates] == [1, 10]


def test_a_k_over_the_samples_is_refused():
    table = table_of(a=["all_pass"] * 3, b=["all_pass"])
    with pytest.raises(InputError, match=r"pass@2: 1 of 2 tasks have fewer than 2 samples \(b has 1\)"):
        scores("x", table, ["a", "b"], [2])


def test_settings_are_listed_once():
    samples = [Sample("a", n, "", {"temperature": 0.2, "model": "m"}) for n in range(3)]
    found = settings([*samples, Sample("a", 9, "", {"temperature": 0.8})])
    assert found == {"model": ["m"], "temperature": [0.2, 0.8]}


def test_every_canonical_solution_of_humaneval_passes_and_no_empty_body_does():
    """The oracle: 164 of 164 and 0 of 164, also where answers are cut at the published stops."""
    problems = by_task(load_problems("humaneval"))
    right = [Sample(task, 0, row["canonical_solution"]) for task, row in problems.items()]
    empty = [Sample(task, 0, "    pass\n") for task in problems]
    found = judge_samples(problems, right, InProcess(), PUBLISHED_STOPS)
    assert found["outcome"].to_pylist() == ["all_pass"] * 164
    assert found["stop"].null_count == 164
    assert "all_pass" not in judge_samples(problems, empty, InProcess())["outcome"].to_pylist()


def test_every_solution_of_mbpp_passes(shared):
    problems = by_task(load_problems("mbpp", shared / "data/benchmarks/mbpp/mbpp.jsonl.gz"))
    answers = [Sample(task, 0, row["canonical_solution"]) for task, row in problems.items()]
    table = judge_samples(problems, answers, InProcess())
    failed = table.filter(pc.not_equal(table["outcome"], "all_pass"))
    assert failed.select(["task_id", "reason", "error"]).to_pylist() == []
    assert table.num_rows == 974


@pytest.mark.parametrize(
    ("runs", "outcome", "reason", "error"),
    [
        ([("4", ""), ("5", "")], "all_pass", "", ""),
        ([("4\n\n", ""), ("\t5", "")], "all_pass", "", ""),
        ([("4", ""), ("4", "")], "some_pass", "wrong_output", ""),
        ([("x", ""), ("5", "timeout")], "runtime_error", "wrong_output", ""),
        ([("4", "timeout"), ("5", "")], "some_pass", "timeout", "why"),
        ([("", "syntax"), ("", "syntax")], "compile_error", "syntax", "why"),
        ([("4 4", ""), ("", "memory")], "runtime_error", "wrong_output", ""),
    ],
)
def test_what_runs_of_a_program_come_to(runs, outcome, reason, error):
    ran = [Ran(out, "Traceback\nwhy\n" if problem else "", problem, False) for out, problem in runs]
    found = compared(ran, ["4", "5"])
    assert (found.outcome.value, found.reason, found.error) == (outcome, reason, error)
    assert found.n_pass == sum(found.passed)
    assert (found.n_tests, len(found.passed)) == (2, 2)


def test_a_long_error_is_one_short_line():
    found = compared([Ran("", "a\n" + "b" * 1000, "exception", False)], ["1"])
    assert found.error == "b" * 200


def test_outputs_that_do_not_pair_with_cases_are_refused():
    with pytest.raises(ValueError, match="zip"):
        compared([Ran("1", "", "", False)], ["1", "2"])


def test_a_program_without_cases_has_no_verdict_of_its_own():
    """And it takes no run of the next one's."""
    empty = by_task(problem_table([ECHO | {"cases": []}]))["echo"]
    found = list(judge([Attempt(empty, "x"), Attempt(PROBLEMS["echo"], "print(input())")], InProcess()))
    assert [one.outcome for one in found] == [Outcome.NO_TESTS, Outcome.ALL_PASS]


@pytest.mark.parametrize(("harness", "whole"), [(None, "p\na\n"), ("", "p\na\n"), ("h\n", "p\na\n\n\nh\n")])
def test_the_whole_program(harness, whole):
    assert program({"prompt": "p\n", "harness": harness}, "a") == whole


ANSWERS = st.lists(
    st.tuples(st.sampled_from(["double", "echo"]), st.sampled_from(["    return 1", "x", "x\nprint(1)", ""])),
    max_size=9,
)


@given(ANSWERS)
def test_every_sample_has_a_row_and_repeats_name_the_first(answers):
    samples = [Sample(task, number, text) for number, (task, text) in enumerate(answers)]
    sandbox = InProcess()
    table = judge_samples(PROBLEMS, samples, sandbox, PUBLISHED_STOPS)
    assert table["sample_ix"].to_pylist() == list(range(len(answers)))
    assert table["task_id"].to_pylist() == [task for task, _ in answers]
    kept = [(task, text.split("\nprint")[0]) for task, text in answers]
    firsts = [kept.index(one) for one in kept]
    same = [None if at == first else first for at, first in enumerate(firsts)]
    assert table["same_as"].to_pylist() == same
    runs = {"double": 1, "echo": len(ECHO["cases"])}
    assert sandbox.ran == sum(runs[task] for task, _ in set(kept))


def test_settings_are_sorted_by_size_and_what_is_no_number_comes_last():
    values = [1024, 512, 64.5, "low", None, float("nan"), 10**400]
    found = settings(Sample("a", n, "", {"max_tokens": value}) for n, value in enumerate(values))[
        "max_tokens"
    ]
    assert found[:4] == [64.5, 512, 1024, 10**400]
    assert [repr(value) for value in found[4:]] == ["'low'", "None", "nan"]


def test_no_verdicts_make_no_rates():
    found = scores("x", VERDICT.empty_table(), ["a", "b"])
    assert (found.rates, found.unattempted, found.samples, found.solved, found.outcomes) == ((), 2, 0, 0, {})
    assert scores("x", VERDICT.empty_table(), []).tasks == 0


def test_ks_are_in_the_order_asked_and_counts_most_common_first():
    table = table_of(a=["all_pass", "some_pass", "some_pass"])
    found = scores("x", table, ["a"], [3, 1])
    assert [rate.k for rate in found.rates] == [3, 1]
    assert list(found.outcomes.items()) == [("some_pass", 2), ("all_pass", 1)]


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.booleans(), min_size=1, max_size=5), min_size=1))
def test_pass_at_one_of_scores_is_the_mean_share(tasks):
    rows = {task: ["all_pass" if one else "some_pass" for one in passes] for task, passes in tasks.items()}
    found = scores("x", table_of(**rows), list(tasks))
    shares = [sum(passes) / len(passes) for passes in tasks.values()]
    assert found.rates[0].value == pytest.approx(sum(shares) / len(shares))
    assert found.solved == sum(map(any, tasks.values()))
