"""Models as steps ask them: roles played by others, costs, what a recording lacks."""

from __future__ import annotations

import json

import pytest

from columns.errors import EnvironmentProblem, InputError
from columns.files import Place
from instruct.models import Answer, Budget, Cost, ModelConfig, Prompt, answer_key, estimated_tokens
from instruct.sandbox import Limits, Trial
from pipelines.instruction.asking import Asking, asking, highest_cost, player
from pipelines.instruction.judging import judging
from pipelines.instruction.steps import Context, ModelAccess
from tests.instruct.models.chatserver import serving

ASKED = ModelConfig("m", temperature=0.2, top_p=0.95, max_tokens=16, seed=5, samples=2)
PROMPTS = [Prompt(f"p{n}", (("user", f"question {n}"),)) for n in range(3)]


def context(place, said=None, budget=None, **sources):
    models = ModelAccess(sources, budget=budget or Budget())
    return Context(Place(str(place)), 1, None, {}, models, say=(said if said is not None else []).append)


def record(path, prompts, samples=(0, 1)):
    lines = [
        {"key": answer_key(one, ASKED, ix), "text": f"{one.id}/{ix}"} for one in prompts for ix in samples
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_a_whole_recording_says_nothing(tmp_path):
    said = []
    source = record(tmp_path / "r.jsonl", PROMPTS)
    with asking(context(tmp_path / "out", said, oracle=source), "oracle", ASKED) as model:
        answers = model.answer(PROMPTS)
        assert model.config == ASKED
    assert [one.text for one in answers] == [f"p{n}/{ix}" for n in range(3) for ix in (0, 1)]
    assert (said, model.counts) == ([], {})
    assert not (tmp_path / "out").exists()


class Flaky:
    """A model whose server answers some prompts."""

    config = ASKED

    def __init__(self, *problems):
        self.problems = problems

    def answer(self, prompts):
        return [
            Answer(one.id, 0, "", problem, "m", 0, 0)
            for one, problem in zip(prompts, self.problems, strict=True)
        ]


def test_a_step_whose_every_request_failed_is_not_finished(tmp_path):
    said = []
    place = context(tmp_path / "out", said)
    with pytest.raises(EnvironmentProblem, match="oracle: none of 3 requests had a usable answer"):
        Asking(Flaky("failed", "not_json", "failed"), place, "oracle").answer(PROMPTS)
    some = Asking(Flaky("failed", "", "refused"), place, "oracle")
    assert [one.problem for one in some.answer(PROMPTS)] == ["failed", "", "refused"]
    assert some.counts == {"answer failed": 1, "answer refused": 1}
    assert len(said) == 1
    assert said[0].startswith("oracle: 1 of 3 requests had no usable answer")
    assert Asking(Flaky(), place, "oracle").answer([]) == []


def test_what_a_recording_lacks_is_written_as_requests(tmp_path):
    said = []
    source = record(tmp_path / "r.jsonl", PROMPTS[:2])
    with asking(context(tmp_path / "out", said, oracle=source), "oracle", ASKED) as model:
        answers = model.answer(PROMPTS)
    assert [one.problem for one in answers] == [""] * 4 + ["not_recorded"] * 2
    assert model.counts == {"answer not_recorded": 2}
    assert "2 of 6 answers are not recorded" in said[0]
    assert "requests-oracle.jsonl" in said[0]
    requests = [
        json.loads(line) for line in (tmp_path / "out" / "requests-oracle.jsonl").read_text().splitlines()
    ]
    assert [one["custom_id"] for one in requests] == [answer_key(PROMPTS[2], ASKED, ix) for ix in (0, 1)]


def test_a_recording_of_something_else_is_refused_and_says_what_was_asked(tmp_path):
    source = record(tmp_path / "r.jsonl", [Prompt("x", (("user", "other"),))])
    with (
        asking(context(tmp_path / "out", oracle=source), "oracle", ASKED) as model,
        pytest.raises(InputError) as told,
    ):
        model.answer(PROMPTS)
    assert "6 of 6 answers are not recorded" in told.value.what
    assert "temperature=0.2" in told.value.hint


def test_no_prompts_are_no_problem(tmp_path):
    (tmp_path / "r.jsonl").write_text("")
    with asking(context(tmp_path, oracle=str(tmp_path / "r.jsonl")), "oracle", ASKED) as model:
        assert model.answer([]) == []


def test_live_answers_are_recorded_beside_the_dataset(tmp_path):
    said = []
    with serving() as server:
        for _ in range(2):
            with asking(context(tmp_path, said, oracle=server.url), "oracle", ASKED) as model:
                answers = model.answer(PROMPTS)
        assert len(server.asked) == 6
    assert [one.text for one in answers[::2]] == ["QUESTION 0", "QUESTION 1", "QUESTION 2"]
    assert (tmp_path / "answers.jsonl").read_text().count("\n") == 6
    assert len(said) == 1
    assert said[0].startswith("m: 6 requests")


def test_a_role_without_a_model_is_played_by_another_with_its_key(tmp_path, monkeypatch):
    assert player(context(tmp_path, teacher="t.jsonl"), "tester", "teacher") == "teacher"
    assert player(context(tmp_path, teacher="t.jsonl", tester="x.jsonl"), "tester", "teacher") == "tester"
    assert player(context(tmp_path), "tester", "") == "tester"
    monkeypatch.setenv("THRESHER_TEACHER_KEY", "sk-of-the-teacher")
    with serving() as server:
        with asking(context(tmp_path, teacher=server.url), "tester", ASKED, "teacher") as model:
            model.answer(PROMPTS[:1])
        assert {one["Authorization"] for one in server.headers} == {"Bearer sk-of-the-teacher"}
    assert "sk-of-the-teacher" not in (tmp_path / "answers.jsonl").read_text()


def test_costs_are_of_live_models_alone(tmp_path):
    budget = Budget(price_in=1.0, price_out=10.0)
    one = context(tmp_path, budget=budget, live="http://127.0.0.1:1/v1", kept="r.jsonl")
    assert highest_cost(one, "kept", ASKED, PROMPTS) == Cost()
    assert highest_cost(one, "absent", ASKED, PROMPTS) == Cost()
    read = 3 * 2 * 4 * estimated_tokens(PROMPTS[0])
    assert highest_cost(one, "live", ASKED, PROMPTS, 4) == Cost(
        24, read, 24 * 16, (read + 10 * 24 * 16) / 1e6
    )


def test_a_part_without_programs_starts_no_sandbox(tmp_path, monkeypatch):
    monkeypatch.setattr(Context, "sandbox", lambda *_, **__: pytest.fail("started"))
    with judging(context(tmp_path), Limits(), programs=False) as judge:
        assert list(judge.judge([])) == []
        with pytest.raises(AssertionError):
            list(judge.judge([Trial("", "f", ("assert f()",))]))
