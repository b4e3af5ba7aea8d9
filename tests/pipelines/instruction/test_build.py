"""Building instruction data: resumable, the same bytes however it is run, and every mistake told in a line."""

from __future__ import annotations

import hashlib
import json
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from columns.errors import EnvironmentProblem, InputError, OutputError, RecipeError
from columns.files import Place
from instruct.models import Answer, Prompt, record_answers
from pipelines.cli.instruction import model_access
from pipelines.engine import Engine
from pipelines.instruction import manifest, story, systems
from pipelines.instruction.build import InstructionBuild, InstructionOptions
from pipelines.instruction.inputs import Input, read_inputs
from pipelines.instruction.recipe import instruction_names, is_instruction, load_instruction
from pipelines.instruction.steps import ModelAccess, key_variable, part_of
from pipelines.instruction.verification import verify_instruction
from pipelines.lease import leased
from pipelines.progress import Display
from pipelines.stage import read_json
from tests.pipelines.instruction import toy

RECIPE = (
    "instruct: toy\nname: little\nparts: 3\nmarking: {shortest: {value: 3, status: ours, source: a guess}}\n"
)
LINES = ["alpha", "be", "gamma", "", "delta"]


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setitem(systems._MODULES, "toy", "tests.pipelines.instruction.toy")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "one.txt").write_text("\n".join(LINES))
    (tmp_path / "two.txt").write_text("epsilon\nze")
    (tmp_path / "toy.yaml").write_text(RECIPE)
    ids = [f"one.txt:{n}" for n in (0, 2, 4)] + ["two.txt:0"]
    texts = ["alpha", "gamma", "delta", "epsilon"]
    prompts = [Prompt(name, (("user", text),)) for name, text in zip(ids, texts, strict=True)]
    answers = [
        Answer(one.id, 0, text.upper(), "", "toy", 1, 1) for one, text in zip(prompts, texts, strict=True)
    ]
    record_answers(tmp_path / "oracle.jsonl", prompts, toy.MODEL, answers)
    return tmp_path


def build(place: Path, output="out", *, workers=1, mode="threads", changes=(), models=True, quiet=True):
    inputs = read_inputs([f"lines={place / name}" for name in ("one.txt", "two.txt")], toy.SYSTEM.roles)
    access = ModelAccess({"oracle": str(place / "oracle.jsonl")} if models else {})
    options = InstructionOptions(inputs, Place(str(place / output)), access)
    loaded = load_instruction(str(place / "toy.yaml"), changes)
    console = Console(width=200, record=True, file=StringIO())
    made = InstructionBuild(loaded, options, Engine("DirectRunner", workers, mode), Display(console, quiet))
    made.run()
    return made, console


def tree(place: Path) -> dict[str, str]:
    return {
        path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name not in {"run.json", "_stage.json"}
    }


def test_every_step_leaves_its_rows_and_the_manifest_counts_them(place):
    build(place)
    found = manifest.summarise(Place(str(place / "out")))
    assert {step["name"]: step["rows"] for step in found["steps"]} == {
        "read": 7, "gather": 7, "mark": 7, "ask": 4, "export": 4,
    }  # fmt: skip
    marked = next(step for step in found["steps"] if step["name"] == "mark")
    assert marked["counts"] == {"short": 3}
    assert marked["published"] == "half of them"
    lines = [json.loads(line) for line in (place / "out/export/toy.jsonl").read_text().splitlines()]
    assert [line["answer"] for line in lines] == ["ALPHA", "GAMMA", "DELTA", "EPSILON"]


def test_rows_lie_in_the_part_of_their_key(place):
    build(place)
    for part in range(3):
        table = pq.read_table(place / "out/mark" / f"part-{part:05d}-of-00003.parquet")
        assert set(part_of(table["id"], 3).tolist()) <= {part}


def test_workers_processes_and_a_second_run_change_no_byte(place):
    build(place, "a")
    build(place, "b", workers=3)
    build(place, "c", workers=2, mode="processes")
    assert tree(place / "a") == tree(place / "b") == tree(place / "c")
    before = tree(place / "a")
    made, _ = build(place, "a")
    assert all(one["skipped"] for one in made._log)
    assert tree(place / "a") == before


