"""Verification: whether an instruction dataset is whole (``thresher verify``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from columns.files import Place
from columns.tables import read_whole
from pipelines.instruction.manifest import read_manifest
from pipelines.stage import COMMIT, describe, outputs_fingerprint, read_json
from pipelines.verification.check import Check, files_word, some


def verify_instruction(place: Place) -> list[Check]:
    """Check every file's size and checksum, every step's rows, and that the steps are those that the manifest tells."""
    steps = read_manifest(place)["steps"]
    files = sum(len(step["files"]) for step in steps)
    wrong = [problem for step in steps for problem in _damage(place, step)]
    rows = [problem for step in steps if not wrong for problem in _miscounted(place, step)]
    return [
        Check("files", f"checksums of {files_word(files)}", some(wrong)),
        Check("rows", f"{sum(step['rows'] for step in steps):,} in {len(steps)} steps", some(rows)),
        Check("steps", "what each was made of", some(_changed(place, steps))),
    ]


def _damage(place: Place, step: Mapping[str, Any]) -> Iterator[str]:
    folder = place.child(step["name"])
    for file in step["files"]:
        name = file["name"]
        if not folder.exists(name):
            yield f"{step['name']}/{name}: missing"
        elif (found := describe(folder, name)) != {"size": file["size"], "sha256": file["sha256"]}:
            same = found["size"] == file["size"]
            what = (
                "the content has changed"
                if same
                else f"expected {file['size']:,} bytes, found {found['size']:,}"
            )
            yield f"{step['name']}/{name}: {what}"


def _miscounted(place: Place, step: Mapping[str, Any]) -> Iterator[str]:
    names = [file["name"] for file in step["files"] if file["name"].startswith("part-")]
    try:
        found = sum(read_whole(place.child(step["name"]), name, []).num_rows for name in names)
    except (OSError, pa.ArrowInvalid) as error:
        yield f"{step['name']}: cannot be read: {' '.join(str(error).split())}"
        return
    if found != step["rows"]:
        yield f"{step['name']}: expected {step['rows']:,} rows, found {found:,}"


def _changed(place: Place, steps: list[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        commit = read_json(place.child(step["name"]), COMMIT)
        if commit is None or outputs_fingerprint(commit) != outputs_fingerprint({"outputs": step["files"]}):
            yield f"{step['name']}: not the step that the manifest tells of"
