"""The conductor: a command as one element of a job, what it logs, and how it fails."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from apache_beam.internal import pickler

from columns.errors import EnvironmentProblem
from columns.files import Place
from pipelines import conductor
from pipelines.conductor import FINISHED, Conduct, conduct, fetched, figures
from tests.pipelines.building import RECIPE, recipe
from tests.pipelines.corpus import corpus, write_tree

SUMMARY = {"files": {"read": 8, "kept": 6}, "bytes": {"read": 100, "kept": 50}, "tokens": {"written": 9}}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("conductor") / "corpus", dict(list(corpus().items())[::6]))


def test_a_build_is_done_and_its_figures_are_logged(tmp_path, tree, caplog):
    output = tmp_path / "set"
    arguments = ("build", recipe(tmp_path), "-i", str(tree), "-o", str(output), "--workers", "1")
    with caplog.at_level(logging.INFO, "thresher.conductor"):
        found = conduct(arguments)
    assert (output / "manifest.json").exists()
    line = next(record.getMessage() for record in caplog.records if record.getMessage().startswith(FINISHED))
    assert json.loads(line.removeprefix(FINISHED)) == figures(found)
    assert found["files"]["read"] > found["files"]["kept"] > 0


def test_a_refresh_tells_its_figures_too(tmp_path, tree):
    arguments = ("refresh", str(tmp_path / "set"), "--first", "-i", str(tree), "--recipe", recipe(tmp_path))
    first = conduct((*arguments, "--workers", "1"))
    assert figures(first)["files_kept"] > 0
    assert conduct((*arguments, "--workers", "1")) == first


@pytest.mark.long
def test_a_second_time_does_no_harm(tmp_path, tree):
    arguments = ("build", recipe(tmp_path), "-i", str(tree), "-o", str(tmp_path / "set"), "--workers", "1")
    assert list(Conduct().process(arguments)) == []
    before = (tmp_path / "set" / "manifest.json").read_bytes()
    assert list(Conduct().process(arguments)) == []
    assert (tmp_path / "set" / "manifest.json").read_bytes() == before


def test_a_mistake_is_logged_as_an_error_and_fails_the_element(tmp_path, caplog):
    arguments = ("build", "codex", "-i", str(tmp_path / "nowhere"), "-o", str(tmp_path / "set"))
    with (
        caplog.at_level(logging.INFO, "thresher.conductor"),
        pytest.raises(EnvironmentProblem, match="nowhere"),
    ):
        conduct(arguments)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors[0].startswith("error: ")


def test_a_step_travels():
    assert isinstance(pickler.loads(pickler.dumps(Conduct())), Conduct)


def test_a_recipe_in_a_bucket_comes_with_what_lies_beside_it(tmp_path):
    there = Place("memory://recipes")
    for name, data in (
        ("ours.yaml", RECIPE),
        ("own.py", "x = 1\n"),
        ("big.parquet", "no"),
        ("out.txt", "a/b\n"),
    ):
        there.write_bytes(name, data.encode())
    local = fetched(["build", "memory://recipes/ours.yaml", "--output", "gs://mine/set"], tmp_path)
    assert local[2:] == ["--output", "gs://mine/set"]
    assert Path(local[1]).read_text() == RECIPE
    assert sorted(path.name for path in Path(local[1]).parent.iterdir()) == ["ours.yaml", "out.txt", "own.py"]


def test_other_arguments_stay_as_they_are(tmp_path):
    arguments = ["build", "codex", "--input", "parquet:gs://theirs/*.parquet", "--access", "here.yaml"]
    assert fetched(arguments, tmp_path) == arguments


def test_figures_are_shares_of_what_was_read():
    assert figures(SUMMARY) == {
        "files_read": 8, "files_kept": 6, "files_share": 0.75, "bytes_share": 0.5, "tokens": 9
    }  # fmt: skip
    nothing = {"files": {"read": 0, "kept": 0}, "bytes": {"read": 0, "kept": 0}, "tokens": {}}
    assert set(figures(nothing).values()) == {0}


@pytest.mark.parametrize(
    ("said", "told"),
    [(["a", "error: first", "hint: x"], "first"), (["a", "b"], "b"), ([], "it said nothing"),
     (["error: one", "error: two"], "two")],
)  # fmt: skip
def test_what_is_told_of_a_failure(said, told):
    assert conductor._problem(said) == told
