"""Codex-S and Codex-D (Chen et al. 2021, arXiv 2107.03374, sections 4 and 5): problems with tests, docstrings.

Traced and read, verified, sampled, kept where a sample passes, looked through for benchmark tasks, and exported. The
kernels are `instruct.tracing`, `instruct.problems` and `instruct.codex`; here they are given files and an order.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import InputError
from columns.files import Place
from contamination import ContaminationConfig
from instruct.codex import (
    DESCRIBED,
    TokenConfig,
    VerifyConfig,
    choose_cases,
    completion,
    described,
    fixed_rows,
    keep_solved,
    mark_duplicates,
    masked_rows,
    question,
    stops_of,
    token_schema,
    verify,
)
from instruct.evaluation import VERDICT, Sample, judge_samples, read_samples
from instruct.models import Cost, ModelConfig
from instruct.problems import PROBLEM, by_task, humaneval_row, leaked, problem_table, read_contest
from instruct.sandbox import Limits
from instruct.tracing import Project, TraceConfig, funnel, revision, trace_project
from pipelines.instruction.asking import asking, highest_cost
from pipelines.instruction.steps import INPUTS, WHOLE, Context, Made, Step
from pipelines.instruction.systems import Needs, System
from shards.tokenizers import Tokenizer, TokenizerConfig, load_tokenizer, make_tokenizer

PROJECT, CONTEST_ROLE, SAMPLES = "project", "contest", "samples"
CONTAMINATED = "contaminated"
ROLES = {
    PROJECT: "a project's source folder: its tests are run and traced",
    CONTEST_ROLE: "APPS tasks as folders or JSON lines, or Parquet of CodeContests",
    SAMPLES: "answers that a model gave, as JSON lines of task_id and completion, in the place of a model",
}
MODELS = {SAMPLES: "the model whose answers decide which problems stay"}
PUBLISHED = {
    "traced": "about 40,000 functions of projects and packages (section 4.2)",
    "contests": "10,000 problems (section 4.1)",
    "sampled": "100 samples a problem of the 12 B model (section 4.3)",
}
_HERE = "pipelines.instruction.codex_s"
_RUN = (
    "instruct.problems",
    "instruct.sandbox",
    "instruct.evaluation",
    "instruct.codex",
    "contamination",
    _HERE,
)
_ENCODED = (*_RUN, "shards.tokenizers")
_TRACED = ("instruct.problems", "instruct.sandbox", "instruct.tracing", _HERE)

SAMPLE = pa.schema(
    [
        pa.field("task_id", pa.string(), metadata={"about": "the problem"}),
        pa.field("sample_ix", pa.int32(), metadata={"about": "number of the answer, from 0"}),
        pa.field("completion", pa.large_string(), metadata={"about": "what is put behind the prompt"}),
        pa.field("problem", pa.string(), metadata={"about": "why there is no answer; null: there is"}),
    ]
)
TOKENIZER = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "tokenizer"}),
        pa.field("name", pa.string(), metadata={"about": "train, an encoding's or a file's name"}),
        pa.field("vocab_size", pa.int64(), metadata={"about": "number of ids"}),
        pa.field("eot_id", pa.int64(), metadata={"about": "ends a solution, and fills"}),
    ]
)
EXPORTED = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "the file in this folder"}),
        pa.field("rows", pa.int64(), metadata={"about": "its rows"}),
    ]
)


def _sampler() -> ModelConfig:
    return ModelConfig("code-model", temperature=0.8, top_p=0.95, max_tokens=512, seed=0, samples=100)


@dataclass(frozen=True)
class CodexSConfig:
    """The recipe's section. ``seconds`` is the time that one program has."""

    trace: TraceConfig = field(default_factory=TraceConfig)
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    sampler: ModelConfig = field(default_factory=_sampler)
    seconds: float = 3.0
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)
    tokenizer: TokenizerConfig = field(default_factory=lambda: TokenizerConfig(vocab_size=8192))
    tokens: TokenConfig = field(default_factory=TokenConfig)

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 0 < self.seconds < float("inf"):
            raise ValueError(f"seconds: expected a number above 0, got {self.seconds}")

    @property
    def limits(self) -> Limits:
        """Of one program."""
        return Limits(wall_s=self.seconds, cpu_s=self.seconds)


