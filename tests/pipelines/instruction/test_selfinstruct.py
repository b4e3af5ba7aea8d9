"""Code Llama's self-instruct end to end: live and recorded, interrupted, with any workers, with rehearsal."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from io import StringIO
from pathlib import Path

import pyarrow as pa
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
from pipelines.instruction.recipe import load_instruction
from pipelines.instruction.rehearsal import read_texts
from pipelines.instruction.selfinstruct import SYSTEM
from pipelines.instruction.steps import ModelAccess
from pipelines.progress import Display
from tests.instruct.models.chatserver import serving
from tests.pipelines.instruction import selfinstruct_example as example
from tests.pipelines.instruction.selfinstruct_example import Item

EXAMPLES = (
    Path(__file__).resolve().parents[3] / "pipelines" / "instruction" / "examples" / "code-llama-instruct"
)


@pytest.fixture(scope="module", autouse=True)
def _isolated():
    """Programs are run only where they can be isolated."""
    problem = isolation_problem()
    if problem is not None:
        pytest.skip(str(problem))


def build(
    place: Path, sources, output="out", *, inputs=(), workers=1, mode="threads", changes=(), budget=None
):
    place.mkdir(exist_ok=True)
    models = ModelAccess(sources, budget=budget or Budget())
    options = InstructionOptions(read_inputs(inputs, SYSTEM.roles), Place(str(place / output)), models)
    console = Console(width=200, record=True, file=StringIO())
    wanted = ["parts=2", "questions.wanted=100", "limits.wall_s=0.5", "limits.cpu_s=0.5", *changes]
    loaded = load_instruction("code-llama-instruct", wanted)
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
        if path.is_file() and path.name not in {"run.json", "_stage.json", "answers.jsonl", "manifest.json"}
    }


@pytest.fixture(scope="module")
def items():
    """The example's questions, and one that is a task of HumanEval."""
    leak = " ".join(load_suite("humaneval").tasks[7].prompt.split())
    return example.ITEMS | {"medium": (*example.ITEMS["medium"], Item(leak))}


@pytest.fixture(scope="module")
def built(tmp_path_factory, items):
    with serving(example.answering(items)) as server:
        output, said = build(tmp_path_factory.mktemp("self"), {"questions": server.url})
        return output, said, len(server.asked)


def test_the_first_passing_solution_of_every_question(built):
    output, *_ = built
    found = {row["question"]: row for row in rows(output, "triples")}
    items = [item for line in example.ITEMS.values() for item in line if "[TESTS]" in item.tests]
    assert len(found) == len(items) == 6
    for item in items:
        row = found[item.text]
        if item.first < 0:
            assert (row["dropped"], row["n_tried"], row["sample_ix"]) == ("none_passes", 10, None)
        else:
            assert (row["dropped"], row["n_tried"], row["sample_ix"]) == (None, item.first + 1, item.first)
            assert row["solution"] == item.right


def test_every_rule(built):
    output, *_ = built
    assert Counter(row["dropped"] for row in rows(output, "questions")) == {
        None: 7,
        "duplicate": 1,
        "too_short": 1,
        "leak": 1,
    }
    assert Counter(row["dropped"] for row in rows(output, "tests")) == {None: 6, "tests_no_code": 1}
    leak = next(row for row in rows(output, "questions") if row["dropped"] == "leak")
    assert leak["leaks"] == ["humaneval/HumanEval/7"]
    assert story.tell(Place(str(output)), leak["id"]).verdict == "dropped at questions: leak"


def test_chat_records(built):
    output, *_ = built
    records = [json.loads(one) for one in (output / "chat" / "chat.jsonl").read_text().splitlines()]
    assert len(records) == 5
    for one in records:
        assert one["text"].startswith("[INST] ")
        assert one["text"].endswith("[/PYTHON]")
        assert one["messages"][1]["content"] in one["text"]


def test_the_manifest_counts(built):
    output, said, asked = built
    found = {step["name"]: step for step in manifest.summarise(Place(str(output)))["steps"]}
    assert found["questions"]["counts"] == {
        "kept": 7,
        "dropped duplicate": 1,
        "dropped too_short": 1,
        "dropped leak": 1,
    }
    assert found["triples"]["counts"]["run"] == 1 + 4 + 1 + 10 + 3 + 1, (
        "refusals and what does not parse are not run"
    )
    assert "52,000" in found["questions"]["published"]
    assert asked == 2 + 7 + 60
    assert said.index("model questions: 2 requests") < said.index("at most, http://127.0.0.1")
    mixture = json.loads((output / "mixture" / "mixture.json").read_text())
    assert mixture["sources"]["made"]["share"] == 1.0
    assert not mixture["sources"]["code"]["within_tolerance"]


def test_a_recording_makes_the_same_bytes_with_any_workers(built, tmp_path):
    output, *_ = built
    recorded = {"questions": str(output / "answers.jsonl")}
    again, _ = build(tmp_path, recorded)
    other, _ = build(tmp_path, recorded, "other", workers=2)
    assert tree(again) == tree(other) == tree(output)


@pytest.mark.slow
def test_processes_change_no_byte(built, tmp_path):
    output, *_ = built
    made, _ = build(tmp_path, {"questions": str(output / "answers.jsonl")}, workers=2, mode="processes")
    assert tree(made) == tree(output)


