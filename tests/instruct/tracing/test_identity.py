"""What a project is: the commit that is checked out, else its version; nothing of it is believed or run."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.tracing import checked_out, revision

SHA, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 64


def write(tree, **files):
    for name, text in files.items():
        place = tree / name.replace("__", "/").replace("PKG", "PKG-INFO").replace("packed", "packed-refs")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return tree


def git(tree, *words):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    return subprocess.run(
        ["git", *who, *words], cwd=tree, env=env, capture_output=True, text=True, check=True
    ).stdout


def test_it_is_what_git_says(tmp_path):
    write(tmp_path, PKG="Name: a\nVersion: 1.2\n")
    git(tmp_path, "init", "-q", "-b", "work/one")
    assert (checked_out(tmp_path), revision(tmp_path)) == (None, "1.2")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    assert checked_out(tmp_path) == revision(tmp_path) == head
    git(tmp_path, "pack-refs", "--all", "--prune")
    assert not (tmp_path / ".git/refs/heads/work/one").exists()
    assert checked_out(tmp_path) == head
    git(tmp_path, "checkout", "-q", "--detach")
    assert checked_out(tmp_path) == head


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({".git__HEAD": SHA}, SHA), ({".git__HEAD": f"{OTHER}\n"}, OTHER), ({".git__HEAD": SHA.upper()}, None),
        ({".git__HEAD": SHA[1:]}, None), ({".git__HEAD": "ref: refs/heads/a"}, None), ({".git__HEAD": ""}, None),
        ({".git__HEAD": "ref: refs/heads/a", ".git__refs__heads__a": SHA}, SHA),
        ({".git__HEAD": "ref: refs/heads/a", ".git__refs__heads__a": "ref: refs/heads/b"}, None),
        ({".git__HEAD": "ref: refs/heads/a", ".git__packed": f"# x\n{OTHER} refs/heads/b\n{SHA} refs/heads/a"}, SHA),
        ({".git__HEAD": "ref: refs/../../secret", "secret": SHA}, None),
        ({".git__HEAD": "ref: ../secret", "secret": SHA}, None), ({".git": "gitdir: elsewhere"}, None), ({}, None),
    ],
)  # fmt: skip
def test_only_a_commit_is_one(tmp_path, files, found):
    assert checked_out(write(tmp_path, **files)) == found


def test_a_reference_that_leads_out_of_the_tree_is_none(tmp_path):
    (tmp_path / "outside").write_text(SHA)
    tree = write(tmp_path / "tree", **{".git__HEAD": "ref: refs/heads/a"})
    (tree / ".git/refs/heads").mkdir(parents=True)
    (tree / ".git/refs/heads/a").symlink_to(tmp_path / "outside")
    assert checked_out(tree) is None


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"PKG": "Name: a\nVersion: 2.0\n"}, "2.0"), ({"pyproject.toml": "[project]\nversion = '3'\n"}, "3"),
        ({"setup.cfg": "[metadata]\nversion = 4\n"}, "4"), ({"PKG": "Version: a b\n"}, None),
        ({"pyproject.toml": "[project]\ndynamic = ['version']\n", "setup.cfg": "[metadata]\nversion = 5\n"}, "5"),
    ],
)  # fmt: skip
def test_without_a_commit_it_is_the_version(tmp_path, files, version):
    assert revision(write(tmp_path, **files)) == version
    assert revision(write(tmp_path, **{".git__HEAD": SHA})) == SHA


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_are_a_commit_or_none(tmp_path_factory, head, packed):
    tree = tmp_path_factory.mktemp("tree")
    (tree / ".git").mkdir()
    (tree / ".git/HEAD").write_bytes(head)
    (tree / ".git/packed-refs").write_bytes(packed)
    found = checked_out(tree)
    assert found is None or set(found) <= set("0123456789abcdef")
