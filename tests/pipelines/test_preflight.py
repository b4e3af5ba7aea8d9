"""Preflight: what would stop a build later is said at once, in one line and with a hint."""

import importlib.util
import os
import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from columns.errors import EnvironmentProblem, OutputError, ThresherError
from columns.files import Place
from pipelines import preflight


def test_the_rooms_of_this_checkout_are_found():
    preflight.check_packages()


@pytest.mark.parametrize("shadow", [True, False], ids=["another package", "nothing"])
def test_a_shadowed_package_is_named_with_where_it_was_found(monkeypatch, tmp_path, shadow):
    original = importlib.util.find_spec
    other = SimpleNamespace(submodule_search_locations=[str(tmp_path / "filters")]) if shadow else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: other if n == "filters" else original(n))
    with pytest.raises(EnvironmentProblem) as error:
        preflight.check_packages()
    assert "package filters" in error.value.what
    assert (str(tmp_path) if shadow else "found nothing") in error.value.what
    assert "clean virtual environment" in (error.value.hint or "")
    assert "\n" not in error.value.what


def test_a_module_in_a_packages_place_is_refused(monkeypatch):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda _: SimpleNamespace(submodule_search_locations=None)
    )
    with pytest.raises(EnvironmentProblem, match="package shards"):
        preflight.check_packages(["shards"])


def test_a_writable_output_is_left_as_it_was(tmp_path):
    preflight.check_output(Place(str(tmp_path / "set")))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "set").mkdir()
    preflight.check_output(Place(str(tmp_path / "set")))
    assert list((tmp_path / "set").iterdir()) == []


def test_an_existing_dataset_is_left_alone(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    preflight.check_output(Place(str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def refused(place: Place) -> ThresherError:
    with pytest.raises(ThresherError) as error:
        preflight.check_output(place)
    assert place.url in error.value.what
    assert "\n" not in error.value.what
    assert error.value.hint
    return error.value


def test_a_file_in_the_outputs_place_is_refused(tmp_path):
    (tmp_path / "set").write_text("x")
    error = refused(Place(str(tmp_path / "set")))
    assert isinstance(error, OutputError)
    assert "expected a directory, found a file" in error.what
    assert (tmp_path / "set").read_text() == "x"


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot write there" in refused(Place(str(tmp_path / "file" / "set"))).what


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    error = refused(Place(str(tmp_path)))
    tmp_path.chmod(0o700)
    assert "permissions" in (error.hint or "")


@pytest.mark.parametrize(
    "kind", [PermissionError("denied\nby the system"), OSError(30, "Read-only file system")]
)
def test_a_write_that_the_system_refuses_is_one_line(monkeypatch, tmp_path, kind):
    def write_bytes(*_: object) -> None:
        raise kind

    monkeypatch.setattr(Place, "write_bytes", write_bytes)
    assert isinstance(refused(Place(str(tmp_path))), OutputError)


class RefreshError(Exception):
    """What a cloud library raises without credentials: none of Python's own kinds."""


def test_missing_credentials_are_one_line_with_the_command_to_run(monkeypatch, tmp_path):
    def write_bytes(*_: object) -> None:
        raise RefreshError("could not find\ndefault credentials")

    monkeypatch.setattr(Place, "local", None)
    monkeypatch.setattr(Place, "write_bytes", write_bytes)
    error = refused(Place("gs://bucket/set"))
    assert isinstance(error, EnvironmentProblem)
    assert "RefreshError: could not find default credentials" in error.what
    assert "gcloud auth application-default login" in (error.hint or "")


def test_a_missing_filesystem_package_is_one_line(monkeypatch):
    def url_to_fs(*_: object, **__: object) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    error = refused(Place("gs://bucket/set"))
    assert "install gcsfs" in error.what
    assert "thresher[gcp]" in (error.hint or "")


def test_an_unknown_protocol_is_one_line():
    assert "nosuch" in refused(Place("nosuch://bucket/set")).what


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "fits"), [(299, False), (300, True), (10**12, True), (0, False)])
def test_space_is_checked_before_anything_is_read(monkeypatch, tmp_path, free, fits):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    if fits:
        preflight.check_space(Place(str(tmp_path)), 100)
        return
    with pytest.raises(EnvironmentProblem, match=r"GB needed for .* GB free") as error:
        preflight.check_space(Place(str(tmp_path)), 100)
    assert "free some space" in (error.value.hint or "")


def test_space_elsewhere_is_not_this_machines_concern(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: pytest.fail("asked about a bucket"))
    preflight.check_space(Place("memory://set"), 1 << 60)


def test_space_is_asked_of_the_nearest_folder_that_exists(tmp_path):
    preflight.check_space(Place(str(tmp_path / "not" / "there" / "yet")), 1)
    assert not (tmp_path / "not").exists()


def test_the_rooms_are_the_folders_of_the_checkout():
    home = Path(preflight.__file__).resolve().parent.parent
    assert all((home / room / "__init__.py").is_file() for room in preflight.ROOMS)
