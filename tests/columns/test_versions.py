"""Versions of a directory, and files that several places hold."""

from __future__ import annotations

import threading

import pytest

from columns.files import LINKS, Place
from columns.versions import Versions, current_place


@pytest.fixture(params=["local", "memory"])
def root(request, tmp_path):
    url = str(tmp_path / "set") if request.param == "local" else f"memory://{tmp_path.name}/set"
    yield Place(url)
    Place(url).remove_tree()


def test_a_place_without_records_is_its_own_current_version(root):
    assert current_place(root) == root
    root.child("versions").child("000002").write_bytes("manifest.json", b"{}")
    assert current_place(root) == root
    assert Versions(root).numbers() == []


def test_the_newest_record_is_the_current_version(root):
    versions = Versions(root)
    for number in (1, 2, 10):
        assert versions.commit(number, {"version": number, "é": 1})
    root.child("versions").write_bytes("notes.json", b"{}")
    assert versions.numbers() == [1, 2, 10]
    assert current_place(root) == versions.at(10)
    assert current_place(versions.at(2)) == versions.at(2)
    assert versions.record(2) == {"version": 2, "é": 1}
    versions.forget(10)
    assert current_place(root) == versions.at(2)


def test_a_version_is_committed_once(tmp_path):
    root = Place(str(tmp_path))
    versions, won = Versions(root), []

    def commit(number):
        if versions.commit(2, {"by": number}):
            won.append(number)

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert versions.record(2) == {"by": won[0]}
    assert [name for name in root.child("versions").names() if name.startswith(".")] == []


def test_a_created_file_is_never_written_over(root):
    assert root.create("f", b"one")
    assert not root.create("f", b"two")
    assert root.read("f") == b"one"
    assert root.names() == ["f"]


def linked(root):
    old, new = root.child("versions/000001/shards"), root.child("versions/000002/shards")
    for name in ("a", "b", "c"):
        old.write_bytes(name, name.encode() * 3)
    new.write_bytes("own", b"mine")
    new.link(["a", "b"], old)
    return old, new


def test_a_linked_file_is_read_like_any_other(root):
    _, new = linked(root)
    assert new.names() == ["a", "b", "own"]
    assert new.exists("a")
    assert not new.exists("c")
    assert new.size("b") == 3
    assert new.read("a") == b"aaa"
    with new.open("b") as source:
        assert source.read() == b"bbb"
    with pytest.raises(FileNotFoundError):
        new.read("c")


def test_a_link_shares_the_bytes(root):
    old, new = linked(root)
    if root.local is None:
        assert not old._at[0].exists(new.path("a"))
        assert set(new.linked()) == {"a", "b"}
    else:
        assert (old.local / "a").samefile(new.local / "a")
        assert not (new.local / LINKS).exists()


def test_a_link_to_a_link_points_to_the_file_itself(root):
    old, new = linked(root)
    third = root.child("versions/000003/shards")
    third.link(["a"], new)
    new.remove_tree()
    assert third.read("a") == b"aaa"
    if root.local is None:
        assert third.linked() == {"a": old.path("a")}


def test_what_is_written_or_removed_touches_nobody_else(root):
    old, new = linked(root)
    new.write_bytes("a", b"new")
    new.remove(["b"])
    assert (new.read("a"), new.names()) == (b"new", ["a", "own"])
    assert (old.read("a"), old.names()) == (b"aaa", ["a", "b", "c"])
    new.remove_tree()
    assert old.read("b") == b"bbb"


def test_linking_takes_the_place_of_an_equal_file(root):
    old, new = linked(root)
    new.write_bytes("c", b"ccc")
    new.link(["c"], old)
    assert new.read("c") == b"ccc"
    assert new.names() == ["a", "b", "c", "own"]
    if root.local is None:
        assert not old._at[0].exists(new.path("c"))
    else:
        assert (old.local / "c").samefile(new.local / "c")


def test_links_hold_when_the_whole_directory_is_copied(tmp_path):
    root = Place(f"memory://{tmp_path.name}/one")
    linked(root)
    filesystem = root._at[0]
    filesystem.copy(root._at[1], f"/{tmp_path.name}/two", recursive=True)
    root.remove_tree()
    assert Place(f"memory://{tmp_path.name}/two/versions/000002/shards").read("a") == b"aaa"


def test_a_disk_without_hard_links_gets_copies(tmp_path, monkeypatch):
    def refused(_source, _target):
        raise OSError(95, "Operation not supported")

    old, new = Place(str(tmp_path / "old")), Place(str(tmp_path / "new"))
    old.write_bytes("a", b"text")
    monkeypatch.setattr("os.link", refused)
    new.link(["a"], old)
    monkeypatch.undo()
    assert new.read("a") == b"text"
    assert not (old.local / "a").samefile(new.local / "a")


def test_a_link_to_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Place(str(tmp_path / "new")).link(["a"], Place(str(tmp_path / "old")))
