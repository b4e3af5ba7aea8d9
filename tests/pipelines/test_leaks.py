"""Leaks in a build: dropped, cut out or reported, suite by suite; the same bytes however it runs; other settings."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from columns.errors import RecipeError
from columns.files import Place
from columns.tables import read_whole, write_table
from contamination import load_suite
from contamination.allowed import Allowed, write_allowed
from contamination.commonness import COUNTS
from contamination.planting import plant
from pipelines.build import STAGES, Build, BuildOptions
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine
from pipelines.finished import Finished
from pipelines.leaks import LeakView, SumCounts, still_parses
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from pipelines.redacting import Texts
from pipelines.stored import Stored
from pipelines.story import tell
from tests.pipelines.building import assert_same, build, recipe
from tests.pipelines.corpus import corpus, leak, write_tree

HOUSE = {
    "grade.py": """
def grade_of(points, limits):
    marks = sorted(limits.items(), key=lambda pair: -pair[1])
    for letter, least in marks:
        if points >= least and points <= 100:
            return letter + ("+" if points - least > 5 else "")
    raise ValueError(f"no grade for {points}")
""".lstrip(),
    "pairs.py": """
def pairs_below(numbers, bound):
    found = set()
    for at, one in enumerate(numbers):
        for other in numbers[at + 1:]:
            if abs(one - other) < bound and one != other:
                found.add((min(one, other), max(one, other)))
    return sorted(found)
""".lstrip(),
}
SOLUTION = {task.id: task.solutions[0] for task in load_suite("humaneval").tasks}
FILES = {
    "dropped.py": leak("HumanEval/4"),
    "cut.py": f"import os\n\nLIMIT = 3\n\n\n{HOUSE['grade.py']}\n\ndef own(x):\n    return os.sep * x + str(LIMIT)\n",
    "method.py": "class A:\n" + "".join(f"    {line}\n" for line in HOUSE["pairs.py"].splitlines()) + "\n\nb = A()\n",
    "both.py": f"{HOUSE['pairs.py']}\n\n{SOLUTION['HumanEval/6']}",
    "nothing_left.py": HOUSE["pairs.py"],
    "renamed.py": HOUSE["grade.py"].replace("points", "score").replace("limits", "table").replace("grade_of", "f")
    + "\n\nc = f(90, {})\n",
    "allowed.py": f"# ours since 2015\nimport sys\n\n\n{HOUSE['grade.py']}\nprint(sys.argv)\n",
    "clean.py": "def f(a):\n    return a\n",
}  # fmt: skip
RECIPE = """
extends: codex
name: small
layout: {{parts: 4}}
tokenizer: {{vocab_size: 1024, sample_bytes: 400000}}
pack: {{seq_len: 256, shard_tokens: 65536, validation_fraction: 0.1}}
guard: {{share: 1.0}}
dedup: {{near: false}}
contamination:
  suites: [humaneval, "dir:house={house}"]
  excise: [house]
  allow: allowed.yaml
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("leaks")
    write_tree(made / "house", HOUSE)
    sha = hashlib.sha256(FILES["allowed.py"].encode()).hexdigest()
    write_allowed([Allowed("house", "grade.py", sha, "it was ours first")], made / "allowed.yaml")
    return made


@pytest.fixture(scope="module")
def text(folder) -> str:
    return RECIPE.format(house=folder / "house")


@pytest.fixture(scope="module")
def tree(folder):
    others = {f"other/{path}": body for path, body in list(corpus().items())[:40]}
    return write_tree(folder / "tree", FILES | others)


@pytest.fixture(scope="module")
def built(folder, text, tree) -> Place:
    return build(folder, folder / "out", [tree], text=text)


def rows_of(place: Place, folder: str) -> dict[str, list[dict]]:
    """Lines of a table by the path of their file."""
    dataset, found = Dataset(place), {}
    names = Names(dataset.parts())
    for part in range(names.count):
        paths = read_whole(dataset.ledger, names.part(part), ["path"]).column(0).to_pylist()
        for line in read_whole(place.child(folder), names.part(part)).to_pylist():
            found.setdefault(paths[line["row"]], []).append(line)
    return found


def ledger(place: Place) -> dict[str, dict]:
    dataset = Dataset(place)
    names = Names(dataset.parts())
    tables = [read_whole(dataset.ledger, names.part(part)) for part in range(names.count)]
    return {line["path"]: line for table in tables for line in table.to_pylist()}