def test_an_interrupted_build_asks_nothing_twice(built, tmp_path, items):
    with serving(example.answering(items)) as server:
        sources = {"questions": server.url}
        for limit in (1, 5, 30, 55):
            with pytest.raises(EnvironmentProblem, match="the budget of"):
                build(tmp_path, sources, budget=Budget(max_requests=limit))
            assert len(server.asked) == limit
        output, _ = build(tmp_path, sources)
        assert len(server.asked) == built[2]
    assert tree(output) == tree(built[0])


def test_rehearsal_is_mixed_in_by_tokens(built, tmp_path):
    output, *_ = built
    code = [f"x{n} = {n}\n" for n in range(40)]
    (tmp_path / "code.jsonl").write_text(
        "".join(json.dumps({"content": one}) + "\n" for one in [*code, code[0], None])
    )
    pq.write_table(pa.table({"text": [f"word {n}" for n in range(5)]}), tmp_path / "text.parquet")
    inputs = [f"code={tmp_path / 'code.jsonl'}", f"language={tmp_path / 'text.parquet'}"]
    made, _ = build(tmp_path, {"questions": str(output / "answers.jsonl")}, inputs=inputs)
    told = json.loads((made / "mixture" / "mixture.json").read_text())["sources"]
    assert [told[name]["target_share"] for name in ("made", "code", "language")] == [0.92, 0.06, 0.02]
    assert all(one["within_tolerance"] for one in told.values())
    assert told["language"]["epochs"] > 0
    drawn = rows(made, "mixture")
    lines = [json.loads(one) for one in (made / "mixture" / "mixture.jsonl").read_text().splitlines()]
    assert Counter(one["source"] for one in lines) == Counter(row["source"] for row in drawn)
    assert {one["text"] for one in lines if one["source"] == "code"} <= set(code)
    counts = next(s for s in manifest.summarise(Place(str(made)))["steps"] if s["name"] == "mixture")[
        "counts"
    ]
    assert counts["code rows without a text"] == 1


def test_the_packaged_example_is_what_these_answers_are(tmp_path):
    """When a prompt changes, so do its keys: make the example again, from the recording that this test leaves."""
    with serving(example.answering(example.ITEMS)) as server:
        output, _ = build(tmp_path, {"questions": server.url})
    fresh = sorted((output / "answers.jsonl").read_text().splitlines())
    assert sorted((EXAMPLES / "answers.jsonl").read_text().splitlines()) == fresh
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir()) < 60_000


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.jsonl", b"", "no rows with a text"),
        ("a.parquet", b"PAR1", "not Parquet"),
    ],
)
def test_texts_that_cannot_be_read(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_texts([str(tmp_path / name)])


def test_texts_of_all_kinds(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(
        b'{"text": "one"}\nnot json\n[]\n{"text": 3}\n{"text": " "}\n{"other": 1}\n\n{"content": "two"}\n'
    )
    pq.write_table(pa.table({"content": ["two", None, "three"]}), tmp_path / "b.parquet")
    found, unusable = read_texts([str(tmp_path)])
    assert list(found.values()) == ["one", "two", "three"]
    assert unusable == 6
    pq.write_table(pa.table({"code": ["x"]}), tmp_path / "c.parquet")
    with pytest.raises(InputError, match="no column text or content"):
        read_texts([str(tmp_path / "c.parquet")])


def test_the_command_of_the_docs(tmp_path, capfd):
    """docs/datasets/code-llama-instruct.md: the example's counts."""
    from pipelines.cli.app import app

    arguments = [
        "build",
        "code-llama-instruct",
        "--set",
        "questions.wanted=100",
        "--set",
        "limits.wall_s=0.5",
        "--json",
    ]
    app(
        [*arguments, "-o", str(tmp_path / "try"), "--model", f"questions={EXAMPLES / 'answers.jsonl'}"],
        standalone_mode=False,
    )
    found = {step["name"]: step for step in json.loads(capfd.readouterr().out)["steps"]}
    assert found["questions"]["rows"] == 9
    assert found["questions"]["counts"] == {"kept": 7, "dropped duplicate": 1, "dropped too_short": 1}
    assert found["tests"]["counts"]["kept"] == 6
    assert found["triples"]["counts"]["kept"] == 5


def test_another_coder_may_be_given(built, tmp_path, items):
    with serving(example.answering(items)) as asker, serving(example.answering(items)) as coder:
        output, _ = build(tmp_path, {"questions": asker.url, "coder": coder.url})
        assert (len(asker.asked), len(coder.asked)) == (2, 67)
        assert {one["model"] for one in coder.asked} == {"codellama/CodeLlama-7b-hf"}
    assert tree(output) == tree(built[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("questions.per_call=0", "1 to 500 in a call"),
        ("mixture.code=0.99", "less than 1 together"),
        ("solver.samples=0", "samples: expected 1 to 100,000"),
        ("leaks.suits=[x]", "unknown key leaks.suits"),
    ],
)
def test_a_wrong_value_is_told(change, said):
    with pytest.raises(RecipeError, match=said):
        load_instruction("code-llama-instruct", [change])
