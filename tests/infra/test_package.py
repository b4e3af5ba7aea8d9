"""The package that workers get: all that the rooms hold is in it, and it is the program."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.infra.conftest import ROOT, Worker, plain_environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ROOMS = sorted(name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"])


@pytest.fixture(scope="module")
def files() -> set[str]:
    """Every file of the rooms that git has or would add."""
    listing = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *ROOMS,
    ]
    done = subprocess.run(listing, capture_output=True, check=False) if shutil.which("git") else None
    if done is None or done.returncode:
        pytest.skip("not a git checkout")
    return {name.decode() for name in done.stdout.split(b"\0") if name and (ROOT / name.decode()).exists()}


def test_everything_in_the_rooms_is_in_the_package(worker: Worker, files: set[str]) -> None:
    with tarfile.open(worker.sdist) as archive:
        packed = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    assert sorted(files - packed) == []


def test_everything_in_the_rooms_is_installed(worker: Worker, files: set[str]) -> None:
    code = (
        "import json, pathlib, pipelines; home = pathlib.Path(pipelines.__file__).parent.parent; "
        "print(json.dumps([str(p.relative_to(home)) for p in home.rglob('*') if p.is_file()]))"
    )
    done = subprocess.run(
        [worker.python, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=120,
        env=plain_environment(),
    )  # fmt: skip
    assert sorted(files - set(json.loads(done.stdout))) == []


def test_the_command_is_there(worker: Worker) -> None:
    done = subprocess.run(
        [worker.python, "-I", "-m", "pipelines", "--version"], capture_output=True, text=True, check=True,
        timeout=120, env=plain_environment(),
    )  # fmt: skip
    assert done.stdout.strip() == f"thresher {PROJECT['project']['version']}"


def test_nothing_else_is_in_the_package(worker: Worker) -> None:
    with tarfile.open(worker.sdist) as archive:
        top = {
            PurePosixPath(name).parts[1] for name in archive.getnames() if len(PurePosixPath(name).parts) > 2
        }
    assert {name for name in top if not name.endswith(".egg-info")} == set(ROOMS)
