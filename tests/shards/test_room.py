"""The room: its public names exist, are documented, and importing it loads no heavy library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import shards


def test_public_names_exist_and_are_documented():
    assert shards.__all__ == sorted(shards.__all__)
    for name in shards.__all__:
        assert getattr(shards, name).__doc__


def test_importing_the_room_is_light():
    heavy = "{'tiktoken', 'tokenizers', 'gigatoken', 'apache_beam', 'ray', 'torch', 'datasets'}"
    script = f"import sys, shards; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
