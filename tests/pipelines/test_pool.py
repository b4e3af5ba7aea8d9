"""The portable engine: a job service and several worker processes of this machine, the same bytes as DirectRunner."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import apache_beam as beam
import pytest

from columns.errors import EnvironmentProblem, ThresherError
from columns.files import Place
from pipelines.engine import Engine, run_job, run_units
from pipelines.pool import DIED, LOOPBACK, Pool, WorkerPool, running
from pipelines.stage import Stage, UnitRecord
from tests.pipelines.building import ROOT, assert_same, build, command, recipe
from tests.pipelines.corpus import corpus, write_tree

pytestmark = pytest.mark.slow

TRAP = """
import os, signal, sys
from pathlib import Path
if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
    import {module} as module
    original = module.{name}.__call__
    def trapped(self, *args):
        try:
            Path({flag!r}).touch(exist_ok=False)
        except FileExistsError:
            return original(self, *args)
        os.kill(os.getpid(), signal.SIGKILL)
    module.{name}.__call__ = trapped
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("pool") / "corpus", dict(list(corpus().items())[::9]))


@pytest.fixture(scope="module")
def direct(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("direct")
    return build(folder, folder / "set", [tree])


RUNNER = ("--runner", "portable")


def portable(folder: Path, tree: Path, *flags: str, how: tuple[str, str] = RUNNER, prelude: str = ""):
    return command(
        "build", recipe(folder), "--input", str(tree), "--output", str(folder / "set"), "--quiet",
        *how, "--workers", "2", *flags, prelude=prelude, timeout=280,
    )  # fmt: skip


def test_several_processes_of_a_job_service_make_the_same_bytes(tmp_path, tree, direct):
    done = portable(tmp_path, tree)
    assert done.returncode == 0, done.stderr
    assert_same(Place(str(tmp_path / "set")), direct)
    log = json.loads((tmp_path / "set" / "run.json").read_text())
    assert log["runner"] == "PortableRunner"
    assert log["workers"] == 2


def test_rows_that_travel_by_value_make_the_same_bytes(tmp_path, tree, direct):
    service = Pool.start()
    try:
        done = portable(tmp_path, tree, *service.options(), "--direct_num_workers=2")
        assert done.returncode == 0, done.stderr
        assert_same(Place(str(tmp_path / "set")), direct)
    finally:
        service.stop()


@pytest.mark.parametrize(
    "how", [pytest.param(RUNNER, marks=pytest.mark.long), ("--mode", "processes")], ids=["runner", "mode"]
)
def test_a_killed_worker_is_one_clear_line_and_the_same_command_goes_on(how, tmp_path, tree, direct):
    site = tmp_path / "site"
    site.mkdir()
    trap = TRAP.format(module="pipelines.measure", name="MeasurePart", flag=str(tmp_path / "killed"))
    (site / "sitecustomize.py").write_text(trap)
    prelude = f"import os; os.environ['PYTHONPATH'] += os.pathsep + {str(site)!r}"
    failed = portable(tmp_path, tree, how=how, prelude=prelude)
    assert failed.returncode == 2, failed.stderr
    assert "measure: a worker process was killed by signal 9" in failed.stderr
    assert "run the same command again" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "set" / "manifest.json").exists()
    again = portable(tmp_path, tree, how=how, prelude=prelude)
    assert again.returncode == 0, again.stderr
    assert_same(Place(str(tmp_path / "set")), direct)


def test_a_mistake_that_a_worker_finds_is_told_as_itself(tmp_path):
    stage = Stage("measure", Place(str(tmp_path)), "abc", 2)
    with pytest.raises(ThresherError, match="unit 1 is wrong"):
        run_units(Engine("portable", 2), stage, Wrong(stage.place), stage.begin())


def test_units_are_spread_over_processes(tmp_path):
    stage = Stage("measure", Place(str(tmp_path)), "abc", 6)
    run_units(Engine("portable", 3), stage, Who(stage.place), stage.begin())
    found = {int(path.read_text()) for path in tmp_path.glob("who-*")}
    assert len(found) == 3
    assert os.getpid() not in found


