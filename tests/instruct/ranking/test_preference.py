"""Responses to pairs: the golden fixture, ties, drops, and that what is written suffices for the loss."""

from __future__ import annotations

import itertools
import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.models import Answer, ModelConfig
from instruct.ranking import (
    OUTCOMES,
    PAIR,
    RESPONSE,
    STUDENT,
    TEACHER,
    TESTED,
    RankingConfig,
    ResponseConfig,
    docstring,
    evaluation_prompt,
    judged,
    pairs,
    response_prompts,
    responses,
    rrhf_lines,
    rrtf_lines,
    training_lines,
    training_text,
)
from tests.instruct.ranking.fakejudge import FakeJudge

ASKED = ModelConfig("m", temperature=0.25, top_p=0.95, max_tokens=64, seed=0)
DEFAULT = RankingConfig()
TESTS = ["assert f(1) == 2", "assert f(2) == 3"]
BY_OUTCOME = {
    "compile_error": "```python\ndef f(x:\n    return x\n```",
    "runtime_error": "```python\ndef f(x):\n    return x.nothing\n```",
    "some_pass": "```python\ndef f(x):\n    return 2\n```",
    "all_pass": "```python\ndef f(x):\n    return x + 1\n```",
}


def task(name, **more):
    blank = dict.fromkeys(TESTED.names)
    return (
        blank
        | {
            "id": name,
            "instruction": f"Task {name}.",
            "signature": "def f(x):",
            "entry_point": "f",
            "setup": "",
            "tests": TESTS,
        }
        | more
    )


def none_leak(texts):
    return [[] for _ in texts]


def ranked(tasks, teachers, students, config=DEFAULT, leaks=none_leak):
    """Texts by task -> PAIR rows, through all steps."""
    answers = []
    for role, texts in ((TEACHER, teachers), (STUDENT, students)):
        given = [
            Answer(name, ix, text, "", role, 0, 0)
            for name, each in texts.items()
            for ix, text in enumerate(each)
        ]
        table, _ = responses(tasks, given, role, ASKED, ResponseConfig(), len)
        assert table.schema == RESPONSE
        done, _ = judged(table, tasks, FakeJudge())
        answers += done.to_pylist()
    table, counts = pairs(tasks, answers, config, leaks)
    assert table.schema == PAIR
    return table.to_pylist(), counts


def test_the_golden_fixture_of_five_problems():
    """PanGu-Coder2, section 3.4: the order of outcomes, the teacher wins a tie, a worse teacher drops the prompt."""
    teacher = {"1": "all_pass", "2": "all_pass", "3": "some_pass", "4": "runtime_error", "5": "compile_error"}
    student = {
        "1": "some_pass",
        "2": "all_pass",
        "3": "runtime_error",
        "4": "some_pass",
        "5": "compile_error",
    }
    students = {name: [BY_OUTCOME[outcome]] for name, outcome in student.items()}
    students["2"] = ["```python\ndef f(x):\n    return 1 + x\n```"]
    rows, counts = ranked(
        [task(name) for name in teacher], {n: [BY_OUTCOME[o]] for n, o in teacher.items()}, students
    )
    told = [
        (row["prompt_id"], row["score_chosen"], row["score_rejected"], row["reason"], row["dropped"])
        for row in rows
    ]
    assert told == [
        ("1", 3.0, 2.0, "outcome", None),
        ("2", 3.5, 3.0, "tie", None),
        ("3", 2.0, 1.0, "outcome", None),
        ("4", 1.0, 2.0, "outcome", "teacher_worse"),
        ("5", None, None, "outcome", "no_teacher_syntax"),
    ]
    assert counts == {
        "kept outcome": 2,
        "kept tie": 1,
        "dropped teacher_worse": 1,
        "dropped no_teacher_syntax": 1,
    }


@pytest.mark.parametrize(("tea", "stu"), itertools.product(OUTCOMES[1:], OUTCOMES))
def test_all_pairs_of_outcomes(tea, stu):
    rows, _ = ranked([task("a")], {"a": [BY_OUTCOME[tea]]}, {"a": [BY_OUTCOME[stu] + "\n"]})
    (row,) = rows
    better = OUTCOMES.index(tea) - OUTCOMES.index(stu)
    if better < 0:
        assert row["dropped"] == "teacher_worse"
    elif better == 0:
        assert (row["dropped"], row["reason"], row["score_chosen"] - row["score_rejected"]) == (
            "same",
            "tie",
            0.5,
        )
    else:
        assert (row["dropped"], row["reason"], row["score_chosen"] - row["score_rejected"]) == (
            None,
            "outcome",
            better,
        )


