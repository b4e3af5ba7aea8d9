"""Refresh: the next version is the rebuilt one, byte for byte, and the versions before it stay what they were."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from columns.files import Place
from columns.tables import read_whole
from columns.versions import Versions, current_place
from pipelines.build import Build, BuildOptions
from pipelines.engine import Engine
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from pipelines.refresh import Refreshed, refresh
from pipelines.verification import verify_dataset
from tests.pipelines.building import assert_same, recipe, result_bytes
from tests.pipelines.test_reuse import TEXTS, File, edited, edits, first, snapshots, write

GIVEN = """
extends: codex
name: kept-tokens
ingest: {{languages: [python, c, html]}}
layout: {{parts: {parts}}}
privacy: {{find: true}}
licenses: {{detect: true}}
guard: {{share: 1.0}}
dedup: {{bands: {{verify: jaccard}}}}
tokenizer: {{spec: codex}}
pack: {{seq_len: 128, shard_tokens: 8192, validation_fraction: 0.1}}
"""


def loaded(folder: Path, text: str = GIVEN, parts: int = 3, changes: tuple[str, ...] = ()):
    return load_recipe(recipe(folder, text.format(parts=parts)), changes)


def display() -> Display:
    return Display(Console(), quiet=True)


def built(folder: Path, name: str, snapshot: Path, **how) -> Place:
    """A build from nothing."""
    place = Place(str(folder / name))
    Build(loaded(folder, **how), BuildOptions((str(snapshot),), place), Engine(workers=1), display()).run()
    return place


def refreshed(folder: Path, root: Place, snapshot: Path, **how) -> Refreshed:
    options = BuildOptions((str(snapshot),), root)
    return refresh(loaded(folder, **how), options, Engine(workers=1), display())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("refresh")


def later() -> list[File]:
    """The next snapshot: a new revision and more stars, two files gone, one new, one moved, one changed."""
    files = [dataclasses.replace(file, ref="v2", stars=file.stars + 1) for file in first()[2:]]
    files[0] = dataclasses.replace(files[0], text=f"{files[0].text}\nchanged = True\n")
    files[1] = dataclasses.replace(files[1], path="moved/file.py")
    return [*files, File("new.py", TEXTS[40], ref="v2")]


@pytest.fixture(scope="module")
def versions(folder):
    """A dataset of two versions, and what each of them would be if it were built from nothing."""
    one, two = write(folder, "one", first()), write(folder, "two", later())
    root = built(folder, "set", one)
    before = result_bytes(root)
    found = refreshed(folder, root, two)
    return root, before, found, built(folder, "anew", two)


def test_a_refresh_is_the_rebuild_byte_for_byte(versions):
    root, _, found, anew = versions
    assert found.changed
    assert found.number == 2
    assert current_place(root) == found.place == Versions(root).at(2)
    assert_same(found.place, anew)
    assert found.record["cost"]["facts"] == {"rows": 27, "reused": 24, "moved": 1, "measured": 2}


def test_the_versions_before_stay_what_they_were(versions):
    root, before, _, _ = versions
    assert result_bytes(root) == before
    assert result_bytes(Versions(root).at(1)) == before


def test_every_version_is_whole(versions):
    root, _, found, _ = versions
    for place in (Versions(root).at(1), found.place, root):
        assert [check.problems for check in verify_dataset(place) if not check.passed] == []


def test_a_version_leaves_no_scratch(versions):
    root, _, found, _ = versions
    hidden = [path.relative_to(root.url) for path in Path(root.url).rglob(".*")]
    assert [path for path in hidden if path != Path(".lease")] == []
    assert not found.place.exists("current.json")


def test_the_change_log_names_every_file_that_differs(versions):
    _, _, found, _ = versions
    rows = read_whole(found.place, "changes.parquet").to_pylist()
    told = {(row["change"], row["path"]) for row in rows}
    assert {("changed", "src/file_2.py"), ("added", "moved/file.py"), ("removed", "src/file_3.py")} <= told
    assert {("added", "new.py"), ("removed", "src/file_0.py"), ("removed", "src/file_1.py")} <= told
    changed = next(row for row in rows if row["change"] == "changed")
    assert changed["doc_id"] != changed["doc_id_before"]
    counts = found.record["changes"]
    assert counts == {kind: sum(row["change"] == kind for row in rows) for kind in counts}
    assert (counts["added"], counts["removed"], counts["changed"]) == (2, 3, 1)


def test_the_same_snapshot_again_is_no_new_version(folder, versions):
    root = versions[0]
    again = refreshed(folder, root, folder / "two.parquet")
    assert (again.changed, again.number) == (False, 2)
    assert Versions(root).numbers() == [1, 2]
    assert not (Path(root.url) / "versions" / "000003").exists()
    assert again.record == versions[2].record


EXACT = GIVEN.replace("verify: jaccard", "verify: signature")


@pytest.mark.slow
@given(
    old=snapshots(), chain=st.lists(edits(8), min_size=2, max_size=2), text=st.sampled_from([GIVEN, EXACT])
)
@settings(max_examples=2)
def test_any_history_of_edits_gives_the_rebuilt_dataset(tmp_path_factory, old, chain, text):
    folder, files = tmp_path_factory.mktemp("edits"), old
    root = built(folder, "set", write(folder, "s0", files), text=text)
    for step, changes in enumerate(chain):
        files = edited(files, changes)
        snapshot = write(folder, f"s{step + 1}", files)
        refreshed(folder, root, snapshot, text=text)
        assert_same(current_place(root), built(folder, f"anew{step}", snapshot, text=text))


def test_another_number_of_parts_is_laid_out_anew(folder, tmp_path):
    root = built(tmp_path, "set", write(tmp_path, "one", first()))
    snapshot = write(tmp_path, "two", later())
    found = refreshed(tmp_path, root, snapshot, parts=2)
    assert_same(found.place, built(tmp_path, "anew", snapshot, parts=2))
    assert found.record["cost"]["facts"]["measured"] == 2
    assert found.record["changes"]["changed"] == 1


TRAINED = GIVEN.replace("tokenizer: {{spec: codex}}", "tokenizer: {{vocab_size: 384, sample_bytes: 60000}}")


def test_a_trained_tokenizer_is_trained_again_unless_it_is_kept(tmp_path):
    root = built(tmp_path, "set", write(tmp_path, "one", first()), text=TRAINED)
    snapshot = write(tmp_path, "two", later())
    again = refreshed(tmp_path, root, snapshot, text=TRAINED)
    assert_same(again.place, built(tmp_path, "anew", snapshot, text=TRAINED))
    more = write(tmp_path, "three", [*later(), File("more.py", TEXTS[41])])
    options = BuildOptions((str(more),), root, keep_tokenizer=True)
    kept = refresh(loaded(tmp_path, TRAINED), options, Engine(workers=1), display())
    ranks = [place.child("tokenizer").read("ranks.tiktoken") for place in (again.place, kept.place)]
    assert ranks[0] == ranks[1]
    assert kept.record["cost"]["tokens"]["documents"] - kept.record["cost"]["tokens"]["reused"] == 1
    assert [check.problems for check in verify_dataset(kept.place) if not check.passed] == []


def test_the_record_tells_what_it_was_made_from(versions):
    root, _, found, _ = versions
    record = json.loads((Path(root.url) / "versions" / "000002.json").read_bytes())
    assert record == found.record
    assert (record["version"], record["parent"], record["made_by"]) == (2, 1, "refresh")
    assert record["cost"]["cpu_seconds"] > 0
    assert record["cost"]["tokens"]["reused"] > 10
    assert found.to_dict()["place"] == found.place.url
