"""Instruction data as a user types it: build, inspect, explain, verify, status, recipes; and what is never written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instruct.sandbox import isolation_problem
from pipelines.instruction.recipe import instruction_names, load_instruction
from pipelines.instruction.systems import system_names, system_of
from tests.pipelines.test_cli import called, refused

EXAMPLES = Path(__file__).resolve().parents[3] / "pipelines" / "instruction" / "examples"
PANGU = EXAMPLES / "pangu-coder2"
ANSWERS = str(PANGU / "answers.jsonl")
SECRET = "sk-of-nobody-0123456789"
MODELS = ("--model", f"teacher={ANSWERS}", "--model", f"student={ANSWERS}")
QUICK = ("--set", "parts=2", "--set", "leaks.suites=[]", "--workers", "1")


def pangu(output, *more):
    return called(
        "build", "pangu-coder2", "-i", f"seeds={PANGU / 'seeds.json'}", "-o", str(output), *QUICK, *more
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A dataset built from the packaged example, with a key in the environment."""
    problem = isolation_problem()
    if problem is not None:
        pytest.skip(str(problem))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THRESHER_MODEL_KEY", SECRET)
        folder = tmp_path_factory.mktemp("commands")
        code, said, err = pangu(folder / "out", *MODELS)
        assert code == 0, err
        assert SECRET not in said + err
    return folder / "out"


def test_a_second_build_does_nothing_and_json_is_what_inspect_says(out):
    code, said, _ = pangu(out, *MODELS, "--json")
    assert code == 0
    assert json.loads(said) == json.loads(called("inspect", str(out), "--json")[1])
    assert all(stage["skipped"] for stage in json.loads((out / "run.json").read_text())["stages"])


def test_quiet_says_nothing(out):
    code, said, err = pangu(out, *MODELS, "-q")
    assert (code, said, err) == (0, "", "")


def test_what_inspect_prints(out):
    code, said, _ = called("inspect", str(out))
    assert code == 0
    for part in ("seeds", "evolve", "outcomes", "pairs", "dropped teacher_worse", "published: "):
        assert part in said


def test_a_row_is_explained_by_its_id_and_by_the_end_of_it(out):
    rows = [json.loads(line) for line in (out / "pairs" / "rrtf.jsonl").read_text().splitlines()]
    for name in (rows[0]["id"], rows[0]["id"][-8:]):
        found = json.loads(called("explain", str(out), name, "--json")[1])
        assert found["steps"][-1]["step"] == "pairs"
        assert found["steps"][-1]["rows"][0]["id"] == rows[0]["id"]
    code, said, _ = called("explain", str(out), rows[0]["id"])
    assert code == 0
    assert rows[0]["id"] in said
    refused("explain", str(out), "task-of-nobody", said="no row task-of-nobody", hint="for example ")


def test_it_verifies_until_a_file_is_damaged(out):
    code, said, _ = called("verify", str(out))
    assert (code, "the dataset is whole" in said) == (0, True)
    file = out / "pairs" / "rrhf.jsonl"
    whole = file.read_bytes()
    try:
        file.write_bytes(whole.replace(b"query", b"Query", 1))
        code, said, err = called("verify", str(out), "--json")
        assert code != 0
        assert "pairs/rrhf.jsonl: the content has changed" in said + err
    finally:
        file.write_bytes(whole)
    assert called("verify", str(out))[0] == 0


def test_status_names_every_step(out):
    found = json.loads(called("status", str(out), "--json")[1])
    assert found["error"] is None
    config = load_instruction("pangu-coder2").recipe.config
    steps = [step.name for step in system_of("pangu-coder2").steps(config)]
    assert [stage["stage"] for stage in found["stages"]] == steps
    assert {stage["state"] for stage in found["stages"]} <= {"finished", "kept"}


def test_no_file_holds_the_key(out):
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 15
    assert [path.name for path in files if SECRET.encode() in path.read_bytes()] == []


def test_the_dataset_says_nothing_of_the_machine(out):
    """The command as it was typed is in job.json, which is of the job and no part of the dataset."""
    paths = [str(out.parent).encode(), str(EXAMPLES).encode(), str(Path.home()).encode() + b"/"]
    for file in sorted(path for path in out.rglob("*") if path.is_file() and path.name != "job.json"):
        data = file.read_bytes()
        assert [path for path in paths if path in data] == [], file.name
    told = json.loads((out / "manifest.json").read_text())
    assert [(one["role"], one["name"]) for one in told["inputs"]] == [("seeds", "seeds.json")]


def test_a_limit_is_no_part_of_the_result(out, tmp_path):
    before = (out / "manifest.json").read_bytes()
    limits = ("--budget", "requests=0", "--budget", "price=1", "--budget", "read=1", "--budget", "written=2")
    assert pangu(out, *MODELS, *limits, "-q")[0] == 0
    assert (out / "manifest.json").read_bytes() == before


