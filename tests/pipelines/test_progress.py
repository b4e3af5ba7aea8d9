"""Progress: lines where there is no terminal, bars where there is one, and no stage done twice."""

import io
import threading
import time

import pytest
from rich.console import Console

from columns.files import Place
from pipelines.progress import Display, StageRunner, Watch
from pipelines.stage import Stage, UnitRecord


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, color_system=None)


def said(shown: Console) -> str:
    return shown.file.getvalue()


def test_without_a_terminal_there_is_one_plain_line_per_stage():
    shown = console()
    with Display(shown).stage(Watch("measure", lambda: pytest.fail("nobody needs to know"), 3)):
        assert said(shown) == ""
    lines = said(shown).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("✓ measure")
    assert lines[0].endswith(" s")
    assert "\x1b" not in said(shown)
    assert "\r" not in said(shown)


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_says_nothing(terminal):
    shown = console(terminal=terminal)
    display = Display(shown, quiet=True)
    display.note("something")
    with display.stage(Watch("measure", lambda: 1, 3)):
        pass
    assert said(shown) == ""


def test_a_terminal_shows_how_far_a_stage_is():
    shown = console(terminal=True)
    with Display(shown).stage(Watch("measure", lambda: 2, 3)):
        time.sleep(0.5)
    assert "2/3" in said(shown)
    assert "✓ measure" in said(shown).rstrip().splitlines()[-1]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_failed_stage_is_not_ticked_and_its_error_goes_on(terminal):
    shown = console(terminal=terminal)
    with pytest.raises(KeyError), Display(shown).stage(Watch("measure", lambda: 0, 3)):
        raise KeyError
    assert "✓" not in said(shown)
    assert [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("Thread-") and "follow" in thread.name
    ] == []


def test_a_count_that_fails_once_does_not_stop_the_bar(monkeypatch):
    broken: list[object] = []
    monkeypatch.setattr(threading, "excepthook", broken.append)
    answers = iter([1])

    def done() -> int:
        if next(answers, None):
            raise FileNotFoundError("the folder was just cleared")
        return 2

    shown = console(terminal=True)
    with Display(shown).stage(Watch("measure", done, 3)):
        time.sleep(0.8)
    assert broken == []
    assert "2/3" in said(shown)


def stage(folder) -> Stage:
    return Stage("measure", Place(str(folder / "facts")), "abc", 1)


def do(made: Stage):
    def work() -> None:
        made.begin()
        made.place.write_bytes("part", b"x")
        made.record(0, UnitRecord(("part",), {}, {}))
        made.commit()

    return work


def test_a_stage_runs_once_and_takes_the_manifest_back(tmp_path):
    shown, place, made = console(), Place(str(tmp_path)), stage(tmp_path)
    runner = StageRunner(Display(shown), place, ("manifest.json", "report.html"))
    place.write_bytes("manifest.json", b"{}")
    place.write_bytes("report.html", b"")
    entry = runner.run(made, Watch("measure", lambda: 0, 1), do(made))
    assert (entry["stage"], entry["skipped"]) == ("measure", False)
    assert entry["seconds"] >= 0
    assert place.names() == []

    place.write_bytes("manifest.json", b"{}")
    entry = runner.run(made, Watch("measure", lambda: 0, 1), lambda: pytest.fail("done before"))
    assert entry == {"stage": "measure", "seconds": 0.0, "skipped": True}
    assert place.names() == ["manifest.json"]
    assert "done before" in said(shown)


def test_the_manifest_goes_before_the_work_begins(tmp_path):
    place = Place(str(tmp_path))
    place.write_bytes("manifest.json", b"{}")
    runner = StageRunner(Display(console(), quiet=True), place, ("manifest.json",))
    made = stage(tmp_path)

    def work() -> None:
        assert not place.exists("manifest.json")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        runner.run(made, Watch("measure", lambda: 0, 1), work)
    assert not place.exists("manifest.json")


def test_listing_shows_how_many_are_done_while_there_are_some_left():
    shown = console(terminal=True)
    with Display(shown).listing() as watch:
        watch(1, 3)
        watch(2, 3)
        assert "2/3" in said(shown) or "1/3" in said(shown)
        watch(3, 3)
        length = len(said(shown))
        watch(3, 3)
        assert len(said(shown)) == length  # the bar is gone: a question may be asked now
    assert "✓" not in said(shown)


@pytest.mark.parametrize(("terminal", "quiet"), [(False, False), (True, True), (False, True)])
def test_listing_shows_nothing_where_nobody_looks(terminal, quiet):
    shown = console(terminal=terminal)
    with Display(shown, quiet=quiet).listing() as watch:
        watch(1, 2)
    assert said(shown) == ""


def test_a_long_listing_leaves_a_line(monkeypatch):
    times = iter([0.0, 2.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    shown = console()
    with Display(shown).listing():
        pass
    assert said(shown).split() == ["✓", "list", "2.5", "s"]


def test_listing_ends_its_bar_when_it_fails():
    shown = console(terminal=True)
    with pytest.raises(RuntimeError), Display(shown).listing() as watch:
        watch(1, 2)
        raise RuntimeError
    assert said(shown).endswith("\x1b[?25h") or "\x1b[?25h" in said(shown)
