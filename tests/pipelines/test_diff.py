"""Diff: every file of two runs in exactly one class, and a reason that is true."""

import io
from collections import Counter

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from columns.errors import OutputError
from columns.files import Place
from columns.tables import read_whole
from pipelines import diff as module
from pipelines.diff import diff, render
from pipelines.pairing import match
from tests.pipelines.building import build
from tests.pipelines.corpus import near_copy, sources, special, write_tree

RECIPE = """
extends: codex
name: small
layout: {parts: 4}
tokenizer: {vocab_size: 1024, sample_bytes: 400000}
pack: {seq_len: 256, shard_tokens: 65536}
"""
KEYS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=12)


def first_files() -> dict[str, str]:
    files = sources(40)
    names = list(files)
    return files | special() | {
        "copies/a.py": files[names[0]], "copies/near.py": near_copy(files[names[1]]), "gone/b.py": "x = 1\n" * 30,
        "best.py": "best = 1\n" * 30, "copies/best.py": "best = 1\n" * 30,
        "edit/long.py": "value = 1\n" * 40, "edit/same.py": "value = 2\n" * 40,
        "wide.py": "y = 1\n" * 40 + f"z = '{'w ' * 200}'\n",
    }  # fmt: skip


def second_files() -> dict[str, str]:
    files = first_files()
    del files["gone/b.py"], files["best.py"]
    long = "value = 1\n" * 400 + f"data = '{'long ' * 300}'\n"
    return files | {"new/c.py": "other = 3\n" * 30, "edit/long.py": long, "edit/same.py": "value = 3\n" * 40}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Place, Place]:
    folder = tmp_path_factory.mktemp("diff")
    places = []
    for name, files, text in (
        ("one", first_files(), RECIPE),
        ("two", second_files(), f"{RECIPE}filters: {{values: {{line_max: 300}}}}\n"),
    ):
        tree = write_tree(folder / name / "tree", files)
        places.append(build(folder / name, folder / name / "out", [tree], text=text))
    return places[0], places[1]


@pytest.fixture(scope="module")
def found(runs):
    return diff(*runs)


@pytest.fixture(scope="module")
def changes(found):
    return {change["path"]: change for change in found.changes()}


def ledger(place: Place) -> dict[str, str | None]:
    names = [name for name in place.child("ledger").names() if name.startswith("part-")]
    tables = [read_whole(place.child("ledger"), name, ["path", "rule"]) for name in names]
    return {row["path"]: row["rule"] for table in tables for row in table.to_pylist()}


def test_every_file_is_in_exactly_one_class(runs, found, changes):
    before, after = (ledger(place) for place in runs)
    expected = Counter()
    for path in before.keys() | after.keys():
        if path not in before or path not in after:
            kind = "new" if path in after else "gone"
        elif before[path] != after[path]:
            other = (
                "kept → dropped"
                if before[path] is None
                else "dropped → kept"
                if after[path] is None
                else "dropped by another rule"
            )
            kind = other
        elif path.startswith("edit/"):
            kind = "content changed"
        else:
            kind = "same"
        expected[kind] += 1
        assert changes.get(path, {"kind": "same"})["kind"] == kind, path
    counted = Counter({"same": found.same})
    for kind in found.kinds:
        counted[kind.kind] += kind.files
    assert counted == expected
    assert (found.files_before, found.files_after) == (len(before), len(after))
    assert found.content_changed == 2


def test_new_and_gone_files(changes):
    assert changes["new/c.py"]["why"] == "only in the second run; kept"
    assert changes["gone/b.py"]["why"] == "only in the first run; kept"
    assert (changes["gone/b.py"]["before"], changes["gone/b.py"]["after"]) == ("", "")


def test_another_text_with_another_value_of_the_signal(changes):
    change = changes["edit/long.py"]
    assert (change["kind"], change["after"], change["content_changed"]) == (
        "kept → dropped",
        "line_max",
        True,
    )
    assert change["why"].startswith(
        "its text is another; line_max: the recipe has line_max > 300, it had line_max > 1000"
    )
    assert changes["edit/same.py"]["why"] == "its text is another; kept in both runs"


def test_another_value_in_the_recipe(found, changes):
    assert "filters.line_max: line_max > 1000 → line_max > 300" in found.settings
    assert changes["wide.py"]["why"] == (
        "line_max: the recipe has line_max > 300, it had line_max > 1000; the file has 406"
    )
    assert not changes["wide.py"]["content_changed"]


def test_a_copy_whose_keeper_is_gone_is_kept(changes):
    kept = changes["copies/best.py"]
    assert (kept["kind"], kept["before"]) == ("dropped → kept", "exact_duplicate")
    assert kept["why"] == "exact_duplicate: tree:best.py, which stood for it, is not there in the second run"


