"""Released packages: name, version and licence from their metadata, times of members, identifiers of the archive."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from archived import header, info, problems, read, save, tar_bytes, zip_bytes
from hypothesis import given
from hypothesis import strategies as st

from sources.archives import Limits
from sources.archives.packages import Package, changed, is_metadata, may_be_package, read_package

SHA = "0123456789abcdef0123456789abcdef01234567"
CORE = b"Metadata-Version: 2.4\nName: zope.interface\nVersion: 7.0b1\n"
OSI = b"Classifier: License :: OSI Approved :: "


def sdist(folder: Path, metadata: bytes, name: str = "zope_interface-7.0b1") -> Path:
    """An archive as PyPI has them: the metadata comes last."""
    raw = tar_bytes(
        {f"{name}/a.py": b"a = 1\n", f"{name}/src/b.py": b"b = 2\n", f"{name}/PKG-INFO": metadata}
    )
    return save(folder, f"{name}.tar.gz", gzip.compress(raw))


def said(path: Path) -> set[tuple[str, str | None, str | None]]:
    rows = read(path)[0].to_pylist()
    assert rows
    return {(row["repo"], row["ref"], row["license"]) for row in rows}


@pytest.mark.parametrize(
    ("stated", "license"),
    [
        (b"License-Expression: MIT OR Apache-2.0\nLicense: other\n", "MIT OR Apache-2.0"),
        (b"License: ZPL-2.1\n" + OSI + b"Zope Public License\n", "ZPL-2.1"),
        (b"License: UNKNOWN\n" + OSI + b"MIT License\n" + OSI + b"BSD License\n", "MIT License, BSD License"),
        (b"License: " + b"long " * 50 + b"\n" + OSI + b"MIT License\n", "MIT License"),
        (b"License: Copyright\n        and so on\n", None),
        (b"Classifier: Programming Language :: Python\n\nLicense: not a header\n", None),
    ],
)
def test_source_distributions(stated: bytes, license: str | None, tmp_path: Path) -> None:
    assert said(sdist(tmp_path, CORE + stated)) == {("zope.interface", "7.0b1", license)}


@pytest.mark.parametrize(
    ("stated", "license"),
    [
        ({"license": "MIT"}, "MIT"),
        ({"license": {"type": "ISC", "url": "x"}}, "ISC"),
        ({"licenses": [{"type": "MIT"}, {"type": "Apache-2.0"}, 3]}, "MIT, Apache-2.0"),
        ({"license": "SEE LICENSE IN LICENSE.txt"}, None),
        ({"license": 7}, None),
        ({}, None),
    ],
)
def test_npm(stated: dict[str, object], license: str | None, tmp_path: Path) -> None:
    raw = json.dumps({"name": "@octo/left-pad", "version": "1.3.0", **stated}).encode()
    files = {
        "package/package.json": raw,
        "package/index.js": b"var a;\n",
        "package/x/package.json": b'{"name": "no"}',
    }
    path = save(tmp_path, "left-pad-1.3.0.tgz", gzip.compress(tar_bytes(files)))
    assert said(path) == {("@octo/left-pad", "1.3.0", license)}


def test_wheels(tmp_path: Path) -> None:
    files = {
        "flask/app.py": b"a = 1\n",
        "flask-3.0.3.dist-info/METADATA": b"Name: Flask\nLicense-Expression: BSD-3-Clause\n",
    }
    path = save(tmp_path, "flask-3.0.3-py3-none-any.whl", zip_bytes(files))
    assert said(path) == {("Flask", "3.0.3", "BSD-3-Clause")}


@pytest.mark.parametrize("name", [b"torvalds/linux", b"../x", b"a b", b"", b"\xff", b"-x"])
def test_no_package_can_claim_to_be_a_repository(name: bytes, tmp_path: Path) -> None:
    path = sdist(tmp_path, b"Name: " + name + b"\nVersion: 9\nLicense: MIT\n")
    assert said(path) == {("zope_interface", "7.0b1", "MIT")}


def test_metadata_that_is_broken_costs_nothing(tmp_path: Path) -> None:
    for metadata in (b"", b"\0\xff" * 100, b"x" * (1 << 20 | 1), b"Name\n" * 1000):
        assert said(sdist(tmp_path, metadata)) == {("zope_interface", "7.0b1", None)}
    cut = gzip.compress(tar_bytes({"a-1/a.py": b"a = 1\n" * 999}))[:-20]
    table, _ = read(save(tmp_path, "a-1.tar.gz", cut))
    assert list(problems(table).values())[-1].startswith("truncated")


def test_the_pass_for_metadata_has_the_limits_of_reading(tmp_path: Path) -> None:
    files = {f"a-1/{number}.py": os.urandom(500_000).hex().encode() for number in range(8)}
    raw = gzip.compress(tar_bytes({**files, "a-1/PKG-INFO": CORE}), compresslevel=1)
    table, _ = read(save(tmp_path, "a-1.tar.gz", raw), limits=Limits(total_bytes=3_000_000))
    assert (problems(table)["a-1.tar.gz"].split(":")[0], table["license"].null_count) == (
        "too_large",
        table.num_rows,
    )


@given(
    st.sampled_from(["a/PKG-INFO", "package/package.json", "x.dist-info/METADATA"]), st.binary(max_size=300)
)
def test_any_bytes_are_metadata(path: str, raw: bytes) -> None:
    assert isinstance(read_package(path, raw), Package)


@pytest.mark.parametrize(
    "path", ["a/b/PKG-INFO", "a.egg-info/x/PKG-INFO", "x/package.json", "METADATA", "a/METADATA"]
)
def test_what_is_no_metadata(path: str) -> None:
    assert not is_metadata(path)


def test_only_releases_are_asked() -> None:
    assert [may_be_package(name) for name in ("a-1.0.tgz", "b/a-v2.zip", "octo-main.tar.gz", "a.tar")] == [
        True, True, False, False
    ]  # fmt: skip


@pytest.mark.parametrize("named", [f"swh_1_dir_{SHA}.tar.gz", f"swh:1:dir:{SHA}.tar", f"swh:1:rev:{SHA}.zip"])
def test_identifiers_of_software_heritage_in_the_name(named: str, tmp_path: Path) -> None:
    raw = zip_bytes({"src/a.py": b"a"}) if named.endswith("zip") else tar_bytes({"src/a.py": b"a"})
    ((_, ref, _),) = said(save(tmp_path, named, raw))
    assert ref == named[:4].replace("_", ":") + f"1:{named[6:9]}:{SHA}"


# times


def tar_at(*times: float, form: int = tarfile.PAX_FORMAT) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as tar:
        for number, seconds in enumerate(times):
            member = info(f"{number}.py", size=1)
            member.mtime = seconds
            tar.addfile(member, io.BytesIO(b"a"))
    return held.getvalue()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_times_of_tar_members(form: int, tmp_path: Path) -> None:
    times = (1_600_000_000, 0, 499_162_500, 315_532_800, 1_700_000_000)
    found = read(save(tmp_path, "t.tar", tar_at(*times, form=form)))[0]["updated"].to_pylist()
    assert [one and int(one.timestamp()) for one in found] == [1_600_000_000, None, None, None, 1_700_000_000]


def test_fractions_and_nonsense_of_time(tmp_path: Path) -> None:
    found = read(save(tmp_path, "t.tar", tar_at(1_600_000_000.75)))[0]["updated"].to_pylist()
    assert found == [datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)]
    block = bytearray(header(b"a.py"))
    block[136:148] = b"not a number"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    table, _ = read(save(tmp_path, "u.tar", bytes(block) + bytes(1024)))
    assert (table["updated"].to_pylist(), problems(table)) == ([None], {})


def test_times_of_zip_members(tmp_path: Path) -> None:
    dos, stamped, constant = (zipfile.ZipInfo(name, when) for name, when in (
        ("a.py", (2020, 2, 29, 1, 2, 4)), ("b.py", (2020, 2, 29, 0, 0, 0)), ("c.py", (1980, 1, 1, 0, 0, 0))
    ))  # fmt: skip
    stamped.extra = struct.pack("<HHBl", 0x5455, 5, 1, 1_600_000_000)
    raw = zip_bytes([(dos, b"a"), (stamped, b"b"), (constant, b"c")])
    found = read(save(tmp_path, "t.zip", raw))[0]["updated"].to_pylist()
    assert found == [
        datetime(2020, 2, 29, 1, 2, 4, tzinfo=UTC), datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC), None
    ]  # fmt: skip


@given(st.one_of(st.none(), st.integers(-(1 << 70), 1 << 70)))
def test_any_number_is_a_time_or_none(seconds: int | None) -> None:
    found = changed(seconds)
    assert found is None or 1971 <= found.year < 2100
