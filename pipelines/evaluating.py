"""Evaluating: what ``thresher evaluate`` can measure, by the suite's name, and what comes out.

A suite that is none of `EVALUATIONS` is a file of HumanEval's layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from columns.errors import InputError
from instruct.evaluation import (
    PUBLISHED_STOPS,
    Sample,
    Scores,
    judge_samples,
    read_samples,
    refuse_few,
    scores,
    settings,
)
from instruct.multiturn import LIMITS, Rates, load_dialogues, numpy_there, rates, read_answers, run_answers
from instruct.pairs import LANGUAGES, measure_predictions
from instruct.problems import by_task, load_problems
from instruct.sandbox import Limits, Sandbox

MTPB = "mtpb"
CODEFUSION = "codefusion-"
STOPS: Mapping[str, tuple[str, ...]] = {"mbpp": ()}
"""Suites whose answers are whole programs are not cut (ours); all others are, at the published stops."""


def _unheard(_done: int, _wanted: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Asked:
    """What is measured, and how; ``told`` hears how many programs of how many were run.

    ``stops`` None: the suite's own. ``timeout`` None: 3 s, of MTPB 20 s, as published. ``partial``: tasks without
    samples are left out and not an error. ``settings``: how samples were drawn, where they do not say so themselves.
    """

    suite: str
    samples: Path
    suite_file: Path | None = None
    ks: tuple[int, ...] = ()
    stops: tuple[str, ...] | None = None
    timeout: float | None = None
    workers: int = 0
    partial: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    told: Callable[[int, int], None] = _unheard


@dataclass(frozen=True)
class Evaluated:
    """A result: figures in the order they are to be read, counts by group, every row, and all of it as plain data."""

    figures: Sequence[tuple[str, str]]
    groups: Mapping[str, Mapping[str, int | float]]
    summary: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]


def evaluate(asked: Asked) -> Evaluated:
    """Measure a samples file; `InputError` for files that are not what they should be.

    A suite with its file, ``mbpp:PATH`` as contamination checks name it, is that suite.
    """
    name, colon, path = asked.suite.partition(":")
    if colon and path and name != "dir" and asked.suite_file is None:
        asked = replace(asked, suite=name, suite_file=Path(path))
    measure = EVALUATIONS.get(asked.suite)
    if measure is None and asked.suite.startswith(CODEFUSION):
        known = ", ".join(name for name in EVALUATIONS if name.startswith(CODEFUSION))
        raise InputError(f"{asked.suite}: no such language", hint=f"expected one of {known}")
    if measure is None:
        return evaluate_functions(asked)
    for option, given in (("--k", bool(asked.ks)), ("--stop", asked.stops is not None)):
        if given:
            raise InputError(f"{option}: {asked.suite} is not measured by it", hint=f"leave {option} out")
    return measure(asked)


def evaluate_functions(asked: Asked) -> Evaluated:
    """HumanEval, MBPP and suites of HumanEval's layout: pass@k over the samples."""
    problems = by_task(load_problems(asked.suite, asked.suite_file))
    samples = list(read_samples(asked.samples, tuple(problems), asked.suite))
    missing = len(problems) - len({sample.task_id for sample in samples})
    if missing and not asked.partial:
        what = f"{asked.samples}: {missing:,} of the suite's {len(problems):,} tasks have no sample"
        raise InputError(what, hint="draw samples for every task, or say --partial")
    refuse_few(Counter(sample.task_id for sample in samples), asked.ks)
    stops = STOPS.get(asked.suite, PUBLISHED_STOPS) if asked.stops is None else asked.stops
    seconds = 3.0 if asked.timeout is None else asked.timeout
    with Sandbox(limits=Limits(wall_s=seconds, cpu_s=seconds), workers=asked.workers) as sandbox:
        verdicts = judge_samples(problems, samples, sandbox, stops, asked.told)
    found = scores(asked.suite, verdicts, tuple(problems), asked.ks, samples)
    drawn = _drawn(asked, found.settings)
    how = {"stop_sequences": list(stops), "timeout_s": seconds, "samples_file": asked.samples.name}
    return Evaluated(
        _figures(found, drawn),
        {"outcome": found.outcomes, "why": found.reasons, "cut at": found.stops},
        found.row() | how | {"settings": drawn},
        verdicts.to_pylist(),
    )


