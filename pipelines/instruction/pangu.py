"""PanGu-Coder2: evolved tasks, tests, answers of a teacher and a student, outcomes, pairs (arXiv 2307.14936)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from instruct.evolve import (
    CLEANED,
    EVOLVED,
    SEED,
    CleaningConfig,
    EvolveConfig,
    LeakCheck,
    LeakConfig,
    clean,
    evolve,
    read_seeds,
    seed_prompts,
)
from instruct.models import Cost, ModelConfig, Prompt
from instruct.ranking import (
    PAIR,
    RESPONSE,
    STUDENT,
    TEACHER,
    TESTED,
    RankingConfig,
    ResponseConfig,
    UnitTestConfig,
    evaluation_prompt,
    judged,
    pairs,
    response_prompts,
    responses,
    rrhf_lines,
    rrtf_lines,
    training_lines,
    unit_test_prompts,
    with_tests,
)
from instruct.sandbox import Limits
from pipelines.instruction.asking import TOKENIZER, asking, highest_cost, player, token_counter
from pipelines.instruction.judging import judging
from pipelines.instruction.steps import WHOLE, Context, Made, Step
from pipelines.instruction.systems import Needs, System

EVOLVER, TESTER = "evolver", "tester"
_CODE = (
    "contamination", "instruct.evolve", "instruct.models", "instruct.ranking", "instruct.problems", "instruct.sandbox",
    "pipelines.instruction.asking", "pipelines.instruction.judging", "pipelines.instruction.pangu",
)  # fmt: skip


@dataclass(frozen=True)
class PanguConfig:
    """The recipe's section: how tasks are made and cleaned, who is asked how, what outcomes are worth."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    evolver: ModelConfig
    tester: ModelConfig
    teacher: ModelConfig
    student: ModelConfig
    evolve: EvolveConfig = field(default_factory=EvolveConfig)
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    leaks: LeakConfig = field(default_factory=LeakConfig)
    unit_tests: UnitTestConfig = field(default_factory=UnitTestConfig)
    responses: ResponseConfig = field(default_factory=ResponseConfig)
    ranking: RankingConfig = field(default_factory=RankingConfig)
    limits: Limits = field(default_factory=Limits)


def seeds(context: Context, _unit: int) -> Made:
    """Seed instructions as they are."""
    table = read_seeds(*(one.path for one in context.inputs["seeds"]))
    dropped = (f"dropped {one}" for one in table["dropped"].to_pylist() if one)
    return Made(table, Counter(dropped))


def evolved(context: Context, _unit: int) -> Made:
    """Rounds of evolving, from the seeds in the order of their ids."""
    with asking(context, EVOLVER, context.config.evolver, TEACHER) as model:
        table, counts = evolve(context.read_all("seeds").sort_by("id"), model, context.config.evolve)
    return Made(table, counts)


def cleaned(context: Context, _unit: int) -> Made:
    """Rules over all tasks, in the order of rounds, then ids."""
    tasks = context.read_all("evolve").sort_by([("round", "ascending"), ("id", "ascending")])
    check = LeakCheck(context.config.leaks)
    return Made(*clean(tasks, context.config.cleaning, tokens=token_counter(context), leaks=check.tasks))


def tested(context: Context, _unit: int) -> Made:
    """Tests for every task that is left."""
    config = context.config.unit_tests
    tasks = [row for row in context.read_all("clean").sort_by("id").to_pylist() if row["dropped"] is None]
    with asking(context, TESTER, context.config.tester, TEACHER) as model:
        answers = model.answer(unit_test_prompts(tasks, config.count))
        table, counts = with_tests(tasks, answers, config.count, config.least)
    return Made(table, counts + model.counts)


def taught(context: Context, _unit: int) -> Made:
    """The teacher's answers."""
    return _answered(context, TEACHER, context.config.teacher)


def learnt(context: Context, _unit: int) -> Made:
    """The student's answers."""
    return _answered(context, STUDENT, context.config.student)


def _answered(context: Context, role: str, asked: ModelConfig) -> Made:
    tasks = context.read_all("tests").sort_by("id").to_pylist()
    with asking(context, role, asked) as model:
        answers = model.answer(response_prompts(tasks))
    table, counts = responses(tasks, answers, role, asked, context.config.responses, token_counter(context))
    return Made(table, counts + model.counts)


def outcomes(context: Context, unit: int) -> Made:
    """The answers of one part, run against their tasks' tests."""
    answers = pa.concat_tables([context.read(step, unit) for step in (TEACHER, STUDENT)])
    tasks = context.read("tests", unit).to_pylist()
    programs = any(code.strip() for code in answers["code"].to_pylist())
    with judging(context, context.config.limits, programs=programs) as judge:
        return Made(*judged(answers, tasks, judge))


