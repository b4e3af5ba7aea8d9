"""Everything hostile at once: a build ends well, marks or counts each thing, and writes nothing but its output."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import struct
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from reads import git, read_all, repository

from columns.errors import InputError
from columns.files import Place
from columns.tables import read_whole
from sources.archives import Limits
from tests.pipelines.building import RECIPE, command, recipe

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "github"), str(HERE / "archives")]

from archived import header, info, problems, read, save, tar_bytes, zip_bytes  # noqa: E402
from servers import GitHandler, GitServer, serving  # noqa: E402

OUTSIDE = "left_outside_of_everything = 'do not read me'\n"
GOOD = {
    f"good_{number}.py": f"def good_{number}(value):\n    return value * {number}\n" for number in range(40)
}
RAW = {name: text.encode() for name, text in GOOD.items()}
MORE = """
ingest: {languages: [], max_bytes: 100000, gitignore: true}
archives: {ratio_floor: 65536, header_bytes: 65536, path_bytes: 300}
github: {metadata: list, max_entries: 3000}
"""


def old_tree(folder: Path) -> str:
    """A repository as old programs made them: a mode with a zero in front, which fsck refuses."""
    repository(folder, {"lib/a.py": b"a = 1\n", "b.py": b"b = 2\n"})
    lib, blob = (bytes.fromhex(git(folder, "rev-parse", f"HEAD:{name}")) for name in ("lib", "b.py"))
    raw = b"100644 b.py\0" + blob + b"040000 lib\0" + lib
    tree = git(folder, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", tree, "-m", "old"))
    return tree


def bomb(folder: Path) -> None:
    """10^10 paths in some hundred bytes."""
    repository(folder, {"a.py": b"a = 1\n"})
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    for _ in range(10):
        lines = "".join(f"040000 tree {tree}\td{i}\n" for i in range(10))
        tree = git(folder, "mktree", stdin=lines.encode())
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", tree, "-m", "bomb"))


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    root = tmp_path / "upstream"
    root.mkdir()
    with serving(GitHandler, GitServer(str(root))) as server:
        yield server


def test_old_repositories_that_fsck_refuses_are_read(tmp_path: Path, upstream: GitServer) -> None:
    folder = Path(upstream.root, "o", "old.git")
    tree = old_tree(folder)
    with pytest.raises(CalledProcessError):
        git(folder, "fsck", "--strict")
    assert git(folder, "rev-parse", "HEAD^{tree}") == tree
    for where in (str(folder), f"{upstream.url}/o/old.git"):
        table, skipped, listing = read_all(f"git:{where}", workdir=str(tmp_path / "work"))
        assert (table.column("path").to_pylist(), skipped) == (["b.py", "lib/a.py"], {})
        listing.discard()


def test_the_users_wish_for_fsck_changes_nothing(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_tree(Path(upstream.root, "o", "old.git"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[transfer]\n\tfsckObjects = true\n")
    table, _, _ = read_all(f"git:{upstream.url}/o/old.git", workdir=str(tmp_path / "work"))
    assert table.num_rows == 2


def test_nothing_is_fetched_while_reading(tmp_path: Path) -> None:
    """A filtered clone asks its server for each blob that is not there, unless it is forbidden to."""
    full, partial = tmp_path / "full", tmp_path / "partial"
    repository(full, {"large.py": b"x = 1\n" * 4000, "small.py": b"y = 2\n"})
    git(full, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--bare", "--filter=blob:limit=1k", f"file://{full}", str(partial))
    before = {path: path.stat().st_size for path in partial.rglob("*")}
    with pytest.raises(InputError, match="git cannot list commit") as refused:
        read_all(f"git:{partial}")
    assert {path: path.stat().st_size for path in partial.rglob("*")} == before
    git(partial, *str(refused.value.hint).rpartition("git ")[2].split())
    assert read_all(f"git:{partial}")[0].column("problem").to_pylist() == [None, None]


@pytest.mark.parametrize("depth", [1, 2])
def test_archives_of_archives_are_not_entered(tmp_path: Path, depth: int) -> None:
    raw = zip_bytes({"quine.py": b"x" * 100_000})
    for _ in range(depth):
        raw = zip_bytes({"more.zip": raw, "a.py": b"a = 1\n"})
    table, skipped = read(save(tmp_path, "a.zip", raw))
    assert (table.column("path").to_pylist(), skipped) == (["a.py"], {"nested_archive": 1})


def test_limits_of_bytes_hold_whatever_the_ratio(tmp_path: Path) -> None:
    files = {f"{number}.py": bytes(str(number), "ascii") * 300_000 for number in range(20)}
    limits = Limits(total_bytes=3_000_000)
    for name, raw in (("a.tar", tar_bytes(files)), ("a.zip", zip_bytes(files, zipfile.ZIP_STORED))):
        table, _ = read(save(tmp_path, name, raw), limits=limits)
        assert 5 <= table.num_rows < 18
        assert problems(table)[name].startswith("too_large: inflates to more than 3,000,000 bytes")


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_headers_are_bounded_before_they_are_held(tmp_path: Path, kind: bytes) -> None:
    huge = header(b"././@LongLink", b"%011o" % (1 << 32), kind)
    table, _ = read(save(tmp_path, "a.tar", tar_bytes({"a.py": b"a"})[:1024] + huge))
    assert problems(table) == {"a.tar": "malformed: a header of 4,294,967,296 bytes, after member 1"}


def hostile_tar() -> bytes:
    others = [
        info("link.py", tarfile.SYMTYPE, "../outside.py"),
        info("hard.py", tarfile.LNKTYPE, "/etc/passwd"),
        info("device.py", tarfile.CHRTYPE),
        info("pipe.py", tarfile.FIFOTYPE),
    ]
    names = ("../escape.py", "/escape.py", "a/../../escape.py", "C:\\escape.py", "x" * 301 + ".py")
    return tar_bytes(
        [(name, b"escaped = True\n") for name in names]
        + [("Case.py", b"case = 1\n"), ("case.py", b"case = 2\n"), ("case.py", b"case = 3\n")]
        + [("inner.tar", tar_bytes(RAW)), ("caf\udce9.py", b"caf = 1\n")],
        others,
    )


def sealed(method: int, *, encrypted: bool) -> bytes:
    """A zip archive whose member says that it is encrypted, or packed in a way that nobody reads here."""
    raw = bytearray(zip_bytes({"sealed.py": b"sealed = 1\n"}, zipfile.ZIP_STORED))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        struct.pack_into("<HH", raw, raw.find(mark) + flags, int(encrypted), method)
    return bytes(raw)


def make_archives(folder: Path) -> None:
    folder.mkdir()
    save(folder, "hostile.tar", hostile_tar())
    save(
        folder, "bomb.tar.gz", gzip.compress(tar_bytes({"bomb.py": b"\n" * 90_000, "more.py": b"x" * 80_000}))
    )
    save(folder, "bomb.tar.bz2", bz2.compress(tar_bytes({"bomb2.py": bytes(10 << 20)})))
    bombs = {f"bomb_{number}.py": bytes(90_000) for number in range(30)}
    save(folder, "bomb.zip", zip_bytes(bombs))
    save(folder, "header.tar", tar_bytes({}, [])[:0] + header(b"@", b"%011o" % (1 << 30), b"x"))
    save(folder, "cut.tar.gz", gzip.compress(tar_bytes(RAW))[:200])
    save(folder, "noise.zip", b"PK\3\4" + bytes(range(256)))
    save(folder, "encrypted.zip", sealed(0, encrypted=True))
    save(folder, "deflate64.zip", sealed(9, encrypted=False))
    save(folder, "good.zip", zip_bytes({"good_zip.py": b"def good_zip():\n    return 'zip'\n"}))


def make_tables(folder: Path) -> None:
    folder.mkdir()
    pq.write_table(pa.table({"path": ["t.py"], "content": [b"\xff\0\0\0"]}), folder / "nul.parquet")
    whole = io.BytesIO()
    pq.write_table(pa.table({"path": ["u.py"] * 50, "content": ["u = 1\n"] * 50}), whole)
    save(folder, "half.parquet", whole.getvalue()[:300])
    save(folder, "empty.parquet", b"")
    lines = [
        b'{"path": "../../evil.py", "content": "evil = 1\\n"}',
        b"[" * 100_000,
        b'{"content": "\\ud800"}',
    ]
    lines += [
        b"\xff\xfe{",
        b'{"path": "n.py", "content": "a\\u0000b"}',
        b'{"content": "' + b"x" * 2_000_000 + b'"}',
    ]
    save(folder, "lines.jsonl", b"\n".join(lines))
    save(folder, "cut.jsonl.gz", gzip.compress(b"\n".join(lines))[:-12])


def make_tree(folder: Path) -> None:
    folder.mkdir()
    for name, text in GOOD.items():
        (folder / name).write_text(text)
    for name in ("utf-8-sig", "utf-16", "utf-32", "utf-16-be", "utf-32-le"):
        (folder / f"{name}.py").write_bytes(f"text = 'é {name}'\n".encode(name))
    (folder / "legacy.py").write_bytes("# комментарий к программе\n".encode("cp1251"))
    (folder / "nul.py").write_bytes(b"a = 1\0\0\0\0")
    (folder / "minified.js").write_bytes(b"var x=1;" * 12_000)
    (folder / "large.py").write_bytes(b"x" * 100_001)
    (folder / "link.py").symlink_to("../../outside.py")
    (folder / "up").symlink_to("../..")
    os.mkfifo(folder / "pipe.py")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\x1b[31m.py")).write_text("caf = 1\n")
    (folder / ".gitignore").write_bytes(b"*a" * 200 + b"b\nignored.py\n\xff\n")
    (folder / "ignored.py").write_text("ignored = 1\n")


def make_git(folder: Path, trap: Path) -> None:
    repository(folder, {"hooked.py": b"hooked = 1\n", "sub/link.c": b"int link;\n"})
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.hooksPath", "filter.x.smudge"):
        git(folder, "config", key, f"touch {trap}")
    git(folder, "config", "remote.origin.url", f"ext::touch {trap}")
    git(folder, "config", "remote.origin.promisor", "true")
    git(folder, "config", "protocol.ext.allow", "always")


def listing(folder: Path, *but: str) -> dict[str, Any]:
    """Everything below a folder: kinds, sizes, times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not name.startswith(but):
            facts = path.lstat()
            found[name] = (facts.st_mode, facts.st_size if path.is_file() else 0, facts.st_mtime_ns)
    return found