def traced(context: Context, unit: int) -> Made:
    """The problems of one project; the funnel of its functions is a file beside them."""
    given = context.inputs.get(PROJECT, ())
    if not given:
        return Made(PROBLEM.empty_table())
    tree = Path(given[unit].path)
    named = Project(given[unit].name, revision(tree))
    found = trace_project(tree, context.config.trace, project=named, workers=1)
    if found.problem:
        return Made(PROBLEM.empty_table(), Counter({f"not run: {found.problem}": 1}))
    lines = (orjson.dumps(row, default=str) + b"\n" for row in found.functions.to_pylist())
    counts = Counter(
        {f"functions: {name}": number for name, number in funnel(found.functions)["left"].items()}
    )
    return Made(found.problems, counts, {f"functions-{unit:05d}.jsonl": lines})


def contests(context: Context, unit: int) -> Made:
    """The tasks of one contest dump."""
    given = context.inputs.get(CONTEST_ROLE, ())
    table = problem_table(read_contest(Path(given[unit].path)) if given else ())
    return Made(table, _rules(table))


def _rules(table: pa.Table) -> Counter[str]:
    return Counter(rule for rule in table["dropped"].to_pylist() if rule is not None)


def gather(context: Context, _unit: int) -> Made:
    """All problems by task_id; a task_id that is there twice, or an equal problem, is dropped."""
    every = pa.concat_tables([context.read_all("traced"), context.read_all("contests")]).sort_by("task_id")
    rows = every.to_pylist()
    seen: set[str] = set()
    for row in rows:
        name = row["task_id"]
        if name in seen:
            row["dropped"], row["duplicate_of"] = row["dropped"] or "same_name", name
            row["task_id"] = _another(name, seen)
        seen.add(row["task_id"])
    named = pa.Table.from_pylist(rows, schema=PROBLEM)
    table, counts = mark_duplicates(named)
    return Made(table.sort_by("task_id"), counts + Counter(table["source"].to_pylist()))


def _another(name: str, seen: set[str]) -> str:
    number = 2
    while f"{name}#{number}" in seen:
        number += 1
    return f"{name}#{number}"


def verified(context: Context, unit: int) -> Made:
    """Tests that count, and a solution that passes them every time."""
    config: CodexSConfig = context.config
    with context.sandbox(config.limits) as sandbox:
        chosen, counts = choose_cases(context.read("gather", unit), sandbox, config.verify)
        table, more = verify(chosen, sandbox, config.verify)
    return Made(table, counts + more)


def sampled(context: Context, _unit: int) -> Made:
    """Answers to every verified problem, of a file or a model, up to where they end."""
    table = context.read_all("verified").sort_by("task_id")
    kept = table.filter(pc.is_null(table["dropped"])).select(["task_id", "prompt", "io_format"]).to_pylist()
    forms = {row["task_id"]: row["io_format"] for row in kept}
    given = context.inputs.get(SAMPLES, ())
    known = frozenset(table["task_id"].to_pylist())
    rows = list(_given(given[0].path, known)) if given else _asked(context, kept)
    rows = [row for row in rows if row["task_id"] in forms]
    for row in rows:
        if row["completion"] is not None:
            row["completion"] = completion(row["completion"], stops_of(forms[row["task_id"]]))
    counts = Counter(row["problem"] or "answers" for row in rows)
    return Made(pa.Table.from_pylist(rows, SAMPLE), counts)


def _given(path: str, known: Collection[str]) -> Iterator[dict[str, Any]]:
    for one in read_samples(Path(path), known):
        yield _sample(one.task_id, one.sample_ix, one.completion, "")


