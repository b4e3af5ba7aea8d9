"""Kills at moments that nobody chose, of the run or of a worker process: the same command then ends as if nothing was.

Where in the work a kill falls differs from machine to machine, and the result must not.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from columns.files import TEMPORARY, Place
from tests.pipelines.building import PLAIN, ROOT, assert_same, build, command, recipe, result_bytes
from tests.pipelines.corpus import corpus, write_tree

pytestmark = pytest.mark.long

KILLS = 2
MODES = {
    "threads": ("--workers", "2"),
    "processes": ("--workers", "2", "--mode", "processes"),
}
CODE = f"{PLAIN}\nsys.argv[0] = 'thresher'\nfrom pipelines.__main__ import main\nmain()"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("killed") / "corpus", dict(list(corpus().items())[::9]))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("undisturbed")
    return build(folder, folder / "set", [tree])


@pytest.fixture(scope="module")
def seconds(tmp_path_factory, tree):
    """How long a whole command takes here, its start included."""
    folder, started = tmp_path_factory.mktemp("whole"), time.monotonic()
    command(*arguments(folder, tree), *MODES["processes"], check=True)
    return time.monotonic() - started


def arguments(folder: Path, tree: Path) -> tuple[str, ...]:
    return ("build", recipe(folder), "--input", str(tree), "--output", str(folder / "set"), "--quiet")


def children(process: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] not in "ZX":
            found += [int(status.parent.name), *children(int(status.parent.name))]
    return found


def started(argv: tuple[str, ...]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env=environment, start_new_session=True,
    )  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_is_killed_again_and_again(mode, tree, undisturbed, seconds, tmp_path):
    rng = random.Random(f"run/{mode}")
    argv = (*arguments(tmp_path, tree), *MODES[mode])
    for _ in range(KILLS):
        process = started(argv)
        try:
            process.wait(rng.uniform(0.2, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    done = command(*argv)
    assert done.returncode == 0, done.stderr
    assert_same(Place(str(tmp_path / "set")), undisturbed)
    assert not [name for name in result_bytes(Place(str(tmp_path / "set"))) if TEMPORARY in name]


@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc to find the processes of a run")
def test_worker_processes_that_are_killed_again_and_again(tree, undisturbed, seconds, tmp_path):
    rng = random.Random("workers")
    argv = (*arguments(tmp_path, tree), *MODES["processes"])
    for _ in range(KILLS):
        process = started(argv)
        try:
            process.wait(rng.uniform(0.3, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            if victims := children(process.pid):
                os.kill(rng.choice(sorted(victims)), signal.SIGKILL)
        _, said = process.communicate(timeout=200)
        assert process.returncode in (0, 2), said
        assert "Traceback" not in said
    done = command(*argv)
    assert done.returncode == 0, done.stderr
    assert_same(Place(str(tmp_path / "set")), undisturbed)
