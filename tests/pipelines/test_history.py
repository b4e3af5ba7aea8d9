"""History: what versions share, how old ones go, on disks and on object stores; two writers; crashes."""

from __future__ import annotations

import threading
from pathlib import Path

import fsspec
import pytest

from columns.errors import OutputError
from columns.files import Place
from columns.versions import Versions, current_place
from pipelines.build import Build, BuildOptions
from pipelines.engine import Engine
from pipelines.history import adopt, begin, collect, share
from pipelines.lease import leased
from pipelines.verification import verify_dataset
from shards import ShardSet
from tests.pipelines.building import result_bytes
from tests.pipelines.test_refresh import built, display, later, loaded, refreshed
from tests.pipelines.test_reuse import File, first, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="module")
def snapshots(folder):
    return [
        write(folder, "one", first()),
        write(folder, "two", later()),
        write(folder, "three", later()[:-2]),
    ]


@pytest.fixture(scope="module")
def plain(folder, snapshots):
    """A dataset that was built once."""
    return built(folder, "plain", snapshots[0])


@pytest.fixture(params=["local", "memory"])
def root(request, plain, tmp_path):
    """A copy of it, where every file is its own."""
    if request.param == "local":
        fsspec.filesystem("file").put(plain.url, str(tmp_path / "set"), recursive=True)
        yield Place(str(tmp_path / "set"))
        return
    memory = fsspec.filesystem("memory")
    memory.put(plain.url, f"/{tmp_path.name}", recursive=True)
    yield Place(f"memory://{tmp_path.name}")
    memory.rm(f"/{tmp_path.name}", recursive=True)


def whole(place: Place) -> bool:
    return [check.problems for check in verify_dataset(place) if not check.passed] == []


def test_versions_share_what_is_equal_and_outlive_each_other(folder, root, snapshots):
    one = result_bytes(root)
    second = refreshed(folder, root, snapshots[1])
    two = result_bytes(second.place)
    shared = second.record["cost"]["shared"]
    assert 0 < shared["files"] < shared["of_files"]
    third = refreshed(folder, root, snapshots[2])
    three = result_bytes(third.place)
    assert result_bytes(Versions(root).at(1)) == result_bytes(root) == one
    assert result_bytes(second.place) == two
    assert collect(Versions(root), 2) == [1]
    assert Versions(root).numbers() == [2, 3]
    assert not root.exists("manifest.json")
    assert root.child("shards").names() == []
    assert (result_bytes(second.place), result_bytes(third.place)) == (two, three)
    assert collect(Versions(root), 1) == [2]
    assert result_bytes(current_place(root)) == three
    assert whole(current_place(root))
    assert collect(Versions(root), 1) == []
    assert ShardSet(root).rows() == ShardSet(third.place).rows()


def test_a_link_that_two_versions_had_is_moved_once(root):
    versions = adopt(root)
    for number in (2, 3):
        made, place = begin(versions)
        assert made == number
        versions.commit(number, {"version": number})
        place.remove([".begun.json"])
    before = result_bytes(root)
    collect(versions, 2)
    assert result_bytes(versions.at(2)) == result_bytes(versions.at(3)) == before
    if root.local is None:
        moved = versions.at(3).child("shards").linked()
        assert all("/versions/000002/" in where for where in moved.values())
        assert versions.at(2).child("shards").linked() == {}


def test_linking_equal_files_again_changes_nothing(root):
    versions = adopt(root)
    _, place = begin(versions)
    found = share(versions.at(1), place)
    assert (found.files, found.bytes) == (found.of_files, found.of_bytes)


def test_adopting_twice_is_adopting_once(root):
    assert adopt(root).numbers() == adopt(root).numbers() == [1]
    with pytest.raises(OutputError, match="no finished dataset here"):
        adopt(root.child("shards"))


def test_a_build_never_touches_a_version(folder, root, snapshots):
    adopt(root)
    build = Build(loaded(folder), BuildOptions((str(snapshots[1]),), root), Engine(workers=1), display())
    with pytest.raises(OutputError, match="the dataset has versions") as said:
        build.run()
    assert "thresher refresh" in str(said.value)


def test_the_second_of_two_refreshes_says_who_is_at_work(folder, root, snapshots):
    with leased(root, "refresh"), pytest.raises(OutputError, match="refresh is under way"):
        refreshed(folder, root, snapshots[1])
    assert Versions(root).numbers() == []


def test_of_two_refreshes_at_once_one_wins(folder, plain, snapshots, tmp_path):
    fsspec.filesystem("file").put(plain.url, str(tmp_path / "set"), recursive=True)
    root, ready, told = Place(str(tmp_path / "set")), threading.Barrier(2), []

    def run(name: str):
        mine = tmp_path / name
        mine.mkdir()
        ready.wait()
        try:
            told.append(refreshed(mine, root, snapshots[1]).number)
        except OutputError as error:
            told.append(error.what)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 in told
    (other,) = (said for said in told if said != 2)
    assert "under way" in str(other) or "has just begun" in str(other)
    assert Versions(root).numbers() == [1, 2]
    assert whole(current_place(root))


def test_a_crashed_refresh_leaves_the_current_version_and_goes_on(folder, root, snapshots, monkeypatch):
    before = result_bytes(root)
    monkeypatch.setattr("pipelines.build.Build._shard", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        refreshed(folder, root, snapshots[1])
    monkeypatch.undo()
    assert current_place(root) == Versions(root).at(1)
    assert result_bytes(current_place(root)) == before
    ledger = Versions(root).at(2).child("ledger").read("_stage.json")
    found = refreshed(folder, root, snapshots[1])
    assert found.number == 2
    assert found.place.child("ledger").read("_stage.json") == ledger
    assert whole(found.place)


def test_a_refresh_that_was_overtaken_commits_nothing(folder, root, snapshots, monkeypatch):
    def overtaken(_self):
        raise OutputError("another run has taken over")

    monkeypatch.setattr("pipelines.lease.Lease.check", overtaken)
    with pytest.raises(OutputError, match="another run has taken over"):
        refreshed(folder, root, snapshots[1])
    assert Versions(root).numbers() == [1]


def test_collecting_takes_what_crashed_runs_left(root):
    versions = adopt(root)
    begin(versions)
    assert versions.at(2).names()
    assert collect(versions, 5) == []
    assert versions.at(2).names() == []
    assert result_bytes(versions.at(1)) == result_bytes(root)


def test_shards_that_no_change_touches_are_the_same_file(folder, tmp_path):
    files = [File(f"src/{at}.py", f"value_{at} = {at}\n" * (20 + at % 7)) for at in range(120)]
    text = "\n".join([
        "extends: codex", "name: many", "layout: {{parts: {parts}}}", "guard: {{share: 1.0}}",
        "tokenizer: {{spec: codex}}", "dedup: {{near: false}}",
        "pack: {{seq_len: 64, shard_tokens: 1024, validation_fraction: 0.0}}",
    ])  # fmt: skip
    root = built(tmp_path, "set", write(tmp_path, "one", files), text=text)
    files[3] = File("src/3.py", "value_3 = 4\n" * 23)
    found = refreshed(tmp_path, root, write(tmp_path, "two", files), text=text)
    old, new = Versions(root).at(1).child("shards"), found.place.child("shards")
    names = [name for name in new.names() if name.endswith(".arrow")]
    same = [name for name in names if Path(old.url, name).samefile(Path(new.url, name))]
    assert len(names) > 8
    assert len(names) - 2 <= len(same) < len(names)
    assert found.record["cost"]["tokens"] == {"documents": 120, "reused": 119}
