"""Orders and ties: the best answer and its pairs depend on outcomes and samples, never on the order of rows."""

from __future__ import annotations

import itertools
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.ranking import OUTCOMES, STUDENT, TEACHER, RankingConfig, pairs, rrhf_lines, rrtf_lines
from instruct.ranking.preference import best

TASK = {"id": "t", "instruction": "Add.", "signature": "def f(x):", "dropped": None}


def answer(role, ix, outcome, problem=None):
    code = f"def f(x): return {role!r}, {ix}"
    more = {"text": code, "code": code, "outcome": outcome, "problem": problem}
    return {"prompt_id": "t", "role": role, "sample_ix": ix, **more}


OUTCOME_LISTS = st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4)


def answers_of(teachers, students):
    return [
        *(answer(TEACHER, ix, one) for ix, one in enumerate(teachers)),
        *(answer(STUDENT, ix, one) for ix, one in enumerate(students)),
    ]


def ranked(answers, config=RankingConfig(), leaks=lambda texts: [[] for _ in texts]):  # noqa: B008
    return pairs([TASK], answers, config, leaks)[0].to_pylist()


@given(OUTCOME_LISTS, OUTCOME_LISTS, st.randoms(use_true_random=False))
def test_the_order_of_answers_changes_nothing(teachers, students, chance):
    answers = answers_of(teachers, students)
    shuffled = chance.sample(answers, len(answers))
    assert ranked(shuffled) == ranked(answers)


@given(OUTCOME_LISTS, OUTCOME_LISTS)
def test_as_the_slow_twin(teachers, students):
    """PanGu-Coder2, section 3.4, said once more: the best teacher against each student."""
    ranks = [OUTCOMES.index(one) for one in teachers], [OUTCOMES.index(one) for one in students]
    top = max(ranks[0])
    found = ranked(answers_of(teachers, students))
    assert [row["id"] for row in found] == [f"t/{ix}" for ix in range(len(students))]
    assert {row["chosen"] for row in found} == {f"def f(x): return 'teacher', {ranks[0].index(top)}"}
    for row, rank in zip(found, ranks[1], strict=True):
        assert row["score_rejected"] == rank
        assert row["score_chosen"] == top + (0.5 if rank == top else 0)
        assert row["reason"] == ("tie" if rank == top else "outcome")
        assert row["dropped"] == ("teacher_worse" if max(ranks[1]) > top else None)


@given(OUTCOME_LISTS)
def test_of_equal_answers_the_first_sample_is_best(outcomes):
    answers = [answer(TEACHER, ix, one) for ix, one in enumerate(outcomes)]
    found = best(answers[::-1], RankingConfig())
    rank = max(OUTCOMES.index(one) for one in outcomes)
    assert found["sample_ix"] == outcomes.index(OUTCOMES[rank])
    assert best([], RankingConfig()) is None


@given(OUTCOME_LISTS, OUTCOME_LISTS)
def test_kept_pairs_always_order_and_their_records_say_the_same(teachers, students):
    kept = [row for row in ranked(answers_of(teachers, students)) if row["dropped"] is None]
    assert all(row["score_chosen"] > row["score_rejected"] for row in kept)
    rrtf = [orjson.loads(line) for line in rrtf_lines(kept)]
    assert [(one["r_tea"], one["r_stu"]) for one in rrtf] == [
        (row["score_chosen"], row["score_rejected"]) for row in kept
    ]
    for one in map(orjson.loads, rrhf_lines(kept)):
        assert one["scores"][0] == max(one["scores"])
        assert len(one["scores"]) == len(one["responses"]) == len(kept) + 1


@pytest.mark.parametrize(
    ("scores", "tie"),
    [
        ((0, 1, math.nan, 3), 0.5), ((math.nan, 1, 2, 3), 0.5), ((0, 1, 2, math.inf), 0.5),
        ((-math.inf, 1, 2, 3), 0.5), ((0, 1, 2), 0.5), ((0, 1, 2, 3), math.nan), ((0, 1, 2, 2.25), 0.25),
    ],
)  # fmt: skip
def test_scores_without_an_order_are_refused(scores, tie):
    """A NaN or an infinite score would be null in the records."""
    with pytest.raises(ValueError, match="expected"):
        RankingConfig(scores=scores, tie=tie)


@given(st.lists(st.integers(-50, 50), min_size=4, max_size=4, unique=True).map(sorted))
def test_a_tie_never_reaches_the_next_score(scores):
    least = min(after - before for before, after in itertools.pairwise(scores))
    config = RankingConfig(scores=tuple(map(float, scores)), tie=least * 0.99)
    told = [config.score(one) for one in OUTCOMES]
    assert told == scores
    assert all(before + config.tie < after for before, after in itertools.pairwise(told))


def test_a_tie_that_adds_nothing_is_a_tie_all_the_same():
    found = ranked(answers_of(["all_pass"], ["all_pass"]), RankingConfig(tie=0.0))
    assert (found[0]["reason"], found[0]["score_chosen"], found[0]["score_rejected"]) == ("tie", 3.0, 3.0)


@pytest.mark.parametrize("limit", [0.0, 2.0, 2.5, 3.0, 3.5])
def test_the_teachers_least_score_is_without_the_tie(limit):
    found = ranked(answers_of(["all_pass"], ["all_pass"]), RankingConfig(min_teacher=limit))
    assert found[0]["dropped"] == ("no_chosen" if limit > 3 else None)


def test_an_answer_that_was_not_run_is_none():
    assert (
        ranked([answer(TEACHER, 0, None), answer(STUDENT, 0, "all_pass")])[0]["dropped"]
        == "no_teacher_no_answer"
    )
    assert ranked([answer(TEACHER, 0, "all_pass"), answer(STUDENT, 0, None)])[0]["dropped"] == "no_student"


def test_a_teacher_with_a_problem_gives_way_to_a_worse_one_without():
    answers = [
        answer(TEACHER, 0, "all_pass", "too_long"),
        answer(TEACHER, 1, "some_pass"),
        answer(STUDENT, 0, "some_pass"),
    ]
    found = ranked(answers)
    assert (found[0]["chosen"], found[0]["reason"]) == ("def f(x): return 'teacher', 1", "tie")
    alone = ranked([answers[0], answers[2]])
    assert (alone[0]["dropped"], alone[0]["chosen"]) == ("no_teacher_too_long", None)


def test_leaks_are_asked_of_kept_pairs_alone():
    asked = []

    def leaks(texts):
        asked.extend(texts)
        return [["s/1"]] * len(texts)

    assert [row["dropped"] for row in ranked(answers_of(["some_pass"], ["all_pass"]), leaks=leaks)] == [
        "teacher_worse"
    ]
    assert asked == []
    assert [row["dropped"] for row in ranked(answers_of(["all_pass"], ["some_pass"]), leaks=leaks)] == [
        "leak"
    ]
    assert asked == ["Add.\n\ndef f(x): return 'teacher', 0"]