def test_the_same_run_twice_has_no_difference(runs):
    same = diff(runs[0], runs[0])
    assert (same.kinds, same.examples, same.settings, list(same.changes())) == ((), (), (), [])
    assert same.same == same.files_before == same.files_after


def test_the_other_way_round_is_the_mirror(runs, found):
    back = diff(runs[1], runs[0])
    mirror = {
        "new": "gone",
        "gone": "new",
        "kept → dropped": "dropped → kept",
        "dropped → kept": "kept → dropped",
    }
    there = {(kind.kind, kind.before, kind.after): kind.files for kind in found.kinds}
    assert there == {(mirror.get(k.kind, k.kind), k.after, k.before): k.files for k in back.kinds}


def test_rows_come_in_chunks(runs, found, monkeypatch, changes):
    monkeypatch.setattr(module, "CHUNK", 3)
    again = list(found.changes())
    assert {change["path"]: change for change in again} == changes
    assert len(again) == len(changes)


def test_refs_may_differ(tmp_path):
    texts = {"a.py": "first = 1\n" * 30, "b.py": "second = 2\n" * 30, "c.py": "third = 3\n" * 30}
    places = []
    for ref in ("v1", "v2"):
        table = pa.table({
            "repo_name": ["lab/x"] * 3, "path": list(texts), "ref": [ref] * 3,
            "content": [text if path == "a.py" else text + f"# {ref}\n" for path, text in texts.items()],
        })  # fmt: skip
        pq.write_table(table, tmp_path / f"{ref}.parquet")
        places.append(build(tmp_path, tmp_path / ref / "out", [tmp_path / f"{ref}.parquet"], text=RECIPE))
    found = diff(*places)
    assert (found.same, found.content_changed) == (1, 2)
    assert {(one["path"], one["ref_before"], one["ref_after"], one["kind"]) for one in found.changes()} == {
        ("b.py", "v1", "v2", "content changed"), ("c.py", "v1", "v2", "content changed")
    }  # fmt: skip


def test_it_is_plain_data_and_it_is_shown(found):
    plain = orjson.loads(orjson.dumps(found.to_dict()))
    assert "fates" not in plain
    assert plain["kinds"][0]["files"] >= 1
    shown = printed(found)
    for words in ("kept → dropped", "new/c.py", "line_max > 1000 → line_max > 300", "only in the first run"):
        assert words in shown


def printed(found, width: int = 100, *, terminal: bool = False) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=terminal)
    render(found, console)
    return console.export_text()


def test_files_that_are_kept_are_counted(runs, found):
    kept = [sum(rule is None for rule in ledger(place).values()) for place in runs]
    assert [found.kept_before, found.kept_after] == kept
    lines = [line.split() for line in printed(found).splitlines()]
    assert ["kept", *map(str, kept)] in lines
    assert ["files", str(found.files_before), str(found.files_after)] in lines


def test_examples_are_grouped_and_counted(found):
    shown = printed(found)
    dropped = next(
        one.files for one in found.kinds if one.kind == "kept → dropped" and one.after == "line_max"
    )
    assert f"kept → line_max  (2 of {dropped} files)" in shown or f"of {dropped} file" in shown
    assert "gone: kept" in shown
    assert "new: kept" in shown


@pytest.mark.parametrize("width", [50, 80])
def test_it_fits_a_terminal(found, width):
    assert all(len(line.rstrip()) <= width for line in printed(found, width, terminal=True).splitlines())


def test_files_with_nothing_in_common_have_a_hint(runs, tmp_path):
    tree = write_tree(tmp_path / "another", {"a.py": "alone = 1\n" * 30})
    other = build(tmp_path, tmp_path / "out", [tree], text=RECIPE)
    shown = " ".join(printed(diff(runs[0], other)).split())
    assert "no file is in both: files are paired by repository and path" in shown


def test_the_same_recipe_is_said(runs):
    shown = printed(diff(runs[0], runs[0]))
    assert "the recipes have the same values" in shown
    assert "no file is in both" not in shown


def test_a_place_without_a_dataset_is_said(tmp_path, runs):
    with pytest.raises(OutputError, match="no manifest"):
        diff(runs[0], Place(str(tmp_path)))


@given(one=KEYS, other=KEYS)
def test_match_pairs_equal_keys_once_and_as_many_as_there_are(one, other):
    columns = [tuple(np.array([key[at] for key in keys], np.int64) for at in (0, 1)) for keys in (one, other)]
    left, right = match(*columns)
    assert [one[at] for at in left] == [other[at] for at in right]
    assert len(set(left.tolist())) == len(left)
    assert len(set(right.tolist())) == len(right)
    common = Counter(one) & Counter(other)
    assert Counter(one[at] for at in left) == common
    for key in common:
        assert [at for at in left if one[at] == key] == [at for at, found in enumerate(one) if found == key][
            : common[key]
        ]
