from __future__ import annotations

import os
import pickle
import socket
import subprocess
from pathlib import Path

import pytest
from reads import by_path, ids, read, read_all

from columns.errors import InputError
from sources import IngestConfig, parse_spec, read_unit
from sources.trees import source as trees
from sources.unit import UNIT_BYTES


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, raw in {
        "a.py": b"a = 1\n",
        "src/b.PYI": b"b: int\n",
        "src/deep/c.go": b"package c\n",
        "Makefile": b"all:\n",
        ".hidden/d.py": b"d = 1\n",
        "notes.xyz": b"?",
        ".git/config.py": b"no",
        "sub/.git": b"gitdir: x",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(raw)
    return root


def test_rows(tree: Path) -> None:
    table, skipped, listing = read_all(f"tree:{tree}")
    found = by_path(table)
    assert sorted(found) == [".hidden/d.py", "Makefile", "a.py", "src/b.PYI", "src/deep/c.go"]
    row = found["src/b.PYI"]
    assert (row["repo"], row["language"], row["content"], row["size"]) == ("project", "python", "b: int\n", 7)
    assert (row["source"], row["provenance"], row["ref"], row["problem"]) == (
        "tree",
        "project/src/b.PYI",
        None,
        None,
    )
    assert skipped == {"other_language": 1, "version_control": 2}
    assert listing.files == 5
    assert listing.total_bytes == sum(row["size"] for row in found.values())


def test_selected_languages(tree: Path) -> None:
    table, skipped, _ = read_all(f"tree:{tree}", IngestConfig(languages=("go",)))
    assert list(by_path(table)) == ["src/deep/c.go"]
    assert skipped["other_language"] == 5


def test_symlinks_are_counted_never_followed(tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("key")
    (tree / "loop").symlink_to(tree)
    (tree / "self.py").symlink_to("self.py")
    (tree / "out.py").symlink_to(secret)
    (tree / "dangling.py").symlink_to("nowhere")
    table, skipped, _ = read_all(f"tree:{tree}")
    assert table.num_rows == 5
    assert skipped["symlink"] == 4


def test_root_may_be_a_symlink(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert read(tmp_path / "link").num_rows == 5


def test_special_files_are_counted_never_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tree / "pipe.py")
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.py")
        table, skipped, _ = read_all(f"tree:{tree}")
    assert table.num_rows == 5
    assert skipped["not_a_file"] == 2


def test_awkward_names(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    names = [
        b"new\nline.py",
        b"caf\xe9.py",
        "ü.py".encode(),
        b"sp ace.py",
        b"-dash.py",
        b"\x01\x1b.py",
        b"back\\slash.py",
    ]
    for name in names:
        with open(os.path.join(root, name), "wb") as file:
            file.write(name)
    found = by_path(read(tmp_path))
    assert set(found) == {n.decode("utf-8", "backslashreplace") for n in names}
    assert all(row["problem"] is None for row in found.values())


def test_vanished_and_replaced_files_keep_their_rows(tree: Path) -> None:
    config = IngestConfig()
    listing = parse_spec(f"tree:{tree}").units(config)
    (tree / "a.py").unlink()
    (tree / "src/b.PYI").unlink()
    os.mkfifo(tree / "src/b.PYI")
    (tree / "Makefile").unlink()
    (tree / "Makefile").symlink_to("/etc/hostname")
    rows = {r["path"]: r for u in listing.units for b in read_unit(u, config) for r in b.to_pylist()}
    assert rows["a.py"]["problem"] == "missing"
    assert rows["src/b.PYI"]["problem"] == "unreadable: no longer a regular file"
    assert rows["Makefile"]["problem"].startswith("unreadable: ")
    assert rows["src/deep/c.go"]["content"] == "package c\n"


def test_refused_file(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: bytes, *rest: int) -> int:
        if path.endswith(b"a.py"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest)

    monkeypatch.setattr(trees.os, "open", refuse)
    found = by_path(read(tree))
    assert found["a.py"]["problem"] == "unreadable: Permission denied"
    assert found["a.py"]["content"] is None
    assert found["Makefile"]["content"] == "all:\n"


def test_unreadable_folder_is_counted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def refuse(path: bytes) -> object:
        if path.endswith(b"deep"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(trees.os, "scandir", refuse)
    table, skipped, _ = read_all(f"tree:{tree}")
    assert table.num_rows == 4
    assert skipped["unreadable_folder"] == 1


def test_folder_seen_twice_is_read_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, same = os.stat, os.stat(tree)
    monkeypatch.setattr(trees.os, "stat", lambda p, **k: same if str(p).endswith("deep'") else real(p, **k))
    assert read_all(f"tree:{tree}")[1]["folder_loop"] == 1


def test_too_large(tree: Path) -> None:
    row = by_path(read(tree, IngestConfig(max_bytes=6)))["src/b.PYI"]
    assert (row["content"], row["problem"], row["size"], row["content_hash"]) == (None, "too_large", 7, None)


def test_very_deep_tree(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deeper", dir_fd=here)
        below = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (tmp_path / "top.py").write_text("x")
    try:
        table, skipped, _ = read_all(f"tree:{tmp_path}")
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "deeper")], check=True)
    assert (table.num_rows, skipped["unreadable_folder"]) == (1, 1)


def test_units_are_bounded_sorted_and_picklable(tmp_path: Path) -> None:
    for name in "dacb":
        with open(tmp_path / f"{name}.py", "wb") as file:
            file.truncate(UNIT_BYTES // 2)
    config = IngestConfig(max_bytes=UNIT_BYTES)
    listing = parse_spec(str(tmp_path)).units(config)
    assert [unit.paths for unit in listing.units] == [(b"a.py", b"b.py"), (b"c.py", b"d.py")]
    assert pickle.loads(pickle.dumps(listing.units)) == listing.units
    assert listing == parse_spec(str(tmp_path)).units(config)


def test_batches_are_bounded(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i}.py").write_bytes(b"x" * 1000)
    unit = parse_spec(str(tmp_path)).units(IngestConfig()).units[0]
    assert [b.num_rows for b in read_unit(unit, IngestConfig(), batch_bytes=2500)] == [2] * 10
    assert ids(read(tmp_path, batch_bytes=1)) == ids(read(tmp_path))


def test_location_does_not_change_identity(tree: Path, tmp_path: Path) -> None:
    first = read(tree)
    (tmp_path / "elsewhere").mkdir()
    tree.rename(tmp_path / "elsewhere" / "project")
    assert read(tmp_path / "elsewhere" / "project").equals(first)


def test_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(InputError, match="not a directory"):
        parse_spec(f"tree:{tmp_path / 'file.txt'}")


def test_empty_tree(tmp_path: Path) -> None:
    table, skipped, listing = read_all(f"tree:{tmp_path}")
    assert (table.num_rows, skipped, listing.units) == (0, {}, ())
