"""The command line: what it prints, its exit codes, and that a user never sees a traceback."""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from columns.files import Place
from columns.tables import read_whole
from pipelines import cli
from pipelines.build import STAGES
from pipelines.instruction.recipe import instruction_names
from pipelines.lease import leased
from pipelines.recipefile import recipe_names
from tests.pipelines.building import ROOT, command, recipe
from tests.pipelines.corpus import leak, near_copy, sources, write_tree

COMMANDS = (
    "build",
    "run",
    "refresh",
    "takedown",
    "gc",
    "curve",
    "index",
    "recipes",
    "explain",
    "suites",
    "sandbox",
    "plan",
    "whois",
    "export-attribution",
    "contamination selftest",
    "contamination report",
    "tokenizer train",
    "tokenizer show",
    "tokenizer count",
    "verify",
    "peek",
    "export",
    "import",
    "ablate",
    "evaluate",
    "trace",
    "inspect",
    "status",
    "what-if",
    "compare",
    "diff",
    "sample",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def tree(folder):
    files = dict(list(sources().items())[::10])
    first = next(iter(files))
    made = {
        "copies/exact.py": files[first],
        "copies/near.py": near_copy(files[list(files)[3]]),
        "drop/line_max.py": "a = 1\n" * 200 + f"data = '{'x' * 2000}'\n",
        "drop/leak.py": leak("HumanEval/4"),
    }
    return write_tree(folder / "tree", files | made)


@pytest.fixture(scope="module")
def job(folder, tree):
    return ("build", recipe(folder), "--input", str(tree), "--output", str(folder / "out"), "--workers", "1")


@pytest.fixture(scope="module")
def built(job):
    return command(*job, "--direct_runner_bundle_repeat=1")


@pytest.fixture(scope="module")
def out(folder, built):
    assert built.returncode == 0, built.stderr
    return str(folder / "out")


def called(*args: str) -> tuple[int, str, str]:
    """Run the command line in this process, through the same ``main``."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    before = sys.argv
    sys.argv = ["thresher", *args]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = int(end.code or 0) if not isinstance(end.code, str) else 1
    finally:
        sys.argv = before
    return code, out.getvalue(), err.getvalue()


def refused(*args: str, said: str, hint: str | None = None) -> str:
    """Exit code 2, the problem and its hint on stderr, no traceback."""
    code, out, err = called(*args)
    assert code == 2, (code, out, err)
    assert "Traceback" not in out + err
    assert out == ""
    flat = " ".join(err.replace("│", " ").split())
    assert said in flat
    if hint is not None:
        assert "hint:" in err
        assert hint in flat
    return err


def test_the_version():
    code, out, _ = called("--version")
    assert code == 0
    assert out.startswith("thresher ")
    assert out.split()[1][0].isdigit()


def test_without_a_command_help_is_shown():
    _, out, err = called()
    for name in COMMANDS:
        assert name.split()[0] in out + err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    code, out, _ = called(*name.split(), "--help")
    assert code == 0
    assert "Example" in out
    assert f"thresher {name}" in out


def commands_of(group, before=""):
    """Every command by its whole name, those of groups too."""
    found = {}
    for name, one in group.commands.items():
        inner = getattr(one, "commands", None)
        assert one.help, name
        found |= {before + name: one} if inner is None else commands_of(one, f"{before}{name} ")
    return found


def test_every_command_and_option_is_documented():
    group = typer.main.get_command(cli.app)
    assert set(commands_of(group)) == set(COMMANDS)
    for name, found in commands_of(group).items():
        assert found.help
        for parameter in found.params:
            assert getattr(parameter, "help", None) or parameter.name in {"context"}, (name, parameter.name)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell):
    found = CliRunner().invoke(
        cli.app, [], prog_name="thresher", env={"_THRESHER_COMPLETE": f"source_{shell}"}
    )
    assert found.exit_code == 0, found.output
    assert "thresher" in found.output
    assert "_THRESHER_COMPLETE" in found.output


def test_recipes_are_listed():
    code, out, _ = called("recipes")
    assert code == 0
    assert all(name in out for name in (*recipe_names(), *instruction_names()))


def test_recipes_are_listed_for_machines():
    code, out, _ = called("recipes", "--json")
    assert code == 0
    assert set(json.loads(out)) == {*recipe_names(), *instruction_names()}


def test_a_recipe_is_printed_with_the_source_of_every_value():
    code, out, _ = called("recipes", "codex")
    assert code == 0
    assert "line_max" in out
    assert "published" in out
    code, out, _ = called("recipes", "codex", "--json")
    rows = json.loads(out)
    assert all(set(row) == {"key", "value", "status", "source"} for row in rows)
    assert {row["key"]: row["status"] for row in rows}["filters.line_max"] == "published"


def test_a_build_prints_stages_funnel_dataset_and_what_to_do_next(built, out):
    assert built.returncode == 0, built.stderr
    said = built.stdout
    for stage in (*STAGES[:-1], "tokenizer", "tokens", "shards"):
        assert f"✓ {stage}" in said
    for title in ("Files read", "Exact duplicates", "line_max", "Benchmark contamination", "Near-duplicates"):
        assert title in said
    assert f"dataset: {out}" in said
    after = said.split("try next:")[1].strip().splitlines()
    assert len(after) == 4
    assert shlex.split(after[0])[:3] == ["thresher", "explain", out]
    assert after[1].strip() == f"thresher what-if {out} --set filters.line_max=500"
    assert after[2].strip() == f"thresher compare {out}"
    assert after[3].strip().endswith(f"{out}/report.html")
    assert "\x1b" not in said


def test_the_suggested_commands_work(built, out):
    for line in built.stdout.split("try next:")[1].strip().splitlines()[:3]:
        assert called(*shlex.split(line)[1:])[0] == 0


def test_a_build_says_nothing_on_stderr(built):
    assert built.stderr == ""


def test_a_second_build_does_nothing(built, job, out):
    code, said, _ = called(*job)
    assert code == 0
    assert said.count("done before") == 8
    assert "✓" not in said


@pytest.mark.slow
def test_quiet_prints_nothing(built, job):
    again = command(*job, "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_build_for_machines_prints_json_alone(built, job):
    code, said, err = called(*job, "--json")
    assert (code, err) == (0, "")
    assert json.loads(said)["files"]["read"] > 10


@pytest.mark.slow
def test_python_dash_m_pipelines_is_the_same_command(out, job):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "pipelines", *job],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        cwd=ROOT,
    )
    assert f"python -m pipelines compare {out}" in found.stdout


def test_output_that_cannot_show_every_character_is_still_printed(out):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "pipelines", "inspect", out],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert found.returncode == 0, found.stderr[-300:]


def test_inspect_prints_the_funnel(out):
    code, said, _ = called("inspect", out)
    assert code == 0
    assert "Files read" in said
    assert "kept" in said


def test_inspect_prints_json(out):
    found = json.loads(called("inspect", out, "--json")[1])
    assert found["recipe"] == "small"
    assert found["funnel"][0]["rule"] == "read"
    assert found["tokens"]["produced"] > 0


@pytest.fixture(scope="module")
def rows(out):
    place = Place(out).child("ledger")
    names = [name for name in place.names() if name.startswith("part-")]
    return {row["path"]: row for name in names for row in read_whole(place, name).to_pylist()}


@pytest.mark.parametrize(
    ("rule", "said"),
    [(None, "kept, in the"), ("exact_duplicate", "same text as"), ("near_duplicate", "which is kept"),
     ("line_max", "dropped by line_max: 2,009 > 1000"), ("contaminated", "holds humaneval/HumanEval/4")],
)  # fmt: skip
def test_explain_tells_why(out, rows, rule, said):
    path = next(path for path, row in rows.items() if row["rule"] == rule)
    code, told, _ = called("explain", out, path)
    assert code == 0
    assert said in " ".join(told.split())
    assert path in told
    story = json.loads(called("explain", out, path, "--json")[1])
    assert (story["rule"] or None, story["kept"]) == (rule, rule is None)
    assert bool(story["tokens"]) == (rule is None)


def test_a_file_is_found_by_the_end_of_its_path_and_by_its_id(out, rows):
    for name in ("line_max.py", "tree:drop/line_max.py", rows["drop/line_max.py"]["doc_id"].hex()):
        found = json.loads(called("explain", out, name, "--json")[1])
        assert found["file"]["path"] == "drop/line_max.py"


def test_an_unknown_file_has_a_hint(out):
    refused("explain", out, "drop/line_mx.py", said="not in this dataset", hint="drop/line_max.py")


def test_stages_need_the_ones_before_them(folder, tree, tmp_path):
    arguments = (recipe(folder), "--input", str(tree), "--output", str(tmp_path / "out"), "--workers", "1")
    for stage in STAGES[1:]:
        refused("run", stage, *arguments, said="is not finished", hint="run first: thresher run")
    assert called("run", "ingest", *arguments)[0] == 0
    for stage in STAGES[2:]:
        refused("run", stage, *arguments, said="is not finished", hint="run first: thresher run")


def test_one_stage_is_run(folder, tree, tmp_path):
    arguments = (recipe(folder), "--input", str(tree), "--output", str(tmp_path / "out"), "--workers", "1")
    code, said, _ = called("run", "ingest", *arguments)
    assert (code, said.count("✓")) == (0, 1)
    assert not (tmp_path / "out" / "facts").exists()
    code, said, _ = called("run", "ingest", *arguments)
    assert "done before" in said


@pytest.mark.parametrize("words", [("build", "codex"), ("run", "ingest", "codex")], ids=["build", "run"])
def test_one_build_at_a_time_writes_a_dataset(words, tree, tmp_path):
    with leased(Place(str(tmp_path / "set")), "refresh"):
        refused(
            *words, "-q", "-i", str(tree), "-o", str(tmp_path / "set"),
            said="refresh is under way (process", hint="one run at a time",
        )  # fmt: skip
    assert {path.name for path in (tmp_path / "set").iterdir()} <= {"job.json"}


def test_an_unknown_stage_is_refused(tmp_path):
    refused("run", "mesure", "codex", "-i", ".", "-o", str(tmp_path), said="expected one of ingest, measure")


def test_an_unknown_recipe_has_a_hint(tmp_path):
    refused(
        "build",
        "codx",
        "-i",
        ".",
        "-o",
        str(tmp_path),
        said="no such recipe: codx",
        hint="did you mean codex?",
    )
    refused("recipes", "codx", said="no such recipe", hint="did you mean codex?")


def test_a_bad_key_in_a_recipe_is_named_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: codex\nname: mine\npack:\n  seq_length: 512\n")
    refused("recipes", str(path), said="line 4: unknown key pack.seq_length", hint="seq_len")


@pytest.mark.parametrize(
    "text",
    [b"\xff\xfe\x00", b"a: [", b"", b"- a", b"extends: codex\nname: 2020-13-45\n",
     b"extends: codex\nname: !!python/object:os.system x\n", b"a: &a\n  b: *a\n", b"? [a]\n: b\n",
     b"name: x\npack: {seq_len: many}\n", b"name: {value: x, value: y}\n", b"extends: [codex]\n"],
    ids=["not text", "not yaml", "empty", "a list", "no such day", "an object", "a loop", "a strange key",
         "not a number", "twice", "not a name"],
)  # fmt: skip
def test_no_recipe_file_gives_a_traceback(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text)
    refused("recipes", str(path), said="mine.yaml")


def test_missing_input_and_output_are_named():
    for given, missing in ((("-i", "."), "--output"), (("-o", "x"), "--input")):
        refused("build", "codex", *given, said=missing)


@pytest.mark.parametrize(
    ("extra", "said"),
    [(("--mode", "fibres"), "expected threads or processes"), (("--workers", "-1"), "--workers"),
     (("--batch-mb", "0"), "--batch-mb"), (("--column", "content"), "expected OURS=THEIRS"),
     (("--column", "nosuch=x"), "nosuch"), (("--column", "path=a", "--column", "path=b"), "path"),
     (("--runner", "NoSuchRunner"), "NoSuchRunner"), (("--direct_runner_bundle_repeat=abc",), "abc"),
     (("surplus",), "surplus")],
)  # fmt: skip
def test_impossible_options_are_refused(folder, tree, tmp_path, extra, said):
    arguments = ("build", recipe(folder), "-i", str(tree), "-o", str(tmp_path / "out"), "--workers", "1")
    refused(*arguments, *extra, said=said)


@pytest.mark.parametrize(
    "spec", ["nowhere", "git:nowhere", "parquet:nowhere.parquet", "jsonl:nowhere.jsonl", "nosuch://x"]
)
def test_an_input_that_is_not_there_is_named(folder, tmp_path, spec):
    refused(
        "build", recipe(folder), "-i", spec, "-o", str(tmp_path / "out"), said=spec.partition(":")[2] or spec
    )


@pytest.mark.parametrize("where", ["file", "file/below", "protocol"])
def test_an_output_that_cannot_be_is_refused(folder, tree, tmp_path, where):
    (tmp_path / "file").write_text("x")
    url = "nosuch://x" if where == "protocol" else str(tmp_path / where)
    refused("build", recipe(folder), "-i", str(tree), "-o", url, said=url)


ARGUMENTS = {
    "explain": ("a.py",),
    "what-if": ("--set", "filters.line_max=9"),
    "sample": ("--rule", "line_max"),
}


@pytest.mark.parametrize("name", ["inspect", "explain", "what-if", "compare", "sample"])
@pytest.mark.parametrize("where", ["nowhere", "empty", "file", "damaged", "other", "protocol"])
def test_what_is_no_dataset_is_refused(tmp_path, name, where):
    (tmp_path / "file").write_text("x")
    for folder, text in (("empty", None), ("damaged", "{"), ("other", '{"format": "other/9"}')):
        (tmp_path / folder).mkdir()
        if text:
            (tmp_path / folder / "manifest.json").write_text(text)
    url = "nosuch://x" if where == "protocol" else str(tmp_path / where)
    refused(name, url, *ARGUMENTS.get(name, ()), said=where if where != "protocol" else "nosuch")


@pytest.mark.parametrize("first", [True, False])
def test_diff_needs_two_datasets(out, tmp_path, first):
    url = str(tmp_path / "nowhere")
    refused("diff", *((url, out) if first else (out, url)), said=f"{url}: no manifest.json", hint="--output")


def test_set_changes_a_recipe(folder, tree, tmp_path):
    where = str(tmp_path / "out")
    changes = ("--set", "filters.line_max=50", "--set", "filters.low_alnum=off", "--set", "pack.seq_len=128")
    arguments = (recipe(folder), "--input", str(tree), "--output", where, "--workers", "1", "--json")
    code, said, err = called("build", *arguments, *changes)
    assert (code, err) == (0, "")
    rules = [step["rule"] for step in json.loads(said)["funnel"]]
    assert "line_max" in rules
    assert "low_alnum" not in rules
    recorded = json.loads(Place(where).read("manifest.json"))["recipe"]
    assert recorded["pack"]["seq_len"] == 128
    assert recorded["notes"]["filters.values.line_max"]["source"] == "--set"


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [("nonsense", "expected KEY=VALUE", "for example: --set"), ("filters.line_max=[1,", "filters.line_max=[1,", ""),
     ("pack.seq_length=5", "unknown key pack.seq_length", "did you mean seq_len?"),
     ("=5", "expected KEY=VALUE", "for example"), ("a..b=5", "expected KEY=VALUE", "for example")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["build", "what-if"])
def test_a_setting_that_cannot_be_is_refused(out, folder, tree, tmp_path, name, change, said, hint):
    build = ("build", recipe(folder), "-i", str(tree), "-o", str(tmp_path / "out"))
    refused(*(build if name == "build" else ("what-if", out)), "--set", change, said=said, hint=hint or None)


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [("filters.lin_max=9", "has no rule lin_max", "did you mean filters.line_max?"),
     ("filters.zzz=off", "has no rule zzz", "its rules: thresher recipes codex"),
     ("filters.line_max=many", "expected a number, or off", "now: line_max > 1000; for example"),
     ("filters.line_max=on", "expected a number, or off", "filters.line_max=off"),
     ("filters.preset=opencoder", "is not measured in", "--set 'filters.measure=[all]'"),
     ("filters.add=[{name: odd, signal: line_mx, op: gt, value: 1, status: ours, source: me}]",
      "rule odd: there is no fact line_mx", "did you mean line_max?"),
     ("dedup.minhash.num_perm=512", "what is stored cannot tell", "build with the changed recipe")],
)  # fmt: skip
def test_what_if_refuses_what_it_cannot_answer(out, change, said, hint):
    refused("what-if", out, "--set", change, said=said, hint=hint)


def test_what_if_needs_a_change(out):
    refused("what-if", out, said="nothing to change: give --set or --recipe")
    refused("what-if", out, "--recipe", "codx", said="no such recipe: codx", hint="did you mean codex?")


def test_what_if_says_what_another_threshold_does(out, rows):
    code, said, err = called("what-if", out, "--set", "filters.line_max=5000")
    assert (code, err) == (0, "")
    assert "filters.line_max: line_max > 1000 → line_max > 5000" in said
    assert "tree:drop/line_max.py" in said
    found = json.loads(called("what-if", out, "--set", "filters.line_max=5000", "--json")[1])
    kept = sum(row["kept"] for row in rows.values())
    assert (found["before"]["files"], found["gained"]["files"], found["after"]["files"]) == (
        kept,
        1,
        kept + 1,
    )
    assert found["estimated"] == ["after", "gained"]
    assert isinstance(found["after"]["tokens"], int)
    assert [one["path"] for one in found["gained_examples"]] == ["drop/line_max.py"]


def test_what_if_with_a_recipe_of_one_s_own(out, folder):
    own = folder / "loose.yaml"
    own.write_text((folder / "small.yaml").read_text() + "filters: {values: {line_max: 5000}}\n")
    found = json.loads(called("what-if", out, "--recipe", str(own), "--json")[1])
    assert found["settings"] == ["filters.line_max: line_max > 1000 → line_max > 5000"]
    assert found["gained"]["files"] == 1
    assert found["lost_examples"] == []


def test_compare_prints_each_recipe(out, rows):
    code, said, err = called("compare", out, "--recipes", "codex,codegen")
    assert (code, err) == (0, "")
    assert "bytes kept" not in said
    assert [line.split()[0] for line in said.splitlines() if line.startswith("code")][:2] == [
        "codex",
        "codegen",
    ]
    assert "bytes kept" in called("compare", out, "--recipes", "codex,codegen", "--bytes")[1]
    found = json.loads(called("compare", out, "--recipes", "codex", "--json")[1])
    assert found["total"]["read"]["files"] == len(rows)
    assert found["total"]["all_rules"]["codex"]["files"] == sum(row["kept"] for row in rows.values())


def test_compare_takes_all_built_in_recipes(out):
    assert json.loads(called("compare", out, "--json")[1])["recipes"] == recipe_names()
    refused(
        "compare", out, "--recipes", "codex,codx", said="no such recipe: codx", hint="did you mean codex?"
    )


def test_diff_of_a_dataset_with_itself_is_empty(out, rows):
    code, said, _ = called("diff", out, out)
    assert code == 0
    assert f"{len(rows)} files with the same text and verdict in both" in said
    (line,) = called("diff", out, out, "--json")[1].splitlines()
    summary = json.loads(line)["summary"]
    assert (summary["same"], summary["kinds"]) == (len(rows), [])


def test_sample_writes_a_sheet_and_reads_it_back(out, tmp_path):
    sheet = tmp_path / "sheet.csv"
    code, said, err = called("sample", out, "--rule", "line_max", "-o", str(sheet))
    assert (code, err) == (0, "")
    assert f"{sheet}: 1 of 1 files" in said
    assert sheet.is_file()
    found = json.loads(called("sample", out, "--rule", "line_max", "-o", str(sheet), "--json")[1])
    assert found == {"rule": "line_max", "files": 1, "of": 1, "sheets": [str(sheet)]}


def test_sample_refuses_what_it_cannot_draw(out, tmp_path):
    refused("sample", out, "--rule", "line_mx", said="line_mx: no rule of this dataset", hint="line_max")
    refused("sample", out, said="expected one of --rule and --labels")
    refused("sample", out, "--rule", "kept", "-o", str(tmp_path / "x.txt"), said="expected .html or .csv")
    refused("sample", out, "--labels", str(tmp_path / "none.csv"), said="none.csv", hint="labels CSV")


def test_json_is_sorted(out):
    for arguments in (
        ("what-if", out, "--set", "filters.line_max=9"),
        ("compare", out, "--recipes", "codex"),
    ):
        said = called(*arguments, "--json")[1]
        assert said == json.dumps(json.loads(said), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    for line in called("diff", out, out, "--json")[1].splitlines():
        assert line == json.dumps(json.loads(line), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def test_an_unknown_command_is_refused():
    refused("bild", said="bild")
