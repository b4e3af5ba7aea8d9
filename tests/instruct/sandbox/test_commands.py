"""Commands of a project: what is asked is checked first, what they write is read, and what they leave is looked at."""

from __future__ import annotations

import io
import math
import os
import socket
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import RecipeError
from instruct.sandbox import Limits, ProjectRun, channel, project, run_project
from instruct.sandbox.inside import project as inside
from instruct.sandbox.inside import server


@pytest.fixture
def isolated(monkeypatch):
    """A machine that could isolate programs, and a sandbox that must not be started."""
    monkeypatch.setattr(project, "isolation_problem", lambda: None)
    monkeypatch.setattr(project, "_run", lambda *_: pytest.fail("started"))


@pytest.mark.parametrize("name", [".", "./", "a\0b", "/", "//x", "..", "a/..", "\0"])
def test_a_name_that_is_no_file_below_the_tree_is_refused(isolated, tmp_path, name):
    for run in (ProjectRun(tmp_path, (), files={name: b""}), ProjectRun(tmp_path, (), collect=("a", name))):
        with pytest.raises(RecipeError, match="relative path"):
            run_project(run, Limits())


@pytest.mark.parametrize("commands", [((),), (("python",), ())])
def test_a_command_without_a_program_is_refused(isolated, tmp_path, commands):
    with pytest.raises(RecipeError, match="name of a program"):
        run_project(ProjectRun(tmp_path, commands), Limits())


@pytest.mark.parametrize("processes", [-1, math.inf, math.nan])
def test_processes_without_an_end_are_refused(processes):
    with pytest.raises(RecipeError, match="processes must be 0 or more and finite"):
        Limits(processes=processes)


@settings(max_examples=40)
@given(st.integers(0, 500), st.floats(0.001, 1e6), st.integers(1, 1 << 20))
def test_limits_of_the_kernel_are_whole_positive_and_soft_below_hard(processes, seconds, size):
    limits = Limits(processes=processes, cpu_s=seconds, memory_mb=size, disk_mb=size, output_kb=size)
    for name, (soft, hard) in limits.rlimits().items():
        assert type(soft) is type(hard) is int
        assert 0 < soft or name in ("RLIMIT_CORE", "RLIMIT_MEMLOCK")
        assert soft <= hard < 1 << 63
    assert seconds <= limits.rlimits()["RLIMIT_CPU"][0] < seconds + 1


def read(script, *, limit=1000, wall_s=20.0):
    """What is read of a shell's outputs, while the parent says nothing."""
    ours, theirs = channel.pair()
    with ours, theirs:
        command = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with command:
            found = inside._read(command, wall_s, limit, theirs.fileno())
            command.kill()
    return found


@pytest.mark.parametrize(
    ("script", "out", "err", "cut"),
    [
        ("printf out; printf err >&2; exit 3", b"out", b"err", False),
        ("exec >&-; printf late >&2", b"", b"late", False),
        ("true", b"", b"", False),
        ("printf 0123456789", b"0123456789", b"", False),
        ("printf 0123456789x; printf e >&2", b"0123456789", b"e", True),
        ("printf 01234567890123456789 >&2; printf '\\377\\000'", b"\xff\0", b"0123456789", True),
    ],
)
def test_outputs_are_read_to_the_limit(script, out, err, cut):
    assert read(script, limit=10) == (out, err, False, cut)


def test_a_command_that_does_not_end_is_late_and_what_it_wrote_is_kept():
    assert read("printf out; exec sleep 60", wall_s=0.15) == (b"out", b"", True, False)


def test_a_child_that_holds_the_outputs_does_not_hold_up_the_end():
    assert read("(sleep 0.3; printf more) & printf out") == (b"out", b"", False, False)


@pytest.mark.parametrize(
    ("code", "late", "problem"),
    [(0, False, ""), (0, True, "timeout"), (1, False, "exception"), (127, False, "exception"), (-9, False, "died"),
     (-9, True, "timeout"), (-24, False, "timeout"), (-11, False, "died")],
)  # fmt: skip
def test_how_a_command_ended(code, late, problem):
    assert inside._problem(code, late=late) == problem


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(inside, "ROOT", str(tmp_path))
    return tmp_path


def test_regular_files_up_to_the_limit_are_collected(root):
    for name, size in (("small", 3), ("whole", 10), ("large", 11), ("empty", 0)):
        (root / name).write_bytes(b"x" * size)
    (root / "link").symlink_to("small")
    (root / "dangling").symlink_to("nothing")
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    names = (
        "small",
        "whole",
        "large",
        "empty",
        "link",
        "dangling",
        "folder",
        "pipe",
        "nothing",
        "small/inner",
    )
    found = dict(inside._collected(name, 10) for name in names)
    assert {name: len(data) for name, data in found.items() if data is not None} == {
        "small": 3,
        "whole": 10,
        "empty": 0,
    }
    assert len(os.listdir("/proc/self/fd")) == before


def archive(*members):
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as made:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o600
                made.addfile(info, io.BytesIO(data))
        return file.getvalue()


@pytest.mark.parametrize("cut", [0, 100, 700, None])
def test_a_tree_that_is_cut_off_is_told(root, cut):
    data = archive(("a", b"one" * 100), ("deep/b", b"two"))[:cut]
    (root / "archive").write_bytes(data)
    told = inside._unpacked(os.open(root / "archive", os.O_RDONLY))
    assert bool(told) == (cut is not None)
    assert told == "" or told.startswith("the tree cannot be unpacked: ")
    assert (root / "deep" / "b").is_file() == (cut is None)


@settings(max_examples=20)
@given(st.binary(max_size=40), st.integers(0, 4))
def test_a_job_comes_with_its_descriptors(message, count):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert not server._waits(theirs)
        socket.send_fds(ours, [b"r" + message], [ours.fileno()] * count)
        assert server._waits(theirs)
        got, fds = server._received(theirs)
        assert not server._waits(theirs)
        same = [os.fstat(fd).st_ino == os.fstat(ours.fileno()).st_ino for fd in fds]
        for fd in fds:
            os.close(fd)
    assert (got, same) == (b"r" + message, [True] * count)


def test_modules_are_warmed_up_until_a_command_waits(monkeypatch):
    asked = []

    def load(name):
        asked.append(name)
        if name == "none":
            raise ImportError(name)
        if name == "b":
            theirs.send(b"stop")

    monkeypatch.setattr(server.importlib, "import_module", load)
    monkeypatch.setattr(server.gc, "freeze", lambda: None)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        names = ["a", "none", "b", "c"]
        server._warm_up(ours, names)
        assert (asked, names) == (["a", "none", "b"], ["c"])
        ours.recv(9)
        server._warm_up(ours, names)
    assert (asked[-1], names) == ("c", [])
