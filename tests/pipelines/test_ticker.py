"""Progress for machines: every line has every field, rates count what was done here."""

from __future__ import annotations

import io
import json

import pytest

from pipelines.progress import Watch
from pipelines.ticker import FIELDS, Ticker
from tests.pipelines.building import ROOT

WATCH = Watch("measure", lambda: 0, 10)
DONE = Watch("ingest", lambda: 3, 3)


def told(*turns) -> list[dict]:
    """The lines of a ticker; a turn is a time and what is called then."""
    out, times = io.StringIO(), [0.0]
    ticker = Ticker(out, clock=lambda: times[0])
    for at, name, *args in turns:
        times[0] = at
        getattr(ticker, name)(*args)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def fits(line: dict) -> None:
    assert list(line) == list(FIELDS)
    for name, (kinds, _) in FIELDS.items():
        assert isinstance(line[name], kinds), (name, line[name])
    assert line["event"] == "progress"


def test_a_stage_from_its_beginning_to_its_end():
    lines = told(
        (0, "listing"), (0, "kept", DONE), (5, "began", WATCH), (6, "moved", WATCH, 0), (9, "moved", WATCH, 4),
        (12, "ended", WATCH, 7.0),
    )  # fmt: skip
    for line in lines:
        fits(line)
    assert [line["state"] for line in lines] == [
        "running",
        "kept",
        "running",
        "running",
        "running",
        "finished",
    ]
    assert [line["done"] for line in lines] == [None, 3, 0, 0, 4, 10]
    assert lines[3]["rate"] is None
    assert (lines[4]["rate"], lines[4]["eta"], lines[4]["seconds"]) == (1.0, 6.0, 4.0)
    assert (lines[5]["rate"], lines[5]["eta"]) == (pytest.approx(10 / 7, abs=0.001), 0.0)


def test_what_an_earlier_job_did_is_no_rate():
    lines = told((0, "began", WATCH), (1, "moved", WATCH, 8), (2, "moved", WATCH, 9))
    assert lines[1]["rate"] is None
    assert (lines[2]["rate"], lines[2]["eta"]) == (0.5, 2.0)


def test_a_stage_that_fails():
    [_, _, last] = told((0, "began", WATCH), (1, "moved", WATCH, 3), (2, "failed", WATCH, ValueError("x")))
    fits(last)
    assert (last["state"], last["done"], last["seconds"]) == ("failed", 3, 2.0)


def test_a_count_over_the_total_leaves_nothing_to_wait_for():
    lines = told((0, "began", WATCH), (1, "moved", WATCH, 1), (2, "moved", WATCH, 99))
    assert lines[-1]["eta"] == 0.0


def test_the_page_names_every_field():
    page = (ROOT / "docs" / "observability.md").read_text("utf-8")
    for name, (_, about) in FIELDS.items():
        assert f"| `{name}` |" in page
        assert about in page
