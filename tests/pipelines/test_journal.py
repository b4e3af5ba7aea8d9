"""Journal: what a job notes of itself, when, and how it ends."""

from __future__ import annotations

import os
import time

import orjson
import pytest

from columns.errors import InputError
from columns.files import Place
from pipelines.journal import JOB, LONGEST, Journal, journal, said_of
from pipelines.progress import Watch
from pipelines.stage import Stage, read_json

COMMAND = ("thresher", "build", "codex", "-i", "https://me:secret@host/a?sig=abc")


@pytest.fixture
def root(tmp_path):
    return Place(str(tmp_path / "set"))


def watch(root: Place, label: str = "measure") -> Watch:
    return Watch(label, lambda: 2, 4, Stage(label, root.child("facts"), "f", 4))


def noted(root: Place) -> dict:
    found = read_json(root, JOB)
    assert found is not None
    return found


def test_nothing_is_written_before_the_first_stage(root):
    with pytest.raises(InputError), journal(root, COMMAND):
        raise InputError("no such input")
    assert root.names() == []


def test_a_short_listing_that_refuses_its_inputs_leaves_nothing(root):
    with pytest.raises(InputError), journal(root, COMMAND) as kept:
        kept.listing()
        raise InputError("nothing to read")
    assert root.names() == []


def test_an_older_journal_stays_when_a_command_is_refused(root):
    root.write_bytes(JOB, b'{"state": "finished"}')
    with pytest.raises(InputError), journal(root, COMMAND):
        raise InputError("no such input")
    assert noted(root) == {"state": "finished"}


def test_a_finished_job(root):
    with journal(root, COMMAND) as kept:
        kept.listing()
        kept.kept(watch(root, "ingest"))
        kept.began(watch(root))
        under_way = noted(root)
        kept.moved(watch(root), 3)
        kept.ended(watch(root), 1.5)
    assert (under_way["state"], under_way["pid"], under_way["ended"]) == ("running", os.getpid(), None)
    assert under_way["stages"][-1]["state"] == "running"
    found = noted(root)
    assert (found["state"], found["error"]) == ("finished", None)
    assert [(one["stage"], one["state"], one["done"]) for one in found["stages"]] == [
        ("list", "finished", 0), ("ingest", "kept", 4), ("measure", "finished", 4),
    ]  # fmt: skip
    assert found["stages"][-1]["folder"] == "facts"


def test_no_login_is_written(root):
    with pytest.raises(ValueError, match="host"), journal(root, COMMAND) as kept:
        kept.began(watch(root))
        raise ValueError("at https://me:secret@host/a?sig=abc")
    text = root.read(JOB).decode()
    assert "secret" not in text
    assert "abc" not in text


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (InputError("bad", hint="mend it"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(3), "interrupted"),
    ],
)
def test_a_job_that_ends_early(root, error, state):
    with pytest.raises(type(error)), journal(root, COMMAND) as kept:
        kept.began(watch(root))
        kept.failed(watch(root), error)
        raise error
    found = noted(root)
    assert (found["state"], found["stages"][-1]["state"]) == (state, "failed")
    assert found["error"]["kind"] == type(error).__name__


def test_the_error_has_one_short_plain_line():
    said = said_of(RuntimeError("Traceback\n  in a\n\x1b[31m" + "x" * 1000))
    assert len(said["what"]) == LONGEST
    assert "\x1b" not in said["what"]
    assert "\n" not in said["what"]
    assert said_of(InputError("what", hint="do\nthis")) == {
        "kind": "InputError",
        "what": "what",
        "hint": "do this",
    }


def test_it_beats_between_the_stages(root):
    kept = Journal(root, COMMAND, seconds=0.02)
    kept.listing()
    deadline = time.monotonic() + 20
    while not root.exists(JOB):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first = noted(root)["beat"]
    while noted(root)["beat"] == first:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    kept.close()
    last = root.read(JOB)
    time.sleep(0.1)
    assert root.read(JOB) == last


def test_a_storage_that_fails_does_not_stop_the_end_of_a_job(root, monkeypatch):
    kept = Journal(root, COMMAND)
    kept.kept(watch(root, "ingest"))

    def broken(*_args):
        raise OSError("503")

    monkeypatch.setattr(Place, "write_bytes", broken)
    kept.close()


def test_jobs_of_a_service_are_noted(root):
    with journal(root, COMMAND) as kept:
        kept.submitted("early", "0", "")
        kept.began(watch(root))
        kept.submitted("measure", "2026-1", "https://console.example/jobs/2026-1")
    [job] = noted(root)["jobs"]
    assert (job["stage"], job["id"]) == ("measure", "2026-1")


def test_a_journal_on_an_object_store(tmp_path):
    root = Place(f"memory://{tmp_path.name}/set")
    with journal(root, COMMAND) as kept:
        kept.began(watch(root))
    assert orjson.loads(root.read(JOB))["state"] == "finished"
    root.remove_tree()
