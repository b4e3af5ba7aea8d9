"""PanGu-Coder2 end to end: live and recorded, interrupted, with any workers; every rule that drops something."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from columns.errors import EnvironmentProblem, InputError, RecipeError
from columns.files import Place
from contamination import load_suite
from instruct.models import Budget
from instruct.sandbox import isolation_problem
from pipelines.engine import Engine
from pipelines.instruction import manifest, story
from pipelines.instruction.build import InstructionBuild, InstructionOptions
from pipelines.instruction.inputs import read_inputs
from pipelines.instruction.pangu import SYSTEM
from pipelines.instruction.recipe import load_instruction
from pipelines.instruction.steps import ModelAccess
from pipelines.progress import Display
from tests.instruct.models.chatserver import hang, serving, status
from tests.pipelines.instruction import pangu_example as example
from tests.pipelines.instruction.pangu_example import Task

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "pipelines" / "instruction" / "examples" / "pangu-coder2"


@pytest.fixture(scope="module", autouse=True)
def _isolated():
    """Programs are run only where they can be isolated."""
    problem = isolation_problem()
    if problem is not None:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def lines():
    """The example's lines of tasks, and one that becomes a task of HumanEval."""
    leak = load_suite("humaneval").tasks[7].prompt
    return example.LINES | {"Choose texts from a list.": (Task(f"Complete this:\n\n{leak}"), Task(""))}


@pytest.fixture
def server(lines):
    with serving(example.answering(lines)) as running:
        yield running


def build(place: Path, sources, lines, output="out", *, workers=1, mode="threads", changes=(), budget=None):
    place.mkdir(exist_ok=True)
    (place / "seeds.json").write_text(json.dumps([{"instruction": text} for text in lines]))
    inputs = read_inputs([f"seeds={place / 'seeds.json'}"], SYSTEM.roles)
    models = ModelAccess(sources, budget=budget or Budget())
    options = InstructionOptions(inputs, Place(str(place / output)), models)
    console = Console(width=200, record=True, file=StringIO())
    loaded = load_instruction("pangu-coder2", ["parts=2", *changes])
    InstructionBuild(
        loaded, options, Engine("DirectRunner", workers, mode), Display(console, quiet=False)
    ).run()
    return place / output, console.export_text()


def rows(output: Path, step: str) -> list[dict]:
    return [row for part in sorted((output / step).glob("part-*")) for row in pq.read_table(part).to_pylist()]


def tree(output: Path) -> dict[str, str]:
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name not in {"run.json", "job.json", "_stage.json", "answers.jsonl"}
    }


def live(server):
    return {"teacher": server.url, "student": server.url}


@pytest.fixture(scope="module")
def built(tmp_path_factory, lines):
    """A dataset made with a live model; its recording."""
    place = tmp_path_factory.mktemp("pangu")
    with serving(example.answering(lines)) as server:
        output, said = build(place, live(server), lines)
        return output, said, len(server.asked)


def test_every_rule_and_every_outcome(built):
    output, *_ = built
    cleaned = {row["instruction"]: row["dropped"] for row in rows(output, "clean") if row["round"]}
    dropped = sorted(str(one) for one in cleaned.values() if one)
    assert dropped == [
        "duplicate",
        "forbidden",
        "leak",
        "near_duplicate",
        "no_answer",
        "not_python",
        "refusal",
    ]
    paired = {row["prompt"]: row for row in rows(output, "pairs")}
    line = {seed: [task.text for task in tasks] for seed, tasks in example.LINES.items()}
    adds = line["Write a function that adds up a list of numbers."]
    told = [
        (paired[text]["score_chosen"], paired[text]["score_rejected"], paired[text]["reason"])
        for text in adds
    ]
    assert told == [(3.0, 2.0, "outcome"), (3.5, 3.0, "tie"), (3.0, 1.0, "outcome")]
    assert [paired[text]["dropped"] for text in adds] == [None] * 3
    words = paired[line["Reverse the words of a sentence."][0]]
    assert (words["score_chosen"], words["score_rejected"], words["dropped"]) == (3.0, 0.0, None)
    assert paired[line["Turn a sentence round."][2]]["dropped"] == "teacher_worse"
    merges = line["Merge two sorted lists."]
    assert merges[0] not in paired
    assert [paired[text]["dropped"] for text in merges[1:]] == [
        "no_teacher_refusal",
        "no_teacher_no_function",
    ]
    steps = line["Show an alert when a button is pressed."]
    assert [paired[text]["dropped"] for text in steps[1:]] == ["no_teacher_entry_point", None]
    tested = {row["instruction"]: row["dropped"] for row in rows(output, "tests")}
    assert tested[merges[0]] == "tests_no_code"