def shown(place: Place) -> dict[str, str]:
    """Texts of kept files as they go into shards."""
    dataset, found = Dataset(place), {}
    names = Names(dataset.parts())
    for part in range(names.count):
        for batch in Texts(dataset, names)(part, ["path", "content"]):
            found |= dict(zip(*(batch.column(name).to_pylist() for name in ("path", "content")), strict=True))
    return found


def test_a_suite_that_drops_drops(built):
    rows = ledger(built)
    assert (rows["dropped.py"]["rule"], rows["dropped.py"]["kept"]) == ("contaminated", False)
    assert rows["dropped.py"]["tasks"] == ["humaneval/HumanEval/4"]
    assert {line["action"] for line in rows_of(built, "leaks")["dropped.py"]} == {"drop"}


def test_a_suite_that_excises_keeps_the_file_without_the_task(built):
    rows, texts = ledger(built), shown(built)
    assert rows["cut.py"]["kept"]
    assert rows["cut.py"]["tasks"] == ["house/grade.py"]
    assert texts["cut.py"] == "import os\n\nLIMIT = 3\n\n\ndef own(x):\n    return os.sep * x + str(LIMIT)\n"
    (cut,) = rows_of(built, "cuts")["cut.py"]
    assert (cut["kind"], cut["name"], cut["why"], cut["applied"]) == (
        "function",
        "grade_of",
        "benchmark",
        True,
    )


def test_a_body_is_never_emptied(built):
    text = shown(built)["method.py"]
    assert text == "class A:\n    pass\nb = A()\n"
    ast.parse(text)


def test_a_renamed_copy_is_cut_as_well(built):
    assert shown(built)["renamed.py"].strip() == "c = f(90, {})"


def test_a_file_that_also_leaks_a_dropping_suite_goes(built):
    row = ledger(built)["both.py"]
    assert row["rule"] == "contaminated"
    assert row["tasks"] == ["house/pairs.py", "humaneval/HumanEval/6"]
    assert {line["action"] for line in rows_of(built, "leaks")["both.py"]} == {"drop", "excise"}


def test_a_file_of_which_nothing_would_be_left_goes_and_says_so(built):
    assert ledger(built)["nothing_left.py"]["rule"] == "contaminated"
    reasons = {(line["action"], line["reason"]) for line in rows_of(built, "leaks")["nothing_left.py"]}
    assert reasons == {("drop", "nothing would be left")}


def test_what_somebody_allowed_is_kept_whole(built):
    assert ledger(built)["allowed.py"]["kept"]
    assert ledger(built)["allowed.py"]["tasks"] == []
    assert shown(built)["allowed.py"] == FILES["allowed.py"]


def test_nothing_else_is_touched(built, tree):
    texts, rows = shown(built), ledger(built)
    assert not rows["clean.py"]["tasks"]
    for path, row in rows.items():
        if row["kept"] and not row["tasks"]:
            assert texts[path] == (Path(tree) / path).read_text(), path


def test_no_benchmark_text_is_in_what_is_kept_of_it(built):
    table = Stored.open(built).overlaps(0)
    assert set(table.column_names) == {
        field for field in table.column_names if field not in ("text", "content")
    }
    written = [
        built.child(place).read(name)
        for place in ("leaks", "cuts", "ledger", "facts") for name in built.child(place).names()
    ]  # fmt: skip
    secret = b"for letter, least in marks"
    assert not any(secret in data for data in written)
    assert secret not in built.read("manifest.json")
    assert secret not in built.read("report.html")


def test_the_story_names_task_evidence_and_confidence(built):
    told = tell(built, "cut.py")
    first = told.overlaps[0]
    assert (first.task, first.over, first.action) == ("house/grade.py", True, "excise")
    assert first.confidence > 0.5
    assert first.lines[0] >= 4
    assert told.cuts[0].why == "benchmark"
    json.dumps(told.to_dict(), default=str)


def test_the_manifest_says_what_was_done(built):
    said = Finished.open(built).section("contamination")
    assert {name: suite["action"] for name, suite in said["suites"].items()} == {
        "humaneval": "drop",
        "house": "excise",
    }
    assert said["actions"]["excise"] == 4
    assert (said["allowed"], said["rule"]) == (1, "thresher")
    assert said["tasks"]["house/grade.py"] == 2


