from __future__ import annotations

import pytest

from sources.languages import _EXTENSIONS, KNOWN, canonical, language_of


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "python"),
        ("a.pyi", "python"),
        ("a.pyw", "python"),
        ("A.PY", "python"),
        ("x/y/z.rs", "rust"),
        ("a.h", "c"),
        ("a.hpp", "c++"),
        ("a.tar.gz", None),
        ("Makefile", "makefile"),
        ("x/Dockerfile", "dockerfile"),
        ("CMakeLists.txt", "cmake"),
        ("a.txt", None),
        (".py", None),
        ("py", None),
        ("", None),
        (None, None),
        ("a.py/", None),
        ("x.py/readme", None),
        ("new\nline.go", "go"),
        ("a.", None),
        ("src/.hidden.js", "javascript"),
    ],
)
def test_by_name(path: str | None, language: str | None) -> None:
    assert language_of(path) == language


def test_no_extension_has_two_languages() -> None:
    listed = [extension for line in _EXTENSIONS.values() for extension in line.split()]
    assert len(listed) == len(set(listed))


def test_names_are_canonical() -> None:
    assert all(canonical(name) == name for name in KNOWN)
    assert len(KNOWN) >= 60


@pytest.mark.parametrize(
    ("stated", "name"), [("C++", "c++"), ("cpp", "c++"), ("Golang", "go"), (None, None), (" ", None)]
)
def test_canonical(stated: str | None, name: str | None) -> None:
    assert canonical(stated) == name
