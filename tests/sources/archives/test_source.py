"""Archives as a source: what is found, what its names say, and that nothing depends on place or batches."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import pytest
from archived import GOOD, contents, problems, read, save, tar_bytes, zip_bytes
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from sources import IngestConfig
from sources.archives import ArchiveSource, Limits
from sources.archives.names import Identity, identify, is_nested, safe_path

SHA = "0123456789abcdef0123456789abcdef01234567"


def test_folders_and_globs(tmp_path: Path) -> None:
    save(tmp_path, "b.tgz", gzip.compress(tar_bytes({"b.py": b"b"})))
    save(tmp_path, "a.zip", zip_bytes({"a.py": b"a"}))
    save(tmp_path, "notes.txt", b"no archive")
    assert list(contents(read(tmp_path)[0])) == ["a.py", "b.py"]
    assert list(contents(read(tmp_path / "*.tgz")[0])) == ["b.py"]
    with pytest.raises(InputError, match="no "):
        read(tmp_path / "*.rar")


def test_the_form_is_told_by_the_first_bytes(tmp_path: Path) -> None:
    assert sorted(contents(read(save(tmp_path, "t.tar", zip_bytes(GOOD)))[0])) == sorted(GOOD)
    assert sorted(contents(read(save(tmp_path, "t.zip", tar_bytes(GOOD)))[0])) == sorted(GOOD)
    assert sorted(contents(read(save(tmp_path, "no-suffix", tar_bytes(GOOD)))[0])) == sorted(GOOD)


def test_listing(tmp_path: Path) -> None:
    path = save(tmp_path, "t.tar", tar_bytes(GOOD))
    source = ArchiveSource(str(path))
    listing = source.units(IngestConfig())
    assert source.spec == f"archive:{path}"
    assert (len(listing.units), listing.total_bytes) == (1, path.stat().st_size)
    assert pickle.loads(pickle.dumps(listing)) == listing == source.units(IngestConfig())
    assert ArchiveSource(str(path), Limits(members=3)).units(IngestConfig()).stamp != listing.stamp
    path.write_bytes(tar_bytes({"x.py": b"x" * 9999}))
    assert source.units(IngestConfig()).stamp != listing.stamp


def test_a_damaged_archive_costs_itself_only(tmp_path: Path) -> None:
    save(tmp_path, "a.tar", tar_bytes({"a.py": b"a"}))
    save(tmp_path, "b.zip", b"PK\3\4 nothing")
    save(tmp_path, "c.tar.gz", b"\x1f\x8b nothing")
    save(tmp_path, "d.zip", zip_bytes({"d.py": b"d"}))
    table, _ = read(tmp_path)
    assert {path: text for path, text in contents(table).items() if text} == {"a.py": "a", "d.py": "d"}
    assert {path: problem.split(":")[0] for path, problem in problems(table).items()} == {
        "b.zip": "truncated",
        "c.tar.gz": "truncated",
    }


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_github(tmp_path: Path, pack: object) -> None:
    top = f"octo-hello-{SHA}"
    comment = {"comment": SHA} if pack is tar_bytes else {"comment": SHA.encode()}
    raw = pack({f"{top}/a.py": b"a", f"{top}/src/b.c": b"b", "out.py": b"c"}, **comment)
    rows = read(save(tmp_path, "x.archive", raw))[0].to_pylist()
    assert [(row["repo"], row["ref"], row["path"]) for row in rows] == [
        ("octo/hello", SHA, "a.py"),
        ("octo/hello", SHA, "src/b.c"),
        ("octo/hello", SHA, "out.py"),
    ]
    assert [row["provenance"] for row in rows] == [
        f"x.archive/{top}/a.py",
        f"x.archive/{top}/src/b.c",
        "x.archive/out.py",
    ]


@pytest.mark.parametrize(
    ("archive", "top", "comment", "repo", "ref"),
    [
        ("x.tgz", f"octo-hello-{SHA}", b"", "octo/hello", SHA),
        ("x.tgz", "octo-hello-0123abc", SHA.encode(), "octo/hello", "0123abc"),
        ("x.tgz", "octo-hello-0123456789ab", SHA.encode(), "octo/hello", SHA),
        ("x.tgz", f"octo-hello-world-{SHA}", b"", "octo-hello-world", SHA),
        ("x.tgz", f"hello-{SHA}", b"", "hello", SHA),
        ("hello-1.0.tar.gz", "hello-1.0", SHA.encode(), "hello", SHA),
        ("main.zip", "hello-main", b"", "hello", "main"),
        ("requests-2.32.3.tar.gz", "requests-2.32.3", b"", "requests", "2.32.3"),
        ("zope.interface-7.0b1.tar.gz", "zope.interface-7.0b1", b"", "zope.interface", "7.0b1"),
        ("my-foo-20200101.tar.gz", "my-foo-20200101", b"", "my-foo", "20200101"),
        ("left-pad-1.3.0.tgz", "package", b"", "left-pad", "1.3.0"),
        ("unknown.tgz", "package", b"", "unknown", None),
        ("serde-1.0.200.crate", "serde-1.0.200", b"", "serde", "1.0.200"),
        ("dir/flask-3.0.3-py3-none-any.whl", "flask", b"", "flask", "3.0.3"),
        ("numpy-2.1.0-1-cp312-cp312-linux_x86_64.whl", "numpy", b"", "numpy", "2.1.0"),
        ("swh_1_dir_x.tar.gz", f"swh:1:dir:{SHA}", b"", "swh_1_dir_x", f"swh:1:dir:{SHA}"),
        ("x.tar.gz", f"swh_1_rev_{SHA}", b"", "x", f"swh:1:rev:{SHA}"),
        ("work.tar.zst", "src", b"made by hand", "work", None),
        ("work.tar", "", SHA.encode(), "work", SHA),
        (".zip", "", b"\xff", ".zip", None),
    ],
)
def test_identity(archive: str, top: str, comment: bytes, repo: str, ref: str | None) -> None:
    found = identify(archive, top, comment)
    assert (found.repo, found.ref) == (repo, ref)
    assert found.top in ("", top)


@given(st.text(), st.text(), st.binary(max_size=50))
def test_identity_takes_anything(archive: str, top: str, comment: bytes) -> None:
    assert isinstance(identify(archive, top, comment), Identity)


@given(st.binary(max_size=60))
def test_safe_paths_stay_below(raw: bytes) -> None:
    path = safe_path(raw)
    if path is not None:
        assert path
        assert not path.startswith("/")
        assert "\0" not in path
        assert ".." not in path.split("/")


@pytest.mark.parametrize("name", ["a.zip", "a.TAR.gz", "b/c.whl", "x.jar", "x.py.xz"])
def test_nested(name: str) -> None:
    assert is_nested(name)
    assert not is_nested(f"{name}.py")


def test_batches_change_nothing(tmp_path: Path) -> None:
    files = {f"{i}.py": b"x" * i * 10 for i in range(30)}
    for path in (save(tmp_path, "t.tar", tar_bytes(files)), save(tmp_path, "t.zip", zip_bytes(files))):
        assert read(path, batch_bytes=1)[0].combine_chunks() == read(path)[0].combine_chunks()


def test_place_does_not_change_identity(tmp_path: Path) -> None:
    path = save(tmp_path, "t.tar", tar_bytes(GOOD))
    first = read(path)[0]
    (tmp_path / "elsewhere").mkdir()
    assert read(path.rename(tmp_path / "elsewhere" / "t.tar"))[0].equals(first)


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="members: expected at least 1, got 0"):
        Limits(members=0)
