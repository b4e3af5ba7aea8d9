"""The template: its metadata is the command's, and what it takes becomes the command line that a person would type."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from infra.flex.main import CONDUCTOR_MACHINE, IMAGE, described
from infra.flex.metadata import FILE, metadata, specification, written
from infra.flex.parameters import LEFT_OUT, PARAMETERS, SEPARATOR, command_line, named, option_help, options
from pipelines.dataflow import check_options
from pipelines.recipefile import recipe_names

pytest.importorskip("google.cloud.dataflow_v1beta3", reason="needs thresher[gcp]")

GIVEN = {"recipe": "codex", "input": "parquet:gs://theirs/*.parquet", "output": "gs://mine/set"}
LAUNCHER = (
    "--runner=DataflowRunner", "--project=my-project", "--region=europe-west4", "--temp_location=gs://mine/temp",
    "--service_account_email=w@my-project.iam.gserviceaccount.com", "--job_name=thresher-x",
    "--sdk_container_image=europe-west4-docker.pkg.dev/p/thresher/thresher:1",
)  # fmt: skip


def test_the_file_is_what_the_command_has_now():
    assert FILE.read_text("utf-8") == written(metadata()), "python -m infra.flex.metadata writes it again"


def test_every_option_of_the_command_is_a_parameter_or_left_out_for_a_reason():
    ours = {one.flag for one in PARAMETERS if one.flag and not one.beam}
    assert ours | set(LEFT_OUT) == set(options())
    assert not ours & set(LEFT_OUT)


def test_every_other_parameter_is_an_option_of_beam():
    from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

    parser = _BeamArgumentParser(allow_abbrev=False)
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    known = {name for action in parser._actions for name in action.option_strings}
    assert {one.flag for one in PARAMETERS if one.beam} <= known


def test_metadata_has_what_dataflow_wants():
    found = metadata()
    names = [one["name"] for one in found["parameters"]]
    assert len(set(names)) == len(names)
    assert [one["name"] for one in found["parameters"] if not one["isOptional"]] == [
        "recipe",
        "input",
        "output",
    ]
    for one in found["parameters"]:
        assert set(one) == {"name", "label", "helpText", "isOptional", "regexes", "paramType"}
        assert re.fullmatch(r"[a-z][a-z_]*", one["name"])
        assert one["paramType"] in {"TEXT", "GCS_READ_FILE"}
        assert len(one["helpText"]) > 40


@pytest.mark.parametrize("one", PARAMETERS, ids=lambda one: one.name)
def test_examples_fit_their_patterns(one):
    assert one.values(one.example)
    assert one.example in one.help
    if one.many:
        assert one.values(f"{one.example}{SEPARATOR}{one.example}") == [one.example, one.example]
    else:
        assert one.values(one.example) == [one.example]


@pytest.mark.parametrize("one", PARAMETERS, ids=lambda one: one.name)
@pytest.mark.parametrize("text", ["", " ", "a b", "\n", "--flag", "/etc/passwd"])
def test_other_texts_are_refused(one, text):
    with pytest.raises(InputError, match=one.name):
        one.values(text)


@pytest.mark.parametrize("one", PARAMETERS, ids=lambda one: one.name)
def test_patterns_use_what_all_engines_have(one):
    assert not re.search(r"\(\?|\\[pPAzZbB]|\*\+|\+\+", one.regex), "the console's engine has none of this"


@pytest.mark.parametrize("name", sorted(recipe_names()))
def test_every_recipe_can_be_named(name):
    assert named("recipe").values(name) == [name]


def test_a_command_line_is_what_a_person_would_type():
    parameters = {**GIVEN, "set": "filters.line_max=800;pack.seq_len=4096", "stage_max_workers": "8"}
    assert command_line(parameters) == (
        "refresh", "gs://mine/set", "--first", "--yes", "--runner", "dataflow", "--recipe", "codex",
        "--input", "parquet:gs://theirs/*.parquet", "--set", "filters.line_max=800", "--set", "pack.seq_len=4096",
        "--max_num_workers", "8",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["recipe", "input", "output"])
def test_what_is_missing_is_named(name):
    with pytest.raises(InputError, match=f"{name}: missing"):
        command_line({key: value for key, value in GIVEN.items() if key != name})


@given(st.lists(st.from_regex(r"\A[a-z_.]{1,12}=[^;\n]{1,12}\Z"), min_size=1, max_size=4))
def test_several_values_come_apart_as_they_were_put_together(values):
    assert named("set").values(SEPARATOR.join(values)) == values


@pytest.mark.parametrize(("text", "given"), [("true", True), ("false", False)])
def test_a_switch_is_given_or_left_out(text, given):
    found = command_line({**GIVEN, "keep_tokenizer": text, "keep": "3"})
    assert ("--keep-tokenizer" in found) is given
    assert found[-2:] == ("--keep", "3")


def test_help_is_the_commands_own():
    assert option_help("--recipe") == options()["--recipe"]
    assert option_help("--column") + " (repeatable)" == options()["--column"]


def test_the_conductor_is_small_and_hands_on_what_the_launcher_says():
    argv = [
        *(f"--{key}={value}" for key, value in GIVEN.items()),
        "--stage_machine_type=n2-highmem-8",
        *LAUNCHER,
    ]
    found, arguments = described(argv)
    worker = found.get_all_options()
    assert (worker["machine_type"], worker["num_workers"], worker["max_num_workers"]) == (
        CONDUCTOR_MACHINE,
        1,
        1,
    )
    pairs = dict(zip(arguments[4::2], arguments[5::2], strict=False))
    assert pairs["--machine_type"] == "n2-highmem-8"
    assert pairs["--project"] == "my-project"
    assert pairs["--sdk_container_image"].endswith("thresher:1")
    assert pairs["--service_account_email"].startswith("w@")
    assert "--job_name" not in pairs
    check_options(arguments)


def test_the_image_that_the_template_runs_in_is_the_jobs_image(monkeypatch):
    monkeypatch.setenv(IMAGE, "europe-west4-docker.pkg.dev/p/thresher/thresher:2")
    argv = [*(f"--{key}={value}" for key, value in GIVEN.items()), *LAUNCHER[:-1]]
    assert "europe-west4-docker.pkg.dev/p/thresher/thresher:2" in described(argv)[1]


def test_private_workers_stay_private():
    argv = [*(f"--{key}={value}" for key, value in GIVEN.items()), *LAUNCHER, "--no_use_public_ips",
            "--subnetwork=regions/europe-west4/subnetworks/mine"]  # fmt: skip
    arguments = described(argv)[1]
    assert "--no_use_public_ips" in arguments
    assert arguments[arguments.index("--subnetwork") + 1] == "regions/europe-west4/subnetworks/mine"


def test_the_specification_names_image_language_and_parameters():
    found = json.loads(written(specification("i:1")))
    assert found["image"] == "i:1"
    assert found["sdkInfo"] == {"language": "PYTHON"}
    assert found["metadata"] == metadata()