def test_a_change_runs_the_steps_that_depend_on_it(place):
    build(place)
    made, _ = build(place, changes=["marking.shortest=6"])
    assert {one["stage"]: one["skipped"] for one in made._log} == {
        "read": True, "gather": True, "mark": False, "ask": False, "export": False,
    }  # fmt: skip
    assert (read_json(Place(str(place / "out/mark")), "_stage.json") or {})["counts"]["short"] == 6


def test_an_input_with_another_content_is_read_again_and_a_copy_is_not(place):
    first = Input.of(str(place / "one.txt")).stamp
    (place / "copy").mkdir()
    (place / "copy/one.txt").write_text("\n".join(LINES))
    assert Input.of(str(place / "copy/one.txt")).stamp == first
    (place / "copy/one.txt").write_text("other")
    assert Input.of(str(place / "copy/one.txt")).stamp != first


def test_a_folder_has_the_stamp_of_names_and_content(place):
    folder = place / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "a.py").write_text("x = 1\n")
    first = Input.of(str(folder)).stamp
    (folder / ".git/index").write_text("changes")
    assert Input.of(str(folder)).stamp == first
    (folder / "a.py").rename(folder / "b.py")
    assert Input.of(str(folder)).stamp != first


def test_a_failed_step_is_told_and_what_was_done_is_kept(place):
    (place / "two.txt").write_text("bad\0line")
    with pytest.raises(InputError, match=r"two.txt: a NUL"):
        build(place, workers=2)
    assert not (place / "out/manifest.json").exists()
    (place / "two.txt").write_text("epsilon\nze")
    build(place)
    assert (place / "out/manifest.json").exists()


def test_a_missing_model_and_a_missing_input_are_named(place):
    with pytest.raises(InputError, match="a model for the role oracle") as told:
        build(place, models=False)
    assert "--model oracle=URL" in (told.value.hint or "")
    build(place, "unasked", models=False, changes=["ask=false"])
    loaded = load_instruction(str(place / "toy.yaml"))
    options = InstructionOptions({}, Place(str(place / "none")))
    with pytest.raises(InputError, match="expected an input") as told:
        InstructionBuild(loaded, options, Engine(), Display(Console(), quiet=True)).run()
    assert "--input lines=PATH (text files)" in (told.value.hint or "")


@pytest.mark.parametrize(
    ("source", "said"),
    [("nowhere.jsonl", "--model oracle=nowhere.jsonl: no such file"), ("ftp://host/v1", "not an endpoint")],
)
def test_a_model_that_cannot_be_asked_is_told_before_any_step(place, source, said):
    loaded = load_instruction(str(place / "toy.yaml"))
    inputs = read_inputs([f"lines={place / 'one.txt'}"], toy.SYSTEM.roles)
    options = InstructionOptions(inputs, Place(str(place / "out")), ModelAccess({"oracle": source}))
    with pytest.raises(InputError, match=said):
        InstructionBuild(loaded, options, Engine(), Display(Console(), quiet=True)).run()
    assert not (place / "out").exists()


def test_one_build_at_a_time_writes_a_dataset(place):
    with leased(Place(str(place / "out")), "build"), pytest.raises(OutputError, match="build is under way"):
        build(place)
    build(place)
    assert (place / "out/manifest.json").exists()


def test_costs_are_said_before_anything_is_asked_and_a_whole_step_is_heard(place):
    _, console = build(place, quiet=False)
    said = console.export_text()
    assert "model oracle: cheap" in said
    assert said.index("model oracle: cheap") < said.index("asked 4")


def test_distant_runners_and_outputs_are_refused(place):
    with pytest.raises(EnvironmentProblem, match="one machine"):
        _distant(place)
    loaded = load_instruction(str(place / "toy.yaml"))
    options = InstructionOptions({}, Place("memory://bucket/out"))
    with pytest.raises(OutputError, match="directory of this machine"):
        InstructionBuild(loaded, options, Engine(), Display(Console(), quiet=True)).run()


def _distant(place):
    loaded = load_instruction(str(place / "toy.yaml"))
    options = InstructionOptions({}, Place(str(place / "out")))
    engine = Engine("PortableRunner", options=("--job_endpoint=localhost:1",))
    InstructionBuild(loaded, options, engine, Display(Console(), quiet=True)).run()