def ranked(context: Context, _unit: int) -> Made:
    """Pairs, and the files to train on."""
    tasks = context.read_all("tests").sort_by("id").to_pylist()
    answers = context.read_all("outcomes").to_pylist()
    table, counts = pairs(tasks, answers, context.config.ranking, LeakCheck(context.config.leaks).tasks)
    kept = [row for row in table.to_pylist() if row["dropped"] is None]
    files = {
        "rrtf.jsonl": rrtf_lines(kept),
        "rrhf.jsonl": rrhf_lines(kept),
        "training.jsonl": training_lines(kept),
    }
    return Made(table, counts, files)


def steps(_config: PanguConfig) -> tuple[Step, ...]:
    """The steps of the system."""
    return (
        Step("seeds", seeds, SEED, "seed instructions", (), WHOLE, roles=("seeds",), code=_CODE),
        Step("evolve", evolved, EVOLVED, "tasks, made harder in rounds", ("seeds",), WHOLE, uses=("evolver", "evolve"),
             code=_CODE, asks=(EVOLVER, TEACHER)),
        Step("clean", cleaned, CLEANED, "rules over tasks", ("evolve",), WHOLE, roles=(TOKENIZER,),
             uses=("cleaning", "leaks"), code=_CODE),
        Step("tests", tested, TESTED, "unit tests of tasks", ("clean",), WHOLE, uses=("tester", "unit_tests"),
             code=_CODE, asks=(TESTER, TEACHER)),
        Step(TEACHER, taught, RESPONSE, "the teacher's answers", ("tests",), WHOLE, roles=(TOKENIZER,),
             uses=("teacher", "responses"), code=_CODE, key="prompt_id", asks=(TEACHER,)),
        Step(STUDENT, learnt, RESPONSE, "the student's answers", ("tests",), WHOLE, roles=(TOKENIZER,),
             uses=("student", "responses"), code=_CODE, key="prompt_id", asks=(STUDENT,)),
        Step("outcomes", outcomes, RESPONSE, "answers, run against the tests", ("tests", TEACHER, STUDENT),
             uses=("limits",), code=_CODE, key="prompt_id"),
        Step("pairs", ranked, PAIR, "pairs, RRTF and RRHF records", ("tests", "outcomes"), WHOLE,
             uses=("ranking", "leaks"), code=_CODE, key="prompt_id"),
    )  # fmt: skip


def estimate(context: Context) -> Mapping[str, Cost]:
    """The most that live models can cost, if every task of every round is kept and as long as the seeds."""
    config: PanguConfig = context.config
    evolver, tester = (player(context, role, TEACHER) for role in (EVOLVER, TESTER))
    first = read_seeds(*(one.path for one in context.inputs["seeds"]))
    texts = [row["instruction"] for row in first.to_pylist() if row["dropped"] is None]
    solving = [Prompt("", (("user", evaluation_prompt(text, "")),)) for text in texts]
    testing = unit_test_prompts(({"id": "", "instruction": text} for text in texts), config.unit_tests.count)
    rounds = config.evolve.rounds
    tasks = rounds + config.evolve.keep_seeds
    costs = {
        EVOLVER: highest_cost(context, evolver, config.evolver, seed_prompts(first, config.evolve), rounds),
        TESTER: highest_cost(context, tester, config.tester, testing, tasks),
        TEACHER: highest_cost(context, TEACHER, config.teacher, solving, tasks),
        STUDENT: highest_cost(context, STUDENT, config.student, solving, tasks),
    }
    return {role: cost for role, cost in costs.items() if cost.requests}


SYSTEM = System(
    "pangu-coder2",
    PanguConfig,
    steps,
    {
        "seeds": "instructions in CodeAlpaca's layout",
        TOKENIZER: "tokenizer.json that counts tokens; else 3 bytes are one",
    },
    {
        TEACHER: "the better model; plays the roles below where they are not given",
        STUDENT: "the model to be trained",
        EVOLVER: "makes tasks harder",
        TESTER: "writes unit tests",
    },
    lambda _config: Needs((("seeds",),), (TEACHER, STUDENT)),
    estimate,
    {
        "seeds": "20K instructions (CodeAlpaca; section 4.1)",
        "evolve": "100K tasks (section 4.1)",
        "clean": "68K tasks, none of them a benchmark's (section 4.1)",
    },
)
