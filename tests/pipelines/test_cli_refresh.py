"""The commands refresh, takedown and gc as people use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from columns.files import Place
from columns.versions import Versions
from pipelines import cli
from pipelines.lease import leased
from tests.pipelines.building import command, recipe
from tests.pipelines.test_refresh import GIVEN, built
from tests.pipelines.test_reuse import TEXTS, File, write


def called(*arguments: str):
    done = CliRunner().invoke(cli.app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def files() -> list[File]:
    """Two copies, the better one in the repository that will go."""
    plain = [File(f"src/{at}.py", TEXTS[at]) for at in range(5)]
    return [
        *plain,
        File("lib/same.py", TEXTS[0], "ada/engine", stars=9),
        File("lib/own.py", TEXTS[9], "ada/engine"),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def root(folder):
    return built(folder, "set", write(folder, "one", files()))


@pytest.mark.xdist_group("cli_refresh")
def test_a_month_of_a_dataset(folder, root):
    recipe(folder, GIVEN.format(parts=3))
    snapshot = write(folder, "two", [*files(), File("src/new.py", TEXTS[20])])
    code, out = called("refresh", root.url, "-i", str(snapshot))
    assert code == 0, out
    assert "version 2: 1 added" in out
    assert "measured   1 file, 7 taken over" in out
    assert "tokenised  1 file, 6 taken over" in out
    assert f"thresher gc {root.url} --keep 1" in out
    code, out = called(
        "refresh", root.url, "-i", str(snapshot), "--recipe", str(folder / "small.yaml"), "--json"
    )
    assert code == 0, out
    said = json.loads(out)
    assert (said["changed"], said["version"], said["place"]) == (False, 2, f"{root.url}/versions/000002")
    code, out = called("refresh", root.url, "-i", str(snapshot))
    assert "nothing to do: the snapshot gives version 2" in out

    code, out = called("inspect", root.url, "--json")
    assert json.loads(out)["files"]["read"] == 8
    code, out = called("inspect", f"{root.url}/versions/000001", "--json")
    assert json.loads(out)["files"]["read"] == 7
    assert called("verify", root.url)[0] == 0

    asked = (
        "takedown",
        root.url,
        "--repo",
        "ada/engine",
        "--reason",
        "by mail",
        "--signed-off-by",
        "Grace H.",
    )
    code, out = called(*asked)
    assert code == 0, out
    assert "version 3: 2 files removed, 2 of them in shards" in out
    assert "promoted   1 copy" in out
    assert "nothing of them is left" in out
    assert "version 1, 2 still holds some of it" in out
    assert "signed off by" in (Path(root.url) / "removals" / "000003.md").read_text()
    code, out = called(*asked, "--json")
    assert code == 0
    assert json.loads(out)["version"]["changed"] is False

    code, out = called("gc", root.url, "--keep", "2")
    assert (code, out) == (0, "removed version 1; kept: 2, 3\n")
    code, out = called("takedown", root.url, "--path", "src/4.py", "--purge")
    assert "removed    version 2, 3" in out
    assert "still holds" not in out
    code, out = called("gc", root.url, "--json")
    assert json.loads(out) == {"removed": [], "kept": [4]}
    assert Versions(root).numbers() == [4]
    assert called("verify", root.url)[0] == 0


@pytest.mark.xdist_group("cli_refresh")
def test_one_command_for_every_month(tmp_path):
    chosen = ("--recipe", recipe(tmp_path, GIVEN.format(parts=2)), "--first", "--keep", "2", "--workers", "1")
    root = Place(str(tmp_path / "set"))
    snapshot = write(tmp_path, "one", files())
    code, out = called("refresh", root.url, "-i", str(snapshot), *chosen)
    assert code == 0, out
    assert "version 1: the first one" in out
    assert "stays until" not in out
    for month, numbers in ((2, [1, 2]), (3, [2, 3])):
        more = [File(f"src/new{n}.py", TEXTS[20 + n]) for n in range(month)]
        code, out = called(
            "refresh", root.url, "-i", str(write(tmp_path, f"m{month}", [*files(), *more])), *chosen
        )
        assert code == 0, out
        assert f"version {month}: {1 if month == 3 else 2} added" in out
        assert Versions(root).numbers() == numbers
    assert "removed    version 1" in out
    code, out = called("refresh", root.url, "-i", str(snapshot), *chosen, "--json")
    said = json.loads(out)
    assert (said["version"], said["removed"], said["changes"]["removed"]) == (4, [2], 3)
    assert said["summary"]["files"]["read"] == 7
    assert called("verify", root.url)[0] == 0


@pytest.mark.xdist_group("cli_refresh")
def test_mistakes_are_one_line_and_exit_code_two(folder, root, tmp_path):
    snapshot = str(write(tmp_path, "two", files()))
    empty = tmp_path / "empty"
    empty.mkdir()
    done = command("refresh", str(empty), "-i", snapshot, "--recipe", "codex")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no finished dataset here" in done.stderr
    assert "thresher build" in done.stderr
    done = command("takedown", root.url, "--blob", "12")
    assert done.returncode == 2
    assert "--blob: expected 40 or 64 hex digits" in done.stderr
    done = command("takedown", root.url)
    assert done.returncode == 2
    assert "nothing to remove" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.xdist_group("cli_refresh")
def test_the_second_run_is_told_who_is_at_work(root, tmp_path):
    snapshot = str(write(tmp_path, "two", files()))
    before = Versions(root).numbers()
    with leased(Place(root.url), "takedown"):
        done = command("refresh", root.url, "-i", snapshot, "--recipe", "codex")
    assert done.returncode == 2
    assert "takedown is under way (process" in done.stderr
    assert Versions(root).numbers() == before