def test_a_rows_story_names_the_step_that_dropped_it(place):
    build(place)
    out = Place(str(place / "out"))
    assert story.tell(out, "one.txt:1").verdict == "dropped at mark: short"
    kept = story.tell(out, "one.txt:4")
    assert kept.verdict == "kept"
    assert [chapter.step for chapter in kept.chapters] == ["read", "gather", "mark", "ask", "export"]
    assert kept.to_dict()["steps"][3]["rows"][0]["answer"] == "DELTA"
    console = Console(width=100, record=True, file=StringIO())
    story.render(kept, console)
    assert "DELTA" in console.export_text()
    with pytest.raises(InputError, match="no row nowhere") as told:
        story.tell(out, "nowhere")
    assert "for example " in (told.value.hint or "")


def test_a_broken_part_is_told_and_the_next_build_makes_it_anew(place):
    build(place)
    part = sorted((place / "out/gather").glob("part-*"))[0]
    whole = part.read_bytes()
    part.write_text("broken")
    with pytest.raises(OutputError, match=f"{part.name}: not a whole Parquet file"):
        story.tell(Place(str(place / "out")), "one.txt:0")
    build(place)
    assert part.read_bytes() == whole


def test_brackets_of_code_are_shown_as_they_are(place):
    (place / "one.txt").write_text("values[i] < values[j]")
    build(place, models=False, changes=["ask=false"])
    console = Console(width=100, record=True, file=StringIO())
    story.render(story.tell(Place(str(place / "out")), "one.txt:0"), console)
    assert "values[i] < values[j]" in console.export_text()


def test_a_summary_is_shown_with_what_the_paper_counted(place):
    build(place)
    console = Console(width=100, record=True, file=StringIO())
    manifest.render(manifest.summarise(Place(str(place / "out"))), console)
    said = console.export_text()
    assert "short lines are marked" in said
    assert "published: half of them" in said


def failed(place: Path) -> dict[str, tuple[str, ...]]:
    checks = verify_instruction(Place(str(place / "out")))
    return {check.name: check.problems for check in checks if not check.passed}


def test_verification_finds_what_is_missing_changed_or_miscounted(place):
    build(place)
    assert failed(place) == {}
    exported = place / "out/export/toy.jsonl"
    whole = exported.read_bytes()
    exported.write_bytes(whole[:-1])
    assert failed(place) == {
        "files": (f"export/toy.jsonl: expected {len(whole)} bytes, found {len(whole) - 1}",)
    }
    exported.write_bytes(whole[:-1] + b" ")
    assert failed(place) == {"files": ("export/toy.jsonl: the content has changed",)}
    exported.unlink()
    assert failed(place) == {"files": ("export/toy.jsonl: missing",)}
    exported.write_bytes(whole)
    told = place / "out/manifest.json"
    told.write_text(told.read_text().replace('"rows": 4', '"rows": 5'))
    assert set(failed(place)) == {"rows"}


def test_verification_finds_a_step_that_was_made_again(place):
    build(place)
    manifest_text = (place / "out/manifest.json").read_text()
    build(place, changes=["marking.shortest=6"])
    (place / "out/manifest.json").write_text(manifest_text)
    assert "mark: not the step that the manifest tells of" in failed(place)["steps"]


def test_another_dataset_is_no_instruction_data(tmp_path):
    assert not manifest.is_instruction_set(Place(str(tmp_path)))
    with pytest.raises(OutputError, match="no finished instruction dataset"):
        manifest.read_manifest(Place(str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("instruct: tay", "line 1: instruct: no such system: tay", "did you mean toy?"),
        ("instruct: toy\nparts: 0", "line 2: parts: expected a number from 1 to 4096, got 0", None),
        ("instruct: toy\nparts: true", "parts: expected a number", None),
        (
            "instruct: toy\nmarking: {shortes: 1}",
            "line 2: unknown key marking.shortes",
            "did you mean shortest?",
        ),
        ("instruct: toy\nmarkin: {}", "unknown key markin", "did you mean marking?"),
        ("instruct: toy\nmarking: {shortest: many}", "line 2: marking.shortest", None),
    ],
)
def test_a_wrong_recipe_is_told_by_file_and_line(tmp_path, text, said, hint):
    path = tmp_path / "mine.yaml"
    path.write_text(text + "\n")
    with pytest.raises(RecipeError) as told:
        load_instruction(str(path))
    assert said in told.value.what
    assert (hint or "") in (told.value.hint or "")


