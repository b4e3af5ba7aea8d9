"""A small system for tests: reads lines, marks short ones, asks a model about the others, and writes a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import InputError
from instruct.models import ModelConfig, Prompt
from pipelines.instruction.steps import INPUTS, WHOLE, Context, Made, Step
from pipelines.instruction.systems import Needs, System

LINES = pa.schema([("id", pa.string()), ("text", pa.string())])
MARKED = pa.schema([*LINES, ("dropped", pa.string())])
ANSWERED = pa.schema([*MARKED, ("answer", pa.string())])
MODEL = ModelConfig("toy", 0.0, 1.0, 16, 1)


@dataclass(frozen=True)
class Marking:
    """Which lines are dropped."""

    shortest: int = 3


@dataclass(frozen=True)
class ToyConfig:
    """The toy's section of a recipe."""

    marking: Marking = field(default_factory=Marking)
    ask: bool = True

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012


def read(context: Context, unit: int) -> Made:
    given = context.inputs["lines"][unit]
    lines = Path(given.path).read_text().split("\n")
    rows = [{"id": f"{given.name}:{n}", "text": text} for n, text in enumerate(lines)]
    if any("\0" in row["text"] for row in rows):
        raise InputError(f"{given.name}: a NUL", hint="take it out")
    return Made(pa.Table.from_pylist(rows, LINES))


def gather(context: Context, _unit: int) -> Made:
    return Made(context.read_all("read").sort_by("id"))


def mark(context: Context, unit: int) -> Made:
    table = context.read("gather", unit)
    short = pc.less(pc.utf8_length(table["text"]), context.config.marking.shortest)
    dropped = pc.if_else(short, "short", pa.scalar(None, pa.string()))
    return Made(table.append_column("dropped", dropped), Counter(short=pc.sum(short).as_py() or 0))


def ask(context: Context, _unit: int) -> Made:
    table = context.read_all("mark")
    kept = table.filter(pc.is_null(table["dropped"])).sort_by("id")
    prompts = [Prompt(row["id"], (("user", row["text"]),)) for row in kept.to_pylist()]
    with context.model("oracle", MODEL) as model:
        answers = model.answer(prompts)
    context.say(f"asked {len(prompts)}")
    return Made(kept.append_column("answer", pa.array([one.text for one in answers], pa.string())))


def export(context: Context, _unit: int) -> Made:
    table = context.read_all("ask" if context.config.ask else "mark").sort_by("id")
    lines = (orjson.dumps(row, option=orjson.OPT_SORT_KEYS) + b"\n" for row in table.to_pylist())
    return Made(table.select(["id", "text", "dropped"]), files={"toy.jsonl": lines})


def steps(config: ToyConfig) -> tuple[Step, ...]:
    code = ("tests.pipelines.instruction.toy",)
    asked = (
        Step(
            "ask",
            ask,
            ANSWERED,
            "what the model says",
            ("mark",),
            WHOLE,
            uses=("ask",),
            code=code,
            asks=("oracle",),
        ),
    )
    return (
        Step("read", read, LINES, "lines as they are", spread=INPUTS, role="lines", code=code),
        Step("gather", gather, LINES, "all lines", ("read",), WHOLE, code=code),
        Step("mark", mark, MARKED, "short lines are marked", ("gather",), uses=("marking",), code=code),
        *(asked if config.ask else ()),
        Step(
            "export",
            export,
            MARKED,
            "a file",
            ("ask" if config.ask else "mark",),
            WHOLE,
            uses=("ask",),
            code=code,
        ),
    )


SYSTEM = System(
    "toy", ToyConfig, steps, {"lines": "text files", "other": "nothing"}, {"oracle": "answers lines"},
    lambda config: Needs((("lines",),), ("oracle",) * config.ask), lambda context: {"oracle": "cheap"},
    {"mark": "half of them"},
)  # fmt: skip
