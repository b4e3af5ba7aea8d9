"""Stages: what counts as done, what an interrupted run leaves, and the one file that says finished."""

import hashlib
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.files import TEMPORARY, Place
from pipelines.stage import COMMIT, RunUnit, Stage, UnitRecord, describe, outputs_fingerprint, read_json


def stage(folder, *, fingerprint: str = "abc", units: int = 3) -> Stage:
    return Stage("measure", Place(str(folder / "facts")), fingerprint, units)


def work(made: Stage, unit: int, text: str = "x") -> None:
    name = f"part-{unit}"
    made.place.write_bytes(name, f"{text}{unit}".encode())
    made.record(unit, UnitRecord((name,), {"rows": unit, f"only.{unit}": 1}, {"unit": unit}))


def whole(made: Stage, **extra) -> dict:
    for unit in made.begin():
        work(made, unit)
    return made.commit(extra)


def test_a_new_stage_has_everything_to_do(tmp_path):
    made = stage(tmp_path)
    assert not made.finished()
    assert made.committed() is None
    assert made.done() == []
    assert made.begin() == [0, 1, 2]


def test_recorded_units_are_not_given_out_again(tmp_path):
    made = stage(tmp_path)
    made.begin()
    work(made, 1)
    assert made.done() == [1]
    assert made.begin() == [0, 2]
    assert made.place.read("part-1") == b"x1"


def test_a_commit_folds_the_records_and_removes_them(tmp_path):
    made = stage(tmp_path)
    commit = whole(made, rules=["a"])
    assert commit["counts"] == {"only.0": 1, "only.1": 1, "only.2": 1, "rows": 3}
    assert [o["name"] for o in commit["outputs"]] == ["part-0", "part-1", "part-2"]
    assert commit["outputs"][2]["sha256"] == hashlib.sha256(b"x2").hexdigest()
    assert commit["outputs"][2]["size"] == 2
    assert commit["units"] == [{"unit": 0}, {"unit": 1}, {"unit": 2}]
    assert commit["rules"] == ["a"]
    assert commit == made.committed()
    assert made.finished()
    assert not (tmp_path / "facts" / ".done").exists()


def test_the_commit_does_not_depend_on_the_order_of_the_units(tmp_path):
    one, other = stage(tmp_path / "one"), stage(tmp_path / "other")
    one.begin(), other.begin()
    for unit in (0, 1, 2):
        work(one, unit)
    for unit in (2, 0, 1):
        work(other, unit)
    one.commit(), other.commit()
    assert one.place.read(COMMIT) == other.place.read(COMMIT)


def test_a_missing_record_is_an_error_that_names_the_units(tmp_path):
    made = stage(tmp_path)
    made.begin()
    work(made, 1)
    with pytest.raises(RuntimeError, match=r"measure: .*\[0, 2\] left no record"):
        made.commit()
    assert made.committed() is None


@pytest.mark.parametrize("other", [{"fingerprint": "xyz"}, {"units": 4}])
@pytest.mark.parametrize("committed", [True, False])
def test_another_identity_clears_what_was_there(tmp_path, other, committed):
    made = stage(tmp_path)
    made.begin()
    for unit in range(3):
        work(made, unit)
    if committed:
        made.commit()
    changed = stage(tmp_path, **other)
    assert changed.begin() == list(range(changed.units))
    assert [name for name in changed.place.names() if name.startswith("part")] == []
    assert not changed.finished()


def test_another_fingerprint_is_not_finished(tmp_path):
    whole(stage(tmp_path))
    assert not stage(tmp_path, fingerprint="xyz").finished()
    assert stage(tmp_path).finished()


@pytest.mark.parametrize("data", [None, b"", b"longer than it was"])
def test_a_lost_or_resized_output_is_not_finished(tmp_path, data):
    made = stage(tmp_path)
    whole(made)
    made.place.remove(["part-1"])
    if data is not None:
        made.place.write_bytes("part-1", data)
    assert not made.finished()
    assert made.begin() == [0, 1, 2]


def test_a_cut_off_commit_file_is_no_commit(tmp_path):
    made = stage(tmp_path)
    whole(made)
    made.place.write_bytes(COMMIT, made.place.read(COMMIT)[:20])
    assert made.committed() is None
    assert not made.finished()


def test_a_begun_stage_has_no_commit_file(tmp_path):
    made = stage(tmp_path)
    whole(made)
    made.begin()
    assert not made.place.exists(COMMIT)


def test_temporary_files_of_a_killed_run_are_swept(tmp_path):
    made = stage(tmp_path)
    made.begin()
    work(made, 0)
    places = [tmp_path / "facts", tmp_path / "facts" / ".done"]
    for place in places:
        (place / f"{TEMPORARY}dead-part-1").write_bytes(b"half")
    assert made.begin() == [1, 2]
    assert not [path for place in places for path in place.iterdir() if path.name.startswith(TEMPORARY)]


def test_done_ignores_what_is_no_record(tmp_path):
    made = stage(tmp_path)
    made.begin()
    (tmp_path / "facts" / ".done" / "notes.txt").write_text("x")
    assert made.done() == []


def test_the_runs_step_works_records_and_travels(tmp_path):
    made = stage(tmp_path, units=1)
    made.begin()
    made.place.write_bytes("a", b"1")
    step = pickle.loads(pickle.dumps(RunUnit(made, _record)))
    assert step(0) == 0
    assert made.commit()["counts"] == {"unit": 0}


def _record(unit: int) -> UnitRecord:
    return UnitRecord(("a",), {"unit": unit}, {})


def test_a_failing_unit_leaves_no_record(tmp_path):
    made = stage(tmp_path, units=1)
    made.begin()
    with pytest.raises(ZeroDivisionError):
        RunUnit(made, lambda unit: 1 // unit)(0)
    assert made.done() == []


def test_a_stage_of_no_units_can_be_committed(tmp_path):
    made = stage(tmp_path, units=0)
    assert made.begin() == []
    assert made.commit()["outputs"] == []
    assert made.finished()


def test_a_stage_lives_on_another_filesystem():
    made = Stage("measure", Place("memory://stage/facts"), "abc", 2)
    assert whole(made)["counts"]["rows"] == 1
    assert made.finished()
    made.place.remove_tree()


@given(data=st.binary(max_size=200))
def test_a_described_file_has_its_size_and_digest(tmp_path_factory, data):
    place = Place(str(tmp_path_factory.mktemp("described")))
    place.write_bytes("a", data)
    assert describe(place, "a") == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_what_comes_next_depends_on_names_and_contents_alone():
    commit = {"fingerprint": "a", "outputs": [{"name": "x", "sha256": "1", "size": 3}], "counts": {"n": 1}}
    same = {"fingerprint": "b", "outputs": [{"name": "x", "sha256": "1", "size": 3}], "counts": {}}
    assert outputs_fingerprint(commit) == outputs_fingerprint(same)
    for name, digest in (("y", "1"), ("x", "2")):
        assert outputs_fingerprint({"outputs": [{"name": name, "sha256": digest}]}) != outputs_fingerprint(
            commit
        )


@pytest.mark.parametrize(
    ("data", "found"), [(None, None), (b"{", None), (b"", None), (b'{"a": 1}', {"a": 1})]
)
def test_small_json_is_read_or_none(tmp_path, data, found):
    place = Place(str(tmp_path))
    if data is not None:
        place.write_bytes("a.json", data)
    assert read_json(place, "a.json") == found


def test_a_commit_file_is_sorted_json(tmp_path):
    whole(stage(tmp_path))
    found = json.loads((tmp_path / "facts" / COMMIT).read_bytes())
    assert list(found) == sorted(found)
