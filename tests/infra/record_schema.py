"""Record the part of the Google provider's schema that ``infra/terraform`` uses, from the CDK's generated bindings.

    pip download --no-deps cdktf-cdktf-provider-google==16.12.1 -d FOLDER
    python tests/infra/record_schema.py FOLDER/cdktf_cdktf_provider_google-16.12.1-py3-none-any.whl

The bindings are generated from the provider's own schema (6.50.0): which arguments and blocks there are, their types,
which of them must be given. What they do not say (sets or lists, the most blocks of a kind) is not checked.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("provider_schema.json")
ROOM = "@cdktf/provider-google."
RESOURCES = (
    "project_service", "storage_bucket", "storage_bucket_iam_member", "storage_bucket_object",
    "artifact_registry_repository", "artifact_registry_repository_iam_member", "service_account",
    "service_account_iam_member", "project_iam_member", "bigquery_dataset", "bigquery_dataset_iam_member",
    "workflows_workflow", "cloud_scheduler_job", "logging_metric", "monitoring_alert_policy",
    "monitoring_notification_channel", "monitoring_dashboard",
)  # fmt: skip
DATA = ("project",)
META = {"connection", "count", "dependsOn", "forEach", "lifecycle", "provider", "provisioners"}
_NAMED = re.compile(r"#(\w+)}")


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def terraform_name(prop: dict[str, Any]) -> str:
    match = _NAMED.search(prop.get("docs", {}).get("remarks", ""))
    return match[1] if match else snake(prop["name"])


def plain(kind: dict[str, Any]) -> Any:
    """A type as Terraform writes it, or the name of a block's interface in a tuple with whether there may be many."""
    if "primitive" in kind:
        return {"boolean": "bool", "any": "dynamic"}.get(kind["primitive"], kind["primitive"])
    if "union" in kind:
        [found] = [one for one in kind["union"]["types"] if one.get("fqn") != "cdktf.IResolvable"]
        return plain(found)
    if "collection" in kind:
        inner = plain(kind["collection"]["elementtype"])
        if isinstance(inner, tuple):
            return (inner[0], True)
        return ["map" if kind["collection"]["kind"] == "map" else "list", inner]
    return (kind["fqn"], False)


def block(types: dict[str, Any], fqn: str) -> dict[str, Any]:
    found: dict[str, Any] = {"attributes": {}, "blocks": {}}
    for prop in types[fqn].get("properties", []):
        if prop["name"] in META:
            continue
        kind, required = plain(prop["type"]), not prop.get("optional", False)
        if isinstance(kind, tuple):
            inner = block(types, kind[0])
            found["blocks"][terraform_name(prop)] = {"required": required, "many": kind[1], **inner}
        else:
            found["attributes"][terraform_name(prop)] = {"type": kind, "required": required}
    return found


def computed(types: dict[str, Any], fqn: str, known: set[str]) -> dict[str, Any]:
    """What can be read of a resource and not be given."""
    found = {}
    for prop in types[fqn].get("properties", []):
        name = snake(prop["name"])
        readable = not prop.get("static") and not prop["name"].endswith("Input") and name not in known
        if readable and prop["type"].get("primitive") in ("string", "number"):
            found[name] = {"type": prop["type"]["primitive"], "computed": True}
    return found


def recorded(types: dict[str, Any], name: str) -> dict[str, Any]:
    camel = "".join(part.capitalize() for part in name.split("_"))
    room = f"{ROOM}{camel[0].lower()}{camel[1:]}.{camel}"
    found = block(types, f"{room}Config")
    known = {*found["attributes"], *found["blocks"]}
    return {**found, "attributes": {**found["attributes"], **computed(types, room, known)}}


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(archive.read(name))) as bindings:
            member = bindings.extractfile("package/.jsii")
            assert member is not None
            types = json.load(member)["types"]
    text = types[f"{ROOM}storageBucket.StorageBucketConfig"]["properties"][0]["docs"]["remarks"]
    found = {
        "provider": "hashicorp/google",
        "version": re.search(r"google/([\d.]+)/", text)[1],  # type: ignore[index]
        "resources": {f"google_{name}": recorded(types, name) for name in RESOURCES},
        "data": {f"google_{name}": recorded(types, f"data_google_{name}") for name in DATA},
        "configuration": block(types, f"{ROOM}provider.GoogleProviderConfig"),
    }
    FILE.write_text(json.dumps(found, sort_keys=True, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
