"""The recipe codex-s end to end: a project and a contest dump, a recorded model, a planted leak, and all artefacts."""

from __future__ import annotations

import json
from io import StringIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from columns.errors import InputError, RecipeError
from columns.files import Place
from contamination import load_suite
from instruct.codex import question
from instruct.models import Answer, ModelConfig, record_answers
from instruct.problems import problem_table, read_contest
from instruct.sandbox import isolation_problem
from pipelines.engine import Engine
from pipelines.instruction.build import InstructionBuild, InstructionOptions
from pipelines.instruction.codex_s import SYSTEM
from pipelines.instruction.inputs import read_inputs
from pipelines.instruction.manifest import summarise
from pipelines.instruction.recipe import instruction_names, load_instruction
from pipelines.instruction.steps import ModelAccess
from pipelines.instruction.story import tell
from pipelines.progress import Display
from tests.instruct.models.chatserver import serving

pytestmark = pytest.mark.skipif(
    isolation_problem() is not None, reason=f"no isolation here: {isolation_problem()}"
)

WORDS = '''
def plural(word, count):
    """Give the plural of an English word where the count asks for it."""
    return word if count == 1 else word + "s"


def initials(name):
    """Give the first letters of all words of a name, as capitals."""
    return "".join(part[0].upper() for part in name.split())
'''
TESTS = """
from words import initials, plural


def test_both():
    assert plural("cat", 1) == "cat"
    assert plural("cat", 2) == "cats"
    assert initials("ada lovelace") == "AL"
    assert initials("grace") == "G"
"""
CHANGES = ("tokenizer.vocab_size=300", "parts=2", "sampler.samples=2")
SAMPLER = ModelConfig("code-model", 0.8, 0.95, 512, 0, samples=2)
LEAK = load_suite("humaneval").tasks[12]
DUMP = {
    "twice": ("Print twice the number.", ["print(2 * int(input()))"], [("2\n", "4\n"), ("5\n", "10\n")]),
    "wrong": ("Say no.", ["print('yes')"], [("", "no\n")]),
    "hard": ("Print the words backwards.", ["print(*input().split()[::-1])"], [("a b c\n", "c b a\n")]),
    "leak": (
        LEAK.prompt,
        [f"{LEAK.solutions[0]}\nprint(longest(input().split()))"],
        [("a bb", "bb"), ("x y", "x")],
    ),
}


def dump(root):
    for name, (statement, solutions, cases) in DUMP.items():
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "question.txt").write_text(statement)
        (folder / "solutions.json").write_text(json.dumps(solutions))
        inputs, outputs = zip(*cases, strict=True)
        (folder / "input_output.json").write_text(json.dumps({"inputs": inputs, "outputs": outputs}))
    (root / "bad").mkdir()
    (root / "bad" / "question.txt").write_text("Bad.")
    (root / "bad" / "solutions.json").write_text("{")
    return root


def project(root):
    (root / "tests").mkdir(parents=True)
    (root / "words.py").write_text(WORDS)
    (root / "tests" / "test_words.py").write_text(TESTS)
    (root / "tox.ini").write_text("[testenv]\ncommands = pytest\n")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("codex-s")
    dump(place / "contest")
    project(place / "words")
    return place


def build(folder, output, *given, model=None, changes=CHANGES, workers=1, file=None):
    inputs = read_inputs(given, SYSTEM.roles)
    access = ModelAccess({"samples": str(model)} if model else {})
    console = Console(width=200, record=True, file=file or StringIO())
    options = InstructionOptions(inputs, Place(str(folder / output)), access)
    engine = Engine("DirectRunner", workers, "threads")
    InstructionBuild(load_instruction("codex-s", changes), options, engine, Display(console)).run()
    return folder / output


def answers_of(row):
    """Two answers: one that does nothing, and the solution, but for one problem."""
    hard = row["task_id"].endswith("hard")
    return ["pass", "pass" if hard else f"```python\n{row['prompt']}{row['canonical_solution']}\n```"]


@pytest.fixture(scope="module")
def recorded(folder):
    """What a model would answer: prompts of traced functions are known once a build has traced them."""
    given = (f"project={folder / 'words'}", f"contest={folder / 'contest'}", f"samples={samples(folder)}")
    parts = sorted((build(folder, "out", *given) / "verified").glob("part-*"))
    table = pa.concat_tables([pq.read_table(part) for part in parts])
    rows = [row for row in table.to_pylist() if row["dropped"] is None]
    prompts = [question(row) for row in rows]
    answers = [
        Answer(row["task_id"], number, text, "", "code-model", 9, 9)
        for row in rows
        for number, text in enumerate(answers_of(row))
    ]
    record_answers(folder / "samples.jsonl", prompts, SAMPLER, answers)
    return folder / "samples.jsonl"


