"""`kill -9` in every stage, then the same command: it finishes, with the same bytes, and leaves nothing behind."""

import json
import signal
from pathlib import Path

import pytest

from columns.files import TEMPORARY, Place
from tests.pipelines.building import assert_same, build, command, recipe
from tests.pipelines.corpus import corpus, write_tree

pytestmark = pytest.mark.slow

TRAP = """
import os, signal, threading
import {module} as module
seen = []
original = module.{name}.__call__
def trapped(self, *args):
    seen.append(args)
    if len(seen) > {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, *args)
module.{name}.__call__ = trapped
"""

TRAPS = {
    "ingest-reading": ("pipelines.ingest", "ReadUnit", 0),
    "ingest-writing": ("pipelines.ingest", "WritePart", 2),
    "measure": ("pipelines.measure", "MeasurePart", 2),
    "link": ("pipelines.link", "PairBuckets", 1),
    "link-verifying": ("pipelines.link", "WriteLinks", 2),
    "decide-components": ("pipelines.components", "JoinLinks", 0),
    "decide-keepers": ("pipelines.keepers", "Keepers", 0),
    "decide": ("pipelines.decide", "LedgerPart", 2),
    "tokenizer": ("pipelines.trained", "TrainTokenizer", 0),
    "tokens": ("pipelines.shard", "TokenisePart", 2),
    "shards": ("pipelines.shard", "PackShard", 1),
}
STAGE_FOLDERS = ("documents", "facts", "links", "ledger", "tokenizer", "tokens", "shards")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("interruption")


@pytest.fixture(scope="module")
def tree(folder):
    return write_tree(folder / "corpus", dict(list(corpus().items())[::2]))


@pytest.fixture(scope="module")
def undisturbed(folder, tree):
    return build(folder, folder / "undisturbed", [tree])


def finished(output: Path) -> dict[str, int]:
    stages = [output / name / "_stage.json" for name in STAGE_FOLDERS]
    return {path.parent.name: path.stat().st_mtime_ns for path in stages if path.exists()}


OFTEN = ("ingest-reading", "measure", "link", "decide-keepers", "decide", "shards")
"""Killed in every run of the tests; the other moments are left to ``make test-all``."""


@pytest.mark.parametrize(
    "where", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in TRAPS]
)
def test_kill_and_run_again(where, folder, tree, undisturbed, tmp_path):
    module, name, after = TRAPS[where]
    arguments = ("build", recipe(folder), "--input", str(tree), "--output", str(tmp_path / "out"))
    killed = command(*arguments, "--workers", "2", prelude=TRAP.format(module=module, name=name, after=after))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = finished(tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()

    if where == "measure":
        again = command(*arguments, "--workers", "1")
        assert again.returncode == 0, again.stderr
    else:
        build(folder, tmp_path / "out", [tree])
    after_run = finished(tmp_path / "out")
    assert {stage: after_run[stage] for stage in before} == before
    assert_same(Place(str(tmp_path / "out")), undisturbed)
    left = [
        path for path in (tmp_path / "out").rglob("*") if TEMPORARY in path.name or path.name.startswith(".")
    ]
    assert left == []


def test_finished_parts_of_a_killed_stage_are_not_measured_again(folder, tree, tmp_path):
    output = tmp_path / "out"
    arguments = ("build", recipe(folder), "--input", str(tree), "--output", str(output))
    trap = TRAP.format(module="pipelines.measure", name="MeasurePart", after=2)
    assert command(*arguments, "--workers", "1", prelude=trap).returncode == -signal.SIGKILL
    records = sorted((output / "facts" / ".done").glob("0*.json"))
    assert len(records) == 2
    names = [entry["name"] for path in records for entry in json.loads(path.read_bytes())["outputs"]]
    stamps = {name: (output / "facts" / name).stat().st_mtime_ns for name in names}
    build(folder, output, [tree])
    assert {name: (output / "facts" / name).stat().st_mtime_ns for name in names} == stamps


def test_an_interrupted_rebuild_never_leaves_an_old_manifest_on_new_shards(folder, tree, tmp_path):
    output = tmp_path / "out"
    build(folder, output, [tree])
    trap = TRAP.format(module="pipelines.shard", name="PackShard", after=0)
    changed = folder / "changed.yaml"
    changed.write_text((folder / "small.yaml").read_text() + "filters: {values: {line_mean: 35}}\n")
    killed = command("build", str(changed), "--input", str(tree), "--output", str(output), prelude=trap)
    assert killed.returncode == -signal.SIGKILL
    assert not (output / "manifest.json").exists()
