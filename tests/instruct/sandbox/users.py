"""Commands as other users than the tests' own, which may be root: an ordinary one, and root of open folders."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

from instruct.sandbox.launch import bubblewrap

ROOT = Path(__file__).resolve().parents[3]
USER = "54321"


def as_ordinary_user(*words: str) -> list[str] | str:
    """This interpreter with ``words``, as nobody in particular; or why that cannot be done."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        return "only root can become another user, with setpriv"
    drop = [setpriv, "--reuid", USER, "--regid", USER, "--clear-groups", "--"]
    return [*_opened(), *drop, sys.executable, *words]


def as_root_of_open_folders(*words: str) -> list[str] | str:
    """This interpreter with ``words``, as root where everybody can reach it; or why that cannot be done."""
    if os.geteuid() != 0:
        return "the tests do not run as root"
    return [*_opened(), sys.executable, *words]


def _opened() -> list[str]:
    """The words before a command for which no folder is closed that it needs.

    Directories that let nobody in, such as /root, are covered in a mount namespace, and what Python needs of them is
    shown there again: this interpreter, its packages and this checkout.
    """
    needed = sorted({Path(sys.base_prefix), Path(sys.prefix), ROOT, *_packages()})
    closed = {top for path in needed if (top := _closed(path)) is not None}
    command = [bubblewrap(), "--dev-bind", "/", "/"]
    for top in sorted(closed):
        command += ["--perms", "0755", "--tmpfs", str(top)]
    for path in needed:
        top = _closed(path)
        if top is not None:
            for parent in reversed(
                [each for each in path.parents if each.is_relative_to(top) and each != top]
            ):
                command += ["--perms", "0755", "--dir", str(parent)]
            command += ["--ro-bind", str(path), str(path)]
    return [*command, "--chdir", str(ROOT), "--"]


def _packages() -> list[Path]:
    return [Path(path) for path in sys.path if path and Path(path).is_dir()]


def _closed(path: Path) -> Path | None:
    """The topmost directory on the way to a path that an ordinary user cannot pass."""
    for each in reversed(path.parents):
        if not each.stat().st_mode & stat.S_IXOTH:
            return each
    return None
