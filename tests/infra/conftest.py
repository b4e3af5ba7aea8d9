"""What the tests of the deployment share: a bucket in an emulator, the package that workers get, their environment."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.infra.dataflow import Dataflow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUCKET = "mine"
SITE = """
import time
from fsspec.asyn import AsyncFileSystem
time.sleep = lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.2))  # the runner asks every five seconds how it is
from gcsfs import GCSFileSystem
GCSFileSystem._mv_file = AsyncFileSystem._mv_file  # the emulator cannot move, and says so in a way of its own
"""


@dataclass(frozen=True)
class Worker:
    """A clean environment with the package that is staged for workers, and nothing of the checkout."""

    sdist: Path
    python: str


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Worker:
    """Make the package as ``make sdist`` does, and install it as a worker does; dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("worker")
    sdist = make_sdist(folder / "dist")
    home = folder / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    (site / "sitecustomize.py").write_text(SITE)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [
        sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-build-isolation",
        "--no-index", "--ignore-installed", str(sdist),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=200, cwd=folder, env=plain_environment())
    (home / "sdist.sha256").write_text(hashlib.sha256(sdist.read_bytes()).hexdigest())
    return Worker(sdist, str(python))


@dataclass(frozen=True)
class Image:
    """What the image is once it is built, outside Docker: the package installed, the template, kernels compiled."""

    python: str
    environment: dict[str, str]
    kernels: Path

    def script(self, name: str, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts of ``infra`` in it."""
        command = [self.python, str(ROOT / "infra" / name), *args]
        environment = {**self.environment, **more}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=800, env=environment
        )

    def compiled(self) -> set[str]:
        """The names of the compiled kernels."""
        return {path.name for path in self.kernels.rglob("*.nbc")}


def image_settings() -> dict[str, str]:
    """What the image sets for the programs in it."""
    block = re.search(
        r"^ENV ((?:.*\\\n)*.*)$", (ROOT / "infra" / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    assert block
    return dict(pair.split("=", 1) for pair in re.findall(r"(\w+=[^\s\\]*)", block[1]))


@pytest.fixture(scope="session")
def image(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Do what the Dockerfile does with the installed package: set variables, copy the template, warm the kernels."""
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("the image is for processors with AVX2")
    template, kernels = tmp_path_factory.mktemp("template"), tmp_path_factory.mktemp("kernels")
    shutil.copytree(
        ROOT / "infra", template / "infra", ignore=shutil.ignore_patterns("terraform", "__pycache__")
    )
    said = {name: value.strip('"') for name, value in image_settings().items()}
    ours = {
        "NUMBA_CACHE_DIR": str(kernels),
        "PYTHONPATH": str(template),
        "THRESHER_BEAM": version("apache-beam"),
    }
    built = Image(worker.python, {**plain_environment(), **said, **ours, "OMP_NUM_THREADS": "1"}, kernels)
    done = built.script("warm.py", "codex")
    assert done.returncode == 0, done.stderr
    return built


def make_sdist(folder: Path) -> Path:
    """The package, made by the command that ``make sdist`` runs."""
    code = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder.parent / "source"
    left_out = shutil.ignore_patterns(
        ".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "benchmarks", "docs"
    )
    shutil.copytree(ROOT, copy, ignore=left_out)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True, timeout=200, cwd=copy,
        env=plain_environment(),
    )  # fmt: skip
    return folder / done.stdout.split()[-1]


def plain_environment() -> dict[str, str]:
    """This process's environment without what points Python at the checkout."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


@contextmanager
def emulated() -> Iterator[dict[str, str]]:
    """An emulated bucket "mine"; yields the variables with which programs find it."""
    pytest.importorskip("gcsfs", reason="needs thresher[gcp]")
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="needs gcp-storage-emulator")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = emulator.create_server("127.0.0.1", port, True, BUCKET)
    server.start()
    _wait(port)
    yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}", "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
    server.stop()


@contextmanager
def seen_here(variables: Mapping[str, str]) -> Iterator[Any]:
    """The emulated bucket as this process sees it."""
    import fsspec
    from fsspec.asyn import AsyncFileSystem
    from gcsfs import GCSFileSystem

    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(GCSFileSystem, "_mv_file", AsyncFileSystem._mv_file)  # the emulator cannot move
        GCSFileSystem.clear_instance_cache()
        yield fsspec.filesystem("gs")
        GCSFileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def module_bucket() -> Iterator[Any]:
    """A bucket for all tests of a module."""
    with emulated() as variables, seen_here(variables) as filesystem:
        yield filesystem


@pytest.fixture
def bucket_environment(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """An emulated bucket, and the variables with which other processes find it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    with emulated() as variables:
        yield {
            **plain_environment(), **variables, "THRESHER_TEST_SITE": str(site), "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1", "COLUMNS": "200",
        }  # fmt: skip


@pytest.fixture
def bucket(bucket_environment: Mapping[str, str]) -> Iterator[Any]:
    """The emulated bucket as this process sees it."""
    names = ("STORAGE_EMULATOR_HOST", "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT")
    with seen_here({name: bucket_environment[name] for name in names}) as filesystem:
        yield filesystem


def _wait(port: int) -> None:
    for _ in range(100):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.05)
    raise RuntimeError("the emulator did not answer")


@pytest.fixture
def dataflow(image: Image, bucket_environment: Mapping[str, str], tmp_path: Path) -> Iterator[Dataflow]:
    """The double of the service, with the emulated bucket; its workers find the kernels of the image."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    kernels = {name: value for name, value in image.environment.items() if name.startswith("NUMBA_")}
    with Dataflow(image.python, {**bucket_environment, **kernels}, folder) as service:
        yield service
