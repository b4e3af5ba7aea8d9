"""Names and expressions: what sources call a licence, in canonical SPDX."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing import AssignConfig, blue_oak, canonical, is_permissive, spdx_of
from licensing.expressions import agree, all_of, any_of, identifiers
from licensing.names import MAX_CHARS

IDS = ["MIT", "Apache-2.0", "BSD-3-Clause", "GPL-2.0-only", "GPL-3.0-or-later", "ISC", "LicenseRef-Mine"]
PERMISSIVE = AssignConfig().permissive()


@pytest.mark.parametrize(
    ("words", "spdx"),
    [
        ("mit", "MIT"),
        ("MIT License", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("  MIT  ", "MIT"),
        ("['mit']", "MIT"),
        ('["mit"]', "MIT"),
        ("['MIT', 'Apache-2.0']", "Apache-2.0 AND MIT"),
        ("['MIT', 'BSD']", None),
        ("[]", None),
        ("apache-2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache Software License", "Apache-2.0"),
        ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
        ("BSD-2-Clause", "BSD-2-Clause"),
        ("Simplified BSD License", "BSD-2-Clause"),
        ("BSD", None),
        ("BSD License", None),
        ("gpl-3.0", "GPL-3.0"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL-3.0-only", "GPL-3.0-only"),
        ("GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
        ("GNU Lesser General Public License v2.1", "LGPL-2.1"),
        ("GNU Affero General Public License v3.0", "AGPL-3.0"),
        ("GPL-9.0", None),
        ("GPL", "GPL-1.0-or-later"),
        ("mpl-2.0", "MPL-2.0"),
        ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("bsl-1.0", "BSL-1.0"),
        ("unlicense", "Unlicense"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("cc0-1.0", "CC0-1.0"),
        ("wtfpl", "WTFPL"),
        ("MIT/Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT"),
        ("Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("Python Software Foundation License", "PSF-2.0"),
        ("other", None),
        ("NOASSERTION", None),
        ("no_license", None),
        ("UNLICENSED", None),
        ("", None),
        ("all rights reserved", None),
        ("/", None),
        ("x" * (MAX_CHARS + 1), None),
    ],
)
def test_names(words, spdx):
    assert spdx_of(words) == spdx


@given(st.text(max_size=MAX_CHARS + 10))
def test_any_words_have_an_answer(words):
    found = spdx_of(words)
    assert found is None or canonical(found) is not None


@given(st.sampled_from(sorted(blue_oak())), st.sampled_from([str.lower, str.upper, str]))
def test_every_identifier_is_found_in_any_case(spdx, case):
    assert spdx_of(case(spdx)) == spdx


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("mit", "MIT"),
        ("MIT OR mit", "MIT"),
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT"),
        ("(MIT)", "MIT"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("gpl-2.0-only with linux-syscall-note", "GPL-2.0-only WITH Linux-syscall-note"),
        ("MIT AND (ISC OR Zlib)", "MIT AND (ISC OR Zlib)"),
        ("LicenseRef-Own AND MIT", "LicenseRef-Own AND MIT"),
        ("Linux-syscall-note", None),
        ("MIT WITH ISC", None),
        ("MIT AND", None),
        ("MIT ISC", None),
        ("Foo-1.0", None),
        ("NONE", None),
        ("", None),
        ("(" * 300, None),
        ("MIT OR " * 60 + "MIT", None),
        (" ", None),
    ],
)
def test_canonical_spelling(written, spelt):
    assert canonical(written) == spelt


def expressions():
    leaves = st.sampled_from(IDS)
    return st.recursive(
        leaves,
        lambda inner: st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(
            lambda t: f"({''.join(t)})"
        ),
        max_leaves=6,
    )


@given(expressions())
def test_canonical_is_stable_and_keeps_no_new_identifier(expression):
    once = canonical(expression)
    assert once is not None
    assert canonical(once) == once
    assert identifiers(once) <= identifiers(expression)


def permissive_slow(expression: str) -> bool:
    """AND and OR as Python's `and` and `or`, over identifiers with SPDX's."""
    words = expression.replace("(", " ( ").replace(")", " ) ").split()
    names = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    return bool(eval(" ".join(names.get(word, str(word in PERMISSIVE)) for word in words)))


@given(expressions().filter(lambda e: "LicenseRef" not in e))
def test_permissive_equals_boolean_logic(expression):
    assert is_permissive(expression, PERMISSIVE) == permissive_slow(expression)
    assert is_permissive(canonical(expression), PERMISSIVE) == permissive_slow(expression)


@pytest.mark.parametrize(
    ("expression", "permissive"),
    [
        ("MIT", True),
        ("GPL-3.0", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("LicenseRef-x", None),
        ("LicenseRef-x OR MIT", True),
        ("LicenseRef-x AND GPL-3.0", False),
        ("LicenseRef-x AND MIT", None),
        ("CC-BY-NC-4.0", False),
        ("CC0-1.0", True),
    ],
)
def test_permissive(expression, permissive):
    assert is_permissive(expression, PERMISSIVE) is permissive


def test_the_permissive_list_is_version_15_of_blue_oak_s():
    rated = blue_oak()
    assert len(rated) == 224
    assert (rated["BlueOak-1.0.0"], rated["MIT"], rated["WTFPL"]) == ("Model", "Silver", "Lead")
    assert not any(name.startswith(("GPL", "LGPL", "AGPL", "MPL", "EPL")) for name in rated)
    assert all(canonical(name) is not None for name in rated)


def test_permissive_is_configured():
    config = AssignConfig(
        ratings=("Model", "Gold", "Silver"), also_permissive=("MPL-2.0",), not_permissive=("MIT",)
    )
    assert {"MPL-2.0", "Apache-2.0"} <= config.permissive()
    assert not {"MIT", "WTFPL"} & config.permissive()
    with pytest.raises(ValueError, match="ratings: expected some of Model, Gold"):
        AssignConfig(ratings=("Platinum",))


@pytest.mark.parametrize(
    ("one", "other", "agreed"),
    [
        ("MIT", "MIT", True),
        ("MIT", "ISC", False),
        ("MIT", "Apache-2.0 OR MIT", True),
        ("GPL-2.0", "GPL-2.0-or-later", True),
        ("GPL-2.0-only", "GPL-3.0-only", False),
        ("LGPL-2.1", "GPL-2.0", False),
        ("Apache-2.0", "Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND ISC", "MIT AND Zlib", False),
    ],
)
def test_agreement(one, other, agreed):
    assert agree(one, other) is agreed
    assert agree(other, one) is agreed


def test_joining():
    assert all_of(["MIT", "Apache-2.0 OR ISC"]) == "(Apache-2.0 OR ISC) AND MIT"
    assert any_of(["MIT", "MIT"]) == "MIT"
    assert any_of([]) is None
