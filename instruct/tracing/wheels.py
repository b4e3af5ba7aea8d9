"""What a project's tests import: what is installed, what is missing, and wheels fetched for it.

Nothing of a project is built or run here: only wheels are taken, and they are unpacked, not installed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from columns.errors import EnvironmentProblem
from instruct.tracing.ci import Requirement

__all__ = ["fetch_wheels", "installed", "own_pytest", "site_of"]

_WANTED = re.compile(r"[A-Za-z0-9][\w.\-]*(?:\[[\w,.\- ]+\])?\s*(?:[<>=!~]=?\s*[\w.*+!\-]+(?:\s*,\s*)?)*")
_PYTEST = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments")


def installed(folders: Iterable[Path]) -> tuple[str, ...]:
    """Names of the distributions in folders of packages, sorted."""
    found = {path.name.split("-")[0] for folder in folders for path in folder.glob("*.dist-info")}
    return tuple(sorted(found))


def site_of(python: Path) -> tuple[Path, ...]:
    """The folder of installed packages of an interpreter. `EnvironmentProblem` where it does not start."""
    folder = Path(_told(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    return (folder,) if folder.is_dir() else ()


def _told(python: Path, code: str) -> str:
    """What an interpreter prints; one that prints nothing is none."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        said = ""
    else:
        said = done.stdout.strip()
    if not said:
        raise EnvironmentProblem(
            f"{python}: not a Python interpreter that starts", hint="give the path of a python program"
        )
    return said


def own_pytest(into: Path, folders: Sequence[Path]) -> tuple[Path, ...]:
    """A folder with our pytest where none of the folders holds one; nothing where one does.

    `EnvironmentProblem` where pytest is not installed beside Thresher either.
    """
    if any((folder / "pytest").is_dir() for folder in folders):
        return ()
    for name in _PYTEST:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise EnvironmentProblem(
                f"tests are run by pytest, and {name} is not installed",
                hint="pip install pytest, or give --site-packages with it",
            )
        into.mkdir(parents=True, exist_ok=True)
        if spec.submodule_search_locations:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(Path(spec.origin).parent, into / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(spec.origin, into)
    return (into,)


def fetch_wheels(
    requirements: Iterable[Requirement], python: Path, into: Path, *, timeout_s: float = 600
) -> tuple[str, ...]:
    """Download wheels of requirements and unpack them into a folder; returns the names that could not be had.

    Runs ``pip download --only-binary :all:`` of the interpreter that runs Thresher, for the version of ``python``: no
    distribution is built, so no foreign code runs. Each requirement is tried by itself.
    `EnvironmentProblem` where ``python`` does not start.
    """
    lost: list[str] = []
    version = _told(python, "import sys; print('%d.%d' % sys.version_info[:2])")
    for one in requirements:
        wanted = _WANTED.match(one.text)
        folder = into / "wheels" / one.name
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
                   "--only-binary", ":all:", "--python-version", version, "--dest", str(folder),
                   wanted[0].strip() if wanted else one.name]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False, cwd=into)
            failed = done.returncode != 0
        except subprocess.SubprocessError:
            failed = True
        wheels = [] if failed else sorted(folder.glob("*.whl"))
        if failed or not all(_unpacked(wheel, into / "site") for wheel in wheels):
            lost.append(one.name)
    return tuple(lost)


def _unpacked(wheel: Path, into: Path) -> bool:
    """Unpack a wheel's modules; what would leave the folder is left out. False where it is no wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                path = PurePosixPath(name)
                if not path.is_absolute() and ".." not in path.parts:
                    archive.extract(name, into)
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error):
        return False
    return True
