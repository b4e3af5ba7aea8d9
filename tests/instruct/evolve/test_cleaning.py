"""Cleaning: every rule alone, their order, and the leak check on real benchmarks."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from contamination import load_suite
from instruct.evolve import (
    CLEANED,
    EVOLVED,
    RULES,
    CleaningConfig,
    LeakCheck,
    LeakConfig,
    clean,
    is_refusal,
    normalised,
)


@pytest.fixture(scope="module")
def humaneval():
    return load_suite("humaneval")


@pytest.fixture(scope="module")
def check():
    return LeakCheck(LeakConfig())


def tasks(*texts, dropped=None):
    rows = [
        {"id": f"t{n}", "round": 1, "instruction": text, "dropped": dropped} for n, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=EVOLVED)


def cleaned(*texts, leaks=lambda texts: [[] for _ in texts], **config):
    table, counts = clean(tasks(*texts), CleaningConfig(**config), tokens=len, leaks=leaks)
    assert table.schema == CLEANED
    assert table.num_rows == len(texts) == sum(counts.values())
    return table["dropped"].to_pylist()


GOOD = "Write a Python function that returns the sum of all even numbers in a list."


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        (GOOD, None),
        ("", "no_answer"),
        (" \n ", "no_answer"),
        ("Sort the list.", "too_short"),
        ("one two three four five", None),
        (f"{GOOD} (rewritten task)", "forbidden"),
        (f"{GOOD} #GIVEN TASK#", "forbidden"),
        ("I am sorry, but I cannot rewrite this for you.", "refusal"),
        ("As an AI language model I would rather not do it.", "refusal"),
        ("As a language model I would rather not do it.", "refusal"),
        (f"Print sorry for each line of the file. {'word ' * 90}", None),
        ("Write a JavaScript function that sorts an array.", "not_python"),
        ("Write a program in C++ that sorts an array.", "not_python"),
        ("Write a program in C that sorts an array.", "not_python"),
        ("Write a class in C# that sorts an array.", "not_python"),
        ("Write a function in Go that sorts an array.", "not_python"),
        ("Create an SQL query that counts all users.", "not_python"),
        ("Write a Python function that writes an SQL query.", None),
        ("Find how far you can go with five coins.", None),
        ("Let the pawns go where swift rubies rust for vitamin C.", None),
        (GOOD + " x" * 8200, "too_long"),
    ],
)
def test_a_rule_alone(text, dropped):
    assert cleaned(text) == [dropped]


def test_the_limit_of_tokens_itself():
    config = {"max_tokens": 30, "rules": ("too_long",)}
    assert cleaned("x" * 30, "x" * 31, **config) == [None, "too_long"]


def test_the_first_of_equal_tasks_stays():
    table, _ = clean(
        tasks(GOOD, "something else entirely, with words", GOOD.upper().replace(" ", "  ") + "!!"),
        CleaningConfig(),
        tokens=len,
        leaks=lambda texts: [[] for _ in texts],
    )
    assert table["dropped"].to_pylist() == [None, None, "duplicate"]
    assert table["duplicate_of"].to_pylist() == [None, None, "t0"]


def test_a_near_copy_goes_and_a_cousin_stays():
    near = GOOD.replace("all even", "all odd")
    far = GOOD.replace("sum of all even numbers in a list", "longest word of a text")
    assert cleaned(GOOD, near, far, near_words=1) == [None, "near_duplicate", None]
    assert cleaned(GOOD, near, near_words=1, near_threshold=0.95) == [None, None]


def test_what_is_dropped_drops_nothing_else():
    bad = GOOD + " sorry"
    assert cleaned(bad, GOOD) == ["refusal", None]


def test_earlier_verdicts_stand():
    table, counts = clean(
        tasks(GOOD, dropped="seed"), CleaningConfig(), tokens=len, leaks=lambda texts: [[] for _ in texts]
    )
    assert table["dropped"].to_pylist() == ["seed"]
    assert counts == {"dropped seed": 1, "kept": 0}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_not_asked_for_drops_nothing(rule):
    texts = [
        "",
        "x y",
        f"{GOOD} given task",
        "sorry, no, not now, no",
        "Write it in Java, all of it",
        GOOD,
        GOOD,
        f"{GOOD} now",
        "x " * 9000,
    ]
    left = tuple(name for name in RULES if name != rule)
    assert rule not in cleaned(*texts, leaks=lambda texts: [["s/1"] for _ in texts], rules=left, near_words=1)


def test_all_rules_together_are_counted_once_each():
    texts = [
        "",
        "x y",
        f"{GOOD} given task",
        "sorry, no, not now, no",
        "Write it in Java, all of it",
        GOOD,
        GOOD,
        f"{GOOD} now",
        "z x y w v " * 1700,
        "A leaked task about special things.",
    ]
    dropped = cleaned(
        *texts, leaks=lambda texts: [["s/1"] if "leaked" in text else [] for text in texts], near_words=1
    )
    assert Counter(dropped) == {None: 1} | dict.fromkeys(RULES, 1)


@pytest.mark.parametrize("config", [{"rules": ("nonsense",)}, {"near_threshold": 0}, {"near_words": 0}])
def test_configurations_that_mean_nothing(config):
    with pytest.raises(ValueError, match="expected"):
        CleaningConfig(**config)


@given(st.lists(st.text("ab #ñ\nсorry", max_size=40), max_size=8))
def test_no_text_raises_and_no_row_is_lost(texts):
    assert len(cleaned(*texts)) == len(texts)


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(text):
    assert normalised(normalised(text)) == normalised(text)


def test_a_refusal_of_eighty_words_is_none():
    assert is_refusal("sorry " + "x " * 78)
    assert not is_refusal("sorry " + "x " * 79)


def test_a_planted_task_is_found_and_named(humaneval, check):
    """Every task of HumanEval, its prompt in the middle of an instruction."""
    planted = [f"Solve this in Python, please.\n\n{task.prompt}\n\nBe quick." for task in humaneval.tasks]
    found = check.tasks(planted)
    assert [
        f"humaneval/{task.id}" in names for task, names in zip(humaneval.tasks, found, strict=True)
    ].count(True) == 164


def test_solutions_are_found_too(humaneval, check):
    task = humaneval.tasks[32]
    assert f"humaneval/{task.id}" in check.tasks([f"Improve this:\n```python\n{task.solutions[0]}\n```"])[0]


def test_innocent_tasks_are_not_accused(check):
    innocent = [
        GOOD,
        "Write a function is_prime(n) that says whether n is a prime number.",
        "Given a list of intervals, merge those that overlap and return the rest sorted by start.",
        "Return the n-th Fibonacci number, using O(log n) multiplications.",
        "Count the vowels in a text and return the counts as a dictionary.",
        "",
    ]
    assert check.tasks(innocent) == [[]] * len(innocent)


def test_the_rule_marks_the_row_and_names_the_task(humaneval, check):
    texts = (GOOD, f"Solve it.\n{humaneval.tasks[7].prompt}")
    table, counts = clean(tasks(*texts), CleaningConfig(), tokens=len, leaks=check.tasks)
    assert table["dropped"].to_pylist() == [None, "leak"]
    assert table["leaks"].to_pylist() == [[], ["humaneval/HumanEval/7"]]
    assert counts["dropped leak"] == 1


def test_mbpp_from_a_path(shared):
    path = shared / "data" / "benchmarks" / "mbpp" / "mbpp.jsonl.gz"
    suite = load_suite(f"mbpp:{path}")
    found = LeakCheck(LeakConfig((f"mbpp:{path}",))).tasks(
        [f"{suite.tasks[9].prompt}\n{suite.tasks[9].solutions[0]}\n{suite.tasks[9].tests}", GOOD]
    )
    assert f"mbpp/{suite.tasks[9].id}" in found[0]
    assert found[1] == []


def test_a_suite_that_is_not_there():
    with pytest.raises(InputError):
        LeakCheck(LeakConfig(("mbpp:absent.jsonl",)))


def test_no_suites_find_nothing(humaneval):
    assert LeakCheck(LeakConfig(())).tasks([humaneval.tasks[0].prompt]) == [[]]