def test_the_best_of_several_counts_and_of_equal_ones_the_first():
    other = "```python\ndef f(x):\n    return -~x\n```"
    rows, _ = ranked(
        [task("a")],
        {"a": [BY_OUTCOME["some_pass"], BY_OUTCOME["all_pass"], other]},
        {"a": [BY_OUTCOME["compile_error"], BY_OUTCOME["some_pass"], "I am sorry."]},
    )
    assert [row["id"] for row in rows] == ["a/0", "a/1", "a/2"]
    assert {row["chosen"] for row in rows} == {"def f(x):\n    return x + 1\n"}
    assert [row["score_rejected"] for row in rows] == [0.0, 2.0, 0.0]
    assert rows[2]["rejected"] == "I am sorry."


def test_one_better_student_drops_the_prompt():
    rows, _ = ranked(
        [task("a")],
        {"a": [BY_OUTCOME["some_pass"]]},
        {"a": [BY_OUTCOME["compile_error"], BY_OUTCOME["all_pass"]]},
    )
    assert [row["dropped"] for row in rows] == ["teacher_worse"] * 2


@pytest.mark.parametrize(
    ("said", "dropped"),
    [
        ("", "no_teacher_no_answer"), ("I am sorry, no.", "no_teacher_refusal"),
        ("Just add one.", "no_teacher_no_code"),
        ("```java\nint f;\n```", "no_teacher_not_python"), ("```\nx = 1\n```", "no_teacher_no_function"),
        ("```\ndef g(x): return x\n```", "no_teacher_entry_point"),
        (f"```python\ndef f(x):\n    return x + 1\n{'# long ' * 2000}\n```", "no_teacher_too_long"),
    ],
)  # fmt: skip
def test_cleaning_by_the_teachers_answer(said, dropped):
    rows, _ = ranked([task("a")], {"a": [said]}, {"a": [BY_OUTCOME["all_pass"]]})
    assert [row["dropped"] for row in rows] == [dropped]


def test_tasks_without_answers():
    rows, _ = ranked(
        [task("a"), task("b"), task("c", dropped="no_tests")],
        {"b": [BY_OUTCOME["all_pass"]]},
        {"a": [BY_OUTCOME["all_pass"]]},
    )
    assert [(row["prompt_id"], row["dropped"]) for row in rows] == [
        ("a", "no_teacher_no_answer"),
        ("b", "no_student"),
    ]


def test_a_teacher_may_have_to_reach_a_score():
    config = RankingConfig(min_teacher=3)
    rows, _ = ranked(
        [task("a")], {"a": [BY_OUTCOME["some_pass"]]}, {"a": [BY_OUTCOME["compile_error"]]}, config
    )
    assert rows[0]["dropped"] == "no_chosen"


def test_a_leak_in_the_teachers_code_drops_the_pair():
    rows, counts = ranked(
        [task("a"), task("b")],
        {"a": [BY_OUTCOME["all_pass"]], "b": [BY_OUTCOME["some_pass"]]},
        {"a": [BY_OUTCOME["some_pass"]], "b": [BY_OUTCOME["runtime_error"]]},
        leaks=lambda texts: [["s/1"] if "Task a." in text and "x + 1" in text else [] for text in texts],
    )
    assert [row["dropped"] for row in rows] == ["leak", None]
    assert counts == {"dropped leak": 1, "kept outcome": 1}


def test_scores_are_the_recipes():
    config = RankingConfig(scores=(-1.0, 0.0, 0.5, 1.0), tie=0.25)
    rows, _ = ranked(
        [task("a")],
        {"a": [BY_OUTCOME["all_pass"]]},
        {"a": ["```\ndef f(x): return 1 + x\n```", BY_OUTCOME["some_pass"]]},
        config,
    )
    assert [(row["score_chosen"], row["score_rejected"]) for row in rows] == [(1.25, 1.0), (1.0, 0.5)]


@pytest.mark.parametrize(
    "config", [{"scores": (0, 1, 1, 2)}, {"scores": (3, 2, 1, 0)}, {"tie": 1.0}, {"tie": -0.1}]
)
def test_scores_that_do_not_order(config):
    with pytest.raises(ValueError, match="expected"):
        RankingConfig(**config)


def test_what_is_run():
    tasks = [task("a", setup="import math"), task("b", dropped="no_tests")]
    given_ = [
        Answer("a", 0, BY_OUTCOME["all_pass"], "", "m", 0, 0),
        Answer("a", 1, "no", "", "m", 0, 0),
        Answer("b", 0, BY_OUTCOME["all_pass"], "", "m", 0, 0),
    ]
    table, counts = responses(tasks, given_, STUDENT, ASKED, ResponseConfig(), len)
    assert counts == {"student usable": 2, "student no_code": 1}
    assert table["temperature"].to_pylist() == [0.25] * 3
    assert table["id"].to_pylist() == ["a/student/0", "a/student/1", "b/student/0"]
    judge = FakeJudge()
    done, counts = judged(table, tasks, judge)
    assert [(t.entry_point, t.tests, t.setup) for t in judge.trials] == [("f", tuple(TESTS), "import math")]
    assert done["outcome"].to_pylist() == ["all_pass", "compile_error", None]
    assert done["n_pass"].to_pylist() == [2, 0, None]
    assert done["n_tests"].to_pylist() == [2, 2, None]
    assert counts == {"student all_pass": 1, "student compile_error": 1}