def samples(folder):
    path = folder / "given.jsonl"
    rows = [
        {"task_id": row["task_id"], "completion": row["canonical_solution"]}
        for row in problem_table(read_contest(folder / "contest")).to_pylist()
        if row["dropped"] is None
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def built(folder, recorded):
    return build(
        folder, "out", f"project={folder / 'words'}", f"contest={folder / 'contest'}", model=recorded
    )


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_rule_is_counted(built):
    steps = {step["name"]: step for step in summarise(Place(str(built)))["steps"]}
    assert steps["contests"]["counts"] == {"malformed": 1}
    assert steps["traced"]["counts"]["functions: traced"] == 2
    assert steps["gather"]["counts"] == {"ci": 2, "contest": 5}
    assert steps["verified"]["counts"] == {"cases.kept": 6, "solution_fails": 1, "verified": 5}
    assert steps["judged"]["counts"]["all_pass"] == 4
    assert steps["solved"]["counts"] == {"contaminated": 1, "no_sample_passes": 1, "samples": 10, "solved": 4}
    assert steps["export"]["counts"] == {"codex-d.jsonl": 2, "codex-s.arrow": 3, "codex-s.jsonl": 3}
    assert "published" in steps["contests"]


def test_problems_are_in_humaneval_s_layout_and_pass_their_own_tests(built):
    rows = lines(built / "export" / "codex-s.jsonl")
    names = {row["entry_point"] for row in rows if "io_format" not in row}
    assert names == {"plural", "initials"}
    for row in rows:
        space: dict = {}
        if row.get("io_format") == "stdin":
            assert row["task_id"] == "apps/twice"
            continue
        exec(row["prompt"] + row["canonical_solution"] + "\n" + row["test"], space)
        space["check"](space[row["entry_point"]])


def test_records_align(built):
    with pa.ipc.open_file(built / "export" / "codex-s.arrow") as reader:
        table = reader.read_all()
    assert table.schema.metadata[b"pad_side"] == b"left"
    for row in table.to_pylist():
        assert row["labels"][:512] == [-100] * 512
        assert (
            row["labels"][512 : 512 + row["solution_len"]]
            == row["input_ids"][512 : 512 + row["solution_len"]]
        )
        assert len(row["input_ids"]) == 1024


def test_codex_d_has_the_docstring_behind_the_solution(built):
    for row in lines(built / "export" / "codex-d.jsonl"):
        assert '"""' in row["target"]
        assert '"""' not in row["input"]
        compile(row["input"], "input", "exec")


def test_why_a_problem_is_not_in_the_set(built):
    place = Place(str(built))
    assert tell(place, "apps/leak").verdict == "dropped at solved: contaminated"
    assert tell(place, "apps/hard").verdict == "dropped at solved: no_sample_passes"
    assert tell(place, "apps/wrong").verdict == "dropped at verified: solution_fails"
    assert tell(place, "apps/bad").verdict == "dropped at contests: malformed"


def test_the_same_bytes_with_other_workers(folder, built, recorded):
    other = build(
        folder,
        "other",
        f"project={folder / 'words'}",
        f"contest={folder / 'contest'}",
        model=recorded,
        workers=2,
    )
    for name in ("manifest.json", "export/codex-s.jsonl", "export/codex-s.arrow", "export/codex-d.jsonl"):
        assert (built / name).read_bytes() == (other / name).read_bytes(), name


def test_contests_alone_with_a_file_of_samples(folder):
    given = (f"contest={folder / 'contest'}", f"samples={samples(folder)}")
    out = build(folder, "alone", *given, changes=(*CHANGES, "contamination.suites=[]"))
    names = [row["task_id"] for row in lines(out / "export" / "codex-s.jsonl")]
    assert names == ["apps/hard", "apps/leak", "apps/twice"]


def test_a_live_model_s_cost_is_said_before_it_is_asked(folder):
    given, said = f"contest={folder / 'contest'}", StringIO()
    with serving(lambda asked: "pass") as server:
        seen = []
        server.text = lambda asked: (seen.append(said.getvalue()), "pass")[1]
        build(folder, "live", given, model=server.url, file=said)
    assert seen
    assert all("model samples: at most" in one for one in seen)
    assert f"{len(server.asked):,} requests" in said.getvalue()
    table = pq.read_table(folder / "live" / "sampled")
    assert set(table["completion"].to_pylist()) == {"pass"}


def test_somebody_must_answer(folder):
    with pytest.raises(InputError, match="expected a model or its answers"):
        build(folder, "none", f"contest={folder / 'contest'}")


def test_what_is_not_recorded_is_told_and_written_as_a_batch(folder):
    (folder / "nothing.jsonl").write_text("")
    with pytest.raises(InputError, match="samples: 6 of 6 answers are not recorded") as told:
        build(folder, "asked", f"contest={folder / 'contest'}", model=folder / "nothing.jsonl")
    assert "requests-samples.jsonl" in told.value.hint
    requests = (folder / "asked" / "requests-samples.jsonl").read_text().splitlines()
    asked = [json.loads(one)["body"]["messages"][0]["content"] for one in requests]
    assert len(asked) == 6
    assert sum("Print twice the number." in one for one in asked) == 2
    assert not (folder / "asked" / "manifest.json").exists()


@pytest.mark.parametrize("seconds", ["0", "-1", ".nan", ".inf"])
def test_a_time_that_no_program_can_have_is_refused_at_once(seconds):
    with pytest.raises(RecipeError, match="seconds: expected a number above 0"):
        load_instruction("codex-s", (f"seconds={seconds}",))


def test_something_must_be_read(folder):
    with pytest.raises(InputError, match="expected an input"):
        build(folder, "none", f"samples={samples(folder)}")


def test_the_recipe_is_on_the_shelf():
    assert "codex-s" in instruction_names()
    values = {path: note.status for path, _, note in load_instruction("codex-s").values()}
    assert values["sampler.samples"] == values["seconds"] == "published"
    assert values["verify.runs"] == values["tokens.length"] == "ours"
