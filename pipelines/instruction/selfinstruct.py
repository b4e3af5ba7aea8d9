"""Code Llama - Instruct: questions, tests and solutions of a model's own, chat turns, rehearsal (arXiv 2308.12950)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import orjson
import pyarrow as pa

from instruct.evolve import LeakCheck, LeakConfig
from instruct.models import Cost, ModelConfig, Prompt
from instruct.ranking import UnitTestConfig
from instruct.sandbox import Limits
from instruct.selfinstruct import (
    CANDIDATE,
    DRAWN,
    QUESTION,
    TESTED_QUESTION,
    TRIPLE,
    MixtureConfig,
    QuestionConfig,
    Source,
    candidates,
    chat_lines,
    first_passing,
    llama_chat,
    messages_for_solution,
    messages_for_tests,
    mixed,
    mixture_manifest,
    question_prompts,
    question_test_prompts,
    question_tests,
    questions,
    solution_prompts,
    triple_turns,
)
from pipelines.instruction.asking import TOKENIZER, asking, highest_cost, player, token_counter
from pipelines.instruction.judging import judging
from pipelines.instruction.rehearsal import CODE, LANGUAGE, read_texts
from pipelines.instruction.steps import WHOLE, Context, Made, Step
from pipelines.instruction.systems import Needs, System

QUESTIONS, CODER, MADE = "questions", "coder", "made"
_CODE = (
    "contamination", "instruct.evolve", "instruct.models", "instruct.ranking", "instruct.selfinstruct",
    "instruct.problems", "instruct.sandbox", "pipelines.instruction.asking", "pipelines.instruction.judging",
    "pipelines.instruction.rehearsal",
    "pipelines.instruction.selfinstruct",
)  # fmt: skip
_TYPICAL = (
    "Write a function that takes a list of numbers and returns the longest run of equal ones in it. " * 2
)


@dataclass(frozen=True)
class SelfInstructConfig:
    """The recipe's section: who is asked what and how, how many tests, what is rehearsed."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    asker: ModelConfig
    tester: ModelConfig
    solver: ModelConfig
    questions: QuestionConfig = field(default_factory=QuestionConfig)
    leaks: LeakConfig = field(default_factory=LeakConfig)
    unit_tests: UnitTestConfig = field(default_factory=UnitTestConfig)
    limits: Limits = field(default_factory=Limits)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)


def asked(context: Context, _unit: int) -> Made:
    """Questions, each call a sample of its level's prompt."""
    config: SelfInstructConfig = context.config
    with asking(context, QUESTIONS, replace(config.asker, samples=config.questions.calls)) as model:
        answers = model.answer(question_prompts(config.questions))
    table, counts = questions(answers, config.questions, LeakCheck(config.leaks).tasks)
    return Made(table, counts + model.counts)


def tested(context: Context, _unit: int) -> Made:
    """Tests for every question that is left."""
    config: SelfInstructConfig = context.config
    rows = context.read_all("questions").sort_by("id").to_pylist()
    with asking(context, CODER, config.tester, QUESTIONS) as model:
        answers = model.answer(question_test_prompts(rows, config.unit_tests.count))
    table, counts = question_tests(rows, answers, config.unit_tests.count, config.unit_tests.least)
    return Made(table, counts + model.counts)


def solved(context: Context, _unit: int) -> Made:
    """Solutions for every question that has tests."""
    rows = context.read_all("tests").sort_by("id").to_pylist()
    with asking(context, CODER, context.config.solver, QUESTIONS) as model:
        answers = model.answer(solution_prompts(rows))
    table, counts = candidates(rows, answers)
    return Made(table, counts + model.counts)


def passing(context: Context, unit: int) -> Made:
    """The first solution of each question of a part that passes its tests."""
    rows = context.read("tests", unit).to_pylist()
    tried = context.read("solutions", unit).to_pylist()
    with judging(context, context.config.limits, programs=bool(tried)) as judge:
        return Made(*first_passing(rows, tried, judge))


def chatted(context: Context, _unit: int) -> Made:
    """All kept triples as chat records."""
    kept = _kept(context)
    return Made(context.read_all("triples").sort_by("id"), {}, {"chat.jsonl": chat_lines(kept)})


