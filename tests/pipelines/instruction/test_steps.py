"""Steps: what their identity depends on, and how rows are split into parts."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError, OutputError
from columns.files import Place
from contamination import ContaminationConfig
from instruct.evolve import LeakConfig
from pipelines.instruction import steps as steps_module
from pipelines.instruction.inputs import Input, read_inputs
from pipelines.instruction.rehearsal import read_texts
from pipelines.instruction.steps import (
    INPUTS,
    WHOLE,
    Context,
    Made,
    ModelAccess,
    Step,
    StepWork,
    part_names,
    part_of,
    stamp_of,
)

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64())])


@dataclass(frozen=True)
class Config:
    first: int = 1
    second: int = 2


def nothing(_context, _unit):
    return Made(SCHEMA.empty_table())


STEP = Step(
    "s",
    nothing,
    SCHEMA,
    "a step",
    uses=("first",),
    roles=("lines",),
    asks=("oracle",),
    code=("columns.errors",),
)


@pytest.fixture
def context(tmp_path):
    (tmp_path / "lines.txt").write_text("a\n")
    (tmp_path / "oracle.jsonl").write_text("{}\n")
    inputs = read_inputs([f"lines={tmp_path / 'lines.txt'}"], {"lines": "text", "other": "text"})
    models = ModelAccess({"oracle": str(tmp_path / "oracle.jsonl")})
    return Context(Place(str(tmp_path / "out")), 4, Config(), inputs, models)


def test_an_identity_is_the_same_for_the_same(context):
    assert STEP.identity(context, ["u"]) == STEP.identity(replace(context, workers=9), ["u"])


def test_what_a_step_does_not_use_does_not_change_it(context, tmp_path):
    before = STEP.identity(context, [])
    (tmp_path / "other.txt").write_text("b")
    other = {**context.inputs, "other": (Input.of(str(tmp_path / "other.txt")),)}
    assert STEP.identity(replace(context, config=Config(second=9)), []) == before
    assert STEP.identity(replace(context, inputs=other), []) == before
    sources = {**context.models.sources, "student": "http://127.0.0.1:1/v1"}
    assert STEP.identity(replace(context, models=ModelAccess(sources)), []) == before


def test_everything_that_it_uses_changes_it(context, tmp_path, monkeypatch):
    found = [
        STEP.identity(context, []),
        STEP.identity(context, ["upstream"]),
        STEP.identity(replace(context, config=Config(first=9)), []),
        STEP.identity(replace(context, parts=5), []),
        STEP.identity(replace(context, inputs={}), []),
        STEP.identity(replace(context, models=ModelAccess()), []),
        replace(STEP, name="t").identity(context, []),
        replace(STEP, code=("columns.files",)).identity(context, []),
    ]
    (tmp_path / "oracle.jsonl").write_text('{"changed": 1}\n')
    found.append(STEP.identity(context, []))
    (tmp_path / "lines.txt").write_text("b\n")
    again = {"lines": (Input.of(str(tmp_path / "lines.txt")),)}
    found.append(STEP.identity(replace(context, inputs=again), []))
    monkeypatch.setattr(steps_module, "code_fingerprint", lambda *_: "other code")
    found.append(STEP.identity(replace(context, inputs=again), []))
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("kind", [LeakConfig, ContaminationConfig])
def test_a_suite_is_what_stands_in_its_file(context, tmp_path, kind):
    """The same path with other tasks is another suite; the same tasks are the same one, however they are written."""
    task = {
        "task_id": 1,
        "text": "Add.",
        "code": "def f(a, b):\n    return a + b",
        "test_list": ["assert f(1, 2) == 3"],
    }
    file = tmp_path / "mbpp.jsonl"
    context = replace(context, config=Config(first=kind((f"mbpp:{file}",))))
    found = []
    lines = [json.dumps(task), json.dumps(task, separators=(",", ":")), json.dumps(task | {"text": "Sum."})]
    for text in lines:
        file.write_text(text + "\n")
        found.append(STEP.identity(context, []))
    assert found[0] == found[1] != found[2]
    file.unlink()
    with pytest.raises(InputError, match="mbpp"):
        STEP.identity(context, [])


def test_the_order_of_upstream_counts(context):
    assert STEP.identity(context, ["a", "b"]) != STEP.identity(context, ["b", "a"])


def test_a_live_model_has_no_stamp_and_a_recording_that_of_its_content(tmp_path):
    assert stamp_of("") == stamp_of("http://127.0.0.1:1/v1") == stamp_of("https://elsewhere/v1") == ""
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text("same")
    assert stamp_of(str(tmp_path / "a.jsonl")) == stamp_of(str(tmp_path / "b.jsonl")) != ""
    with pytest.raises(InputError, match="no such file"):
        stamp_of(str(tmp_path / "absent.jsonl"))


def test_a_link_to_a_file_has_the_stamp_of_what_is_in_it(tmp_path):
    """Caches hand out links: a change behind one must run the steps again."""
    (tmp_path / "real").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    first = Input.of(str(tmp_path / "link")).stamp
    assert first == Input.of(str(tmp_path / "real")).stamp
    (tmp_path / "real").write_text("2")
    assert Input.of(str(tmp_path / "link")).stamp != first
    (tmp_path / "loose").symlink_to(tmp_path / "absent")
    with pytest.raises(InputError, match="no such file"):
        Input.of(str(tmp_path / "loose"))


def test_a_link_in_a_folder_is_where_it_points_to(tmp_path):
    """It is never followed, and still says something: a project's tests may read it."""
    (tmp_path / "folder").mkdir()
    link, found = tmp_path / "folder" / "link", []
    for target in ("a", "b", "a"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        found.append(Input.of(str(tmp_path / "folder")).stamp)
    assert found[0] == found[2] != found[1]


def test_the_commit_that_is_checked_out_is_part_of_a_folder(tmp_path):
    (tmp_path / "folder/.git").mkdir(parents=True)
    found = []
    for text in ("a" * 40, "b" * 40, "a" * 40, "no commit"):
        (tmp_path / "folder/.git/HEAD").write_text(text)
        found.append(Input.of(str(tmp_path / "folder")).stamp)
    (tmp_path / "folder/.git/index").write_text("another")
    assert Input.of(str(tmp_path / "folder")).stamp == found[3]
    assert found[0] == found[2]
    assert len(set(found)) == 3


def test_names_and_content_cannot_be_shifted_into_each_other(tmp_path):
    for folder, name in (("one", "ab"), ("two", "a")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("c" if name == "ab" else "bc")
    assert Input.of(str(tmp_path / "one")).stamp != Input.of(str(tmp_path / "two")).stamp


def test_inputs_of_a_role_come_in_the_order_of_names_however_they_are_given(tmp_path):
    for name in "ba":
        (tmp_path / name).write_text(name)
    texts = [f"x={tmp_path / name}" for name in "ba"]
    roles = {"y": "", "x": ""}
    assert read_inputs(texts, roles) == read_inputs(texts[::-1], roles)
    assert [one.name for one in read_inputs(texts, roles)["x"]] == ["a", "b"]
    assert "y" not in read_inputs(texts, roles)


IDS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.none(), max_size=30)


@settings(max_examples=30)
@given(IDS, st.integers(1, 9))
def test_a_part_is_of_the_key_alone(ids, parts):
    found = part_of(pa.array(ids, pa.string()), parts).tolist()
    assert all(0 <= one < parts for one in found)
    assert found == [part_of(pa.array([one], pa.string()), parts)[0] for one in ids]
    assert found[::-1] == part_of(pa.array(ids[::-1], pa.string()), parts).tolist()


def test_parts_are_filled_evenly():
    found = part_of(pa.array([f"row-{n}" for n in range(4000)]), 8).tolist()
    assert all(abs(found.count(part) - 500) < 4 * (4000 / 8 * 7 / 8) ** 0.5 for part in range(8))


def done(tmp_path, step, parts, unit=0, inputs=None):
    place = Place(str(tmp_path / "out"))
    context = Context(place, parts, Config(), inputs or {}, ModelAccess())
    stage = SimpleNamespace(place=place.child(step.name), units=step.units(context))
    return StepWork(step, context, stage)(unit), context


def numbered(count):
    return lambda _context, _unit: Made(
        pa.Table.from_pylist([{"id": f"row-{n}", "n": n} for n in range(count)], SCHEMA),
        {"told": 7},
        {"b.jsonl": [b"1\n", b"2\n"], "a.jsonl": iter([b"0\n"])},
    )


@settings(max_examples=10)
@given(count=st.integers(0, 12), parts=st.integers(1, 5))
def test_a_whole_step_writes_every_row_once_in_its_part_and_order(tmp_path_factory, count, parts):
    folder = tmp_path_factory.mktemp("split")
    record, context = done(folder, Step("s", numbered(count), SCHEMA, "", spread=WHOLE), parts)
    assert len(part_names(context.place.child("s"))) == parts
    rows = [context.read("s", part).to_pylist() for part in range(parts)]
    for part, mine in enumerate(rows):
        assert [row["n"] for row in mine] == sorted(row["n"] for row in mine)
        assert set(part_of(pa.array([row["id"] for row in mine], pa.string()), parts).tolist()) <= {part}
    assert sorted(row["n"] for mine in rows for row in mine) == list(range(count))
    assert context.read_all("s").num_rows == count
    assert list(record.outputs)[-2:] == ["a.jsonl", "b.jsonl"]
    assert record.counts == {"rows": count, "told": 7}
    assert (folder / "out" / "s" / "b.jsonl").read_bytes() == b"1\n2\n"


def test_units_of_a_step(context):
    assert STEP.units(context) == 4
    assert replace(STEP, spread=WHOLE).units(context) == 1
    assert replace(STEP, spread=INPUTS, role="lines").units(context) == 1
    two = {"lines": context.inputs["lines"] * 2}
    assert replace(STEP, spread=INPUTS, role="lines").units(replace(context, inputs=two)) == 2
    assert replace(STEP, spread=INPUTS, role="other").units(context) == 1


def test_a_table_of_other_columns_is_never_written(tmp_path):
    wrong = Step("s", lambda *_: Made(pa.table({"id": ["a"], "m": [1]})), SCHEMA, "")
    with pytest.raises(ValueError, match=r"(?i)schema|field|names"):
        done(tmp_path, wrong, 1)
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_step_that_is_not_there_is_no_empty_one(context):
    with pytest.raises((OutputError, FileNotFoundError)):
        context.read_all("absent")


@pytest.mark.parametrize(
    "data", [b"rubbish\nmore\n", b"\x7fELF\0\0", b'{"code": "x"}\n', b'{"text": " "}\n[]\n']
)
def test_texts_of_which_none_is_one_are_refused(tmp_path, data):
    (tmp_path / "a.jsonl").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.jsonl: no rows with a text"):
        read_texts([str(tmp_path / "a.jsonl")])


def test_a_file_that_repeats_another_is_no_file_without_texts(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(json.dumps({"text": "same"}) + "\n")
    assert list(read_texts([str(tmp_path / "a"), str(tmp_path / "b")])[0].values()) == ["same"]
