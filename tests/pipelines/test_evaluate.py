"""``thresher evaluate``: suites, figures, files, and mistakes told in a line."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import pytest

from instruct.problems import by_task, load_problems
from instruct.sandbox import isolation_problem
from pipelines import cli, evaluating

pytestmark = pytest.mark.skipif(
    isolation_problem() is not None, reason=f"no isolation here: {isolation_problem()}"
)

TASKS = [
    {
        "task_id": f"own/{n}", "prompt": f"def f{n}(x):\n", "entry_point": f"f{n}",
        "canonical_solution": f"    return x + {n}\n",
        "test": f"def check(candidate):\n    assert candidate(1) == {1 + n}\n    assert candidate(0) == {n}\n",
    }
    for n in range(3)
]  # fmt: skip
DIALOGUE = {
    "id": "1", "name": "", "category": "string", "prompts": ["Let s be \"{A}\".", "Print s twice."],
    "inputs": [{"A": "ab"}, {"A": "c"}], "outputs": ["abab", "cc"],
}  # fmt: skip


def called(*args):
    out, err, code = io.StringIO(), io.StringIO(), 0
    before, sys.argv = sys.argv, ["thresher", "evaluate", *map(str, args)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    return code, out.getvalue(), err.getvalue()


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def suite(tmp_path):
    return written(tmp_path / "own.jsonl", TASKS)


@pytest.fixture
def samples(tmp_path):
    rows = [
        {
            "task_id": task["task_id"],
            "samples": [task["canonical_solution"], "    return 1\n\nprint(2)", "    return 1\n"],
        }
        for task in TASKS
    ]
    return written(tmp_path / "samples.jsonl", [row | {"temperature": 0.2, "model": "m"} for row in rows])


def test_a_suite_of_ones_own(suite, samples, tmp_path):
    """To return 1 is right for f0(1) and f1(0) only."""
    results = tmp_path / "results.jsonl"
    code, out, err = called(
        "own", samples, "--suite-file", suite, "--k", "1,3", "-o", results, "--workers", 2
    )
    assert (code, err) == (0, "")
    assert "pass@1" in out
    assert "33.33%" in out
    assert "100.00%" in out
    assert "3 of 3 tasks" in out
    assert "\\nprint" in out
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert [row["outcome"] for row in rows] == [
        "all_pass", "some_pass", "some_pass", "all_pass", "some_pass", "some_pass", "all_pass", "runtime_error",
        "runtime_error",
    ]  # fmt: skip
    assert [row["same_as"] for row in rows] == [None, None, 1] * 3 or [row["stop"] for row in rows][
        1
    ] == "\nprint"


def test_for_machines(suite, samples):
    code, out, _ = called(
        "own", samples, "--suite-file", suite, "--json", "--top-p", "0.95", "--temperature", "9"
    )
    found = json.loads(out)
    assert code == 0
    assert [rate["k"] for rate in found["rates"]] == [1]
    assert found["settings"] == {"model": ["m"], "temperature": [0.2], "top_p": [0.95]}
    assert (found["tasks"], found["samples"], found["solved"], found["timeout_s"]) == (3, 9, 3, 3.0)
    assert found["stop_sequences"] == ["\nclass", "\ndef", "\n#", "\nif", "\nprint"]
    assert found["stops"] == {"\nprint": 3}


def test_results_are_the_same_for_any_number_of_workers(suite, samples, tmp_path):
    for workers in (1, 2):
        called(
            "own", samples, "--suite-file", suite, "-o", tmp_path / f"{workers}.jsonl", "--workers", workers
        )
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_stops_of_ones_own(suite, samples):
    for stops, cut in ((("--stop", "none"), {}), (("--stop", "\\nprint(2"), {"\nprint(2": 3})):
        _, out, _ = called("own", samples, "--suite-file", suite, "--json", *stops)
        assert json.loads(out)["stops"] == cut


def test_endless_programs_end_at_the_timeout(suite, tmp_path):
    rows = [{"task_id": task["task_id"], "completion": "    while True:\n        pass\n"} for task in TASKS]
    path = written(tmp_path / "endless.jsonl", rows)
    _, out, _ = called("own", path, "--suite-file", suite, "--json", "--timeout", "0.5")
    assert json.loads(out)["reasons"] == {"timeout": 3}


def test_humaneval_as_it_is_installed(tmp_path):
    problems = by_task(load_problems("humaneval"))
    rows = [{"task_id": task, "completion": row["canonical_solution"]} for task, row in problems.items()]
    _, out, _ = called("humaneval", written(tmp_path / "right.jsonl", rows), "--json", "--timeout", 30)
    found = json.loads(out)
    assert (found["solved"], found["rates"][0]["value"], found["reasons"]) == (164, 1.0, {})


def test_multi_turn(tmp_path):
    rows = [
        {"id": "1", "input_ix": 0, "completions": ["s = 'ab'", "print(s * 2)"], "temperature": 0.2},
        {"id": "1", "input_ix": 1, "completions": ["s = 'c'", "print(s * 3)"]},
    ]
    suite = written(tmp_path / "mtpb.jsonl", [DIALOGUE])
    answers = written(tmp_path / "turns.jsonl", rows)
    code, out, _ = called("mtpb", answers, "--suite-file", suite, "-o", tmp_path / "results.jsonl")
    assert code == 0
    assert "50.00%" in out
    assert "wrong_value" in out
    assert "temperature" in out
    _, out, _ = called("mtpb", answers, "--suite-file", suite, "--json")
    found = json.loads(out)
    assert (found["overall"], found["categories"], found["timeout_s"]) == (0.5, {"string": 0.5}, 20.0)
    assert [json.loads(line)["passed"] for line in (tmp_path / "results.jsonl").open()] == [True, False]


def test_predictions_of_codefusion(tmp_path):
    pairs = [{"id": f"bash/test/{n}", "lang": "bash", "nl": "list", "code": code, "split": "test"}
             for n, code in enumerate(["ls -l /tmp", "wc -l a.txt"])]  # fmt: skip
    told = [
        {"id": "bash/test/0", "predictions": ["ls -l /tmp", "ls /tmp"]},
        {"id": "bash/test/1", "predictions": ["wc ("]},
    ]
    suite = written(tmp_path / "pairs.jsonl", pairs)
    code, out, _ = called("codefusion-bash", written(tmp_path / "told.jsonl", told), "--suite-file", suite)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["pairs", "2"] in lines
    assert ["exact", "50.0%"] in lines
    code, out, _ = called("codefusion-bash", tmp_path / "told.jsonl", "--suite-file", suite, "--json")
    assert json.loads(out)["top"]["1"]["exact"] == 0.5
    assert "codefusion-bash: no pairs named" in refused("codefusion-bash", tmp_path / "told.jsonl")


def test_predictions_of_nothing_and_unknown_languages_are_refused(tmp_path):
    pair = {"id": "bash/test/0", "lang": "bash", "nl": "list", "code": "ls", "split": "test"}
    suite = written(tmp_path / "pairs.jsonl", [pair])
    told = written(tmp_path / "told.jsonl", [{"id": "bash/test/9", "predictions": ["ls"]}])
    said = refused("codefusion-bash", told, "--suite-file", suite).replace("\n", " ")
    assert "no prediction of any of 1 pairs" in said
    said = refused("codefusion-klingon", told, "--suite-file", suite).replace("\n", " ")
    assert "codefusion-klingon: no such language" in said
    assert "codefusion-python" in said


def test_a_suite_named_with_its_file_is_that_suite(suite, samples, tmp_path):
    row = {
        "task_id": 7, "text": "Add one.", "code": "def one(x):\r\n    return x + 1", "test_setup_code": "",
        "test_list": ["assert one(1) == 2"], "challenge_test_list": [],
    }  # fmt: skip
    path = written(tmp_path / "mbpp.jsonl", [row])
    program = "import math\n\ndef one(x):\n    return x + 1\n"
    answers = written(tmp_path / "answers.jsonl", [{"task_id": 7, "completion": program}])
    for named in ((f"mbpp:{path}",), ("mbpp", "--suite-file", path)):
        _, out, _ = called(named[0], answers, *named[1:], "--json")
        found = json.loads(out)
        assert (found["suite"], found["solved"], found["stop_sequences"]) == ("mbpp", 1, [])
    assert called(f"own:{suite}", samples)[1] == called("own", samples, "--suite-file", suite)[1]


@pytest.mark.parametrize("option", [("--k", "1"), ("--stop", "none")])
def test_options_that_say_nothing_of_a_suite_are_refused(option, samples):
    for name in ("mtpb", "codefusion-bash"):
        assert f"{option[0]}: {name} is not measured by it" in refused(name, samples, *option)


def test_codefusion_has_no_result_of_each_prediction(samples, tmp_path):
    told = refused("codefusion-bash", samples, "-o", tmp_path / "out.jsonl")
    assert "no result of each" in told.replace("\n", " ")
    assert not (tmp_path / "out.jsonl").exists()


def test_another_kind_of_suite_can_be_added(monkeypatch, samples):
    found = evaluating.Evaluated([("figure", "7")], {}, {"figure": 7}, [])
    monkeypatch.setattr(evaluating, "EVALUATIONS", {"other": lambda asked: found})
    code, out, _ = called("other", samples)
    assert (code, "figure  7" in out) == (0, True)


def refused(*args):
    code, out, err = called(*args)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    return err


def test_mistakes(suite, samples, tmp_path):
    assert "cannot be read" in refused("own", tmp_path / "none.jsonl", "--suite-file", suite)
    assert "no such benchmark suite: own" in refused("own", samples)
    assert "mbpp: no file named" in refused("mbpp", samples)
    assert "mtpb: no file named" in refused("mtpb", samples)
    assert "unknown task own/0" in refused("humaneval", samples)
    assert "--k x: expected numbers from 1" in refused("own", samples, "--suite-file", suite, "--k", "x")
    assert "--k 0" in refused("own", samples, "--suite-file", suite, "--k", "0")
    assert "pass@4: 3 of 3 tasks" in refused("own", samples, "--suite-file", suite, "--k", "4")
    assert "cannot be written" in refused(
        "own", samples, "--suite-file", suite, "-o", tmp_path / "no" / "x.jsonl"
    )


def test_tasks_without_samples_are_an_error_unless_said(suite, tmp_path):
    path = written(tmp_path / "some.jsonl", [{"task_id": "own/0", "completion": "    return x\n"}])
    assert "2 of the suite's 3 tasks have no sample" in refused("own", path, "--suite-file", suite)
    code, out, _ = called("own", path, "--suite-file", suite, "--partial")
    assert code == 0
    assert "2 of 3 tasks, left out" in out


def test_a_bad_row_names_file_and_line(suite, tmp_path):
    rows = [{"task_id": "own/0", "completion": text} for text in ("x", 3)]
    path = written(tmp_path / "bad.jsonl", rows)
    assert f"{path}, line 2: expected text, got int" in refused("own", path, "--suite-file", suite).replace(
        "\n", ""
    )
