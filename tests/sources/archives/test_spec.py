"""Archives by the text that names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from archived import GOOD, save, tar_bytes, zip_bytes
from reads import by_path, read

from columns.errors import InputError
from sources import parse_spec
from sources.archives import ArchiveSource


def test_spec(tmp_path: Path) -> None:
    path = save(tmp_path, "a.tar", tar_bytes(GOOD))
    assert parse_spec(f"archive:{path}") == parse_spec(str(path)) == ArchiveSource(str(path))
    assert parse_spec(parse_spec(str(path)).spec) == parse_spec(str(path))
    assert sorted(by_path(read(f"archive:{path}"))) == sorted(GOOD)


def test_folder_of_archives(tmp_path: Path) -> None:
    save(tmp_path, "a.tar", tar_bytes({"a.py": b"a"}))
    save(tmp_path, "b.whl", zip_bytes({"b.py": b"b"}))
    assert isinstance(parse_spec(str(tmp_path)), ArchiveSource)
    assert sorted(by_path(read(tmp_path))) == ["a.py", "b.py"]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        parse_spec(f"archive:{tmp_path / 'none.tar'}")
