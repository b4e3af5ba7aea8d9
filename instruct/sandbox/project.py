"""Commands run in a private copy of a source tree: test suites, traced or not, without a network."""

from __future__ import annotations

import os
import socket
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from columns.errors import InputError, RecipeError
from instruct.sandbox import channel, init, syscalls
from instruct.sandbox.cgroups import Group
from instruct.sandbox.compiled import compiled
from instruct.sandbox.inside import plain
from instruct.sandbox.interpreter import interpreter
from instruct.sandbox.isolation import isolation_problem
from instruct.sandbox.launch import INSIDE, Mounts, start
from instruct.sandbox.limits import Limits
from instruct.sandbox.trial import Ran

PROJECT = "/project"
EXTRA = "/extra"
PACKAGES = "/packages"
_START_S = 60.0
_LEFT_OUT = frozenset((".git", ".hg", ".svn"))
_ETC = {
    "passwd": "sandbox:x:1000:1000::/tmp:/bin/false\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
}


@dataclass(frozen=True)
class ProjectRun:
    """Commands in a copy of a source tree.

    Attributes:
        tree: a directory; its files are copied to ``PROJECT`` without version control's own directories.
        commands: argument lists, run one after the other in ``PROJECT``; ``python`` is the interpreter.
        env: the whole environment of the commands; ``EXTRA`` and the packages are put in front of its ``PYTHONPATH``.
        site_packages: directories of installed packages, seen read-only below ``PACKAGES``.
        files: further files by name, seen read-only below ``EXTRA``.
        collect: files that are handed back, by their path below ``PROJECT``; links are not followed.
        python: the interpreter of the commands; this one by default. Its own packages are not seen.
    """

    tree: Path
    commands: tuple[tuple[str, ...], ...]
    env: Mapping[str, str] = field(default_factory=dict)
    site_packages: tuple[Path, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    collect: tuple[str, ...] = ()
    python: Path | None = None


@dataclass(frozen=True)
class ProjectResult:
    """What became of it.

    Attributes:
        finished: one per command that was started, in order.
        files: the collected files that are there and no larger than the disk limit.
        problem: "" or why the sandbox stopped before the end, in one line.
    """

    finished: tuple[Ran, ...]
    files: Mapping[str, bytes]
    problem: str


def run_project(run: ProjectRun, limits: Limits) -> ProjectResult:
    """Run commands in a private copy of a source tree; nothing of it is ever written back.

    The copy, ``/tmp`` and ``/dev/shm`` are in memory, of ``limits.disk_mb`` each. ``wall_s`` holds for each command;
    after it, and after the command's end, all that it left running is killed. ``/proc`` shows the sandbox's own
    processes. Output over ``output_kb`` is thrown away and marked as truncated; the command goes on.

    Raises:
        EnvironmentProblem: programs cannot be isolated here. InputError: the tree is no directory, or a file of it
        cannot be read. RecipeError: a name of a file is no relative path, or a command is empty.
    """
    problem = isolation_problem()
    if problem is not None:
        raise problem
    if not run.tree.is_dir():
        raise InputError(f"{run.tree}: no such directory", hint="name a source tree")
    for name in (*run.files, *run.collect):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise RecipeError(f"a project's file must be a relative path, got {name!r}")
    if not all(run.commands):
        raise RecipeError("a project's command must have at least the name of a program")
    with _packed(run.tree) as tree, tempfile.TemporaryDirectory() as extra:
        return _run(run, limits, tree, Path(extra))


def _run(run: ProjectRun, limits: Limits, tree: int, extra: Path) -> ProjectResult:
    mounts = _mounts(run, limits, extra)
    ours, theirs = channel.pair()
    init.expect(ours)
    fds = (theirs.fileno(), tree)
    boot = f"import sys; sys.path.insert(0, {INSIDE!r}); from inside import project; project.main()"
    program = [interpreter().executable, "-I", "-S", "-B", "-X", "utf8", "-c", boot, *map(str, fds)]
    group = Group(limits)
    filtered = syscalls.program(functions=False)
    with closing(group), ours, start(mounts, program, fds=fds, filtered=filtered, group=group) as process:
        theirs.close()
        first = None
        try:
            deadline = time.monotonic() + _START_S + len(run.commands) * (limits.wall_s + 5)
            ours.settimeout(_START_S)
            _, _, first = init.greeted(ours)
            channel.send(ours, _job(run, limits), deadline)
            return _results(ours, run, limits, deadline)
        except OSError:
            return ProjectResult((), {}, "the sandbox does not start")
        finally:
            init.kill(first)
            process.kill()


def _job(run: ProjectRun, limits: Limits) -> dict[str, object]:
    python = interpreter(run.python).executable
    commands = [[python if word in ("python", "python3") and ix == 0 else word for ix, word in enumerate(command)]
                for command in run.commands]  # fmt: skip
    paths = [EXTRA, *(f"{PACKAGES}/{ix}" for ix in range(len(run.site_packages)))]
    own = [run.env["PYTHONPATH"]] if "PYTHONPATH" in run.env else []
    return {
        "commands": commands,
        "env": {**run.env, "PYTHONPATH": ":".join([*paths, *own])},
        "limits": limits.rlimits(),
        "wall_s": float(limits.wall_s),
        "output_limit": limits.output_bytes,
        "file_limit": limits.disk_mb << 20,
        "collect": list(run.collect),
    }


def _mounts(run: ProjectRun, limits: Limits, extra: Path) -> Mounts:
    mounts = Mounts(interpreter(), interpreter(run.python))
    mounts.bind(compiled(), f"{INSIDE}/inside")
    extra.chmod(0o755)
    for name, data in {**{f"extra/{name}": data for name, data in run.files.items()},
                       **{f"etc/{name}": text.encode() for name, text in _ETC.items()}}.items():  # fmt: skip
        path = extra / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (extra / "extra").mkdir(exist_ok=True)
    mounts.bind(extra / "extra", EXTRA)
    mounts.bind(extra / "etc", "/etc")
    for ix, packages in enumerate(run.site_packages):
        mounts.bind(packages, f"{PACKAGES}/{ix}")
    if os.path.isdir("/usr/share/zoneinfo"):
        mounts.bind("/usr/share/zoneinfo", "/usr/share/zoneinfo")
    mounts.arguments += ["--proc", "/proc"]
    for target in (PROJECT, "/tmp", "/dev/shm"):
        mounts.arguments += ["--size", str(limits.disk_mb << 20), "--tmpfs", target]
    return mounts


@contextmanager
def _packed(tree: Path) -> Iterator[int]:
    """A descriptor of an archive of the tree: files, directories and links, nothing else; links are not followed."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            try:
                archive.add(tree, arcname=".", filter=_kept)
            except OSError as error:
                raise InputError(
                    f"{tree}: cannot be copied: {error}", hint="every file of it must be readable"
                ) from error
        file.flush()
        fd = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY)
        try:
            yield fd
        finally:
            os.close(fd)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if PurePosixPath(member.name).name in _LEFT_OUT or not (
        member.isreg() or member.isdir() or member.issym() or member.islnk()
    ):
        return None
    member.uid = member.gid = 1000
    member.uname = member.gname = ""
    member.mode = (member.mode & 0o777) | (0o700 if member.isdir() else 0o600)
    return member


def _results(ours: socket.socket, run: ProjectRun, limits: Limits, deadline: float) -> ProjectResult:
    finished: list[Ran] = []
    files: dict[str, bytes] = {}
    bound = 2 * limits.output_bytes + (limits.disk_mb << 20) + (1 << 16)
    try:
        while type(said := channel.receive(ours, deadline, limit=bound)) is tuple:
            out, err, problem, code, cut = said
            texts = [part.decode("utf-8", "replace") for part in (out, err)]
            finished.append(Ran(texts[0], texts[1], str(problem), cut is True, code if code >= 0 else None))
        if said != "end":
            return ProjectResult(tuple(finished), files, str(said)[:200])
        for wanted in run.collect:
            name, data = channel.receive(ours, deadline, limit=bound)
            if name == wanted and type(data) is bytes:
                files[name] = data
    except TimeoutError:
        return ProjectResult(tuple(finished), files, "the sandbox did not answer in time")
    except (OSError, plain.Malformed, ValueError, TypeError, AttributeError):
        return ProjectResult(tuple(finished), files, "the sandbox ended")
    return ProjectResult(tuple(finished), files, "")
