"""Whatever models answer, and in whatever order: sums that add up, slow twins, and the same rows."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.hashing import unit_hash
from instruct.models import Answer
from instruct.selfinstruct import (
    QuestionConfig,
    Source,
    candidates,
    first_passing,
    llama_chat,
    mixed,
    parse_tests,
    question_tests,
    questions,
    triple_turns,
)
from tests.instruct.ranking.fakejudge import FakeJudge
from tests.instruct.selfinstruct.test_triples import BAD, BROKEN, RIGHT, TESTS, WRONG, with_tests

CALLS = st.sampled_from(["f(1)", "f(2)", "f(-1, 'a')", "f([1, 2])", "f(f(1))"])
HEADS = st.sampled_from(["# Test case {}:\n", "#test case {}\n", "  # Test case: {}\n"])
FRAMES = st.sampled_from(["[TESTS]\n{}[/TESTS]", "Sure!\n```python\n{}```", "[TESTS]{}", "{}"])


@given(
    st.lists(st.tuples(CALLS, st.integers(0, 9)), min_size=1, max_size=8), HEADS, FRAMES, st.integers(1, 9)
)
def test_tests_come_back_from_every_frame(cases, head, frame, most):
    lines = [f"assert {call} == {value}" for call, value in cases]
    body = "".join(head.format(n).lstrip() + line + "\n" for n, line in enumerate(lines, 1))
    found = parse_tests(frame.format(body), most)
    assert (found.entry_point, found.problem) == ("f", "")
    assert found.tests == tuple(dict.fromkeys(lines))[:most]


@pytest.mark.parametrize(
    ("text", "name", "many"),
    [
        ("assert f(h(1), h(2), h(3)) == 1\nassert f(1) == 1\nassert f(2) == 2", "f", 2),
        ("assert all(a(x) for a in (abs, int) for x in [f(1)])\nassert f(2) == 2", "f", 2),
        ("assert (lambda a: a(1))(f) == 1\nassert f(2) == 2", "f", 2),
        ("assert f(1) == g(1)\nassert g(1) == 1\nassert g(2) == 2", "g", 2),
    ],
    ids=range(4),
)
def test_the_function_that_most_assertions_call_is_the_one_that_is_tested(text, name, many):
    found = parse_tests(text)
    assert (found.entry_point, len(found.tests), found.problem) == (name, many, "")


LINES = st.sampled_from(["add two whole numbers", "sort a list of words", "too short", "this one is a leak"])


def asked(answers):
    def leaks(texts):
        return [["s/1"] if "leak" in text else [] for text in texts]

    table, counts = questions(answers, QuestionConfig(), leaks)
    return table.to_pylist(), counts


@given(st.lists(st.lists(LINES, max_size=3), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_what_is_kept_of_questions_does_not_depend_on_the_order_of_calls(calls, chance):
    texts = ["\n".join(f"{n}. {one}" for n, one in enumerate(lines, 1)) for lines in calls]
    answers = [Answer("easy", ix, text, "", "m", 0, 0) for ix, text in enumerate(texts)]
    rows, counts = asked(answers)
    again, counted = asked(chance.sample(answers, len(answers)))
    assert {row["id"] for row in rows if not row["dropped"]} == {
        row["id"] for row in again if not row["dropped"]
    }
    assert counts == counted
    written = Counter(one for lines in calls for one in lines)
    assert Counter(row["question"] for row in rows) == written
    assert counts["dropped duplicate"] == written.total() - len(written)
    assert counts["dropped leak"] == ("this one is a leak" in written)
    assert counts["dropped too_short"] == ("too short" in written)
    assert counts.total() == written.total() + sum(not lines for lines in calls)


SAMPLES = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.sampled_from([RIGHT, WRONG, BROKEN, BAD]), max_size=4)
)


@given(SAMPLES, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_triples_and_their_sums_do_not_depend_on_the_order_of_rows(samples, chance):
    tested = with_tests(*samples)
    given_ = [
        Answer(n, ix, text, "", "m", 0, 0) for n, texts in samples.items() for ix, text in enumerate(texts)
    ]
    table, told = candidates(tested, given_)
    assert told["usable"] == sum(text != BAD for texts in samples.values() for text in texts)
    assert told.total() == len(given_)
    tried = table.to_pylist()
    made, counts = first_passing(tested, tried, FakeJudge())
    again, counted = first_passing(
        chance.sample(tested, len(tested)), chance.sample(tried, len(tried)), FakeJudge()
    )
    assert again.sort_by("id") == made.sort_by("id")
    assert counts == counted
    upto = [texts[: texts.index(RIGHT) + 1] if RIGHT in texts else texts for texts in samples.values()]
    assert counts["run"] == sum(text != BAD for texts in upto for text in texts)
    assert made["n_tried"].to_pylist() == [len(texts) for texts in upto]
    assert counts.total() - counts["run"] == len(samples)


def test_answers_to_a_question_are_read_until_one_is_of_use():
    rows = [{"id": n, "question": "Some.", "dropped": None} for n in "ab"]
    few = "[TESTS]\nassert f(1) == 2\n[/TESTS]"
    answers = [Answer("b", ix, text, "", "m", 0, 0) for ix, text in enumerate(["", few, TESTS, few])]
    table, counts = question_tests(rows, [*answers, Answer("a", 0, few, "", "m", 0, 0)], 5, 2)
    assert table["dropped"].to_pylist() == ["no_tests", None]
    assert table["tests_text"].to_pylist() == [few, TESTS]
    assert counts == {"kept": 1, "dropped no_tests": 1, "tests": 3}


def test_braces_and_signs_of_formats_are_text_like_any_other():
    odd = "{0} {tests} %s \\1 {{x}}"
    turns = triple_turns({"question": odd, "tests": [f"assert f() == {odd!r}"], "solution": f"x = {odd!r}"})
    assert f"\n\n{odd}\n\nassert f() == {odd!r}" in turns[0][1]
    assert turns[1][1] == f"[PYTHON]\nx = {odd!r}\n[/PYTHON]"
    assert odd in llama_chat(turns)


def drawn(source, target, seed):
    """The slow twin: whole passes in the order of their hashes, cut where the sum is nearest to the target."""
    rows, sums = [], [0]
    for epoch in range(1 + int(2 * target) // len(source.ids)):
        at = {
            one: unit_hash(f"mixture/{seed}/{source.name}/{epoch}", [one.encode()])[0] for one in source.ids
        }
        rows += [(one, epoch) for one in sorted(source.ids, key=at.get)]
    for one, _ in rows:
        sums.append(sums[-1] + source.tokens[source.ids.index(one)])
    return rows[: min(range(len(sums)), key=lambda size: abs(sums[size] - target))]


SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=5)


@given(SIZES, SIZES, SIZES, st.sampled_from([0.0, 0.05, 0.25]), st.integers(0, 2))
@settings(max_examples=60)
def test_a_draw_is_that_of_its_slow_twin_whatever_else_is_mixed(main, one, other, share, seed):
    whole = Source("m", [f"m{n}" for n in range(len(main))], main)
    parts = [(Source(name, [f"{name}{n}" for n in range(len(sizes))], sizes), share) for name, sizes in
             (("a", one), ("b", other))]  # fmt: skip
    table = mixed(whole, parts, seed).to_pylist()
    turned = mixed(whole, parts[::-1], seed).to_pylist()
    for source, _ in parts:
        rows = [(row["id"], row["epoch"]) for row in table if row["source"] == source.name]
        assert rows == drawn(source, share * sum(main) / (1 - 2 * share), seed)
        assert rows == [(row["id"], row["epoch"]) for row in turned if row["source"] == source.name]