def test_prompts_are_the_published_evaluation_prompt():
    prompts = response_prompts([task("a"), task("b", dropped="no_tests")])
    assert [(one.id, one.messages) for one in prompts] == [("a", (("user", '"""\nTask a.\n"""\ndef f(x):'),))]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20))
def test_a_docstring_is_one_and_says_the_text(text):
    import ast

    (node,) = ast.parse(docstring(text)).body
    assert node.value.value == f"\n{text}\n"


def test_the_training_format():
    assert training_text("Add.", "\ndef f():\n    pass\n\n") == '"""\nAdd.\n"""\ndef f():\n    pass\n'
    assert evaluation_prompt("Add.", "def f():") == '"""\nAdd.\n"""\ndef f():'


def some_pairs():
    rows, _ = ranked(
        [task("a"), task("b")],
        {"a": [BY_OUTCOME["all_pass"]], "b": [BY_OUTCOME["some_pass"]]},
        {
            "a": [BY_OUTCOME["some_pass"], "```\ndef f(x): return 1 + x\n```"],
            "b": [BY_OUTCOME["runtime_error"]],
        },
    )
    return rows


def test_rrhf_takes_the_teacher_as_the_best():
    """RRHF trains on argmax(scores), the first of equal ones (GanjinZero/RRHF, train.py)."""
    records = [orjson.loads(line) for line in rrhf_lines(some_pairs())]
    assert [list(one) for one in records] == [["query", "responses", "scores"]] * 2
    assert [one["scores"] for one in records] == [[3.5, 2.0, 3.0], [2.0, 1.0]]
    for one in records:
        assert one["scores"].index(max(one["scores"])) == 0
        assert len(one["scores"]) == len(one["responses"])
    assert records[0]["responses"][0] == "def f(x):\n    return x + 1\n"
    assert records[0]["query"] + records[0]["responses"][0] == training_text(
        "Task a.", "def f(x):\n    return x + 1"
    )


def test_training_texts_are_one_per_task():
    records = [json.loads(line) for line in training_lines(some_pairs())]
    assert [one["id"] for one in records] == ["a", "b"]
    assert records[1]["text"] == '"""\nTask b.\n"""\ndef f(x):\n    return 2\n'


def log_prob(text):
    """A toy model: a character's log-probability is a function of the character alone."""
    return [-(1 + ord(c) % 7) / 3 for c in text]


def slow_loss(tasks, answers, config):
    """The paper's loss from answers and outcomes: L = L_rank + L_ft, over pairs with the teacher's answer."""
    rank = tuned = 0.0
    for name in tasks:
        (tea,) = [a for a in answers if a[0] == name and a[1] == TEACHER]
        for stu in [a for a in answers if a[0] == name and a[1] == STUDENT]:
            r_tea, r_stu = config.score(tea[3]), config.score(stu[3])
            r_tea += config.tie if r_tea == r_stu else 0
            p_tea, p_stu = (sum(log_prob(a[2])) / len(a[2]) for a in (tea, stu))
            rank -= (r_tea - r_stu) * min(0.0, p_tea - p_stu) if r_tea > r_stu else 0.0
            tuned -= sum(log_prob(tea[2]))
    return rank + tuned


def record_loss(lines):
    """The same from RRTF records alone."""
    rank = tuned = 0.0
    for line in lines:
        one = json.loads(line)
        p_tea, p_stu = (sum(log_prob(one[y])) / len(one[y]) for y in ("y_tea", "y_stu"))
        if one["r_tea"] > one["r_stu"]:
            rank -= (one["r_tea"] - one["r_stu"]) * min(0.0, p_tea - p_stu)
        tuned -= sum(log_prob(one["y_tea"]))
    return rank + tuned


def test_the_records_suffice_for_the_loss():
    config = RankingConfig()
    answers = [
        ("a", TEACHER, "def f(x):\n    return x + 1\n", "all_pass"),
        ("a", STUDENT, "def f(x):\n    return 2\n", "some_pass"),
        ("a", STUDENT, "def f(x): return 1 + x\n", "all_pass"),
        ("b", TEACHER, "def f(x):\n    return 2\n", "some_pass"),
        ("b", STUDENT, "def f(x):\n    return x.nothing\n", "runtime_error"),
    ]
    loss = record_loss(rrtf_lines(some_pairs()))
    assert math.isclose(loss, slow_loss(["a", "b"], answers, config))
    assert loss > 0
    records = [json.loads(line) for line in rrtf_lines(some_pairs())]
    assert list(records[0]) == ["id", "x", "y_tea", "y_stu", "r_tea", "r_stu"]
    assert records[0]["x"] + records[0]["y_tea"] == training_text("Task a.", answers[0][2])
    without_tie = [json.dumps(one | {"r_tea": math.floor(one["r_tea"])}) for one in records]
    assert record_loss(without_tie) != loss