SEEDS = ("-i", f"seeds={PANGU / 'seeds.json'}")


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ((*SEEDS, *MODELS, "--model", "tutor=x.jsonl"), "no such role", "its models: teacher"),
        ((*SEEDS, "--model", f"teacher={ANSWERS}"), "a model for the role student", "--model student=URL"),
        ((*SEEDS, *MODELS, "--model", "evolver"), "expected ROLE=SOURCE", "for example"),
        ((*SEEDS, *MODELS, "--budget", "euros=3"), "expected KEY=NUMBER", "requests, tokens, price"),
        ((*SEEDS, *MODELS, "--budget", "requests=1.5"), "expected a number from 0 on", "requests=100"),
        ((*SEEDS, *MODELS, "--budget", "price=3"), "a limit on the price without prices", "price_in"),
        ((*SEEDS, *MODELS, "--budget", "tokens=-1"), "tokens=-1: expected a number from 0 on", "tokens=100"),
        ((*SEEDS, *MODELS, "--budget", "read=nan"), "read=nan: expected a number from 0 on", "read=100"),
        (("-i", f"seed={PANGU / 'seeds.json'}", *MODELS), "the role seed", "did you mean seeds="),
        (("-i", str(PANGU / "seeds.json"), *MODELS), "no role", "this recipe reads: seeds="),
        (("-i", "seeds=nowhere.json", *MODELS), "nowhere.json: no such file", "check the path"),
        ((*SEEDS, *MODELS, "--set", "leaks.rule=zzz"), "zzz", "thresher"),
        ((*SEEDS, *MODELS, "--set", "leaks.suites=['mbpp:absent']"), "absent", None),
        ((*SEEDS, *MODELS, "-i", f"tokenizer={PANGU / 'seeds.json'}"), "not a tokenizer", "tokenizer.json"),
        ((*SEEDS, *MODELS, "--set", "ranking.ty=1"), "unknown key ranking.ty", "tie"),
        ((*SEEDS, *MODELS, "--set", "ranking.scores=[0, 1, .nan, 3]"), "expected four ascending numbers", None),
    ],
)  # fmt: skip
def test_wrong_options_are_told_before_anything_is_written(tmp_path, given, said, hint):
    refused("build", "pangu-coder2", "-o", str(tmp_path / "out"), *given, said=said, hint=hint)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not list((tmp_path).rglob("*.parquet"))


def test_a_model_of_a_recipe_without_models(tmp_path):
    (tmp_path / "bash.txt").write_text("ls\n")
    given = ("-i", f"snippets={tmp_path / 'bash.txt'}", "--model", "teacher=x.jsonl")
    refused(
        "build", "codefusion", "-o", str(tmp_path / "o"), *given, said="no such role", hint="its models: none"
    )


@pytest.mark.parametrize("name", instruction_names())
def test_recipes_validate_and_every_value_says_where_it_is_from(name):
    loaded = load_instruction(name)
    system = system_of(loaded.recipe.system)
    assert loaded.recipe.name == name
    assert loaded.recipe.about
    told = list(loaded.values())
    keys = [key for key, *_ in told]
    assert len(set(keys)) == len(keys)
    for key, _, note in told:
        assert note.status in {"published", "de-facto", "unverified", "ours"}, key
        assert note.source.strip(), key
    written = [key for key in loaded.notes if not any(other.startswith(f"{key}.") for other in keys)]
    assert set(written) <= set(keys), "a note to a value that there is not"
    assert all(note.source != "Thresher's default" for note in loaded.notes.values())
    steps = [step.name for step in system.steps(loaded.recipe.config)]
    assert len(set(steps)) == len(steps)
    assert set(system.published) <= set(steps)


@pytest.mark.parametrize("name", instruction_names())
def test_recipes_are_listed_with_all_values(name):
    code, said, _ = called("recipes", name, "--json")
    assert code == 0
    listed = {one["key"]: (one["status"], one["source"]) for one in json.loads(said)}
    assert listed == {key: (note.status, note.source) for key, _, note in load_instruction(name).values()}


@pytest.mark.parametrize("name", instruction_names())
def test_steps_read_what_comes_before_them_and_use_what_there_is(name):
    recipe = load_instruction(name).recipe
    system, before = system_of(recipe.system), set()
    for step in system.steps(recipe.config):
        assert set(step.reads) <= before
        before.add(step.name)
        assert all(hasattr(recipe.config, used) for used in step.uses)
        assert step.key in step.schema.names
        assert {*step.roles, *filter(None, [step.role])} <= set(system.roles)
        assert set(step.asks) <= set(system.models)
        assert not step.asks or step.spread == "whole"
    needs = system.needs(recipe.config)
    assert {role for group in needs.inputs for role in group} <= set(system.roles)
    assert set(needs.models) <= set(system.models)


def test_every_system_has_a_recipe():
    assert {load_instruction(name).recipe.system for name in instruction_names()} == set(system_names())


def test_recipes_and_examples_are_package_data():
    import fnmatch
    import tomllib

    root = EXAMPLES.parents[2]
    with (root / "pyproject.toml").open("rb") as source:
        patterns = tomllib.load(source)["tool"]["setuptools"]["package-data"]["*"]
    files = [
        path
        for kind in ("examples", "recipes")
        for path in (EXAMPLES.parent / kind).rglob("*")
        if path.is_file()
    ]
    assert len(files) >= 3 + len(instruction_names())
    for file in files:
        assert any(fnmatch.fnmatch(file.name, pattern) for pattern in patterns), file.name
        assert b"/home/" not in file.read_bytes()
