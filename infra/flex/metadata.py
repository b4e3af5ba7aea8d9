"""Metadata: the template's parameters as Dataflow wants them, in ``metadata.json``.

python -m infra.flex.metadata            # writes the file; a test says when it is out of date
python -m infra.flex.metadata IMAGE      # prints the template's whole specification, for a bucket
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from infra.flex.parameters import PARAMETERS, Parameter

FILE = Path(__file__).with_name("metadata.json")
_KINDS = {"recipe": "TEXT", "access": "GCS_READ_FILE", "output": "TEXT"}


def metadata() -> dict[str, Any]:
    """Name, description and parameters of the template."""
    return {
        "name": "Thresher: build or refresh a dataset of source code",
        "description": "Filters, deduplicates, decontaminates, tokenises and shards source code, with a ledger that "
        "says of every file what was decided and why. The job that this starts conducts: it starts the jobs that work.",
        "streaming": False,
        "parameters": [_described(one) for one in PARAMETERS],
    }


def specification(image: str) -> dict[str, Any]:
    """The template's specification, the file in a bucket that a launch names."""
    return {"image": image, "sdkInfo": {"language": "PYTHON"}, "metadata": metadata()}


def _described(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "label": one.label,
        "helpText": one.help,
        "isOptional": not one.required,
        "regexes": [one.regex],
        "paramType": _KINDS.get(one.name, "TEXT"),
    }


def written(value: object) -> str:
    """JSON as it lies in files."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(written(specification(sys.argv[1])))
    else:
        FILE.write_text(written(metadata()), "utf-8")