def rehearsed(context: Context, _unit: int) -> Made:
    """Chat texts and texts rehearsed, in shares by tokens, with the mixture's manifest."""
    config: MixtureConfig = context.config.mixture
    tokens = token_counter(context)
    texts = {MADE: {row["id"]: llama_chat(triple_turns(row)) for row in _kept(context)}}
    counts: Counter[str] = Counter()
    for role in (CODE, LANGUAGE):
        texts[role], unusable = read_texts(one.path for one in context.inputs.get(role, ()))
        counts[f"{role} rows without a text"] += unusable
    sources = {
        name: Source(name, list(found), [tokens(one) for one in found.values()])
        for name, found in texts.items()
    }
    shares = [(CODE, config.code), (LANGUAGE, config.language)]
    drawn = mixed(sources[MADE], [(sources[name], share) for name, share in shares], config.seed)
    wanted = {MADE: 1 - sum(share for _, share in shares), **dict(shares)}
    once = {name: (wanted[name], sum(one.tokens)) for name, one in sources.items()}
    told = mixture_manifest(drawn, once, config.tolerance)
    files = {
        "mixture.json": [orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)],
        "mixture.jsonl": _mixture_lines(drawn, texts),
    }
    counts.update({f"{name} tokens": one["tokens"] for name, one in told["sources"].items()})  # type: ignore[attr-defined]
    return Made(drawn, +counts, files)


def _mixture_lines(drawn: pa.Table, texts: Mapping[str, Mapping[str, str]]) -> Iterator[bytes]:
    for row in drawn.to_pylist():
        record = {
            "id": row["id"],
            "source": row["source"],
            "epoch": row["epoch"],
            "text": texts[row["source"]][row["id"]],
        }
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _kept(context: Context) -> list[dict[str, Any]]:
    return [row for row in context.read_all("triples").sort_by("id").to_pylist() if row["dropped"] is None]


def steps(_config: SelfInstructConfig) -> tuple[Step, ...]:
    """The steps of the system."""
    return (
        Step("questions", asked, QUESTION, "questions, exact duplicates marked", (), WHOLE,
             uses=("asker", "questions", "leaks"), code=_CODE, asks=(QUESTIONS,)),
        Step("tests", tested, TESTED_QUESTION, "unit tests of questions", ("questions",), WHOLE,
             uses=("tester", "unit_tests"), code=_CODE, asks=(CODER, QUESTIONS)),
        Step("solutions", solved, CANDIDATE, "sampled solutions", ("tests",), WHOLE, uses=("solver",), code=_CODE,
             key="question_id", asks=(CODER, QUESTIONS)),
        Step("triples", passing, TRIPLE, "the first solution that passes", ("tests", "solutions"), uses=("limits",),
             code=_CODE),
        Step("chat", chatted, TRIPLE, "chat records", ("triples",), WHOLE, code=_CODE),
        Step("mixture", rehearsed, DRAWN, "chat and what is rehearsed, by tokens", ("triples",), WHOLE,
             roles=(CODE, LANGUAGE, TOKENIZER), uses=("mixture",), code=_CODE),
    )  # fmt: skip


def estimate(context: Context) -> Mapping[str, Cost]:
    """The most that live models can cost, if no question is a duplicate; a question is taken to have 200 characters."""
    config: SelfInstructConfig = context.config
    coder = player(context, CODER, QUESTIONS)
    wanted = config.questions.wanted
    calls = replace(config.asker, samples=config.questions.calls)
    testing = [Prompt("", messages_for_tests(_TYPICAL, config.unit_tests.count))]
    solving = [Prompt("", messages_for_solution(_TYPICAL, "assert longest_run([1, 1, 2]) == [1, 1]"))]
    costs = {
        QUESTIONS: highest_cost(context, QUESTIONS, calls, question_prompts(config.questions)),
        CODER: highest_cost(context, coder, config.tester, testing, wanted)
        + highest_cost(context, coder, config.solver, solving, wanted),
    }
    return {role: cost for role, cost in costs.items() if cost.requests}


_ROLES: Mapping[str, str] = {
    CODE: "code to rehearse: JSON lines or Parquet with a text or content column",
    LANGUAGE: "natural language to rehearse, as code",
    TOKENIZER: "tokenizer.json that counts tokens; else 3 bytes are one",
}

SYSTEM = System(
    "self-instruct",
    SelfInstructConfig,
    steps,
    _ROLES,
    {
        QUESTIONS: "makes up questions",
        CODER: "writes tests and solutions; the same model where it is not given",
    },
    lambda _config: Needs((), (QUESTIONS,)),
    estimate,
    {
        "questions": "62,000 questions, about 52,000 without exact duplicates (section 2.5)",
        "triples": "about 14,000 triples (section 2.5), 27 % of the distinct questions",
    },
)