def test_an_error_of_a_job_is_not_taken_for_a_death(tmp_path):
    stage = Stage("measure", Place(str(tmp_path)), "abc", 2)
    stage.begin()
    with pytest.raises(Exception, match="not this one") as raised:
        run_job(Engine("portable", 1), stage, lambda p: p | beam.Create([1]) | beam.Map(_fails))
    assert not isinstance(raised.value, ThresherError)
    assert running().alive


def test_one_service_serves_all_jobs_and_a_new_one_comes_after_it():
    first = running()
    assert running() is first
    first.stop()
    assert not first.alive
    assert running() is not first
    assert running().alive


def test_the_service_listens_on_the_loopback_interface_only():
    service = running()
    assert {service.job_endpoint.split(":")[0], service.worker_endpoint.split(":")[0]} == {LOOPBACK}
    assert not [line for line in listening(service.process.pid) if not line.startswith(("127.", "::1"))]


def test_everything_ends_with_the_process_that_started_it():
    code = """if True:
    import os
    from pipelines.pool import running
    print(running().process.pid, flush=True)
    os.kill(os.getpid(), 9)"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert said.returncode == -signal.SIGKILL
    assert ends(int(said.stdout))


@pytest.mark.parametrize(("program", "said"), [("false", "it said nothing"), ("cat", ".*cat")])
def test_a_service_that_does_not_start_says_why(monkeypatch, program, said):
    monkeypatch.setattr(sys, "executable", shutil.which(program))
    with pytest.raises(EnvironmentProblem, match=f"did not start: {said}"):
        Pool.start()


@pytest.mark.parametrize(("code", "words"), [(-9, "killed by signal 9"), (3, "lost with exit code 3")])
def test_a_death_in_words(tmp_path, code, words):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    service = Pool("a", "b", str(tmp_path), process)
    assert service.death() == ""
    process.kill()
    assert service.death() == "the job service was killed by signal 9"
    (tmp_path / DIED).write_text(json.dumps({"code": code}))
    assert service.death() == f"a worker process was {words}"


def test_a_worker_that_ends_in_order_is_no_death(tmp_path):
    workers = WorkerPool(str(tmp_path))
    for name, code in (("done", 0), ("died", 3)):
        workers._workers[name] = multiprocessing.get_context("spawn").Process(target=sys.exit, args=(code,))
        workers._workers[name].start()
        workers._workers[name].join()
        assert workers._dead() == code
    workers.stop()


def _fails(_: int) -> None:
    raise ValueError("not this one")


class Wrong:
    def __init__(self, place: Place) -> None:
        self.place = place

    def __call__(self, unit: int) -> UnitRecord:
        if unit == 1:
            raise ThresherError("unit 1 is wrong", hint="mend it")
        return UnitRecord((), {}, {})


class Who(Wrong):
    def __call__(self, unit: int) -> UnitRecord:
        time.sleep(0.2)
        self.place.write_bytes(f"who-{unit}", str(os.getpid()).encode())
        return UnitRecord((f"who-{unit}",), {}, {})


def ends(pid: int, seconds: float = 20) -> bool:
    """Whether a process that is not our child ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def listening(pid: int) -> list[str]:
    """The local addresses at which a process listens, as of Linux's ``/proc``."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("needs Linux's /proc")
    sockets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            local, state, inode = (line.split()[at] for at in (1, 3, 9))
            if state == "0A" and f"socket:[{inode}]" in sockets:
                found.append(_address(local.split(":")[0]))
    return found


def _address(digits: str) -> str:
    octets = bytes.fromhex(digits)
    if len(octets) == 4:
        return ".".join(map(str, reversed(octets)))
    words = [octets[at : at + 4][::-1] for at in range(0, 16, 4)]
    plain = b"".join(words)
    if plain[:12] == b"\0" * 10 + b"\xff\xff":
        return ".".join(map(str, plain[12:]))
    return "::1" if plain == b"\0" * 15 + b"\1" else plain.hex()