@pytest.fixture
def hostile(tmp_path: Path, upstream: GitServer) -> Path:
    """A folder of everything, and an access file for the bombs on the server."""
    (tmp_path / "outside.py").write_text(OUTSIDE)
    root = tmp_path / "hostile"
    root.mkdir()
    make_archives(root / "archives")
    make_tables(root / "tables")
    make_tree(root / "tree")
    make_git(root / "git", tmp_path / "trap")
    bomb(Path(upstream.root, "bo", "mb.git"))
    old_tree(Path(upstream.root, "o", "old.git"))
    repository(Path(upstream.root, "bl", "ob.git"), {"blob.py": bytes(30_000_000), "fine.py": b"fine = 1\n"})
    (root / "list.txt").write_text("bo/mb\no/old\nbl/ob\nno/where\n")
    access = {
        "github": {"server_url": upstream.url, "api_url": upstream.url, "store": str(tmp_path / "store")}
    }
    (tmp_path / "access.yaml").write_text(yaml.safe_dump(access))
    return root


def build(hostile: Path, folder: Path) -> Place:
    specs = [
        f"archive:{hostile / 'archives'}", f"parquet:{hostile / 'tables'}", f"jsonl:{hostile / 'tables'}",
        f"tree:{hostile / 'tree'}", f"git:{hostile / 'git'}", f"github:{hostile / 'list.txt'}",
    ]  # fmt: skip
    inputs = [word for spec in specs for word in ("--input", spec)]
    path = recipe(folder, RECIPE + MORE)
    before = listing(folder, "out", "store")
    done = command(
        "build", path, *inputs, "--output", str(folder / "out"), "--access", str(folder / "access.yaml")
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b[31m" not in done.stdout
    assert listing(folder, "out", "store") == before
    return Place(str(folder / "out"))


def test_a_build_of_everything_hostile_ends_well(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = build(hostile, tmp_path)
    assert not (tmp_path / "trap").exists()
    documents = json.loads(place.read("manifest.json"))["documents"]
    assert documents["skipped"] == {
        "duplicate_name": 1, "hardlink": 1, "ignored": 1, "nested_archive": 1, "not_a_file": 3, "other_language": 1,
        "path_too_long": 2, "repository_gone": 1, "repository_too_large": 1, "symlink": 3, "unsafe_path": 4,
    }  # fmt: skip
    assert documents["problems"] == {
        "binary": 20, "malformed": 5, "too_large": 5, "truncated": 5, "unreadable": 2
    }  # fmt: skip
    names = [name for name in place.child("documents").names() if name.endswith(".parquet")]
    rows = [row for name in names for row in read_whole(place.child("documents"), name).to_pylist()]
    kept = {row["path"] for row in rows if row["content"]}
    assert set(GOOD) | {"good_zip.py", "Case.py", "case.py", "hooked.py", "lib/a.py", "fine.py"} <= kept
    assert not [row for row in rows if row["content"] and OUTSIDE.strip() in row["content"]]
    assert not list(tmp_path.rglob("*escape*"))
    encodings = {row["path"]: row["encoding"] for row in rows if row["source"] == "tree" and row["encoding"]}
    assert encodings["legacy.py"] == "windows-1251"
    assert encodings["utf-16-be.py"] == "utf-16-be"
