"""Patterns of .gitignore against git itself, which is the oracle."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from reads import by_path, git, read_all

from sources import IngestConfig
from sources.trees.ignored import is_ignored, read_rules
from sources.trees.source import TreeSource


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ignored")
    git(folder, "init", "-q")
    return folder


def asked_git(folder: Path, rules: bytes, path: str) -> bool:
    """Git's own verdict on a path that need not exist; a trailing "/" says that it is a folder."""
    (folder / ".gitignore").write_bytes(rules)
    command = ["git", "-C", folder, "-c", "core.excludesFile=", "check-ignore", "--no-index", "--stdin", "-z"]
    done = subprocess.run(command, input=os.fsencode(path) + b"\0", capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return bool(done.stdout)


def ours(rules: bytes, path: str) -> bool:
    """The same by walking down from the root, as the tree is read."""
    found, parts = (read_rules(b"", rules),), os.fsencode(path.rstrip("/")).split(b"/")
    steps = [b"/".join(parts[: end + 1]) for end in range(len(parts))]
    return any(
        is_ignored(step, found, is_folder=at < len(steps) - 1 or path.endswith("/"))
        for at, step in enumerate(steps)
    )


pieces = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "*",
        "**",
        "?",
        "/",
        "/",
        "[ab]",
        "[!a]",
        "[a-c]",
        "\\a",
        "\\*",
        ".",
        "[[:alpha:]]",
        "[",
        "]",
        "!",
    ]
)
patterns = st.lists(pieces, min_size=1, max_size=7).map("".join)
paths = st.lists(
    st.sampled_from(["a", "b", "ab", "ba", "aab", "c.a", ".a", "*"]), min_size=1, max_size=4
).map("/".join)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(patterns, min_size=1, max_size=3), paths)
@example(["a/**"], "a")
@example(["a/**"], "a/b")
@example(["**/a"], "a")
@example(["a/**/b"], "a/b")
@example(["a/**/b"], "a/a/ab/b")
@example(["**"], "a/b")
@example(["*", "!a"], "a/b")
@example(["a/", "!a/b"], "a/b")
@example(["***/a"], "b/a")
def test_equals_git(repository: Path, lines: list[str], path: str) -> None:
    assume(not any(re.search(r"[^/*]\*\*", line) for line in lines))
    rules = "\n".join(lines).encode()
    assert ours(rules, path) == asked_git(repository, rules, path)


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        (b"*.log", "x/y.log", True),
        (b"/x.py", "x.py", True),
        (b"/x.py", "a/x.py", False),
        (b"a/x.py", "b/a/x.py", False),
        (b"build/", "build", False),
        (b"build/", "a/build/x.py", True),
        (b"*.py\n!keep.py", "keep.py", False),
        (b"!keep.py\n*.py", "keep.py", True),
        (b"# x.py\n\n", "x.py", False),
        (b"\\#x", "#x", True),
        (b"\\!x", "!x", True),
        (b"x.py   ", "x.py", True),
        (b"x\\ ", "x ", True),
        (b"x.py\r\n", "x.py", True),
        (b"\xef\xbb\xbfx.py", "x.py", True),
        (b"caf\xe9", os.fsdecode(b"caf\xe9"), True),
        (b"x\\", "x", False),
        (b"[", "[", False),
        (b"[]]", "]", True),
        (b"[a-", "a", False),
        (b"[[:digit:]]x", "3x", True),
        (b"[[:nonsense:]]x", "3x", False),
        (b"a?b", "a/b", False),
        (b"a[!x]b", "a/b", False),
        (b"/", "a", False),
        (b"!", "a", False),
    ],
)
def test_rules(repository: Path, rules: bytes, path: str, ignored: bool) -> None:
    assert ours(rules, path) is ignored
    assert asked_git(repository, rules, path) is ignored


@pytest.mark.parametrize(
    "pattern", [b"*a" * 40 + b"b", b"**/a/" * 40 + b"b", b"a*" * 200, b"**" * 2000, b"[a" * 2000, b"?" * 5000]
)
def test_no_pattern_costs_much(pattern: bytes) -> None:
    rules = read_rules(b"", pattern)
    for path in (b"a" * 250, b"/".join([b"a"] * 1500)):
        assert is_ignored(path, (rules,), is_folder=False) in (True, False)


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=20))
def test_any_bytes_are_rules(raw: bytes, path: bytes) -> None:
    assert is_ignored(path, (read_rules(b"", raw),), is_folder=False) in (True, False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in {
        ".gitignore": "*.gen.py\nbuild/\n/top.py\n",
        "a.py": "",
        "a.gen.py": "",
        "top.py": "",
        "build/b.py": "",
        "build/.gitignore": "!b.py",
        "sub/.gitignore": "!a.gen.py\nc.py\n",
        "sub/a.gen.py": "",
        "sub/b.gen.py": "",
        "sub/c.py": "",
        "sub/top.py": "",
        "sub/deep/c.py": "",
        "sub/deep/.gitignore": "!/c.py",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def listed(root: Path) -> tuple[list[str], dict[str, int]]:
    found = TreeSource(str(root)).units(IngestConfig(gitignore=True))
    return [path.decode() for unit in found.units for path in unit.paths], dict(found.skipped)


def test_nested_files_and_negation(tree: Path) -> None:
    files, skipped = listed(tree)
    assert files == ["a.py", "sub/a.gen.py", "sub/deep/c.py", "sub/top.py"]
    assert skipped == {"ignored": 5, "other_language": 3}


def test_equals_git_on_a_tree(tree: Path) -> None:
    git(tree, "init", "-q")
    known = git(tree, "-c", "core.excludesFile=", "ls-files", "--others", "--exclude-standard", "-z").split(
        "\0"
    )
    assert listed(tree)[0] == sorted(name for name in known if name.endswith(".py"))


def test_off_unless_asked_for(tree: Path) -> None:
    table, skipped, _ = read_all(tree)
    assert len(by_path(table)) == 9
    assert "ignored" not in skipped


def test_a_file_that_is_no_file_is_not_followed(tree: Path) -> None:
    (tree / ".gitignore").unlink()
    (tree / ".gitignore").symlink_to(tree / "sub/.gitignore")
    (tree / "sub/deep/.gitignore").unlink()
    os.mkfifo(tree / "sub/deep/.gitignore")
    files, skipped = listed(tree)
    assert files == ["a.gen.py", "a.py", "build/b.py", "sub/a.gen.py", "sub/b.gen.py", "sub/top.py", "top.py"]
    assert skipped == {"ignored": 2, "symlink": 1, "not_a_file": 1, "other_language": 2}


def test_a_huge_file_is_counted_and_not_read(tree: Path) -> None:
    with open(tree / ".gitignore", "wb") as file:
        file.truncate(2 << 20)
    files, skipped = listed(tree)
    assert "a.gen.py" in files
    assert skipped["large_gitignore"] == 1
