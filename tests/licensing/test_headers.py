"""What the heads of files state: tags, notices, whole texts, and pointers that state nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.headers import Header, read_headers
from licensing.notices import read_notice
from tests.licensing.planted import MIT, TEXTS, ZLIB

APACHE = """Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

See the License for the specific language governing permissions and
limitations under the License."""
GPL = """This program is free software: you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation, either version 3 of the License, or
(at your option) any later version.

You should have received a copy of the GNU General Public License
along with this program.  If not, see <https://www.gnu.org/licenses/>."""
MPL = """This Source Code Form is subject to the terms of the Mozilla Public
License, v. 2.0. If a copy of the MPL was not distributed with this
file, You can obtain one at https://mozilla.org/MPL/2.0/."""
TAG = "SPDX-License-Identifier:"


def head_of(text: str | None, **limits: int) -> Header:
    return read_headers(pa.array([text], pa.large_string()), **limits)[0]


def commented(text: str, mark: str) -> str:
    return "".join(f"{mark}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("line", "spdx"),
    [
        (f"// {TAG} MIT", "MIT"),
        (f"/* {TAG} GPL-2.0-only WITH Linux-syscall-note */", "GPL-2.0-only WITH Linux-syscall-note"),
        (f"# {TAG} mit or apache-2.0", "Apache-2.0 OR MIT"),
        (f"<!-- {TAG} CC-BY-4.0 -->", "CC-BY-4.0"),
        (f"<!--\n  {TAG}  Apache-2.0\n-->", "Apache-2.0"),
        (f'"""{TAG} ISC"""', "ISC"),
        (f"-- {TAG} GPL-2.0+", "GPL-2.0-or-later"),
        (f";; {TAG} LicenseRef-Acme", "LicenseRef-Acme"),
        (f"dnl {TAG} MIT", "MIT"),
        (f"REM {TAG} MIT", "MIT"),
        (f"{{# {TAG} MIT #}}", "MIT"),
        (f"(* {TAG} MIT *)", "MIT"),
        ("// spdx-license-identifier: MIT\r", "MIT"),
        (f"# {TAG} MIT\n# {TAG} ISC", "ISC AND MIT"),
        (f"# {TAG} Proprietary", None),
        (f"# {TAG} NOASSERTION", None),
        (f"# {TAG}", None),
        (f"# {TAG} MIT\n# {TAG} Bogus", None),
        (f'print("// {TAG} MIT")', None),
        (f'    "{TAG} MIT\\n"', None),
    ],
)
def test_tags(line, spdx):
    assert head_of(f"#!/usr/bin/env x\n{line}\ncode = 1\n").spdx == spdx


def test_an_invalid_tag_keeps_its_words_and_its_line():
    assert head_of(f"\n\n# {TAG} Foo Bar\n") == Header(None, "Foo Bar", 3)


def test_an_invalid_tag_is_not_mended_by_a_notice():
    assert head_of(f"# {TAG} Nonsense\n{commented(APACHE, '# ')}").spdx is None