def test_files_to_train_on(built):
    output, *_ = built
    kept = [row for row in rows(output, "pairs") if row["dropped"] is None]
    records = {
        name: [json.loads(one) for one in (output / "pairs" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("rrtf", "rrhf", "training")
    }
    assert {name: len(found) for name, found in records.items()} == {"rrtf": 5, "rrhf": 5, "training": 5}
    assert sorted(one["r_tea"] for one in records["rrtf"]) == sorted(row["score_chosen"] for row in kept)
    assert all(one["r_tea"] > one["r_stu"] for one in records["rrtf"])
    for one in records["training"]:
        compile(one["text"], "training", "exec")
    trained = sorted(one["text"] for one in records["training"])
    assert sorted(one["query"] + one["responses"][0] for one in records["rrhf"]) == trained
    assert sorted(one["x"] + one["y_tea"] for one in records["rrtf"]) == trained


def test_the_manifest_names_what_tasks_were_compared_with(built):
    told = json.loads((built[0] / "manifest.json").read_text())["suites"]
    suite = load_suite("humaneval")
    assert told == {"humaneval": {"tasks": 164, "sha256": suite.sha256, "version": suite.version}}


def test_the_manifest_and_the_story(built):
    output, *_ = built
    found = {step["name"]: step for step in manifest.summarise(Place(str(output)))["steps"]}
    assert found["evolve"]["counts"]["round 1"] == 8
    assert found["clean"]["counts"]["dropped leak"] == 1
    assert found["outcomes"]["counts"]["teacher all_pass"] == 5
    assert "68K" in found["clean"]["published"]
    leak = next(row for row in rows(output, "clean") if row["dropped"] == "leak")
    assert leak["leaks"] == ["humaneval/HumanEval/7"]
    assert story.tell(Place(str(output)), leak["id"]).verdict == "dropped at clean: leak"


def test_a_recording_makes_the_same_bytes_with_any_workers(built, tmp_path, lines):
    output, *_ = built
    recorded = dict.fromkeys(("teacher", "student"), str(output / "answers.jsonl"))
    again, _ = build(tmp_path, recorded, lines)
    other, _ = build(tmp_path, recorded, lines, "other", workers=2)
    assert tree(again) == tree(other)
    without = {name: digest for name, digest in tree(again).items() if name != "manifest.json"}
    assert without == {name: digest for name, digest in tree(output).items() if name != "manifest.json"}


def test_costs_are_said_before_anything_is_asked(built):
    _, said, _ = built
    assert said.index("model teacher: 24 requests") < said.index("at most, http://127.0.0.1")
    for role in ("evolver", "tester", "student"):
        assert f"model {role}: " in said


def test_an_interrupted_build_asks_nothing_twice(built, server, tmp_path, lines):
    _, _, asked = built
    limits = iter(range(5, asked, 12))
    for limit in limits:
        with pytest.raises(EnvironmentProblem, match="the budget of"):
            build(tmp_path, live(server), lines, budget=Budget(max_requests=limit))
        assert len(server.asked) == limit
    server.tricks = [status(401)]
    with pytest.raises(EnvironmentProblem, match="401"):
        build(tmp_path, live(server), lines)
    output, _ = build(tmp_path, live(server), lines)
    assert len(server.asked) == asked + 1
    assert tree(output) == tree(built[0])


@pytest.mark.slow
def test_a_killed_build_goes_on_where_it_was(built, server, tmp_path, lines):
    """Killed while a request is on its way: only what was on its way is asked again."""
    (tmp_path / "seeds.json").write_text(json.dumps([{"instruction": text} for text in lines]))
    arguments = [
        "build",
        "pangu-coder2",
        "-i",
        f"seeds={tmp_path / 'seeds.json'}",
        "-o",
        str(tmp_path / "out"),
    ]
    models = [word for role in ("teacher", "student") for word in ("--model", f"{role}={server.url}")]
    server.tricks = [None] * 12 + [hang(60)] * 8
    command = [sys.executable, "-m", "pipelines", *arguments, *models, "--set", "parts=2", "--quiet"]
    running = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        while len(server.asked) < 13 and running.poll() is None:
            time.sleep(0.05)
        assert running.poll() is None
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    kept = (tmp_path / "out" / "answers.jsonl").read_bytes().count(b"\n")
    assert kept >= 5
    server.tricks, before = [], len(server.asked)
    output, _ = build(tmp_path, live(server), lines)
    assert len(server.asked) - before == built[2] - kept
    assert tree(output) == tree(built[0])


def test_changing_a_rule_asks_nothing_again(built, tmp_path, lines, server):
    output, *_ = built
    sources = dict.fromkeys(("teacher", "student"), str(output / "answers.jsonl"))
    made, _ = build(tmp_path, sources, lines, changes=["ranking.tie=0.25"])
    assert sorted(row["score_chosen"] for row in rows(made, "pairs") if row["reason"] == "tie") == [3.25]


def test_what_is_not_recorded_is_told_and_written_as_a_batch(built, tmp_path, lines):
    output, *_ = built
    answers = (output / "answers.jsonl").read_text().splitlines()
    (tmp_path / "teacher.jsonl").write_text(
        "\n".join(one for one in answers if '"model":"teacher"' in one) + "\n"
    )
    (tmp_path / "student.jsonl").write_text("")
    sources = {role: str(tmp_path / f"{role}.jsonl") for role in ("teacher", "student")}
    with pytest.raises(InputError, match="9 of 9 answers are not recorded") as told:
        build(tmp_path, sources, lines)
    assert "requests-student.jsonl" in told.value.hint
    requests = [
        json.loads(one) for one in (tmp_path / "out" / "requests-student.jsonl").read_text().splitlines()
    ]
    answer = example.answering(lines)
    bodies = [
        {
            "custom_id": one["custom_id"],
            "response": {
                "status_code": 200,
                "body": {"choices": [{"message": {"content": answer(one["body"])}}]},
            },
        }
        for one in requests
    ]
    (tmp_path / "student.jsonl").write_text("".join(json.dumps(one) + "\n" for one in bodies[1:]))
    made, said = build(tmp_path, sources, lines)
    assert "1 of 9 answers are not recorded" in said
    assert sum(row["dropped"] is None for row in rows(made, "pairs")) >= 4


def test_the_packaged_example_is_what_these_answers_are(tmp_path):
    """When a prompt changes, so do its keys: make the example again, from the recording that this test leaves."""
    with serving(example.answering(example.LINES)) as server:
        output, _ = build(tmp_path, live(server), example.LINES)
    fresh = sorted((output / "answers.jsonl").read_text().splitlines())
    assert json.loads((EXAMPLES / "seeds.json").read_text()) == example.SEEDS
    assert sorted((EXAMPLES / "answers.jsonl").read_text().splitlines()) == fresh
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir()) < 60_000


def test_a_tokenizer_counts_where_it_is_given(tmp_path, built, lines):
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    from pipelines.instruction.asking import token_counter
    from pipelines.instruction.steps import Context

    def context(*texts):
        return Context(Place(str(tmp_path)), 1, None, read_inputs(texts, SYSTEM.roles), ModelAccess())

    assert token_counter(context(f"tokenizer={tmp_path / 'tokenizer.json'}"))("one two, three") == 4
    assert token_counter(context())("abcd") == 2
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(InputError, match="not a tokenizer"):
        token_counter(context(f"tokenizer={tmp_path / 'bad.json'}"))


def test_the_command_of_the_docs(tmp_path, capfd):
    """docs/datasets/pangu-coder2.md: the example's counts."""
    from pipelines.cli.app import app

    answers = str(EXAMPLES / "answers.jsonl")
    arguments = [
        "build",
        "pangu-coder2",
        "-i",
        f"seeds={EXAMPLES / 'seeds.json'}",
        "-o",
        str(tmp_path / "try"),
        "--json",
    ]
    models = ["--model", f"teacher={answers}", "--model", f"student={answers}"]
    app([*arguments, *models], standalone_mode=False)
    found = {step["name"]: step for step in json.loads(capfd.readouterr().out)["steps"]}
    rounds = [found["evolve"]["counts"][f"round {n}"] for n in (1, 2, 3)]
    assert rounds == [7, 5, 4]
    assert found["clean"]["counts"]["kept"] == 10
    assert found["tests"]["counts"]["kept"] == 9
    assert found["pairs"]["counts"] == {
        "kept outcome": 4, "kept tie": 1, "dropped teacher_worse": 1, "dropped no_teacher_refusal": 1,
        "dropped no_teacher_no_function": 1, "dropped no_teacher_entry_point": 1,
    }  # fmt: skip


def test_seeds_that_are_none_are_counted(tmp_path, built):
    output, *_ = built
    place = tmp_path / "seeds.json"
    place.write_text(
        json.dumps([*({"instruction": text} for text in example.LINES), 7, {"instruction": " "}])
    )
    sources = dict.fromkeys(("teacher", "student"), str(output / "answers.jsonl"))
    options = InstructionOptions(
        read_inputs([f"seeds={place}"], SYSTEM.roles), Place(str(tmp_path / "out")), ModelAccess(sources)
    )
    loaded = load_instruction("pangu-coder2", ["parts=1"])
    display = Display(Console(file=StringIO()), quiet=True)
    InstructionBuild(loaded, options, Engine("DirectRunner", 1, "threads"), display).run()
    seeds = manifest.summarise(options.place)["steps"][0]
    assert (seeds["rows"], seeds["counts"]) == (9, {"dropped malformed": 1, "dropped empty": 1})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("evolve.rounds=21", "rounds: expected 0 to 20, got 21"),
        ("evolve.methods=[magic]", "methods: expected some of"),
        ("ranking.tie=2", "tie: expected 0 or more"),
        ("teacher.temperature=3", "temperature: expected 0 to 2, got 3"),
        ("teacher.temprature=1", "unknown key teacher.temprature"),
        ("cleaning.rules=[nothing]", "rules: expected some of"),
        ("unit_tests.least=9", "least at most count"),
    ],
)
def test_a_wrong_value_is_told(change, said):
    with pytest.raises(RecipeError, match=said):
        load_instruction("pangu-coder2", [change])


def test_every_value_of_the_recipe_says_where_it_comes_from():
    for name in ("pangu-coder2", "code-llama-instruct"):
        notes = {
            path: note for path, _, note in load_instruction(name).values() if not path.startswith("limits")
        }
        bare = [path for path, note in notes.items() if note.source == "Thresher's default"]
        assert [path for path in bare if not path.endswith((".stop", ".samples"))] == ["instruct", "parts"]
