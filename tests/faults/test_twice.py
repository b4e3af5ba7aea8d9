"""Every bundle run more than once, as Dataflow does after failures and for speculative work: the same bytes, counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import pipelines.measure
from columns.files import TEMPORARY, Place
from tests.pipelines.building import RECIPE, assert_same, build
from tests.pipelines.corpus import corpus, write_parquet, write_tree

pytestmark = pytest.mark.slow

TWICE = ("--direct_runner_bundle_repeat=1",)
EVERY = (
    RECIPE
    + """
licenses: {detect: true}
privacy: {find: true}
dedup: {bands: {verify: jaccard}, functions: {find: true}, paragraphs: {find: true}}
"""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("twice")


@pytest.fixture(scope="module")
def inputs(folder):
    files = list(corpus().items())[::4]
    return [
        write_tree(folder / "tree", dict(files[::2])),
        write_parquet(folder / "in" / "a.parquet", dict(files[1::2])),
    ]


@pytest.fixture(scope="module")
def once(folder, inputs):
    return build(folder, folder / "once", inputs, text=EVERY)


@pytest.mark.parametrize("workers", [1, 2])
def test_bundles_that_run_again_change_no_byte(workers, folder, inputs, once, tmp_path, monkeypatch):
    calls: Counter[int] = Counter()
    original = pipelines.measure.MeasurePart.__call__

    def counted(self, part: int):
        calls[part] += 1
        return original(self, part)

    monkeypatch.setattr(pipelines.measure.MeasurePart, "__call__", counted)
    place = build(folder, tmp_path / "twice", inputs, workers=workers, text=EVERY, flags=TWICE)
    assert set(calls.values()) == {2}, "the runner no longer repeats bundles"
    assert_same(place, once)
    assert counts(tmp_path / "twice") == counts(Path(once.url))
    assert not [path for path in (tmp_path / "twice").rglob("*") if TEMPORARY in path.name]


def counts(folder: Path) -> dict[str, dict]:
    """What every stage counted, by its folder."""
    stages = sorted(folder.rglob("_stage.json"))
    found = {path.parent.relative_to(folder).as_posix(): json.loads(path.read_text()) for path in stages}
    return {name: {"counts": commit["counts"], "each": commit["each"]} for name, commit in found.items()}


def test_the_counts_are_those_of_the_files(once):
    found = counts(Path(once.url))
    files = len(list(corpus().items())[::4])
    assert found["documents"]["counts"]["files"] == files
    assert found["facts"]["counts"]["rows"] == files
    assert found["ledger"]["counts"]["files"] == files


def test_the_work_folder_is_gone(once):
    assert not [name for name in Path(once.url).iterdir() if name.name.startswith((".", "work"))]
    assert Place(once.url).exists("manifest.json")