def test_counts_are_summed_a_few_parts_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.leaks._AT_ONCE", 2)
    target, names = Place(str(tmp_path)), Names(5)
    for part in range(5):
        rows = [
            {"rule": "8-gram", "representation": "raw", "gram": gram, "files": part + 1} for gram in (part, 9)
        ]
        write_table(target, names.part(part), [pa.RecordBatch.from_pylist(rows, COUNTS)], COUNTS)
    SumCounts(names, target)(0)
    found = read_whole(target, "common.parquet").to_pylist()
    assert {row["gram"]: row["files"] for row in found} == {**{part: part + 1 for part in range(5)}, 9: 15}


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "mode", "size"), [(2, "threads", 1 << 12), (2, "processes", 8 << 20)])
def test_the_same_bytes_however_it_runs(folder, text, tree, built, tmp_path, workers, mode, size):
    build(folder, tmp_path / "out", [tree], text=text, stages=("ingest",))
    how = {"workers": workers, "mode": mode, "batch_bytes": size}
    build(folder, tmp_path / "out", [tree], text=text, stages=("measure", "link", "decide"), **how)
    assert_same(built, build(folder, tmp_path / "out", [tree], text=text))


@pytest.mark.parametrize(
    "changes", [(), ("excise=[]",), ("report=[house]", "excise=[]"), ("allow=[]",), ("suites=[humaneval]", "excise=[]"),
                ("common.files=1", "common.below=1.0"), ("suites=[]", "excise=[]")],
)  # fmt: skip
def test_other_settings_in_memory_are_what_a_build_with_them_finds(
    folder, text, tree, built, tmp_path, changes
):
    loaded = load_recipe(recipe(folder, text), [f"contamination.{change}" for change in changes])
    view, stored = LeakView(Stored.open(built), loaded.recipe.contamination), Stored.open(built)
    options = BuildOptions((str(tree),), Place(str(tmp_path / "out")), (), STAGES[:-1])
    Build(loaded, options, Engine("DirectRunner", 1), Display(Console(), quiet=True)).run()
    again = Stored.open(options.place)
    for part in stored.parts:
        expected = again.leaks(part).to_pylist()
        assert view.leaks(part).to_pylist() == expected
        tasks = again.ledger(part, ["tasks"]).column(0).to_pylist()
        named = {(row, task) for row, some in enumerate(tasks) for task in some}
        assert named == {(one["row"], f"{one['suite']}/{one['task']}") for one in expected}


@pytest.mark.parametrize(
    ("before", "after", "language", "kept"),
    [
        ("x = 1\ny = 2\n", "y = 2\n", "python", True),
        ("x = 1\ny =\n", "y =\n", "python", False),
        ("class A { int x; }", "class A { }", "java", True),
        ("class A { int x; }", "class A { int }", "java", False),
        ("class A { int }", "class A { int }", "java", True),
        ("a", "", "no such language", True),
        ("a", "", None, True),
        ("x = 1\n", "(" * 100_000, "python", False),
        ("x = 1\n", "-" * 1_000_000, "python", False),
    ],
)
def test_what_is_left_must_parse_and_hostile_files_do_no_harm(before, after, language, kept):
    assert still_parses(before, after, language) == kept


def test_an_action_for_a_suite_that_is_not_there_is_refused(folder, text, tree, tmp_path):
    with pytest.raises(RecipeError, match="an action for mbpp, which is none of its suites") as caught:
        build(folder, tmp_path / "out", [tree], text=text.replace("[house]", "[house, mbpp]"))
    assert "humaneval, house" in (caught.value.hint or "")


def test_an_allow_list_that_is_not_there_is_named(folder, text, tmp_path):
    (tmp_path / "small.yaml").write_text(text)
    with pytest.raises(Exception, match=r"allowed\.yaml: No such file"):
        load_recipe(str(tmp_path / "small.yaml"))


def test_planted_copies_of_a_whole_suite_are_found_in_a_build(folder, tmp_path):
    copies = plant(load_suite("humaneval"), {}, levels=("verbatim",)).copies
    files = dict(zip(*(copies.column(name).to_pylist() for name in ("path", "content")), strict=True))
    tree = write_tree(tmp_path / "tree", files)
    plain = "extends: codex\nname: all\nguard: {share: 1.0}\ndedup: {near: false}\nfilters: {preset: codex}\n"
    out = build(folder, tmp_path / "out", [tree], text=plain, stages=("ingest", "measure", "link", "decide"))
    rows = ledger(out)
    tasks = dict(zip(*(copies.column(name).to_pylist() for name in ("path", "task")), strict=True))
    assert all(f"humaneval/{tasks[path]}" in row["tasks"] for path, row in rows.items())
    assert len(rows) == 164
