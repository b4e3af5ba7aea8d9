"""A small dataset of token ids, and the interpreters that other loaders are installed in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from columns.files import Place
from shards.exports import Source, import_documents
from shards.packing import PackConfig

EOT, VOCABULARY = 0, 61_000
LENGTHS = [11, 0, 40, 3, 16, 15, 1, 100, 7, 33, 2, 64]


@pytest.fixture
def made(tmp_path, stream) -> Callable[..., Source]:
    """``made(dtype=…, split=…, **pack)``: a split of an imported dataset of twelve documents."""

    def make(
        dtype: type = np.uint16, split: str = "train", lengths: list[int] = LENGTHS, **pack: Any
    ) -> Source:
        options = {"seq_len": 16, "shard_tokens": 128, "tail": "pad", "validation_fraction": 0.0} | pack
        place = Place(str(tmp_path / "made"))
        vocabulary = VOCABULARY if dtype is np.uint16 else 90_000
        import_documents(
            stream(lengths, dtype), place, PackConfig(**options), eot_id=EOT, vocab_size=vocabulary
        )
        return Source(place, split, vocabulary)

    return make


@pytest.fixture
def ask() -> Callable[..., Any]:
    """Run a program of another library's reader and return the JSON it prints.

    The library is taken from this environment, or from one of its own: ``$THRESHER_READERS/NAME/bin/python``.
    """

    def run(name: str, module: str, program: str) -> Any:
        folder = os.environ.get("THRESHER_READERS")
        python = Path(folder, name, "bin", "python") if folder else None
        interpreter = str(python) if python and python.exists() else sys.executable
        there = subprocess.run(
            [interpreter, "-c", f"import {module}"], capture_output=True, check=False, timeout=200
        )
        if there.returncode:
            pytest.skip(f"{module} is not installed here, nor in $THRESHER_READERS/{name}")
        done = subprocess.run(
            [interpreter, "-c", program], capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
