"""The schedule without a cloud: its script run again and again, and its units as far as they can be checked."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from columns.files import Place
from columns.versions import Versions
from pipelines.history import adopt
from tests.pipelines.building import ROOT, recipe
from tests.pipelines.test_refresh import built
from tests.pipelines.test_reuse import File, first, write

SCHEDULE = ROOT / "infra" / "schedule"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A dataset that was built once and is its version 1, and the file of settings for its refreshes."""
    folder = tmp_path_factory.mktemp("schedule")
    (folder / "incoming").mkdir()
    root = built(folder, "set", write(folder / "incoming", "one", first(6)))
    adopt(root)
    file = folder / "refresh.env"
    thresher = f"{sys.executable} -m pipelines"
    file.write_text(
        f'DATASET={root.url}\nINPUTS="parquet:{folder}/incoming/*.parquet"\nTHRESHER="{thresher}"\n'
    )
    return folder, file, root


def scheduled(file: Path | None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **more}
    return subprocess.run(
        [SCHEDULE / "refresh.sh", *([file] if file else [])], capture_output=True, text=True, timeout=240,
        env=environment, check=False, cwd=ROOT,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.long
def test_the_script_run_again_and_again(settings):
    folder, file, root = settings
    same = scheduled(file)
    assert same.returncode == 0, same.stderr
    assert "nothing to do" in same.stdout or "version 2" in same.stdout
    numbers = Versions(root).numbers()
    write(folder / "incoming", "two", [File("src/more.py", "x = 1\n" * 50)])
    changed = scheduled(file, KEEP="1")
    assert changed.returncode == 0, changed.stderr
    number = numbers[-1] + 1
    assert f"version {number}: 1 added" in changed.stdout
    assert Versions(root).numbers() == [number]
    again = scheduled(file)
    assert again.returncode == 0, again.stderr
    assert f"nothing to do: the snapshot gives version {number}" in again.stdout
    assert Versions(root).numbers() == [number]


@pytest.mark.slow
def test_the_script_builds_what_is_not_there_yet(settings, tmp_path):
    _, file, _ = settings
    mine = tmp_path / "first.env"
    mine.write_text(
        file.read_text().replace("DATASET=", f"RECIPE={recipe(tmp_path)}\nDATASET={tmp_path}/made\nOLD=")
    )
    done = scheduled(mine)
    assert done.returncode == 0, done.stderr
    assert "version 1: the first one" in done.stdout
    assert Versions(Place(str(tmp_path / "made"))).numbers() == [1]


def test_settings_that_are_missing_are_named():
    done = scheduled(None, DATASET="", INPUTS="")
    assert done.returncode != 0
    assert "DATASET" in done.stderr


def test_a_refresh_that_fails_removes_nothing(settings, tmp_path):
    _, file, root = settings
    broken = tmp_path / "broken.env"
    broken.write_text(file.read_text().replace("/incoming/*.parquet", "/nowhere/*.parquet"))
    before = Versions(root).numbers()
    done = scheduled(broken, KEEP="1")
    assert done.returncode == 2
    assert "error:" in done.stderr
    assert Versions(root).numbers() == before


def units() -> list[configparser.ConfigParser]:
    found = []
    for name in ("thresher-refresh.service", "thresher-refresh.timer"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str
        parser.read(SCHEDULE / name)
        found.append(parser)
    return found


def test_the_units_name_what_is_there():
    service, timer = units()
    assert Path(service["Service"]["ExecStart"]).relative_to("/opt/thresher") == Path(
        "infra/schedule/refresh.sh"
    )
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert (SCHEDULE / "crontab").read_text().split("\n")[1].endswith("refresh.sh /etc/thresher/refresh.env")
    named = {
        line.partition("=")[0]
        for line in (SCHEDULE / "refresh.env").read_text().splitlines()
        if line[:1] != "#"
    }
    script = (SCHEDULE / "refresh.sh").read_text()
    assert all(f"{name}" in script for name in named)


def test_systemd_knows_the_units(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    for name in ("thresher-refresh.service", "thresher-refresh.timer"):
        text = (SCHEDULE / name).read_text().replace("/opt/thresher/infra/schedule/refresh.sh", "/bin/true")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "verify", *sorted(map(str, tmp_path.iterdir()))], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert "thresher-refresh" not in done.stderr, done.stderr


def test_calendar_of_the_timer_is_a_calendar():
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    done = subprocess.run(
        [program, "calendar", units()[1]["Timer"]["OnCalendar"]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