def _asked(context: Context, kept: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    prompts, sampler = [question(row) for row in kept], context.config.sampler
    if "://" in context.models.sources[SAMPLES]:
        context.say(f"model {SAMPLES}: at most {highest_cost(context, SAMPLES, sampler, prompts)}")
    with asking(context, SAMPLES, sampler) as model:
        answers = model.answer(prompts)
    return [_sample(one.prompt_id, one.sample_ix, one.text, one.problem) for one in answers]


def _sample(task_id: str, sample_ix: int, text: str, problem: str) -> dict[str, Any]:
    about = {"task_id": task_id, "sample_ix": sample_ix, "problem": problem or None}
    return about | {"completion": None if problem else text}


def judged(context: Context, unit: int) -> Made:
    """The verdict on every answer."""
    problems, rows = by_task(context.read("verified", unit)), context.read("sampled", unit)
    answered = rows.filter(pc.is_valid(rows["completion"])).sort_by(
        [("task_id", "ascending"), ("sample_ix", "ascending")]
    )
    samples = [Sample(row["task_id"], row["sample_ix"], row["completion"]) for row in answered.to_pylist()]
    with context.sandbox(context.config.limits) as sandbox:
        table = judge_samples(problems, samples, sandbox)
    return Made(table, Counter(table["outcome"].to_pylist()))


def solved(context: Context, unit: int) -> Made:
    """Problems that some answer solves, without those that hold a benchmark's task."""
    config: ContaminationConfig = context.config.contamination
    table, counts = keep_solved(context.read("verified", unit), context.read("judged", unit))
    rows = [row for row in table.to_pylist() if row["dropped"] is None]
    found = (
        leaked([_text(row) for row in rows], config, config.index())
        if config.suites and rows
        else [[] for _ in rows]
    )
    leaks = {row["task_id"]: tasks for row, tasks in zip(rows, found, strict=True)}
    every = table.to_pylist()
    for row in every:
        row["leaks"] = leaks.get(row["task_id"])
        if row["leaks"]:
            row["dropped"] = CONTAMINATED
            counts[CONTAMINATED] += 1
    return Made(pa.Table.from_pylist(every, schema=PROBLEM), counts)


def _text(row: Mapping[str, Any]) -> str:
    """All that a model would see of a problem."""
    return "\n".join([f"{row['prompt']}{row['canonical_solution']}", *row["tests"]])


def tokenizer(context: Context, _unit: int) -> Made:
    """The recipe's tokenizer, trained on the kept problems where it is to be trained."""
    rows = _kept(context)
    made = make_tokenizer(
        context.config.tokenizer, [f"{row['prompt']}{row['canonical_solution']}" for row in rows]
    )
    with tempfile.TemporaryDirectory(prefix="thresher-tokenizer-") as folder:
        made.save(Place(folder))
        files = {file.name: [file.read_bytes()] for file in sorted(Path(folder).iterdir())}
    row = {"id": "tokenizer", "name": made.name, "vocab_size": made.vocab_size, "eot_id": made.eot_id}
    return Made(pa.Table.from_pylist([row], TOKENIZER), Counter(ids=made.vocab_size), files)


def _kept(context: Context) -> list[dict[str, Any]]:
    table = context.read_all("solved").sort_by("task_id")
    return table.filter(pc.is_null(table["dropped"])).to_pylist()


def records(context: Context, unit: int) -> Made:
    """Token rows of the kept problems: prompts padded on the left, no loss on them."""
    table = context.read("solved", unit)
    rows = table.filter(pc.is_null(table["dropped"])).to_pylist()
    found = load_tokenizer(context.place.child("tokenizer"))
    ids, prompts, answers = (
        [row[name] for row in rows] for name in ("task_id", "prompt", "canonical_solution")
    )
    end = found.eot_id
    made = masked_rows(ids, prompts, answers, _encoder(found), context.config.tokens, pad=end, end=end)
    return Made(*made)


def _encoder(found: Tokenizer) -> Callable[[str], list[int]]:
    def encode(text: str) -> list[int]:
        ids, _ = found.encode_batch(pa.array([text], pa.large_string()))
        return ids.tolist()

    return encode


def docstrings(context: Context, unit: int) -> Made:
    """Codex-D: the kept problems turned round."""
    return Made(*described(context.read("solved", unit)))


def export(context: Context, _unit: int) -> Made:
    """Codex-S in HumanEval's layout, its token rows as Arrow, and Codex-D, without what is dropped."""
    fitting = fixed_rows(context.read_all("records").sort_by("task_id"), context.config.tokens)
    turned = context.read_all("docstrings").sort_by("task_id")
    answers = turned.filter(pc.is_null(turned["dropped"])).drop_columns("dropped").to_pylist()
    rows = [humaneval_row(row) for row in _kept(context)]
    counts = {"codex-s.jsonl": len(rows), "codex-s.arrow": fitting.num_rows, "codex-d.jsonl": len(answers)}
    files: dict[str, Iterable[bytes]] = {
        "codex-s.jsonl": _lines(rows),
        "codex-s.arrow": [_arrow(fitting)],
        "codex-d.jsonl": _lines(answers),
    }
    made = [{"id": name, "rows": number} for name, number in counts.items()]
    return Made(pa.Table.from_pylist(made, EXPORTED), Counter(counts), files)


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    return (orjson.dumps(row) + b"\n" for row in rows)


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


def steps(config: CodexSConfig) -> tuple[Step, ...]:
    """The steps, in order."""

    def step(
        name: str,
        make: Callable[[Context, int], Made],
        schema: pa.Schema,
        about: str,
        *reads: str,
        **more: Any,
    ) -> Step:
        return Step(name, make, schema, about, reads, **({"key": "task_id", "code": _RUN} | more))

    whole = {"spread": WHOLE}
    once = {"spread": WHOLE, "key": "id"}
    return (
        step(
            "traced", traced, PROBLEM, "functions of projects", spread=INPUTS, role=PROJECT, uses=("trace",),
            code=_TRACED,
        ),
        step("contests", contests, PROBLEM, "tasks of contest dumps", spread=INPUTS, role=CONTEST_ROLE),
        step("gather", gather, PROBLEM, "all problems, repeated ones marked", "traced", "contests", **whole),
        step("verified", verified, PROBLEM, "a solution passes every time", "gather", uses=("verify", "seconds")),
        step(
            "sampled", sampled, SAMPLE, "a model's answers", "verified", **whole, roles=(SAMPLES,), uses=("sampler",),
            asks=(SAMPLES,), code=(*_RUN, "instruct.models", "pipelines.instruction.asking"),
        ),
        step("judged", judged, VERDICT, "answers run", "verified", "sampled", uses=("seconds",)),
        step(
            "solved", solved, PROBLEM, "some answer passes; no benchmark task", "verified", "judged",
            uses=("contamination",),
        ),
        step("tokenizer", tokenizer, TOKENIZER, "the vocabulary", "solved", **once, uses=("tokenizer",), code=_ENCODED),
        step(
            "records", records, token_schema(config.tokens), "token rows", "solved", "tokenizer", uses=("tokens",),
            code=_ENCODED,
        ),
        step("docstrings", docstrings, DESCRIBED, "Codex-D", "solved"),
        step("export", export, EXPORTED, "files", "solved", "records", "docstrings", **once, uses=("tokens",)),
    )  # fmt: skip


def _needs(_config: CodexSConfig) -> Needs:
    return Needs(inputs=((PROJECT, CONTEST_ROLE),))


def _estimate(context: Context) -> dict[str, Cost]:
    """Nothing is known before problems are made; the cost is said when they are. Somebody must answer them, though."""
    if not context.inputs.get(SAMPLES) and SAMPLES not in context.models.sources:
        hint = f"give --model {SAMPLES}=URL, --model {SAMPLES}=FILE.jsonl (recorded), or --input {SAMPLES}=FILE.jsonl"
        raise InputError("recipe codex-s: expected a model or its answers, found neither", hint=hint)
    return {}


SYSTEM = System("codex-s", CodexSConfig, steps, ROLES, MODELS, _needs, _estimate, PUBLISHED)
