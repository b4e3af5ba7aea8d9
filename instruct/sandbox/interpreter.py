"""Which files of the host a Python interpreter needs: the only ones that are seen in the sandbox."""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from columns.errors import EnvironmentProblem

_ASK = """
import json, sys, sysconfig
print(json.dumps([sys.base_prefix, sys.base_exec_prefix, sysconfig.get_path("stdlib"),
                  getattr(sys, "_base_executable", ""),
                  sysconfig.get_config_var("MULTIARCH") or "", list(sys.version_info[:2])]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter.

    Attributes:
        executable: the program itself, not a link to it.
        visible: files and directories that are bound read-only, at their own paths.
        hidden: directories below them that are covered by empty ones (installed packages).
        version: major and minor.
    """

    executable: str
    visible: tuple[str, ...]
    hidden: tuple[str, ...]
    version: tuple[int, int]


@functools.cache
def interpreter(python: Path | None = None) -> Interpreter:
    """The files of an interpreter (this one by default): itself, its standard library, shared libraries; no packages.

    Raises:
        EnvironmentProblem: it does not start, or is none.
    """
    program = str(python or sys.executable)
    try:
        told = subprocess.run([program, "-I", "-S", "-c", _ASK], capture_output=True, check=True, timeout=60)
        prefix, exec_prefix, stdlib, base, multiarch, version = json.loads(told.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise EnvironmentProblem(
            f"the Python interpreter {program} does not start: {error}", hint="name another one"
        ) from None
    executable = os.path.realpath(base or program)
    libraries = (
        [stdlib] if prefix in ("/usr", "/") else [os.path.join(each, "lib") for each in {prefix, exec_prefix}]
    )
    visible = dict.fromkeys([executable, *sorted(libraries), *_shared(multiarch)])
    packages = ("site-packages", "dist-packages")
    hidden = [os.path.join(stdlib, name) for name in packages if os.path.isdir(os.path.join(stdlib, name))]
    return Interpreter(executable, tuple(visible), tuple(hidden), (version[0], version[1]))


def _shared(multiarch: str) -> list[str]:
    """Directories of shared libraries: by Debian's layout, by Fedora's, else all of ``/usr/lib``."""
    names = {multiarch or f"{platform.machine()}-linux-gnu"}
    debian = [f"{root}/{name}" for root in ("/lib", "/usr/lib") for name in sorted(names)]
    found = [path for path in (*debian, "/lib64", "/usr/lib64") if os.path.isdir(path)]
    return found if any(path in found for path in (*debian, "/usr/lib64")) else ["/lib", "/usr/lib"]
