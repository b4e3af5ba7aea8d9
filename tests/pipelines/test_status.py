"""Status: every state a job can be in, told from files alone, with the command that goes on."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from columns.errors import OutputError
from columns.files import Place
from columns.versions import Versions
from pipelines.journal import JOB
from pipelines.lease import PATIENCE, leased, signature
from pipelines.stage import COMMIT, Stage, UnitRecord
from pipelines.status import EXIT_CODES, MOST_RECORDS, lines, status
from tests.pipelines.building import command, recipe
from tests.pipelines.corpus import sources, write_tree

COMMAND = ["thresher", "build", "codex", "-i", "in put", "-o", "out"]


@pytest.fixture(params=["local", "memory"])
def root(request, tmp_path):
    place = Place(str(tmp_path / "set") if request.param == "local" else f"memory://{tmp_path.name}/set")
    yield place
    place.remove_tree()


def note(root: Place, **changes) -> None:
    """A journal that a job left; its process is this one."""
    stage = {
        "stage": "measure",
        "state": "running",
        "since": "then",
        "done": 1,
        "total": 4,
        "folder": "facts",
    }
    about = {
        "command": COMMAND, "folder": str(Path.cwd()), "state": "running", **signature(), "since": "then",
        "ended": None, "beat": 1, "stages": [stage], "jobs": [], "error": None,
    } | changes  # fmt: skip
    root.write_bytes(JOB, orjson.dumps(about))


def under_way(
    root: Place, folder: str = "facts", counts: dict[str, int] | None = None, units: int = 4
) -> Stage:
    """A stage with two finished units."""
    stage = Stage("measure", root.child(folder), "f", units)
    stage.begin()
    for unit in range(2):
        stage.record(unit, UnitRecord((), counts or {}, {}))
    return stage


def dead() -> dict[str, object]:
    """What tells a process that is gone."""
    code = "import orjson; from pipelines.lease import signature; print(orjson.dumps(signature()).decode())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_nothing_is_there(root):
    with pytest.raises(OutputError, match="neither a dataset nor a job"):
        status(root)


def test_a_running_job_is_counted_anew(root):
    note(root)
    under_way(root)
    found = status(root, wait=pytest.fail)
    assert (found.state, found.exit_code, found.readable) == ("running", 3, False)
    assert [(one.stage, one.state, one.done, one.total) for one in found.stages] == [
        ("measure", "running", 2, 4)
    ]
    assert found.next == (f"wait; ask again: thresher status {root.url}",)


def test_a_killed_job_says_the_command_that_goes_on(root):
    note(root, **dead())
    under_way(root)
    found = status(root, wait=pytest.fail)
    assert (found.state, found.exit_code) == ("interrupted", 2)
    assert found.stages[0].state == "stopped"
    assert found.next == ("thresher build codex -i 'in put' -o out",)


def test_a_job_elsewhere_is_watched(root):
    note(root, host="elsewhere")
    waits: list[float] = []
    assert status(root, seconds=9, wait=waits.append).state == "interrupted"
    assert waits == [9] * PATIENCE

    def alive(_seconds: float) -> None:
        note(root, host="elsewhere", beat=2)

    assert status(root, wait=alive).state == "running"


def test_a_failed_job_tells_its_error_and_the_hint_first(root):
    error = {"kind": "RecipeError", "what": "guard: size drops too much", "hint": "guard.share=1"}
    note(root, state="failed", ended="later", error=error)
    found = status(root)
    assert (found.state, found.exit_code) == ("failed", 2)
    assert found.next == ("guard.share=1", "thresher build codex -i 'in put' -o out")
    assert "error      guard: size drops too much" in lines(found)


def test_a_login_that_was_left_out_must_be_put_in(root):
    note(root, state="failed", command=["thresher", "build", "-i", "https://host/a?sig=…"])
    assert "put in what stands as …" in status(root).next[0]


def test_the_folder_of_the_command(root):
    note(root, state="failed", folder="/else where")
    assert status(root).command.startswith("cd '/else where' && thresher build")


@pytest.mark.parametrize(
    ("stage", "then"), [("measure", "run link"), ("ingest", "run measure"), ("shard", "build")]
)
def test_after_a_single_stage_comes_the_next(root, stage, then):
    note(root, state="finished", command=["thresher", "run", stage, "codex", "-o", "out"])
    found = status(root)
    assert (found.state, found.exit_code) == ("unfinished", 2)
    assert found.next == (f"thresher {then} codex -o out",)


def test_a_finished_dataset(root):
    note(root, state="finished")
    root.write_bytes("manifest.json", b"{}")
    found = status(root)
    assert (found.state, found.exit_code, found.readable, found.version) == ("finished", 0, True, 1)
    assert found.next == (f"thresher inspect {root.url}",)


def test_without_a_journal_the_files_tell(root):
    under_way(root)
    found = status(root)
    assert (found.state, found.command) == ("interrupted", "")
    assert [(one.stage, one.state, one.done, one.total) for one in found.stages] == [
        ("facts", "stopped", 2, 4)
    ]
    assert found.next == ("the command that was run before, again",)
    root.write_bytes("manifest.json", b"{}")
    root.child("facts").child(".done").remove_tree()
    assert status(root).state == "finished"


def test_marks_and_drops_are_told_with_their_reasons(root):
    note(root)
    counts = {"files": 9, "problem.binary": 3, "problem.too_large": 0}
    under_way(root, "documents", counts)
    root.child("ledger").write_bytes(
        COMMIT, orjson.dumps({"counts": {"files": 9, "files.size": 2, "bytes.size": 7}})
    )
    found = status(root)
    assert (found.marked, found.dropped) == ({"binary": 6}, {"size": 2})
    said = lines(found)
    assert any(line.startswith("marked     6 binary: not text") for line in said)
    assert "dropped    2 size" in said


def test_a_stage_of_very_many_parts_is_not_read_whole(root):
    note(root)
    stage = under_way(root, "documents", {"problem.binary": 1}, MOST_RECORDS + 9)
    for unit in range(MOST_RECORDS + 9):
        stage.record(unit, UnitRecord((), {"problem.binary": 1}, {}))
    assert status(root).marked == {"binary": MOST_RECORDS}


def test_a_refresh_that_failed_leaves_the_version_before(root):
    versions = Versions(root)
    versions.commit(2, {})
    versions.at(2).write_bytes("manifest.json", b"{}")
    under_way(versions.at(3), "documents", {"problem.binary": 1})
    note(root, state="failed", error={"kind": "OSError", "what": "disk full", "hint": ""})
    found = status(root)
    assert (found.version, found.readable, found.marked) == (2, True, {"binary": 2})
    assert "dataset    version 2 is whole and can be read" in lines(found)


def test_the_holder_of_the_lease(root):
    root.write_bytes("manifest.json", b"{}")
    with leased(root, "takedown"):
        found = status(root)
        assert found.lease is not None
        assert (found.state, found.lease.doing, found.lease.alive) == ("running", "takedown", True)
    about = {"token": "x", "doing": "refresh", "since": "then", "beat": 3, **dead()}
    root.child(".lease").write_bytes("000007.json", orjson.dumps(about))
    found = status(root, wait=pytest.fail)
    assert found.lease is not None
    assert (found.state, found.lease.alive, found.lease.host) == ("finished", False, socket.gethostname())
    assert any("dead: the next run takes over" in line for line in lines(found))


def test_jobs_of_a_service_are_told(root):
    job = {"stage": "measure", "id": "2026-1", "url": "https://console.example/2026-1", "since": "then"}
    note(root, jobs=[job])
    assert "job        2026-1 (measure) https://console.example/2026-1" in lines(status(root))


def test_names_out_of_files_cannot_act_on_a_terminal(root):
    note(root)
    root.child("ledger").write_bytes(COMMIT, orjson.dumps({"counts": {"files.\x1b[31m": 2}}))
    assert "\x1b" not in "\n".join(lines(status(root)))


def test_every_state_has_an_exit_code():
    assert EXIT_CODES == {"finished": 0, "failed": 2, "interrupted": 2, "unfinished": 2, "running": 3}


TRAP = """
import os, signal
import pipelines.measure as module
seen = []
original = module.MeasurePart.__call__
def trapped(self, part):
    seen.append(part)
    if len(seen) > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, part)
module.MeasurePart.__call__ = trapped
"""


@pytest.mark.long
@pytest.mark.slow
def test_a_killed_build_then_status_then_what_it_says(tmp_path):
    tree = write_tree(tmp_path / "tree", dict(list(sources().items())[::40]) | {"bad/zero.py": "a\0b"})
    out = str(tmp_path / "out")
    arguments = ("build", recipe(tmp_path), "--input", str(tree), "--output", out, "--workers", "1")
    assert command(*arguments, prelude=TRAP).returncode == -signal.SIGKILL
    told = command("status", out)
    assert told.returncode == 2, told.stderr
    assert told.stdout.startswith("interrupted")
    assert "measure: stopped, 2 of 4 units" in told.stdout
    assert "marked     1 binary" in told.stdout
    found = json.loads(command("status", out, "--json").stdout)
    assert found["next"] == [f"thresher {' '.join(arguments)}"]

    again = command(*found["next"][0].split()[1:])
    assert again.returncode == 0, again.stderr
    told = command("status", out)
    assert (told.returncode, told.stderr) == (0, "")
    assert "finished" in told.stdout
    assert command("status", str(tmp_path)).returncode == 2