@pytest.mark.parametrize("mark", ["# ", "// ", " * ", "-- ", ";; ", "", "dnl ", "% "])
@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        (APACHE, "Apache-2.0"),
        (GPL, "GPL-3.0-or-later"),
        (MPL, "MPL-2.0"),
        (MIT, "MIT"),
        (ZLIB, "Zlib"),
        (TEXTS["BSD-3-Clause"], "BSD-3-Clause"),
        (TEXTS["BSD-2-Clause"], "BSD-2-Clause"),
    ],
)
def test_notices_in_any_comment(text, spdx, mark):
    if mark == "dnl " and text in TEXTS.values():
        pytest.skip("a word before every line is not a comment mark to the text matcher")
    code = "".join(f"value_{n} = compute({n})\n" for n in range(100))
    assert head_of(commented(text, mark) + "\n" + code).spdx == spdx


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        (
            "under the terms of the GNU General Public License version 2 as published by the FSF",
            "GPL-2.0-only",
        ),
        ("under the terms of version 2 of the GNU General Public License as published", "GPL-2.0-only"),
        (
            "the GNU Lesser General Public License as published; either version 2.1 of the License, or (at your option)"
            " any later version.",
            "LGPL-2.1-or-later",
        ),
        (
            "GNU Library General Public License as published; version 2 of the License, or later",
            "LGPL-2.0-or-later",
        ),
        ("GNU Affero General Public License, version 3", "AGPL-3.0-only"),
        ("You should have received a copy of the GNU General Public License.", None),
        ("This code is licensed under the GPLv2", "GPL-2.0-only"),
        ("Released under the LGPL v3 or later.", "LGPL-3.0-or-later"),
        ("Licensed under the GPL version 2+", "GPL-2.0-or-later"),
        ("This source code is licensed under the MIT license found in the LICENSE file", "MIT"),
        ("Distributed under the MIT License (http://opensource.org/licenses/MIT)", "MIT"),
        ("Use of this source code is governed by an MIT-style license that can be found in LICENSE", None),
        (
            "Use of this source code is governed by a BSD-style license that can be found in the LICENSE file.",
            None,
        ),
        (
            "Licensed under the Apache License, Version 2.0 <LICENSE-APACHE> or the MIT license <LICENSE-MIT>, at your"
            " option.",
            "Apache-2.0 OR MIT",
        ),
        (
            "Part of the LLVM Project, under the Apache License v2.0 with LLVM Exceptions.",
            "Apache-2.0 WITH LLVM-exception",
        ),
        (
            "Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE_1_0.txt)",
            "BSL-1.0",
        ),
        ("made available under the terms of the Eclipse Public License 2.0 which is available at", "EPL-2.0"),
        (
            "Version: MPL 1.1/GPL 2.0/LGPL 2.1 license block",
            "GPL-2.0-or-later OR LGPL-2.1-or-later OR MPL-1.1",
        ),
        ("Licensed under http://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("licensed under the new BSD license", "BSD-3-Clause"),
        ("licensed under the BSD license", None),
        (
            "This file is provided under a dual license: under the GPL v2 or under the new BSD license",
            "BSD-3-Clause OR GPL-2.0-only",
        ),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        ("free software under the same terms as Perl itself", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
        ("@license MIT", "MIT"),
        ("@license React v16\n * Copyright", None),
        ("License: BSD 3-Clause", "BSD-3-Clause"),
        ("The license plate of the car", None),
        ("permission denied", None),
    ],
)
def test_notices(text, spdx):
    found = head_of(f"/*\n * {text}\n */\nint x;\n").spdx
    assert found is None if spdx is None else set(found.split()) == set(spdx.split())


def test_the_classpath_exception_is_kept():
    text = commented(GPL.replace("version 3", "version 2"), " * ")
    text += ' * designates this particular file as subject to the "Classpath" exception of the License\n'
    assert head_of(text).spdx == "GPL-2.0-or-later WITH Classpath-exception-2.0"


def test_package_metadata_is_not_a_header():
    assert head_of('{"name": "x", "license": "MIT"}').spdx is None
    assert head_of("name: x\nabout:\n  license: GPL-3.0\n").spdx is None
    assert head_of('setup(name="x", license="MIT")').spdx is None


def test_pointers_are_kept_as_words():
    found = head_of("// governed by a BSD-style license that can be found in the LICENSE file.\n")
    assert found.spdx is None
    assert found.words == "bsd-style license that can be found in the license file"


def test_only_the_head_is_read():
    text = "x = 1\n" * 30 + f"# {TAG} MIT\n"
    assert head_of(text) == Header("MIT", "MIT", 31)
    assert head_of(text, head_lines=30) == Header(None, None, 0)
    assert head_of(text, head_bytes=150) == Header(None, None, 0)


def test_a_head_never_reaches_into_the_next_row():
    rows = read_headers(
        pa.array(["# SPDX-Lic", "ense-Identifier: MIT\n", None, f"# {TAG} MIT"], pa.large_string())
    )
    assert [row.spdx for row in rows] == [None, None, None, "MIT"]


pieces = st.sampled_from(
    ["licen", "LICENSE", "x", "\n", "\n\n", " permission", "# ", f"{TAG} MIT", "é", "unencumbered"]
)


@given(st.lists(st.lists(pieces, max_size=12).map("".join), max_size=4))
def test_the_kernel_finds_what_reading_every_line_finds(texts):
    """Heads without one of the words state nothing; others state what the whole short text states."""
    for text, found in zip(texts, read_headers(pa.array(texts, pa.large_string())), strict=True):
        slow = read_notice(text)
        assert (found.spdx, found.words) == (slow.spdx, slow.words)
        lines = [n for n, line in enumerate(text.split("\n"), 1) if f"{TAG} " in line]
        if found.words is not None and lines:
            assert found.line in lines


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    head_of(f"# licence {text}\n{TAG} {text}")


@pytest.mark.parametrize(
    "unit", ["**/", "*/x", "a-", "# ", "spdx", "licen ", "gpl ", "version 2 ", "or later ", '"']
)
def test_hostile_heads_end_quickly(unit):
    head_of(f"# {TAG} {unit * 1500}x")
    head_of(f"# licence {unit * 1500}x")
    head_of((f"{unit * 20}\n# licence\n") * 60)
