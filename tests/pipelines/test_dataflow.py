"""Dataflow's options: each mistake is told in a line, before anything is started."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import EnvironmentProblem, InputError, OutputError, ThresherError
from pipelines.dataflow import FORMS, JOB_NAME, check_options, check_reach, job_name, remote
from pipelines.engine import Engine
from tests.pipelines.building import command

pytest.importorskip("google.cloud.dataflow_v1beta3", reason="needs thresher[gcp]")

GOOD = {
    "project": "my-project", "region": "europe-west4", "temp_location": "gs://mine/temp",
    "sdk_container_image": "europe-west4-docker.pkg.dev/my-project/thresher/thresher:0.1.0",
}  # fmt: skip


def flags(**given: str) -> list[str]:
    return [text for name, value in {**GOOD, **given}.items() if value for text in (f"--{name}", value)]


def test_enough_is_enough():
    check_options(flags())
    check_options([f"--{name}={value}" for name, value in GOOD.items()])


@pytest.mark.parametrize("name", FORMS)
def test_examples_have_the_form(name):
    assert FORMS[name].fits(FORMS[name].example)
    check_options(flags(**{name: FORMS[name].example}))


@pytest.mark.parametrize(
    ("name", "value"),
    [("project", "My Project"), ("project", "p"), ("region", "europe"), ("region", "europe-west4-a"),
     ("temp_location", "/tmp"), ("temp_location", "mine/temp"), ("temp_location", "gs://"),
     ("staging_location", "s3://mine/x"), ("service_account_email", "me@example.org"), ("machine_type", "big"),
     ("machine_type", "n2_standard_4"), ("sdk_container_image", "thresher"), ("sdk_container_image", "a/b"),
     ("sdk_container_image", "host/a/b:tag with space")],
)  # fmt: skip
def test_a_text_of_another_form_is_one_line_with_an_example(name, value):
    with pytest.raises(EnvironmentProblem, match=f"--{name} {re.escape(value)}: expected") as refused:
        check_options(flags(**{name: value}))
    assert FORMS[name].example in (refused.value.hint or "")


@pytest.mark.parametrize("name", ["project", "region", "temp_location"])
def test_what_is_missing_is_named(name, monkeypatch):
    monkeypatch.delenv("CLOUDSDK_COMPUTE_REGION", raising=False)
    with pytest.raises(EnvironmentProblem, match=f"needs --{name}"):
        check_options(flags(**{name: ""}))


def test_the_program_must_come_somehow():
    with pytest.raises(EnvironmentProblem, match="--sdk_container_image") as refused:
        check_options(flags(sdk_container_image=""))
    assert "make sdist" in (refused.value.hint or "")
    check_options([*flags(sdk_container_image=""), "--extra_package", "dist/thresher-0.1.0.tar.gz"])


@pytest.mark.parametrize(
    ("more", "said"),
    [({"max_num_workers": "0"}, "--max_num_workers 0"), ({"num_workers": "0"}, "--num_workers 0"),
     ({"num_workers": "9", "max_num_workers": "8"}, "more than --max_num_workers 8"),
     ({"disk_size_gb": "10"}, "--disk_size_gb 10: expected at least 30")],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(more, said):
    with pytest.raises(EnvironmentProblem, match=said):
        check_options(flags(**more))


def test_workers_of_this_machine_are_not_dataflows():
    with pytest.raises(EnvironmentProblem, match="--workers 4") as refused:
        Engine("dataflow", 4, options=tuple(flags())).check()
    assert "--max_num_workers 4" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "text",
    ["parquet:gs://theirs/*.parquet", "gs://theirs/a.parquet", "jsonl:gs://theirs/a.jsonl.zst", "archive:gs://theirs/",
     "github:octocat/hello", "github:lists/repositories.txt", "bigquery:a.b.c", "bigquery:query.sql"],
)  # fmt: skip
def test_inputs_that_workers_reach(text):
    check_reach([text], "gs://mine/set")


@pytest.mark.parametrize(
    ("text", "said"),
    [("src", "disk"), ("/data/a.parquet", "disk"), ("parquet:/data/*.parquet", "disk"), ("tree:src", "disk"),
     ("file:///data/a.parquet", "disk"), ("git:https://host/a.git@main", "clone"), ("git+https://host/a.git", "clone"),
     ("https://host/a.git", "clone"), ("git:gs://x/y", "clone")],
)  # fmt: skip
def test_inputs_that_workers_do_not_reach(text, said):
    with pytest.raises(InputError, match=said) as refused:
        check_reach([text], "gs://mine/set")
    assert "gs://" in (refused.value.hint or "")


def test_outputs_and_other_folders_must_be_in_a_bucket():
    with pytest.raises(OutputError, match="--output build/set"):
        check_reach([], "build/set")
    with pytest.raises(InputError, match="--reuse build/old"):
        check_reach([], "gs://mine/set", [("--reuse", "build/old")])
    check_reach([], "gs://mine/set", [("--reuse", "gs://mine/old"), ("--against", "redis://host?basename=x")])


@given(st.lists(st.text(max_size=40), max_size=4))
def test_names_of_jobs_are_names_that_dataflow_takes(parts):
    name = job_name("thresher", *parts)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= JOB_NAME


@given(st.text(max_size=80))
def test_any_text_becomes_a_name(text):
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", job_name(text))


@pytest.mark.parametrize("url", ["gs://a/b", "s3://a", "memory://a"])
def test_places_elsewhere(url):
    assert remote(url)
    assert not remote(url.partition("://")[2])


def test_the_command_says_it_before_it_reads_anything(tmp_path):
    done = command(
        "build", "codex", "-i", str(tmp_path), "-o", str(tmp_path / "out"), "--runner", "dataflow", *flags()
    )
    assert done.returncode == 2
    assert "Dataflow's workers do not see this machine's disk" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_googles_packages_the_extra_is_named(monkeypatch):
    def nothing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.util.find_spec", nothing)
    with pytest.raises(EnvironmentProblem, match="needs Google's packages") as refused:
        check_options(flags())
    assert "thresher[gcp]" in (refused.value.hint or "")


def test_two_outputs_have_names_of_their_own():
    def name(purpose: str) -> str:
        options = Engine("dataflow", options=tuple(flags()), purpose=purpose)._options("link")
        return str(options.get_all_options()["job_name"])

    assert name("0a1b2c3d") == "thresher-0a1b2c3d-link"
    assert name("0a1b2c3d") != name("11111111")


def test_a_failed_job_is_told_in_a_line():
    error = RuntimeError(
        "Dataflow pipeline failed. State: FAILED, Error:\nTraceback…\nValueError: it is broken\n"
    )
    told = Engine("dataflow", options=tuple(flags()))._failed("link", error)
    assert isinstance(told, ThresherError)
    assert str(told).splitlines()[0].endswith("link: DataflowRunner failed: ValueError: it is broken")
    assert Engine()._failed("link", error) is error
