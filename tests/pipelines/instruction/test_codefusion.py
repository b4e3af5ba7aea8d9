"""CodeFusion: pairs and snippets from files to records, marked against the test, the same bytes however it is run."""

from __future__ import annotations

import hashlib
import json
from io import StringIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from columns.errors import InputError, RecipeError
from columns.files import Place
from instruct.pairs import measure_predictions, name_spans
from pipelines.cli import app
from pipelines.engine import Engine
from pipelines.instruction import codefusion, manifest, story
from pipelines.instruction.build import InstructionBuild, InstructionOptions
from pipelines.instruction.inputs import read_inputs
from pipelines.instruction.recipe import load_instruction
from pipelines.progress import Display
from tests.instruct.pairs.conftest import write_vocabulary

COMMANDS = ["ls -a", "pwd", "wc -l a.txt", "cat b | sort", "date", "id", "df -h", "du -s .", "ls -a", "pwd"]
CONALA = [
    {"question_id": 1, "intent": "how to add", "rewritten_intent": "add a and b", "snippet": "a + b"},
    {"question_id": 2, "intent": "how to negate", "rewritten_intent": None, "snippet": "-a"},
    {"question_id": 3, "intent": None, "rewritten_intent": None, "snippet": "abs(a)"},
    "stray",
]
SHEET = [["Index", "Value"], [0, "3"], [1, "9"]]
RULES = {
    "train": [
        {
            "ID": 1,
            "NL Utterance": "mark what is large",
            "Code": "GreaterThan(5)",
            "Data": SHEET,
            "Labels": [0],
        },
        {"ID": 2, "NL Utterance": "mark what is largest", "Code": "top(1)", "Data": SHEET, "Labels": [0]},
        {"ID": 3, "NL Utterance": "mark both", "Code": f"OR({'Top(1), ' * 60}Blanks())", "Data": SHEET},
    ],
    "test": [{"ID": 4, "NL Utterance": "the largest", "Code": "top(1)", "Data": SHEET, "Labels": [0]}],
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    (folder / "nl2bash").mkdir()
    (folder / "nl2bash/all.cm").write_text("".join(f"{line}\n" for line in COMMANDS))
    (folder / "nl2bash/all.nl").write_text("".join(f"say number {n}\n" for n in range(len(COMMANDS))))
    (folder / "conala-train.json").write_text(json.dumps(CONALA))
    (folder / "rules.json").write_text(json.dumps(RULES), "utf-8-sig")
    (folder / "BashSnippets.txt").write_text(
        "for f in *; do echo $f; done\npwd\ngrep x y\ngrep x y\n" + "z" * 300
    )
    (folder / "codet5").mkdir()
    write_vocabulary(folder / "codet5")
    return folder


INPUTS = ("bash=nl2bash", "python=conala-train.json", "excel=rules.json", "snippets=BashSnippets.txt")


def build(sources, output, *, inputs=INPUTS, workers=1, mode="threads", changes=()):
    told = [text.replace("=", f"={sources}/", 1) for text in inputs]
    options = InstructionOptions(read_inputs(told, codefusion.ROLES), Place(str(output)))
    loaded = load_instruction("codefusion", ["tokenizer.vocab_size=600", *changes])
    display = Display(Console(file=StringIO()), True)
    InstructionBuild(loaded, options, Engine("DirectRunner", workers, mode), display).run()
    return {step["name"]: step for step in manifest.summarise(Place(str(output)))["steps"]}


@pytest.fixture(scope="module")
def made(sources, tmp_path_factory):
    output = tmp_path_factory.mktemp("made") / "out"
    return output, build(sources, output)


def table(output, step):
    return pq.read_table([str(path) for path in sorted((output / step).glob("part-*.parquet"))])


def dropped(output, step):
    return {row["id"]: row["dropped"] for row in table(output, step).to_pylist() if row["dropped"]}


def arrow(output, name):
    return pa.ipc.open_file(output / "export" / name).read_all()


def test_every_row_is_kept_or_says_why_not(made):
    output, steps = made
    assert (steps["read"]["rows"], steps["overlap"]["rows"], steps["tuning"]["rows"]) == (18, 18, 18)
    assert dropped(output, "overlap") == {
        "bash/all/1": "leak", "bash/all/2": "leak", "excel/train/2": "leak", "python/train/3": "no_nl",
        "python/train/4": "unreadable",
    }  # fmt: skip
    assert dropped(output, "tuning") == {**dropped(output, "overlap"), "excel/train/3": "code_overlong"}
    assert dropped(output, "pool") == {"snippets/bash/2": "leak", "snippets/bash/4": "duplicate"}


def test_overlap_is_counted_as_the_sources_have_it(made):
    counts = made[1]["overlap"]["counts"]
    assert counts["bash: test rows with a training row's code"] == 2
    assert counts["excel_cf: distinct codes on both sides"] == 1
    assert counts["python: distinct codes on both sides"] == 0
    assert "747" in made[1]["overlap"]["published"]


def test_exports_hold_what_is_kept_in_the_order_of_the_sources(made):
    output, steps = made
    train, test = arrow(output, "pairs-train.arrow"), arrow(output, "pairs-test.arrow")
    assert train["id"].to_pylist() == [
        *(f"bash/all/{n}" for n in range(3, 9)), "excel/train/1", "python/train/1", "python/train/2",
    ]  # fmt: skip
    assert test["id"].to_pylist() == ["bash/all/9", "bash/all/10", "excel/test/1"]
    lines = [json.loads(line) for line in (output / "export/pairs.jsonl").read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == sorted(train["id"].to_pylist() + test["id"].to_pylist())
    assert next(line for line in lines if line["id"] == "python/train/2")["nl"] == "how to negate"
    assert steps["export"]["counts"]["pairs-train.arrow: bash"] == 6
    assert steps["export"]["counts"]["pretraining-cpd.arrow: bash"] == 3
    assert sum(row["rows"] for row in table(output, "export").to_pylist()) == 9 + 3 + 3 + 3


def test_ids_decode_to_their_texts_and_masks_hide_names(made):
    from shards.tokenizers import load_tokenizer

    output, _ = made
    tokenizer = load_tokenizer(Place(str(output / "tokenizer")))
    for row in arrow(output, "pairs-train.arrow").to_pylist():
        held = [one for one, pad in zip(row["code_ids"], row["pad_mask"], strict=True) if not pad]
        assert (tokenizer.decode(held), len(row["code_ids"])) == (row["code"], 128)
        assert set(row["code_ids"][len(held) :]) == {tokenizer.special_id("<pad>")}
    masked = arrow(output, "pretraining-cpd.arrow").to_pylist()
    codes = {row["id"]: row["code"] for row in table(output, "pool").to_pylist()}
    for row in masked:
        code = codes[row["parent_id"]]
        names = {code[start:end] for start, end in name_spans(code, row["lang"])}
        hidden = {tokenizer.decode([row["code_ids"][at]]).strip() for at in row["mask_positions"]}
        assert hidden
        assert all(any(piece in name for name in names) for piece in hidden)
        assert {row["cpd_input_ids"][at] for at in row["mask_positions"]} == {tokenizer.special_id("<mask>")}


def test_predictions_are_measured_against_the_export(made, tmp_path):
    told = tmp_path / "predictions.jsonl"
    rows = [
        {"id": "bash/all/9", "predictions": ["ls -b", "ls -a"]},
        {"id": "bash/all/10", "predictions": ["pwd"]},
    ]
    told.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = measure_predictions(told, made[0] / "export/pairs.jsonl", "bash")
    assert (found["pairs"], found["top"]["1"]["exact"], found["top"]["3"]["exact"]) == (2, 0.5, 1)


def test_a_row_tells_its_story(made):
    told = story.tell(Place(str(made[0])), "bash/all/1")
    assert told.verdict == "dropped at overlap: leak"
    assert story.tell(Place(str(made[0])), "excel/train/3").verdict == "dropped at tuning: code_overlong"


def bytes_of(output):
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name not in {"run.json", "_stage.json"}
    }


def test_workers_change_no_byte(made, sources, tmp_path):
    build(sources, tmp_path / "again", workers=3)
    assert bytes_of(tmp_path / "again") == bytes_of(made[0])


def test_parts_change_no_export(made, sources, tmp_path):
    build(sources, tmp_path / "seven", changes=["parts=7"])
    for name in ("pairs-train.arrow", "pairs-test.arrow", "pretraining-cpd.arrow", "pretraining-gen.arrow"):
        assert arrow(tmp_path / "seven", name).equals(arrow(made[0], name))


def test_codet5_s_files_take_the_place_of_the_tokenizer(sources, tmp_path):
    steps = build(sources, tmp_path / "out", inputs=(*INPUTS, "codet5=codet5"))
    known = json.loads((sources / "codet5/codet5-vocab.json").read_text())
    assert table(tmp_path / "out", "tokenizer").to_pylist() == [
        {"id": "tokenizer", "name": "codet5", "vocab_size": len(known), "pad_id": 0, "mask_id": 4}
    ]
    assert steps["tokenizer"]["counts"]["ids"] == len(known)
    row = arrow(tmp_path / "out", "pairs-train.arrow").to_pylist()[0]
    names = {number: token for token, number in known.items()}
    assert "".join(names[one] for one in row["code_ids"][: row["n_code"]]).replace("Ġ", " ") == row["code"]


def test_keeping_all_keeps_what_the_published_files_keep(sources, tmp_path):
    changes = ["overlap.leaks=keep", "overlap.duplicates=keep"]
    steps = build(sources, tmp_path / "out", changes=changes)
    assert steps["export"]["counts"]["pairs-train.arrow: bash"] == 8
    assert dropped(tmp_path / "out", "pool") == {}


@pytest.mark.parametrize(("split", "sides"), [("none", {"train"}), ("published", {"train", "test"})])
def test_bash_is_divided_as_asked_and_two_inputs_share_no_id(sources, tmp_path, split, sides):
    inputs = ("bash=nl2bash", "bash=nl2bash/all.cm")
    build(sources, tmp_path / "out", inputs=inputs, changes=[f"bash_split={split}"])
    rows = table(tmp_path / "out", "read")
    assert set(rows["split"].to_pylist()) == sides
    assert len(set(rows["id"].to_pylist())) == rows.num_rows == 20


def test_a_disjoint_division_leaves_no_overlap(sources, tmp_path):
    counts = build(sources, tmp_path / "out", inputs=INPUTS[:1], changes=["bash_split=disjoint"])["overlap"][
        "counts"
    ]
    assert counts.get("bash: test rows with a training row's code", 0) == 0
    assert counts.get("bash: leak", 0) == 0


def test_snippets_alone_are_enough_and_nothing_is_not(sources, tmp_path):
    steps = build(sources, tmp_path / "out", inputs=INPUTS[3:])
    assert (steps["tuning"]["rows"], steps["pretraining"]["rows"]) == (0, 10)
    with pytest.raises(InputError, match="expected an input"):
        build(sources, tmp_path / "none", inputs=("codet5=codet5",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("tokenizer.special_tokens=[]", "special_tokens"),
        ("tokenizer.spec=sentencepiece:m.model", "byte-level"),
        ("tokenizer.spec=tokenizers:t.json", "codet5=DIR"),
        ("masks.ratio=0", "ratio"),
        ("fixed.length=0", "length"),
        ("overlap.leaks=maybe", "leaks"),
        ("bash_split=half", "bash_split"),
        ("mask.ratio=1", "mask"),
    ],
)
def test_recipes_that_cannot_be_built_say_why(change, said):
    with pytest.raises(RecipeError) as error:
        load_instruction("codefusion", [change])
    assert said in str(error.value)


def test_every_value_of_the_recipe_says_where_it_comes_from():
    loaded = load_instruction("codefusion")
    notes = {
        path: note for path, _, note in loaded.values() if path.split(".")[0] in {"overlap", "fixed", "masks"}
    }
    assert {note.status for note in notes.values()} <= {"published", "de-facto", "unverified", "ours"}
    assert all(note.source and note.source != "Thresher's default" for note in notes.values())


def test_the_command_builds_it(sources, tmp_path):
    arguments = [
        "build",
        "codefusion",
        "--input",
        f"bash={sources}/nl2bash",
        "--output",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, [*arguments, "--set", "tokenizer.vocab_size=500"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out/export/pairs.jsonl").is_file()


def test_nl2bash_has_the_published_counts(shared, tmp_path):
    steps = build(shared / "data" / "benchmarks", tmp_path / "out", inputs=("bash=nl2bash",))
    assert steps["read"]["counts"] == {"bash: train": 10085, "bash: test": 2522}
    counts = steps["overlap"]["counts"]
    assert counts["bash: test rows with a training row's code"] == 747
    assert counts["bash: distinct codes on both sides"] == 605
    assert (counts["bash: kept"], counts["bash: leak"]) == (11742, 865)
