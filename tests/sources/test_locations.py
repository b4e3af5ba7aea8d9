from __future__ import annotations

from collections import Counter
from pathlib import Path

import fsspec
import pytest

from columns.errors import InputError
from sources.locations import locate, missing, open_location

SUFFIXES = (".jsonl",)


def names(pattern: object) -> list[str]:
    return [location.name for location in locate(str(pattern), SUFFIXES, Counter())]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in (
        "b.jsonl",
        "a.jsonl",
        "sub/c.JSONL",
        "sub/deep/d.jsonl",
        ".hidden/e.jsonl",
        "_temporary/f.jsonl",
        "x.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_folders_are_searched_in_depth_and_sorted(place: Path) -> None:
    assert names(place) == ["a.jsonl", "b.jsonl", "sub/c.JSONL", "sub/deep/d.jsonl"]
    assert names(f"{place}/") == names(place)


def test_globs(place: Path) -> None:
    assert names(f"{place}/*.jsonl") == ["a.jsonl", "b.jsonl"]
    assert names(f"{place}/**/*.jsonl") == ["_temporary/f.jsonl", "a.jsonl", "b.jsonl", "sub/deep/d.jsonl"]
    assert names(f"{place}/.hidden/*.jsonl") == ["e.jsonl"]
    assert names(f"{place}/?.txt") == ["x.txt"]


def test_one_file_whatever_its_suffix(place: Path) -> None:
    assert names(place / "x.txt") == ["x.txt"]


def test_sizes_and_reading(place: Path) -> None:
    (found,) = locate(str(place / "a.jsonl"), SUFFIXES, Counter())
    assert found.size == len("a.jsonl")
    with open_location(found.url) as file:
        assert file.read(100) == b"a.jsonl"


def test_loops_of_links_end(place: Path) -> None:
    (place / "loop").symlink_to(place)
    (place / "loop.jsonl").symlink_to("loop.jsonl")
    skipped: Counter[str] = Counter()
    assert len(locate(str(place), SUFFIXES, skipped)) == 4
    assert skipped == {"not_a_file": 1}


def test_remote() -> None:
    for name in ("two", "one"):
        with fsspec.open(f"memory://locations/in/{name}.jsonl", "wb") as file:
            file.write(name.encode())
    found = locate("memory://locations", SUFFIXES, Counter())
    assert [(f.name, f.size) for f in found] == [("in/one.jsonl", 3), ("in/two.jsonl", 3)]
    with open_location(found[0].url) as file:
        assert file.read(9) == b"one"


def test_nothing_found(place: Path) -> None:
    (place / "empty").mkdir()
    for pattern in (place / "empty", place / "*.nothing", "memory://nowhere/at/all"):
        with pytest.raises(InputError, match=r"no \.jsonl file"):
            names(pattern)


def test_near_matches(place: Path) -> None:
    assert "did you mean" in str(missing(f"{place}/a.json"))
    assert "relative path" in str(missing(f"{place}/zzzzzz"))
    assert "no directory" in str(missing("/nowhere/at/all"))
