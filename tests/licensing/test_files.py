"""Which paths are licence files, and what they speak for."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing import is_license_file
from licensing.files import covered_folder, license_files, names_a_license

YES = """LICENSE LICENCE License.md LICENSE.txt license.rst LICENSE.html COPYING COPYING.LESSER COPYING.LIB COPYING3
COPYRIGHT UNLICENSE LICENSE-MIT LICENSE-APACHE LICENSE_APACHE.txt LICENSE.BSD LICENSE-2.0.txt
MIT-LICENSE MIT-LICENSE.txt COPYING-v3 a/b/LICENSE LICENSES/MIT.txt licenses/Apache-2.0.txt vendor/x/COPYING.txt
LICENSE-APACHE-2.0 GPL-LICENSE.txt
LICENSE-CODE docs/LICENSE-DOCS LICENSE.GPLv3 COPYING.GPL"""
NO = """license.py licenses.go License.java LicenseManager.kt copying.c NOTICE NOTICE.txt README README.md AUTHORS
THIRD-PARTY-LICENSES.txt LICENSE-3RD-PARTY.json licenses/index.js licenses/README.md src/license/mod.rs LICENSE.png
licensed.txt licensee mylicense.cfg license_header.txt copyright.js COPYING.c copyrighted
licenses/sub/deep.txt PATENTS a.py licensecheck.sh"""


@pytest.mark.parametrize("path", YES.split())
def test_licence_files(path):
    assert is_license_file(path)


@pytest.mark.parametrize("path", NO.split())
def test_other_files(path):
    assert not is_license_file(path)


pieces = st.sampled_from(
    ["LICENSE", "licence", "COPYING", ".txt", ".py", "-MIT", "/", "licenses", "a", "copyright", "é", "\n"]
)


@given(
    st.lists(
        st.one_of(st.none(), st.lists(pieces, max_size=6).map("".join), st.text(max_size=20)), max_size=8
    )
)
def test_the_column_equals_the_rule(paths):
    expected = [path is not None and is_license_file(path) for path in paths]
    assert license_files(pa.array(paths, pa.string())).tolist() == expected


def test_hostile_names_end_quickly():
    assert not is_license_file("LICENSE" + "-mit" * 5000)
    assert not is_license_file("mit-" * 24 + "x")
    assert not is_license_file("1" * 99 + "x")
    assert not is_license_file("cc0-" * 500 + "x")
    assert not is_license_file("licenses/" + "a." * 2000 + "é")
    assert not is_license_file("")


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("LICENSE", ""),
        ("a/LICENSE", "a"),
        ("LICENSES/MIT.txt", ""),
        ("a/b/licenses/MIT.txt", "a/b"),
        ("licences/LICENSE", ""),
    ],
)
def test_folder(path, folder):
    assert covered_folder(path) == folder


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("LICENSE", False),
        ("a/LICENSE.md", False),
        ("LICENSE-MIT", True),
        ("COPYING.LESSER", True),
        ("UNLICENSE", True),
    ],
)
def test_names_of_alternatives(path, named):
    assert names_a_license(path) is named
