"""A full disk at every place that writes: one line with the room there is, nothing half-written, and the same bytes."""

from __future__ import annotations

import builtins
import errno
import os
import re
from collections import Counter
from pathlib import Path

import pytest

import columns.files
from columns.errors import EnvironmentProblem
from columns.files import TEMPORARY, Place
from tests.pipelines.building import assert_same, build, command, recipe
from tests.pipelines.corpus import corpus, write_tree

SITES = (
    "documents/part", "facts/part", "facts/signatures", "facts/overlaps", "chunks", "links/", "keepers", "ledger/part",
    "tokenizer/", "tokens/", "shards/", "_stage.json", ".done", "manifest.json", "report.html", "run.json",
)  # fmt: skip
_FINAL = re.compile(rf"{re.escape(TEMPORARY)}[0-9a-f]{{32}}-")


class Full:
    """An opened file on a disk that takes so many bytes more."""

    def __init__(self, file, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data) -> int:
        size = memoryview(data).nbytes
        if size > self._room:
            self._file.write(bytes(data)[: self._room])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._room -= size
        return self._file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str):
        return getattr(self._file, name)


def full_disk(patch: pytest.MonkeyPatch, site: str, room: int) -> Counter[str]:
    """Files whose path has ``site`` in it get ``room`` bytes; returns the paths that were met."""
    met: Counter[str] = Counter()

    def opened(path, mode="r", *args, **kwargs):
        file = builtins.open(path, mode, *args, **kwargs)  # noqa: SIM115
        if "w" not in mode or site not in _FINAL.sub("", str(path)):
            return file
        met[str(path)] += 1
        return Full(file, room)

    patch.setattr(columns.files, "open", opened, raising=False)
    return met


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def tree(folder):
    return write_tree(folder / "corpus", dict(list(corpus().items())[::6]))


@pytest.fixture(scope="module")
def undisturbed(folder, tree):
    return build(folder, folder / "undisturbed", [tree])


def halves(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(TEMPORARY)]


@pytest.mark.slow
@pytest.mark.parametrize("site", SITES)
def test_full_at_every_place_that_writes(site, folder, tree, undisturbed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        met = full_disk(patch, site, 3)
        with pytest.raises(EnvironmentProblem) as said:
            build(folder, tmp_path / "out", [tree])
    assert met
    assert "no room on the disk: No space left on device" in said.value.what
    assert "\n" not in said.value.what
    assert "MB are free and this file needs more: make room" in str(said.value.hint)
    assert halves(tmp_path / "out") == []
    assert_same(build(folder, tmp_path / "out", [tree]), undisturbed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of processes")
@pytest.mark.slow
def test_a_process_that_may_write_no_more_says_so_in_one_line(folder, tree, undisturbed, tmp_path):
    arguments = ("build", recipe(folder), "--input", str(tree), "--output", str(tmp_path / "out"), "--quiet")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))"
    failed = command(*arguments, "--workers", "1", prelude=limit)
    assert failed.returncode == 2, failed.stderr
    assert "no room on the disk: File too large" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert halves(tmp_path / "out") == []
    assert command(*arguments, "--workers", "1").returncode == 0
    assert_same(Place(str(tmp_path / "out")), undisturbed)


@pytest.mark.parametrize("room", [0, 1, 99])
def test_nothing_is_seen_of_a_file_that_did_not_fit(room, tmp_path, monkeypatch):
    place = Place(str(tmp_path))
    place.write_bytes("f", b"old")
    full_disk(monkeypatch, str(tmp_path), room)
    with pytest.raises(EnvironmentProblem, match="f: no room on the disk"):
        place.write_bytes("f", bytes(100))
    assert place.names() == ["f"]
    assert place.read("f") == b"old"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_other_troubles_of_a_disk_are_not_taken_for_a_full_one(number, tmp_path):
    place = Place(str(tmp_path))
    with pytest.raises(OSError, match=os.strerror(number)), place.write("f"):
        raise OSError(number, os.strerror(number))
    assert place.names() == []
