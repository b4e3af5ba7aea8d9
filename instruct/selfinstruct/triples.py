"""Triples: a question, its tests, and the first of several solutions that passes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from instruct.models import Answer, Prompt
from instruct.ranking import Judge
from instruct.sandbox import Outcome, Trial
from instruct.selfinstruct.chat import has_tags
from instruct.selfinstruct.tagged import (
    messages_for_solution,
    messages_for_tests,
    parse_solution,
    parse_tests,
)

TESTED_QUESTION = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "the question"}),
        pa.field("question", pa.large_string(), metadata={"about": "its text"}),
        pa.field("entry_point", pa.string(), metadata={"about": "the function that the tests call"}),
        pa.field("setup", pa.large_string(), metadata={"about": "imports that the tests need"}),
        pa.field(
            "tests",
            pa.list_(pa.large_string()),
            metadata={"about": "assertions, each passed or failed alone"},
        ),
        pa.field("tests_text", pa.large_string(), metadata={"about": "the answer that they were read from"}),
        pa.field(
            "dropped", pa.string(), metadata={"about": "why there are no usable tests; null: there are"}
        ),
    ]
)

CANDIDATE = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "identity: question and sample"}),
        pa.field("question_id", pa.string(), metadata={"about": "the question"}),
        pa.field("sample_ix", pa.int32(), metadata={"about": "which sample, from 0"}),
        pa.field("text", pa.large_string(), metadata={"about": "the whole answer"}),
        pa.field("code", pa.large_string(), metadata={"about": "the program in it, '' where there is none"}),
        pa.field("model", pa.string(), metadata={"about": "the model that wrote it"}),
        pa.field(
            "problem", pa.string(), metadata={"about": "what is wrong with the answer itself; null: nothing"}
        ),
    ]
)

TRIPLE = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "the question"}),
        pa.field("question", pa.large_string(), metadata={"about": "its text"}),
        pa.field("entry_point", pa.string(), metadata={"about": "the function that is asked for"}),
        pa.field("setup", pa.large_string(), metadata={"about": "imports that the tests need"}),
        pa.field(
            "tests", pa.list_(pa.large_string()), metadata={"about": "assertions that the solution passes"}
        ),
        pa.field(
            "solution", pa.large_string(), metadata={"about": "the first program that passes all of them"}
        ),
        pa.field(
            "sample_ix", pa.int32(), metadata={"about": "which sample it was, from 0; null: none passes"}
        ),
        pa.field(
            "n_tried", pa.int32(), metadata={"about": "samples up to and with it; without one: all samples"}
        ),
        pa.field("model", pa.string(), metadata={"about": "the model that wrote it"}),
        pa.field(
            "dropped", pa.string(), metadata={"about": "none_passes, no_solutions or chat_tag; null: kept"}
        ),
    ]
)


def question_test_prompts(questions: Iterable[Mapping[str, Any]], count: int) -> list[Prompt]:
    """Prompts for the tests of kept questions (`QUESTION` rows)."""
    return [
        Prompt(row["id"], messages_for_tests(row["question"], count))
        for row in questions
        if row["dropped"] is None
    ]


def question_tests(
    questions: Iterable[Mapping[str, Any]], answers: Iterable[Answer], most: int, least: int
) -> tuple[pa.Table, Counter[str]]:
    """Kept questions with the tests of their first usable answer (`TESTED_QUESTION`). Counts: rows per reason."""
    by_question = _by_prompt(answers)
    rows = [
        _tested(row, by_question.get(row["id"], []), most, least)
        for row in questions
        if row["dropped"] is None
    ]
    counts = Counter(f"dropped {row['dropped']}" if row["dropped"] else "kept" for row in rows)
    counts["tests"] = sum(len(row["tests"]) for row in rows)
    return pa.Table.from_pylist(rows, schema=TESTED_QUESTION), counts


def _tested(row: Mapping[str, Any], answers: Sequence[Answer], most: int, least: int) -> dict[str, Any]:
    read = [(answer.text, parse_tests(answer.text, most, least)) for answer in answers] or [
        ("", parse_tests(""))
    ]
    text, found = next((pair for pair in read if not pair[1].problem), read[0])
    tests_problem = (
        f"tests_{found.problem}" if found.problem and found.problem != "no_tests" else found.problem
    )
    return {
        "id": row["id"],
        "question": row["question"],
        "entry_point": found.entry_point,
        "setup": found.setup,
        "tests": list(found.tests),
        "tests_text": text,
        "dropped": tests_problem or None,
    }


def solution_prompts(tested: Iterable[Mapping[str, Any]]) -> list[Prompt]:
    """Prompts for the solutions of questions that have tests, each with the first of them."""
    return [
        Prompt(row["id"], messages_for_solution(row["question"], row["tests"][0]))
        for row in tested
        if row["dropped"] is None
    ]


def candidates(
    tested: Iterable[Mapping[str, Any]], answers: Iterable[Answer]
) -> tuple[pa.Table, Counter[str]]:
    """Answers as `CANDIDATE` rows, in their order. Counts: rows, by what is wrong with them."""
    entry_points = {row["id"]: row["entry_point"] for row in tested}
    rows = []
    for answer in answers:
        found = parse_solution(answer.text, entry_points[answer.prompt_id])
        rows.append(
            {
                "id": f"{answer.prompt_id}/{answer.sample_ix}",
                "question_id": answer.prompt_id,
                "sample_ix": answer.sample_ix,
                "text": answer.text,
                "code": found.code,
                "model": answer.model,
                "problem": found.problem or None,
            }
        )
    counts = Counter(str(row["problem"] or "usable") for row in rows)
    return pa.Table.from_pylist(rows, schema=CANDIDATE), counts


def first_passing(
    tested: Iterable[Mapping[str, Any]], candidates: Iterable[Mapping[str, Any]], judge: Judge
) -> tuple[pa.Table, Counter[str]]:
    """The first candidate of each question that passes all its tests, as `TRIPLE` rows (Code Llama, section 2.5).

    Samples are tried in order, and none behind the first that passes is run. A candidate with a problem counts as
    tried, unrun. A triple with a chat tag in it is dropped: it could pose as a turn. Counts: rows kept and dropped by
    reason, and programs that were run.
    """
    tasks = [row for row in tested if row["dropped"] is None]
    samples: dict[str, list[Mapping[str, Any]]] = {row["id"]: [] for row in tasks}
    for row in sorted(candidates, key=lambda one: one["sample_ix"]):
        if row["question_id"] in samples:
            samples[row["question_id"]].append(row)
    found: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for turn in range(max(map(len, samples.values()), default=0)):
        open_ = [row for row in tasks if row["id"] not in found and turn < len(samples[row["id"]])]
        run = [row for row in open_ if samples[row["id"]][turn]["problem"] is None]
        verdicts = judge.judge(_trial(row, samples[row["id"]][turn]) for row in run)
        for row, verdict in zip(run, verdicts, strict=True):
            if verdict.outcome == Outcome.ALL_PASS:
                found[row["id"]] = turn
        counts["run"] += len(run)
    rows = [_triple(row, samples[row["id"]], found.get(row["id"])) for row in tasks]
    counts.update(f"dropped {row['dropped']}" if row["dropped"] else "kept" for row in rows)
    return pa.Table.from_pylist(rows, schema=TRIPLE), counts


def _trial(task: Mapping[str, Any], candidate: Mapping[str, Any]) -> Trial:
    return Trial(candidate["code"], task["entry_point"], tuple(task["tests"]), task["setup"])


def _triple(task: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], at: int | None) -> dict[str, Any]:
    kept = {name: task[name] for name in ("id", "question", "entry_point", "setup", "tests")}
    if at is None:
        return kept | {"n_tried": len(samples), "dropped": "none_passes" if samples else "no_solutions"}
    chosen = samples[at]
    return kept | {
        "solution": chosen["code"],
        "sample_ix": chosen["sample_ix"],
        "n_tried": at + 1,
        "model": chosen["model"],
        "dropped": "chat_tag"
        if any(map(has_tags, (task["question"], *task["tests"], chosen["code"])))
        else None,
    }


def _by_prompt(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.prompt_id, []).append(answer)
    return found
