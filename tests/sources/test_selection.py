"""Which files are read: by language, and licence texts as evidence about their neighbours."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources import IngestConfig, parse_spec, read_unit
from sources.selection import EVIDENCE, is_evidence, selected_language

NAMES = r"(.*/)?(license|copying)[^/]*"
BOTH = IngestConfig(languages=("python",), evidence=NAMES)


@pytest.mark.parametrize(
    ("path", "stated", "languages", "expected"),
    [
        ("a.py", None, ("python", "go"), "python"),
        ("a.c", None, ("python", "go"), None),
        ("unknown", None, ("python",), None),
        ("a.c", None, (), "c"),
        ("unknown", None, (), None),
        ("a.txt", "python", ("python",), "python"),
        ("a.py", "c", ("python",), None),
        (None, "python", ("python",), "python"),
        (None, None, ("python",), None),
    ],
)
def test_by_language(path: str | None, stated: str | None, languages: tuple[str, ...], expected: str | None):
    assert selected_language(path, IngestConfig(languages=languages), stated) == expected


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("LICENSE", True),
        ("deep/in/Licenses.md", True),
        ("COPYING.LESSER", True),
        ("my_license.txt", False),
        ("license/a.txt", False),
        ("", False),
    ],
)
def test_evidence_is_told_by_the_whole_path(path: str, found: bool):
    assert is_evidence(path, NAMES) is found
    assert not is_evidence(path, "")


def test_a_wanted_file_is_never_mere_evidence():
    assert selected_language("license_tool.py", BOTH) == "python"
    assert selected_language("LICENSE.md", IngestConfig(evidence=NAMES)) == "markdown"
    assert selected_language("LICENSE.md", BOTH) == EVIDENCE


def _read(spec: str, config: IngestConfig) -> dict[str, str | None]:
    listing = parse_spec(spec).units(config)
    skipped: Counter[str] = Counter()
    found: dict[str, str | None] = {}
    for unit in listing.units:
        for batch in read_unit(unit, config, batch_bytes=1 << 20, skipped=skipped):
            found |= dict(
                zip(batch.column("path").to_pylist(), batch.column("language").to_pylist(), strict=True)
            )
    return found


def _write(folder: Path) -> None:
    (folder / "lib").mkdir(parents=True)
    for name in ("LICENSE", "lib/COPYING", "lib/a.py", "lib/a.c", "README"):
        (folder / name).write_text(f"{name}\n")


WANTED = {"LICENSE": EVIDENCE, "lib/COPYING": EVIDENCE, "lib/a.py": "python"}


def test_trees_hold_their_licence_texts(tmp_path: Path):
    _write(tmp_path / "tree")
    assert _read(f"tree:{tmp_path / 'tree'}", BOTH) == WANTED
    assert _read(f"tree:{tmp_path / 'tree'}", IngestConfig(languages=("python",))) == {"lib/a.py": "python"}


def test_repositories_hold_their_licence_texts(tmp_path: Path):
    folder = tmp_path / "repo"
    _write(folder)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    assert _read(f"git:{folder}", BOTH) == WANTED


def test_tables_hold_their_licence_texts(tmp_path: Path):
    table = pa.table(
        {
            "content": ["x", "y", "z", "w"],
            "path": ["LICENSE", "a.py", "COPYING", "b.c"],
            "language": ["Text", "Python", None, "C"],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    found = _read(f"parquet:{tmp_path / 'rows.parquet'}", BOTH)
    assert found == {"LICENSE": EVIDENCE, "a.py": "python", "COPYING": EVIDENCE}
    every = _read(f"parquet:{tmp_path / 'rows.parquet'}", IngestConfig(evidence=NAMES))
    assert every == {"LICENSE": "text", "a.py": "python", "COPYING": EVIDENCE, "b.c": "c"}
