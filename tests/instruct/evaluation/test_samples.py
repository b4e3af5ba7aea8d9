"""Samples files: what is read, and what is refused with the file and the line."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.evaluation import read_samples
from instruct.evaluation import samples as module

KNOWN = ("HumanEval/0", "HumanEval/1")


def write(tmp_path, *rows, name="samples.jsonl"):
    path = tmp_path / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def read(path, known=KNOWN, suite="humaneval"):
    return [(one.task_id, one.sample_ix, one.completion) for one in read_samples(path, known, suite)]


def test_one_or_several_answers_in_a_row(tmp_path):
    path = write(
        tmp_path,
        {"task_id": "HumanEval/0", "completion": "a"},
        {"task_id": "HumanEval/1", "samples": ["b", "c"]},
        "",
        {"task_id": "HumanEval/0", "completion": "d"},
    )
    assert read(path) == [
        ("HumanEval/0", 0, "a"), ("HumanEval/1", 0, "b"), ("HumanEval/1", 1, "c"), ("HumanEval/0", 1, "d"),
    ]  # fmt: skip


def test_gzip_is_seen_by_content_not_by_name(tmp_path):
    row = json.dumps({"task_id": "HumanEval/0", "completion": "a"}) + "\n"
    path = tmp_path / "samples.jsonl"
    path.write_bytes(gzip.compress(row.encode()))
    assert read(path) == [("HumanEval/0", 0, "a")]


def test_settings_are_kept(tmp_path):
    row = {"task_id": "HumanEval/0", "completion": "a", "temperature": 0.2, "top_p": 0.95, "other": 1}
    (sample,) = read_samples(write(tmp_path, row), KNOWN)
    assert sample.settings == {"temperature": 0.2, "top_p": 0.95}


def test_numbers_and_prefixes_as_ids(tmp_path):
    rows = ({"task_id": 11, "completion": "a"}, {"task_id": "Mbpp/12", "completion": "b"})
    path = write(tmp_path, *rows)
    assert read(path, ("11", "12"), "mbpp") == [("11", 0, "a"), ("12", 0, "b")]
    with pytest.raises(InputError, match="line 2: unknown task Mbpp/12"):
        read(path, ("11", "12"), "another")


def test_explicit_numbers_of_samples(tmp_path):
    rows = [{"task_id": "HumanEval/0", "completion": "a", "sample_ix": n} for n in (1, 0)]
    assert read(write(tmp_path, *rows)) == [("HumanEval/0", 1, "a"), ("HumanEval/0", 0, "a")]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "not JSON"),
        ("[1]", "expected a JSON object, got list"),
        pytest.param("[" * 100_000, "not JSON", id="deep"),
        ({"completion": "a"}, "expected a task_id, got NoneType"),
        ({"task_id": True, "completion": "a"}, "expected a task_id, got bool"),
        ({"task_id": ["x"], "completion": "a"}, "expected a task_id, got list"),
        ({"task_id": "HumanEval/999", "completion": "a"}, "unknown task HumanEval/999"),
        pytest.param({"task_id": "x" * 10_000, "completion": "a"}, f"unknown task {'x' * 60}…", id="long"),
        ({"task_id": "HumanEval/0"}, "expected one of completion and samples"),
        ({"task_id": "HumanEval/0", "completion": "a", "samples": []}, "expected one of completion and samples"),
        ({"task_id": "HumanEval/0", "completion": 7}, "expected text, got int"),
        ({"task_id": "HumanEval/0", "completion": None}, "expected text, got NoneType"),
        ({"task_id": "HumanEval/0", "samples": "abc"}, "samples: expected a list, got str"),
        ({"task_id": "HumanEval/0", "samples": ["a", {}]}, "expected text, got dict"),
        ({"task_id": "HumanEval/0", "completion": "a", "sample_ix": -1}, "sample_ix: expected a number from 0"),
        ({"task_id": "HumanEval/0", "completion": "a", "sample_ix": "0"}, "sample_ix: expected a number from 0"),
        ({"task_id": "HumanEval/1", "completion": "a", "sample_ix": 0}, "sample 0 of HumanEval/1 for the second"),
    ],
)  # fmt: skip
def test_a_bad_row_is_one_clear_error(tmp_path, row, told):
    path = write(tmp_path, {"task_id": "HumanEval/1", "completion": "fine"}, row)
    with pytest.raises(InputError) as caught:
        read(path)
    assert f"{path}, line 2: " in caught.value.what
    assert told in caught.value.what
    assert len(str(caught.value)) < 600


def test_bytes_that_are_no_utf8(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b'{"task_id": "\xff"}\n')
    with pytest.raises(InputError, match="line 1: not JSON"):
        read(path)


def test_a_missing_an_empty_and_a_broken_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="no samples"):
        read(write(tmp_path))
    broken = tmp_path / "broken.jsonl.gz"
    row = json.dumps({"task_id": "HumanEval/0", "completion": "a"}) + "\n"
    broken.write_bytes(gzip.compress(row.encode() * 1000)[:-20])
    with pytest.raises(InputError, match="cannot be read"):
        read(broken)


def test_a_line_of_a_megabyte_is_fine_and_an_endless_one_is_not(tmp_path, monkeypatch):
    long = "x" * (1 << 20)
    path = write(tmp_path, {"task_id": "HumanEval/0", "completion": long})
    assert read(path)[0][2] == long
    monkeypatch.setattr(module, "MOST_LINE_BYTES", 1000)
    with pytest.raises(InputError, match="line 1: more than 1,000 bytes"):
        read(path)


def test_lone_surrogates_and_windows_line_ends_become_harmless(tmp_path):
    path = write(tmp_path, '{"task_id": "HumanEval/0", "completion": "a\\ud800\\r\\nb"}')
    assert read(path)[0][2] == "a\ufffd\nb"


@given(st.lists(st.tuples(st.sampled_from(KNOWN), st.text(max_size=5)), min_size=1, max_size=20))
def test_every_answer_is_numbered_within_its_task(tmp_path_factory, answers):
    rows = [{"task_id": task, "completion": text} for task, text in answers]
    found = read(write(tmp_path_factory.mktemp("samples"), *rows))
    for task in KNOWN:
        own = [number for name, number, _ in found if name == task]
        assert own == list(range(len(own)))
    assert len(found) == len(answers)


def test_an_empty_list_of_samples_is_no_sample(tmp_path):
    with pytest.raises(InputError, match="no samples"):
        read(write(tmp_path, {"task_id": "HumanEval/0", "samples": []}))
    rows = ({"task_id": "HumanEval/0", "samples": []}, {"task_id": "HumanEval/0", "completion": ""})
    assert read(write(tmp_path, *rows)) == [("HumanEval/0", 0, "")]


def test_the_number_of_a_sample_is_one_that_a_verdict_can_hold(tmp_path):
    row = {"task_id": "HumanEval/0", "completion": "a", "sample_ix": module.MOST_SAMPLES}
    assert read(write(tmp_path, row))[0][1] == 2**31 - 1
    with pytest.raises(InputError, match="sample_ix: expected a number from 0"):
        read(write(tmp_path, row | {"sample_ix": 2**31}))


def test_numbers_given_beside_lists_are_not_read(tmp_path):
    row = {"task_id": "HumanEval/0", "samples": ["a", "b"], "sample_ix": 7}
    assert [number for _, number, _ in read(write(tmp_path, row))] == [0, 1]


def test_a_mark_at_the_file_s_begin_is_no_text(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"task_id": "HumanEval/0", "completion": "a"}).encode())
    assert read(path) == [("HumanEval/0", 0, "a")]


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    rows = read_samples(write(tmp_path, {"task_id": "HumanEval/0", "completion": "a"}, "{"), KNOWN)
    assert next(rows).completion == "a"
    with pytest.raises(InputError, match="line 2"):
        next(rows)


def test_a_suite_without_tasks_says_so(tmp_path):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, {"task_id": "a", "completion": "b"}), ())
    assert caught.value.hint == "the suite has 0 tasks, the first is no tasks"
