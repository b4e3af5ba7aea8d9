"""Warm the kernels: build small datasets, so that every kernel is compiled and lies in the cache.

    NUMBA_CACHE_DIR=FOLDER python infra/warm.py [RECIPE...]      # without names: the built-in recipes

Run when the image is built. A worker that finds its kernels compiled measures at once; else its first batches wait for
the compiler. The processor that is compiled for is named by ``NUMBA_CPU_NAME``, since the cache is of one processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

FILES = 60
OPTIONS = (
    "--set", "guard.share=1.0", "--set", "layout.parts=2", "--set", "dedup.near=true", "--set", "privacy.find=true",
    "--set", "licenses.detect=true", "--set", "tokenizer.spec=train", "--set", "tokenizer.vocab_size=1024",
    "--set", "tokenizer.sample_bytes=400000", "--set", "pack.seq_len=256",
)  # fmt: skip


def main(recipes: list[str]) -> None:
    """Build a dataset with each recipe; the first failure ends it."""
    from pipelines.recipefile import recipe_names

    with tempfile.TemporaryDirectory(prefix="thresher-warm-") as folder:
        source = Path(folder, "source")
        written = write_files(source)
        for name in recipes or sorted(recipe_names()):
            build(name, source, Path(folder, name))
            print(
                f"{name}: built from {written} files, {compiled()} compiled kernels in the cache", flush=True
            )


def write_files(folder: Path) -> int:
    """Some of the interpreter's own files, and copies with a line more: near-duplicates."""
    folder.mkdir()
    library = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(
        path for name in ("json", "email", "http", "logging") for path in (library / name).rglob("*.py")
    )
    for at, path in enumerate(files[:FILES]):
        text = path.read_text("utf-8")
        (folder / f"{at}.py").write_text(text, "utf-8")
        if at % 4 == 0:
            (folder / f"{at}_copy.py").write_text(f"{text}\n# a line that the original has not\n", "utf-8")
    return len(list(folder.iterdir()))


def build(recipe: str, source: Path, output: Path) -> None:
    """One build, in a process of its own, as a worker's work is."""
    command = [sys.executable, "-m", "pipelines", "build", recipe, "-i", str(source), "-o", str(output), "-q"]
    done = subprocess.run(
        [*command, "--workers", "1", *OPTIONS],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        sys.exit(f"{recipe}: {done.stderr.strip()}")


def compiled() -> int:
    """The number of compiled kernels in the cache."""
    return sum(1 for _ in Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbc"))


if __name__ == "__main__":
    main(sys.argv[1:])