def _drawn(asked: Asked, said: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """How the samples were drawn: what they say themselves comes before what the command says."""
    return {name: [value] for name, value in asked.settings.items() if value is not None} | dict(said)


def _figures(found: Scores, drawn: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (f"pass@{rate.k}", f"{rate.value:.2%}  (95 %: {rate.low:.2%} to {rate.high:.2%})")
        for rate in found.rates
    ]
    rows += [
        ("solved", f"{found.solved:,} of {found.tasks - found.unattempted:,} tasks"),
        ("samples", f"{found.samples:,}, {found.distinct:,} of them distinct"),
    ]
    if found.unattempted:
        rows.append(("no samples", f"{found.unattempted:,} of {found.tasks:,} tasks, left out"))
    return [*rows, *((name, ", ".join(map(str, values))) for name, values in drawn.items())]


def evaluate_dialogues(asked: Asked) -> Evaluated:
    """MTPB: the share of programs whose last printed value is the expected one."""
    if asked.suite_file is None:
        raise InputError(
            f"{MTPB}: no file named", hint="--suite-file mtpb.jsonl (github.com/salesforce/CodeGen)"
        )
    dialogues = load_dialogues(asked.suite_file)
    seconds = LIMITS.wall_s if asked.timeout is None else asked.timeout
    limits = replace(LIMITS, wall_s=seconds, cpu_s=seconds)
    with Sandbox(limits=limits, workers=asked.workers) as sandbox:
        numpy = numpy_there(sandbox)
        answers = list(read_answers(asked.samples, dialogues, preamble=numpy))
        printed = list(run_answers(answers, dialogues, sandbox, asked.told))
    found = rates(printed, dialogues)
    if found.unattempted and not asked.partial:
        what = f"{asked.samples}: {found.unattempted:,} of {len(dialogues):,} problems have no answer"
        raise InputError(what, hint="answer every problem, or say --partial")
    drawn = _drawn(asked, settings(Sample(one.id, one.sample_ix, "", one.settings) for one in answers))
    how = {"suite": MTPB, "settings": drawn, "numpy": numpy, "timeout_s": seconds}
    reasons = Counter(one.reason for one in printed if one.reason)
    return Evaluated(
        _dialogue_figures(found, drawn, numpy=numpy),
        {"category": found.categories, "why": dict(reasons.most_common())},
        found.row() | how | {"reasons": dict(reasons), "samples_file": asked.samples.name},
        [asdict(one) for one in printed],
    )


def _dialogue_figures(
    found: Rates, drawn: Mapping[str, Sequence[Any]], *, numpy: bool
) -> list[tuple[str, str]]:
    preamble = "as published" if numpy else "left out: the sandbox has no NumPy"
    return [
        ("pass rate", f"{found.overall:.2%}"),
        ("answers", f"{found.answers:,}, to {len(found.problems):,} problems"),
        ("preamble", preamble),
        *((name, ", ".join(map(str, values))) for name, values in drawn.items()),
    ]


def evaluate_pairs(asked: Asked) -> Evaluated:
    """CodeFusion's measures of predictions for one language, ``codefusion-bash`` say: nothing is run."""
    lang = asked.suite.removeprefix(CODEFUSION)
    if asked.suite_file is None:
        raise InputError(
            f"{asked.suite}: no pairs named", hint="--suite-file DIR/export/pairs.jsonl of a build"
        )
    found = measure_predictions(asked.samples, asked.suite_file, lang)
    if not found["predicted"]:
        raise InputError(
            f"{asked.samples}: no prediction of any of {found['pairs']:,} pairs",
            hint="expected lines with the id of a pair and its predictions (docs/pairs.md)",
        )
    names = ("predicted", "unknown", "unreadable", "repeated", "too_large")
    figures = [("pairs", f"{found['pairs']:,}"), *((name, f"{found[name]:,}") for name in names)]
    groups = {f"top {top}": shares for top, shares in found["top"].items()}
    spread = found["diversity"]["distinct_ngrams"]
    groups["distinct n-grams"] = {n: share for n, share in spread.items() if share is not None}
    drawn = _drawn(asked, {})
    files = {"suite": asked.suite, "settings": drawn, "samples_file": asked.samples.name}
    left_out = [("not measured", ", ".join(found["not_measured"]))] if found["not_measured"] else []
    return Evaluated([*figures, *left_out], groups, found | files, [])


EVALUATIONS: Mapping[str, Callable[[Asked], Evaluated]] = {
    MTPB: evaluate_dialogues,
    **{f"{CODEFUSION}{lang}": evaluate_pairs for lang in LANGUAGES},
}
"""Suites that are not functions with tests, each with what measures it."""
