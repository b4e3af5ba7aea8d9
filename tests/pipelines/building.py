"""Builds for tests: in this process, and as the command in another one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from columns.files import Place
from pipelines.build import STAGES, Build, BuildOptions
from pipelines.engine import Engine
from pipelines.progress import Display
from pipelines.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[2]
PLAIN = "import sys\nsys.modules['apache_beam.io.gcp'] = None"
"""Start as a plain install does, without Beam's own Google clients: they are half a second of every start."""
RECIPE = """
extends: codex
name: small
layout: {parts: 4}
tokenizer: {vocab_size: 1024, sample_bytes: 400000}
pack: {seq_len: 256, shard_tokens: 65536, validation_fraction: 0.1}
"""


def recipe(folder: Path, text: str = RECIPE) -> str:
    """The path of a recipe file."""
    path = folder / "small.yaml"
    path.write_text(text)
    return str(path)


def build(
    folder: Path, output: str | Path, inputs: Sequence[str | Path], *, workers: int = 1, mode: str = "threads",
    batch_bytes: int = 8 << 20, text: str = RECIPE, stages: tuple[str, ...] = STAGES, flags: tuple[str, ...] = (),
) -> Place:  # fmt: skip
    """Build in this process, as the command does; returns the dataset's place."""
    engine = Engine("DirectRunner", workers, mode, flags, batch_bytes)
    place = Place(str(output))
    options = BuildOptions(tuple(str(spec) for spec in inputs), place, (), stages)
    display = Display(Console(), quiet=True)
    Build(load_recipe(recipe(folder, text)), options, engine, display, alone=True).run()
    return place


def command(
    *args: str, prelude: str = "", check: bool = False, timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run ``thresher`` in a process of its own, after ``prelude`` (Python that sets a trap)."""
    code = f"{PLAIN}\n{prelude}\nsys.argv[0] = 'thresher'\nfrom pipelines.__main__ import main\nmain()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=timeout, env=environment,
        check=check, cwd=ROOT,
    )  # fmt: skip


RESULT = ("ledger", "shards")
FOLDERS = (
    "documents", "facts", "links", "licenses", "known", "functions/facts", "functions/links", "paragraphs", "leaks",
    "cuts", "ledger", "tokenizer", "shards",
)  # fmt: skip


def result_bytes(place: Place) -> dict[str, bytes]:
    """Everything that must be equal between equal builds: ledger, shards, tokenizer and manifest."""
    found = {"manifest.json": place.read("manifest.json"), "report.html": place.read("report.html")}
    for folder in FOLDERS:
        child = place.child(folder)
        found |= {
            f"{folder}/{name}": child.read(name) for name in child.names() if not name.startswith("_stage")
        }
    return found


def assert_same(one: Place, other: Place, *, but: Sequence[str] = ()) -> None:
    """Compare two datasets file by file."""
    left, right = result_bytes(one), result_bytes(other)
    assert set(left) == set(right)
    different = [name for name in left if left[name] != right[name] and not name.startswith(tuple(but))]
    assert different == []