def test_set_changes_a_value_and_says_so(place):
    loaded = load_instruction(str(place / "toy.yaml"), ["marking.shortest=5", "parts=2"])
    assert loaded.recipe.config.marking.shortest == 5
    assert loaded.recipe.parts == 2
    notes = {path: note for path, _, note in loaded.values()}
    assert notes["marking.shortest"].source == "--set"
    for wrong in ("marking.shortest", "=3", "a..b=1", "x={"):
        with pytest.raises(RecipeError):
            load_instruction(str(place / "toy.yaml"), [wrong])


def test_which_recipes_are_of_instruction_data(place):
    assert is_instruction(str(place / "toy.yaml"))
    (place / "child.yaml").write_text("extends: toy.yaml\nname: child\n")
    (place / "broken.yaml").write_text("{")
    assert is_instruction(str(place / "child.yaml"))
    assert load_instruction(str(place / "child.yaml")).recipe.parts == 3
    assert not is_instruction("codex")
    assert not is_instruction(str(place / "broken.yaml"))
    assert not is_instruction(str(place / "absent.yaml"))
    assert all(is_instruction(name) for name in instruction_names())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("line=x", "did you mean lines=x?"),
        ("nothing", "this recipe reads: lines=… (text files)"),
        ("lines=", "lines=…"),
    ],
)
def test_an_input_without_a_known_role_is_refused(text, said):
    with pytest.raises(InputError) as told:
        read_inputs([text], toy.SYSTEM.roles)
    assert said in (told.value.hint or "")


def test_a_lone_role_need_not_be_named(place):
    one = read_inputs([str(place / "one.txt")], {"lines": "text"})
    assert one["lines"][0].name == "one.txt"
    with pytest.raises(InputError, match="no such file"):
        read_inputs([str(place / "three.txt")], {"lines": "text"})


def test_models_and_limits_are_read_from_options():
    found = model_access(
        ["teacher=a.jsonl", "student=http://h/v1?a=b"], ["requests=5", "price=2", "read=1", "written=3"]
    )
    assert found.sources == {"teacher": "a.jsonl", "student": "http://h/v1?a=b"}
    assert (found.budget.max_requests, found.budget.max_price, found.budget.price_out) == (5, 2.0, 3.0)


@pytest.mark.parametrize(
    ("models", "limits", "said"),
    [
        (["a.jsonl"], [], "expected ROLE=SOURCE"),
        (["http://h/v1?a=b"], [], "expected ROLE=SOURCE"),
        (["teacher=a.jsonl", "teacher=b.jsonl"], [], "--model teacher=…: given twice"),
        ([], ["requests=1", "requests=2"], "requests is given twice"),
        ([], ["request=5"], "expected KEY=NUMBER"),
        ([], ["requests=many"], "expected a number"),
        ([], ["price=5"], "a limit on the price without prices"),
        ([], ["requests=-1"], "requests=-1: expected a number from 0 on"),
        ([], ["read=inf"], "read=inf: expected a number from 0 on"),
    ],
)
def test_wrong_models_and_limits_are_refused(models, limits, said):
    with pytest.raises(InputError, match=said):
        model_access(models, limits)


def test_a_limit_on_the_price_says_how_prices_are_given():
    with pytest.raises(InputError) as told:
        model_access([], ["price=5"])
    assert "--budget read=… --budget written=…" in (told.value.hint or "")


def test_a_key_is_that_of_the_role_or_of_all(monkeypatch):
    monkeypatch.delenv("THRESHER_MODEL_KEY", raising=False)
    assert key_variable("teacher") is None
    monkeypatch.setenv("THRESHER_MODEL_KEY", "x")
    assert key_variable("teacher") == "THRESHER_MODEL_KEY"
    monkeypatch.setenv("THRESHER_TEACHER_KEY", "y")
    assert key_variable("teacher") == "THRESHER_TEACHER_KEY"
    assert key_variable("student") == "THRESHER_MODEL_KEY"
