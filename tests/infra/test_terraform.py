"""Terraform: formatted, valid against the provider's recorded schema, planned; what it grants is listed here.

Terraform is the real one; the Google provider is a stand-in with the schema of version 6.50.0 (`provider.py`).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.flex.metadata import specification
from infra.flex.parameters import PARAMETERS
from tests.infra.conftest import ROOT, plain_environment

FOLDER = ROOT / "infra" / "terraform"
IMAGE = "europe-west4-docker.pkg.dev/my-project/thresher/thresher:0.1.0"
TERRAFORM = shutil.which("terraform")
VARIABLES = {
    "project": "my-project",
    "region": "europe-west4",
    "image": IMAGE,
    "specification": json.dumps(specification(IMAGE)),
    "parameters": {"recipe": "codex", "input": "parquet:gs://theirs/*.parquet"},
    "input_buckets": ["theirs"],
    "bigquery_datasets": ["code"],
    "notify": "somebody@example.org",
}
# Every role that is granted: to whom, on what. A change here is a change of what an account may do.
GRANTED = {
    ("worker", "project", "roles/bigquery.jobUser"),
    ("worker", "project", "roles/bigquery.readSessionUser"),
    ("worker", "project", "roles/dataflow.developer"),
    ("worker", "project", "roles/dataflow.worker"),
    ("worker", "service_account", "roles/iam.serviceAccountUser"),
    ("worker", "storage_bucket", "roles/storage.legacyBucketReader"),
    ("worker", "storage_bucket", "roles/storage.objectUser"),
    ("worker", "storage_bucket", "roles/storage.objectViewer"),
    ("worker", "artifact_registry_repository", "roles/artifactregistry.reader"),
    ("worker", "bigquery_dataset", "roles/bigquery.dataEditor"),
    ("worker", "bigquery_dataset", "roles/bigquery.dataViewer"),
    ("launcher", "project", "roles/dataflow.developer"),
    ("launcher", "project", "roles/logging.logWriter"),
    ("launcher", "service_account", "roles/iam.serviceAccountUser"),
    ("launcher", "storage_bucket", "roles/storage.objectViewer"),
    ("scheduler", "project", "roles/workflows.invoker"),
}

needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="needs terraform")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the module that keeps its state here, since the real one's is in a bucket."""
    folder = tmp_path_factory.mktemp("terraform") / "module"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    versions = folder / "versions.tf"
    versions.write_text(versions.read_text().replace('backend "gcs" {}', ""))
    (folder / "terraform.tfvars.json").write_text(json.dumps(VARIABLES))
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Terraform told to take the stand-in for the provider, and to ask nobody for anything."""
    folder = tmp_path_factory.mktemp("provider")
    program = folder / "terraform-provider-google"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("provider.py")}"\n')
    program.chmod(0o755)
    settings = folder / "settings.tfrc"
    settings.write_text(
        f'provider_installation {{\n  dev_overrides {{\n    "hashicorp/google" = "{folder}"\n  }}\n  direct {{}}\n}}\n'
    )
    return {
        **plain_environment(), "TF_CLI_CONFIG_FILE": str(settings), "TF_DISABLE_PLUGIN_TLS": "1", "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }  # fmt: skip


def terraform(folder: Path, environment: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    assert TERRAFORM is not None
    return subprocess.run(
        [TERRAFORM, f"-chdir={folder}", *args], capture_output=True, text=True, timeout=200, check=False,
        env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@needs_terraform
def test_files_are_formatted(environment):
    done = terraform(FOLDER, environment, "fmt", "-check", "-diff")
    assert done.returncode == 0, done.stdout


@needs_terraform
def test_the_module_is_valid(module, environment):
    found = json.loads(terraform(module, environment, "validate", "-json").stdout)
    wrong = [one for one in found["diagnostics"] if one["severity"] == "error"]
    assert found["valid"], wrong


@needs_terraform
@pytest.mark.parametrize(
    ("text", "said"),
    [('nonsense = 1', "Unsupported argument"), ('location = ["EU"]', "Incorrect attribute value type"),
     ('location = google_nobody.x.name', "Invalid resource type|Reference to undeclared resource"),
     ('location = google_service_account.worker.nonsense', "Unsupported attribute"),
     ("", "Missing required argument")],
)  # fmt: skip
def test_the_stand_in_lets_terraform_see_mistakes(module, environment, tmp_path, text, said):
    folder = tmp_path / "broken"
    shutil.copytree(module, folder)
    location = text if "location" in text or not text else f'location = "EU"\n  {text}'
    (folder / "more.tf").write_text(
        f'resource "google_storage_bucket" "more" {{\n  name = "more"\n  {location}\n}}\n'
    )
    found = json.loads(terraform(folder, environment, "validate", "-json").stdout)
    assert not found["valid"]
    assert re.search(said, json.dumps(found["diagnostics"]))


@pytest.fixture(scope="module")
def planned(module: Path, environment: dict[str, str]) -> dict:
    """What Terraform would make of an empty project."""
    if TERRAFORM is None:
        pytest.skip("needs terraform")
    done = terraform(module, environment, "plan", "-refresh=false", "-out=plan", "-no-color")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(terraform(module, environment, "show", "-json", "plan").stdout))


def resources(planned: dict, kind: str) -> list[dict]:
    found = planned["planned_values"]["root_module"]["resources"]
    return [one for one in found if one["type"] == f"google_{kind}"]


def test_accounts_are_granted_what_is_listed_and_no_more(planned):
    addresses = {
        one["address"].partition("[")[0]: one["expressions"]
        for one in planned["configuration"]["root_module"]["resources"]
    }
    granted = set()
    for one in planned["planned_values"]["root_module"]["resources"]:
        if one["type"].endswith("_iam_member"):
            [account] = {
                reference.split(".")[1]
                for reference in addresses[one["address"].partition("[")[0]]["member"]["references"]
                if reference.startswith("google_service_account.")
            }
            on = one["type"].removeprefix("google_").removesuffix("_iam_member")
            granted.add((account, on, one["values"]["role"]))
    assert granted == GRANTED
    assert not [role for _, _, role in granted if role in {"roles/owner", "roles/editor", "roles/viewer"}]
    assert not [role for _, _, role in granted if role.endswith((".admin", "Admin"))]


def test_buckets_are_closed_and_forget_what_is_temporary(planned):
    [bucket] = resources(planned, "storage_bucket")
    assert bucket["values"]["uniform_bucket_level_access"]
    assert bucket["values"]["public_access_prevention"] == "enforced"
    deleted = [rule for rule in bucket["values"]["lifecycle_rule"] if rule["action"][0]["type"] == "Delete"]
    assert [rule["condition"][0]["matches_prefix"] for rule in deleted] == [["temp/", "staging/"]]


def test_the_template_in_the_bucket_is_the_specification(planned):
    [template] = resources(planned, "storage_bucket_object")
    assert json.loads(template["values"]["content"]) == specification(IMAGE)


def test_alerts_are_raised_for_failures_and_for_implausible_funnels(planned):
    policies = {one["name"]: one["values"] for one in resources(planned, "monitoring_alert_policy")}
    assert set(policies) == {"failed_job", "failed_refresh", "guard", "funnel"}
    assert all(len(one["conditions"]) >= 1 for one in policies.values())
    share = [one["condition_threshold"][0] for one in policies["funnel"]["conditions"]]
    assert {(one["comparison"], one["threshold_value"]) for one in share} == {
        ("COMPARISON_LT", 0.02), ("COMPARISON_GT", 0.95)
    }  # fmt: skip


def test_without_an_address_nobody_is_notified(module, environment):
    if TERRAFORM is None:
        pytest.skip("needs terraform")
    done = terraform(module, environment, "plan", "-refresh=false", "-no-color", "-var", "notify=")
    assert done.returncode == 0, done.stderr
    assert "google_monitoring_notification_channel" not in done.stdout


@needs_terraform
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [("project", "My Project", "a project's id"), ("region", "europe", "a region"),
     ("parameters", '{"recipe":"codex"}', "at least recipe and input"),
     ("parameters", '{"recipe":"codex","input":"x","output":"gs://a/b"}', "names the output itself"),
     ("dataset", "My Set", "lower-case letters"), ("specification", "image", "infra.flex.metadata"),
     ("least_kept_share", "2", "a share from 0 to 1")],
)  # fmt: skip
def test_wrong_variables_are_refused_in_words(module, environment, variable, value, said):
    done = terraform(
        module, environment, "plan", "-refresh=false", "-no-color", "-var", f"{variable}={value}"
    )
    assert done.returncode
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_the_dashboard_shows_metrics_that_are_made(planned):
    [dashboard] = resources(planned, "monitoring_dashboard")
    layout = json.loads(dashboard["values"]["dashboard_json"])["mosaicLayout"]
    made = {one["values"]["name"] for one in resources(planned, "logging_metric")}
    text = json.dumps(layout)
    assert set(re.findall(r"logging\.googleapis\.com/user/([\w/]+)", text)) <= made
    places = [(tile.get("xPos", 0), tile.get("yPos", 0)) for tile in layout["tiles"]]
    assert len(set(places)) == len(places)
    assert all(tile["xPos"] + tile["width"] <= layout["columns"] for tile in layout["tiles"])


def test_the_dashboard_names_counters_that_the_program_makes():
    """Read from the text, so that it holds where there is no Terraform, too."""
    from pipelines.metrics import NAMES

    text = (FOLDER / "dashboard.tf").read_text()
    block = re.search(r"counters = \{(.*?)\n  \}", text, re.DOTALL)
    assert block is not None
    wanted = re.findall(r'= "([^"]+)"', block[1])
    examples = {re.sub(r"<\w+>", "x", name) for name in NAMES}
    made = examples | {f"{name}_MEAN" for name in examples if name.endswith("milliseconds")}
    assert len(wanted) >= 5
    for pattern in wanted:
        assert any(re.fullmatch(pattern, name) for name in made), pattern


def test_metrics_find_the_conductors_line(planned):
    from pipelines.conductor import FINISHED, figures

    summary = {"files": {"read": 4, "kept": 1}, "bytes": {"read": 8, "kept": 2}, "tokens": {"written": 7}}
    line = f"{FINISHED}{json.dumps(figures(summary), sort_keys=True)}"
    extractors = {
        one["values"]["name"]: one["values"]["value_extractor"]
        for one in resources(planned, "logging_metric")
        if one["values"].get("value_extractor")
    }
    found = {}
    for name, extractor in extractors.items():
        match = re.fullmatch(r'REGEXP_EXTRACT\(jsonPayload\.message, "(.*)"\)', extractor)
        assert match, extractor
        number = re.search(match[1].replace('\\"', '"'), line)
        assert number, (extractor, line)
        found[name] = float(number[1])
    assert found == {f"thresher/{name}": float(value) for name, value in figures(summary).items()}


def steps(found: list[dict]) -> dict[str, dict]:
    named: dict[str, dict] = {}
    for one in found:
        [(name, body)] = one.items()
        assert name not in named
        named[name] = body
        named |= steps(body.get("except", {}).get("steps", []))
    return named


@pytest.fixture(scope="module")
def workflow() -> dict[str, dict]:
    return steps(yaml.safe_load((FOLDER / "workflow.yaml").read_text("utf-8"))["main"]["steps"])


def test_every_next_step_of_the_workflow_is_there(workflow):
    said = re.findall(r"next: (\w+)", (FOLDER / "workflow.yaml").read_text("utf-8"))
    assert set(said) <= set(workflow)


def test_the_workflow_reads_what_terraform_sets(planned, workflow):
    text = (FOLDER / "workflow.yaml").read_text("utf-8")
    [made] = resources(planned, "workflows_workflow")
    [set_by] = [
        one["expressions"]["user_env_vars"] for one in planned["configuration"]["root_module"]["resources"]
        if one["type"] == "google_workflows_workflow"
    ]  # fmt: skip
    assert set_by
    terms = (FOLDER / "schedule.tf").read_text("utf-8")
    given = set(re.findall(r"^    ([A-Z]+) +=", terms, re.MULTILINE))
    assert set(re.findall(r'sys\.get_env\("(\w+)"\)', text)) == given
    assert made["values"]["source_contents"] == text


def test_the_workflow_sets_parameters_that_the_template_has():
    text = (FOLDER / "workflow.yaml").read_text("utf-8")
    assert set(re.findall(r"parameters\.(\w+):", text)) <= {one.name for one in PARAMETERS}


def test_expressions_of_the_workflow_are_closed():
    text = (FOLDER / "workflow.yaml").read_text("utf-8")
    assert text.count("${") == len(re.findall(r"\$\{[^}\n]+\}", text))


def test_every_variable_and_output_is_described():
    for name in ("variables.tf", "outputs.tf"):
        text = (FOLDER / name).read_text("utf-8")
        found = re.findall(r'^(?:variable|output) "(\w+)" \{\n  description = "(.+)"$', text, re.MULTILINE)
        assert len(found) == len(re.findall(r"^(?:variable|output) ", text, re.MULTILINE))


def test_the_page_names_every_variable():
    page = (ROOT / "docs" / "dataflow.md").read_text("utf-8")
    names = re.findall(r'^variable "(\w+)"', (FOLDER / "variables.tf").read_text("utf-8"), re.MULTILINE)
    assert [name for name in names if f"`{name}`" not in page] == []
