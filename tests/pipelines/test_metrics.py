"""Metrics: stable names, the book, what a build leaves with its stages, and that no byte depends on it."""

from __future__ import annotations

import re

import apache_beam as beam
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.files import Place
from pipelines import metrics
from pipelines.engine import Engine, run_units
from pipelines.families import FAMILIES
from pipelines.metrics import NAMES, Book, Spread, counting_into, known
from pipelines.stage import COMMIT, Stage, UnitRecord, outputs_fingerprint
from tests.pipelines.building import ROOT, build
from tests.pipelines.corpus import sources, write_tree


def test_names_are_what_services_take():
    for name in NAMES:
        assert re.fullmatch(r"[a-z_]+(/(<[a-z]+>|[a-z_]+))*", name), name
        assert known(re.sub(r"<\w+>", "x", name))
    assert not known("rule/x")
    assert not known("files_read/more")


def test_the_page_and_the_module_have_the_same_names():
    page = (ROOT / "docs" / "observability.md").read_text("utf-8")
    table = page.partition("## Metrics")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", table, re.MULTILINE)) == dict(NAMES)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_a_spread_is_that_of_all_its_numbers(numbers):
    book = Book()
    with counting_into(book):
        for number in numbers:
            metrics.spread("stage/x/unit_milliseconds", number)
    found = book.taken()["distributions"]["stage/x/unit_milliseconds"]
    assert found == {"count": len(numbers), "sum": sum(numbers), "min": min(numbers), "max": max(numbers)}


def test_joining_with_nothing():
    one = Spread(1, 5, 5, 5)
    assert one.join(Spread()) == one == Spread().join(one)


def test_a_book_is_empty_after_it_was_taken():
    book = Book()
    with counting_into(book):
        metrics.count("files_read", 3)
    assert book.taken()["counters"] == {"files_read": 3}
    assert book.taken() == {"counters": {}, "distributions": {}}


def test_books_nest():
    outer, inner = Book(), Book()
    with counting_into(outer):
        with counting_into(inner):
            metrics.count("files_read")
        metrics.count("files_read", 2)
    assert (inner.counters["files_read"], outer.counters["files_read"]) == (1, 2)


@pytest.mark.parametrize(("stage", "counts", "found"), [
    ("ingest", {"files": 4, "bytes": 9, "problem.binary": 1},
     {"files_read": 4, "bytes_read": 9, "files_marked/binary": 1}),
    ("decide", {"files": 4, "files.size": 2, "files.line_max": 0, "bytes.size": 7},
     {"files_decided": 4, "rule/size/dropped": 2}),
    ("measure", {"rows": 5, "reused": 2, "measured": 3}, {"files_measured": 3, "files_reused": 2}),
    ("tokens", {"documents": 5, "split.train": 9}, {"files_tokenised": 5}),
    ("shards", {"written": 8, "produced": 9}, {"tokens_written": 8}),
    ("link", {"files": 4}, {}),
])  # fmt: skip
def test_what_a_unit_recorded_gets_stable_names(stage, counts, found):
    book = Book()
    with counting_into(book):
        metrics.of_unit(stage, counts)
    assert book.taken()["counters"] == found
    assert all(known(name) for name in found)


def test_a_kernel_that_fails_is_not_counted():
    book = Book()
    with counting_into(book), pytest.raises(ValueError, match="x"), metrics.kernel("text", 3):
        raise ValueError("x")
    assert book.taken()["counters"] == {}


def test_the_figures_of_a_pipeline_come_into_the_book():
    def work(number: int) -> None:
        metrics.count("files_read", number)
        metrics.spread("kernel/text/milliseconds", number)

    book = Book()
    engine = Engine(workers=1, book=book)
    engine.run("x", lambda pipeline: pipeline | beam.Create([1, 2, 5]) | beam.Map(work))
    found = book.taken()
    assert found["counters"]["files_read"] == 8
    assert found["distributions"]["kernel/text/milliseconds"] == {"count": 3, "sum": 8, "min": 1, "max": 5}


def test_a_service_that_does_not_tell_its_figures_stops_nothing():
    class Silent:
        def metrics(self):
            raise OSError("403")

    book = Book()
    book.add(Silent())
    assert book.taken()["counters"] == {}


@pytest.mark.parametrize("units", [1, 3])
def test_units_count_the_same_with_and_without_a_pipeline(tmp_path, units):
    stage = Stage("measure", Place(str(tmp_path)), "f", units)
    engine = Engine(workers=1)
    run_units(engine, stage, lambda unit: UnitRecord((), {"measured": 7}, {}), stage.begin())
    found = engine.book.taken()
    assert found["counters"] == {"files_measured": 7 * units}
    assert found["distributions"]["stage/measure/unit_milliseconds"]["count"] == units


def test_notes_are_added_to_a_commit_and_change_no_fingerprint(tmp_path):
    stage = Stage("measure", Place(str(tmp_path)), "f", 1)
    stage.begin()
    stage.place.write_bytes("a", b"1")
    stage.record(0, UnitRecord(("a",), {"rows": 1}, {}))
    before = stage.commit()
    stage.note(metrics={"counters": {"files_read": 1}})
    after = stage.committed()
    assert after == {**before, "metrics": {"counters": {"files_read": 1}}}
    assert outputs_fingerprint(after) == outputs_fingerprint(before)
    assert stage.finished()
    Stage("measure", stage.place, "other", 1).note(metrics={})
    assert stage.committed() == after


def test_a_build_leaves_its_figures_with_the_stages(tmp_path):
    files = dict(list(sources().items())[::60]) | {"bad/zero.py": "a\0b"}
    place = build(tmp_path, tmp_path / "out", [write_tree(tmp_path / "tree", files)])
    figures = {
        name: orjson.loads(place.child(name).read(COMMIT))["metrics"]
        for name in ("documents", "facts", "ledger", "tokens", "shards")
    }
    assert figures["documents"]["counters"]["files_read"] == len(files)
    assert figures["documents"]["counters"]["files_marked/binary"] == 1
    assert figures["facts"]["counters"]["files_measured"] == len(files)
    kernels = {name for name, _ in metrics.slowest(figures["facts"])}
    assert (
        {"words", "signatures", "overlaps", "text"}
        <= kernels
        <= {"words", "signatures", "overlaps", *FAMILIES}
    )
    assert figures["facts"]["counters"]["kernel/text/rows"] == len(files)
    assert figures["ledger"]["counters"]["files_decided"] == len(files)
    assert figures["ledger"]["counters"]["rule/unreadable/dropped"] == 1
    every = {name for one in figures.values() for kind in one.values() for name in kind}
    assert [name for name in every if not known(name)] == []
