"""The command that traces a project: its files, what it prints, and its errors."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from columns.errors import InputError, OutputError
from instruct.problems import PROBLEM
from instruct.sandbox import isolation_problem
from instruct.tracing import FUNCTION
from pipelines import cli

NEEDS_ISOLATION = pytest.mark.skipif(
    isolation_problem() is not None, reason="programs cannot be isolated on this machine"
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project") / "sums"
    files = {
        "sums.py": "def add(a, b):\n    'The sum.'\n    return a + b\n\ndef bare(a):\n    return a\n",
        "tests/test_sums.py": "import unittest, sums\n\nclass T(unittest.TestCase):\n    def test(self):\n"
        "        self.assertEqual(sums.add(1, 2), 3)\n        sums.bare('[x]')\n",
        ".travis.yml": "install: pip install nowhere-to-be-found\nscript: python -m unittest discover -s tests\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def called(*words):
    return CliRunner().invoke(cli.app, ["trace", *map(str, words)], env={"COLUMNS": "140"})


@NEEDS_ISOLATION
def test_a_project_is_traced_into_files(tree, tmp_path):
    done = called(
        tree, "--output", tmp_path / "out", "--repo", "me/sums", "--commit", "c0ffee", "--workers", 1
    )
    assert done.exit_code == 0, done.output
    for told in ("-m unittest discover -s tests", ".travis.yml:2", "Ran 1 test", "not installed: nowhere-to-be-found",
                 "1 no_docstring", "1 problems with 1 tests"):  # fmt: skip
        assert told in done.output
    problems = pq.read_table(tmp_path / "out/problems.parquet")
    functions = pq.read_table(tmp_path / "out/functions.parquet")
    assert (problems.schema, functions.schema) == (PROBLEM, FUNCTION)
    assert problems.select(["repo", "commit", "tests"]).to_pylist() == [
        {"repo": "me/sums", "commit": "c0ffee", "tests": ["assert candidate(1, 2) == 3"]}
    ]
    [row] = [json.loads(line) for line in (tmp_path / "out/problems.jsonl").read_text().splitlines()]
    assert set(row) == {"task_id", "prompt", "entry_point", "canonical_solution", "test"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "functions.parquet", "problems.jsonl", "problems.parquet", "trace.json",
    ]  # fmt: skip


@NEEDS_ISOLATION
def test_machines_get_the_summary_and_the_same_bytes_again(tree, tmp_path):
    outputs = [tmp_path / name for name in ("one", "two")]
    told = [
        json.loads(called(tree, "-o", out, "--json", "--workers", at + 1).output)
        for at, out in enumerate(outputs)
    ]
    assert told[0] == told[1] == json.loads((outputs[0] / "trace.json").read_text())
    assert told[0]["funnel"]["left"]["choice"] == told[0]["problems"] == 1
    for name in ("functions.parquet", "problems.jsonl", "problems.parquet", "trace.json"):
        assert (outputs[0] / name).read_bytes() == (outputs[1] / name).read_bytes()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    done = called(tmp_path / "none", "--output", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert "no such folder" in done.exception.what
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_told_before_anything_runs(tree, tmp_path):
    (tmp_path / "file").write_text("mine")
    done = called(tree, "--output", tmp_path / "file")
    assert isinstance(done.exception, OutputError)
    assert "expected a directory, found a file" in done.exception.what
    assert (tmp_path / "file").read_text() == "mine"
    assert isinstance(called(tree, "--output", "/proc/nowhere").exception, OutputError)
