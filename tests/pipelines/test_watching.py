"""Watching from the command line: lines for machines beside a build, a refresh and a takedown."""

from __future__ import annotations

import json

import pytest

from pipelines.logs import EVENTS
from pipelines.ticker import FIELDS
from tests.pipelines.building import command, recipe
from tests.pipelines.corpus import sources, write_tree

JSON_LINES = ("--progress", "json", "--log", "json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("watching")


@pytest.fixture(scope="module")
def tree(folder):
    return write_tree(folder / "tree", dict(list(sources().items())[::10]) | {"bad/secret.py": "a\0b"})


@pytest.fixture(scope="module")
def built(folder, tree):
    arguments = (
        "build",
        recipe(folder),
        "--input",
        str(tree),
        "--output",
        str(folder / "out"),
        "--workers",
        "1",
    )
    return command(*arguments, "--json", *JSON_LINES, check=True)


def told(stderr: str) -> tuple[list[dict], list[dict]]:
    """Progress lines and log lines; anything else is a mistake."""
    lines = [json.loads(line) for line in stderr.splitlines()]
    return [one for one in lines if one["event"] == "progress"], [
        one for one in lines if one["event"] != "progress"
    ]


def test_a_build_writes_json_lines_and_nothing_else(built):
    json.loads(built.stdout)
    progress, log = told(built.stderr)
    assert all(list(line) == list(FIELDS) for line in progress)
    finished = [line["stage"] for line in progress if line["state"] == "finished"]
    assert finished == ["ingest", "measure", "link", "leaks", "decide", "tokenizer", "tokens", "shards"]
    assert {line["event"] for line in log} <= set(EVENTS)
    assert [log[0]["event"], log[-1]["event"]] == ["job_began", "job_finished"]
    parts = [line for line in log if line["event"] == "part_finished" and line["stage"] == "measure"]
    whole = next(line for line in log if line["event"] == "stage_finished" and line["stage"] == "measure")
    assert sorted(line["part"] for line in parts) == list(range(len(parts)))
    assert sum(line["counts"]["rows"] for line in parts) == whole["counts"]["rows"]


def test_inspect_says_what_the_kernels_took(built, folder):
    out = str(folder / "out")
    assert "text" in json.loads(command("inspect", out, "--json").stdout)["kernels"]
    assert "kernels" in command("inspect", out).stdout


@pytest.mark.long
def test_a_refresh_and_a_takedown_do_too(built, folder, tree):
    out = str(folder / "out")
    done = command("refresh", out, "--input", str(tree), "--workers", "1", "--quiet", *JSON_LINES)
    assert done.returncode == 0, done.stderr
    progress, _ = told(done.stderr)
    assert "kept" in {line["state"] for line in progress}
    gone = next(path for path in tree.rglob("*.py") if path.stat().st_size > 500)
    named = ("--path", str(gone.relative_to(tree)), "--signed-off-by", "A", "--reason", "asked")
    done = command("takedown", out, *named, "--workers", "1", "--quiet", *JSON_LINES)
    assert done.returncode == 0, done.stderr
    assert told(done.stderr)[1][-1]["event"] == "job_finished"
    status = json.loads(command("status", out, "--json").stdout)
    assert (status["state"], status["lease"]) == ("finished", None)
    assert "takedown" in status["command"]


def test_the_environment_can_ask_for_logs(folder, tree):
    prelude = "import os; os.environ['THRESHER_LOG'] = 'json'"
    missing = command(
        "build", recipe(folder), "--input", "https://me:secret@host/x.parquet", "--output", str(folder / "no"),
        prelude=prelude,
    )  # fmt: skip
    assert missing.returncode == 2
    assert "secret" not in missing.stderr
    lines = [json.loads(line) for line in missing.stderr.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["job_began", "inputs_listing", "job_failed"]
    assert "error:" in missing.stderr
    assert not (folder / "no").exists()


@pytest.mark.parametrize("more", [(), ("--log", "json")], ids=["people", "machines"])
def test_who_interrupts_a_job_is_told_that_nothing_is_lost(more, folder, tree, tmp_path):
    prelude = (
        "import pipelines.build\n"
        "def stopped(self): raise KeyboardInterrupt\n"
        "pipelines.build.Build._measure = stopped"
    )
    done = command(
        "build",
        recipe(folder),
        "--input",
        str(tree),
        "--output",
        str(tmp_path / "out"),
        *more,
        prelude=prelude,
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    said = "interrupted: what is finished is kept, the same command goes on"
    assert (said in done.stderr.splitlines()) is (more == ())
    assert all(line.startswith("{") for line in done.stderr.splitlines() if more)
    assert not list((tmp_path / "out").rglob(".lease"))


@pytest.mark.parametrize("option", ["--progress", "--log"])
def test_another_kind_is_refused(folder, tree, option):
    done = command(
        "build", recipe(folder), "--input", str(tree), "--output", str(folder / "no"), option, "xml"
    )
    assert done.returncode == 2
    assert "json, got xml" in " ".join(done.stderr.replace("│", " ").split())
    assert not (folder / "no").exists()
