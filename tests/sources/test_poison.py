"""One defect of every kind: every good file is there, every bad one is counted with its reason."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reads import git, read_all

from sources import IngestConfig

GOOD = {f"good_{i:03}.py": f"def f{i}():\n    return {i}\n" for i in range(190)}
CONFIG = IngestConfig(max_bytes=50_000)


def _link(path: Path) -> None:
    path.symlink_to(path.parent)


DEFECTS: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "nul.py": (lambda p: p.write_bytes(b"\0" * 50 + b"x"), "binary"),
    "invalid.py": (lambda p: p.write_bytes(b"# caf\x81\n"), None),
    "legacy.py": (lambda p: p.write_bytes("# Größe\n".encode("latin-1")), None),
    "wide.py": (lambda p: p.write_bytes("x = 'é'\n".encode("utf-16-be")), None),
    "minified.py": (lambda p: p.write_bytes(b"x=1;" * 12_000), None),
    "utf16.py": (lambda p: p.write_bytes("x = 'é'\n".encode("utf-16")), None),
    "mark.py": (lambda p: p.write_bytes(b"\xef\xbb\xbfx = 1\n"), None),
    "empty.py": (lambda p: p.write_bytes(b""), None),
    "large.py": (lambda p: p.write_bytes(b"x" * 50_001), "too_large"),
    "sparse.py": (lambda p: (p.touch(), os.truncate(p, 200 << 20)), "too_large"),
    "new\nline.py": (lambda p: p.write_bytes(b"x = 2\n"), None),
    "image.py": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff"), "binary"),
    "loop.py": (_link, "symlink"),
    "pipe.py": (os.mkfifo, "not_a_file"),
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    root.mkdir()
    for name, text in GOOD.items():
        (root / name).write_text(text)
    for name, (make, _) in DEFECTS.items():
        make(root / name)
    return root


def check_good(table: pa.Table) -> None:
    rows = {row["path"]: row for row in table.to_pylist()}
    for name, text in GOOD.items():
        assert rows[name]["content"] == text
        assert rows[name]["problem"] is None


def test_tree(corpus: Path) -> None:
    table, skipped, _ = read_all(corpus, CONFIG)
    check_good(table)
    rows = {row["path"]: row for row in table.to_pylist()}
    for name, (_, reason) in DEFECTS.items():
        if reason in ("symlink", "not_a_file"):
            assert (name in rows, skipped[reason]) == (False, 1)
        else:
            assert rows[name]["problem"] == reason
            assert (rows[name]["content"] is None) == (reason is not None)
    assert rows["sparse.py"]["size"] == 200 << 20
    assert table.num_rows + sum(skipped.values()) == len(GOOD) + len(DEFECTS)
    assert [rows[n]["lossy"] for n in ("invalid.py", "legacy.py", "utf16.py", "mark.py")] == [
        True,
        False,
        False,
        False,
    ]
    found = {
        n: rows[n]["encoding"]
        for n in ("invalid.py", "legacy.py", "wide.py", "utf16.py", "mark.py", "minified.py")
    }
    assert found == {
        "invalid.py": "utf-8",
        "legacy.py": "windows-1252",
        "wide.py": "utf-16-be",
        "utf16.py": "utf-16-le",
        "mark.py": "utf-8-sig",
        "minified.py": "utf-8",
    }
    assert rows["wide.py"]["content"] == rows["utf16.py"]["content"] == "x = 'é'\n"


def test_git(corpus: Path) -> None:
    for name in ("pipe.py", "sparse.py"):
        (corpus / name).unlink()
    git(corpus, "init", "-q")
    git(corpus, "add", "-A")
    git(corpus, "commit", "-qm", "all")
    table, skipped, _ = read_all(f"git:{corpus}", CONFIG)
    check_good(table)
    assert skipped == {"symlink": 1}
    problems = Counter(p for p in table.column("problem").to_pylist() if p)
    assert problems == {"binary": 2, "too_large": 1}


def test_jsonl(tmp_path: Path) -> None:
    lines = [json.dumps({"path": n, "content": t}).encode() for n, t in GOOD.items()]
    bad = [
        b"{",
        b"\xff",
        b"[]",
        b'{"path": "n.py", "content": null}',
        b'{"content": "' + b"x" * 2_000_000 + b'"}',
        b'{"path": "l.py", "content": "' + b"x" * 60_000 + b'"}',
        b"\0\0\0",
        b'{"content": 1}',
    ]
    for at, line in enumerate(bad):
        lines.insert(at * 20, line)
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "u.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines))[:-9])
    table, _, _ = read_all(f"jsonl:{tmp_path}", CONFIG)
    check_good(table)
    problems = Counter(p.split(":")[0] for p in table.column("problem").to_pylist() if p)
    assert problems == {"malformed": 10, "missing": 2, "too_large": 4, "truncated": 1}


def test_parquet(tmp_path: Path) -> None:
    names = list(GOOD)
    for at in range(0, len(names), 19):
        part = names[at : at + 19]
        pq.write_table(
            pa.table({"path": part, "content": [GOOD[n] for n in part]}), tmp_path / f"p{at:03}.parquet"
        )
    whole = (tmp_path / "p000.parquet").read_bytes()
    (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "text.parquet").write_text("path,content\n" * 50)
    os.mkfifo(tmp_path / "pipe.parquet")
    table, skipped, _ = read_all(f"parquet:{tmp_path}", CONFIG)
    check_good(table)
    assert table.num_rows == len(GOOD) + 3
    assert skipped == {"not_a_file": 1}
    bad = {row["path"]: row["problem"].split(":")[0] for row in table.to_pylist() if row["problem"]}
    assert bad == dict.fromkeys(("half.parquet", "empty.parquet", "text.parquet"), "truncated")
