"""Structured logs: one JSON line per event, every part once, no content and no logins."""

from __future__ import annotations

import io
import json

import pytest

from columns.errors import InputError
from columns.files import Place
from pipelines.logs import EVENTS, Log
from pipelines.progress import Watch
from pipelines.stage import Stage, UnitRecord
from tests.pipelines.building import ROOT


@pytest.fixture
def stage(tmp_path):
    made = Stage("measure", Place(str(tmp_path / "facts")), "f", 3)
    made.begin()
    return made


def lines(log: Log) -> list[dict]:
    return [json.loads(line) for line in log.out.getvalue().splitlines()]


def test_every_part_is_told_once(stage):
    log, watch = Log(io.StringIO()), Watch("measure", lambda: 0, 3, stage)
    log.began(watch)
    stage.record(1, UnitRecord((), {"rows": 5}, {}))
    log.moved(watch, 1)
    log.moved(watch, 1)
    stage.record(0, UnitRecord((), {"rows": 2}, {}))
    stage.record(2, UnitRecord((), {"rows": 1}, {}))
    stage.commit()
    log.ended(watch, 1.25)
    told = [(one["event"], one.get("part"), one.get("counts")) for one in lines(log)]
    assert told == [
        ("stage_began", None, None), ("part_finished", 1, {"rows": 5}), ("part_finished", 0, {"rows": 2}),
        ("part_finished", 2, {"rows": 1}), ("stage_finished", None, {"rows": 8}),
    ]  # fmt: skip
    assert all({"time", "level", "event", "stage"} <= one.keys() for one in lines(log))


def test_an_error_says_no_login():
    log, watch = Log(io.StringIO()), Watch("ingest", lambda: 0, 3)
    log.failed(watch, InputError("https://me:secret@host/a: gone", hint="see https://h/?sig=abc"))
    [line] = lines(log)
    assert (line["event"], line["level"], line["kind"]) == ("stage_failed", "error", "InputError")
    assert "secret" not in log.out.getvalue()
    assert "abc" not in log.out.getvalue()


def test_a_stage_without_files(stage):
    log, watch = Log(io.StringIO()), Watch("list", lambda: 0, 0)
    log.listing()
    log.kept(Watch("ingest", lambda: 2, 2))
    log.moved(watch, 0)
    log.ended(watch, 0.1)
    assert [one["event"] for one in lines(log)] == ["inputs_listing", "stage_kept", "stage_finished"]


def test_the_page_names_every_event():
    page = (ROOT / "docs" / "observability.md").read_text("utf-8")
    for event in EVENTS:
        assert f"`{event}`" in page
