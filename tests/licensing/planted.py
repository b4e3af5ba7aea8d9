"""Planted licence texts: real ones disguised as repositories disguise them, and near ones that are not the licence."""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

MIT = """MIT License

Copyright (c) <year> <copyright holders>

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
_BSD_HEAD = """Copyright (c) <year> <owner>. All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
disclaimer in the documentation and/or other materials provided with the distribution.

"""
_BSD_NAMES = """3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or
promote products derived from this software without specific prior written permission.

"""
_BSD_END = """THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED
WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT,
INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE
GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF
THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""
ISC = """ISC License

Copyright (c) <year> <owner>

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
"""
ZLIB = """zlib License

(C) <year> <owner>

This software is provided 'as-is', without any express or implied warranty. In no event will the authors be held liable
for any damages arising from the use of this software.

Permission is granted to anyone to use this software for any purpose, including commercial applications, and to alter
it and redistribute it freely, subject to the following restrictions:

1. The origin of this software must not be misrepresented; you must not claim that you wrote the original software. If
you use this software in a product, an acknowledgment in the product documentation would be appreciated but is not
required.

2. Altered source versions must be plainly marked as such, and must not be misrepresented as being the original
software.

3. This notice may not be removed or altered from any source distribution.
"""
UNLICENSE = """This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either in source code form or
as a compiled binary, for any purpose, commercial or non-commercial, and by any means.

In jurisdictions that recognize copyright laws, the author or authors of this software dedicate any and all copyright
interest in the software to the public domain. We make this dedication for the benefit of the public at large and to
the detriment of our heirs and successors. We intend this dedication to be an overt act of relinquishment in perpetuity
of all present and future rights to this software under copyright law.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

For more information, please refer to <https://unlicense.org/>
"""
TEXTS: Mapping[str, str] = {
    "BSD-2-Clause": _BSD_HEAD + _BSD_END,
    "BSD-3-Clause": _BSD_HEAD + _BSD_NAMES + _BSD_END,
    "ISC": ISC,
    "MIT": MIT,
    "Unlicense": UNLICENSE,
    "Zlib": ZLIB,
}
OWN_TERMS = (
    "The Software shall not be used in any military or surveillance product.",
    "You may not sell the Software, nor offer it as a hosted service, without a commercial agreement.",
    "Use is permitted for non-commercial and academic purposes only.",
    "Redistribution requires the prior consent of the authors and payment of a fee.",
    "Companies with more than 50 employees must buy a seat for every developer.",
    "Notwithstanding the above, the license does not grant you the right to Sell the Software; this condition must be"
    " read together with the license and overrides it.",
)
UNMARKED_TERMS = (
    "Training machine learning models on the Software needs a separate agreement with the authors.",
    "Government agencies and their contractors are excluded from this grant.",
    "The rights granted here end on the first of January following the release and then return to the author.",
    "By using the Software you agree to credit the author on the home page of your product.",
    "The Software is licensed for evaluation.",
)
NAMES = (
    "Ada Lovelace",
    "The Example Authors <dev@example.org>",
    "Acme, Inc.",
    "Zoë Müller and contributors",
    "山田太郎",
)


class Case(NamedTuple):
    """A text, what it is (None: no licence on the list) and how it was made."""

    text: str
    spdx: str | None
    kind: str


def fill(text: str, chance: random.Random) -> str:
    """Years and names in the places that the template leaves for them."""
    text = re.sub(
        r"<\s*(?:year|years|yyyy|dates?)[^>]*>", lambda _: str(chance.randint(1990, 2026)), text, flags=re.I
    )
    return re.sub(r"<(?!http)[^<>\n]{3,40}>", lambda _: chance.choice(NAMES), text)


def reflow(text: str, chance: random.Random) -> str:
    width = chance.choice((40, 64, 72, 100, 10_000))
    return "\n\n".join(textwrap.fill(" ".join(part.split()), width) for part in text.split("\n\n")) + "\n"


def prefixed(text: str, chance: random.Random) -> str:
    mark = chance.choice(("# ", "// ", " * ", "-- ", ";; ", "> ", "    "))
    return "".join(f"{mark}{line}\n" for line in text.splitlines())


def markdown(text: str, chance: random.Random) -> str:
    return f"# License\n\n## _{chance.choice(NAMES)}_\n\n```\n{text}\n```\n"


def windows(text: str, chance: random.Random) -> str:
    return "\ufeff" + text.replace('"', chance.choice(("“", "''"))).replace("\n", "\r\n")


def introduced(text: str, chance: random.Random) -> str:
    name = chance.choice(("frobnicate", "libfoo", "Bar Baz"))
    owners = "".join(f"Copyright (c) {year} {chance.choice(NAMES)}\n" for year in range(2000, 2006))
    return f"{name} is free software, see below.\nWritten by {chance.choice(NAMES)}.\n\n{owners}\n{text}"


def tagged(text: str, chance: random.Random) -> str:
    return f"{'=' * 70}\n{text}\n{'=' * 70}\n\nThe end. Have a nice day.\n"


DISGUISES: tuple[Callable[[str, random.Random], str], ...] = (
    fill,
    reflow,
    prefixed,
    markdown,
    windows,
    introduced,
    tagged,
)


def disguised(texts: Mapping[str, str], seed: int) -> Iterator[Case]:
    """Every text in every disguise, and in all of them mixed."""
    chance = random.Random(seed)
    for spdx, text in sorted(texts.items()):
        for disguise in DISGUISES:
            yield Case(disguise(fill(text, chance), chance), spdx, disguise.__name__)
        mixed = fill(text, chance)
        for disguise in chance.sample(DISGUISES[1:], 3):
            mixed = disguise(mixed, chance)
        yield Case(mixed, spdx, "mixed")


def near_misses(texts: Mapping[str, str], seed: int) -> Iterator[Case]:
    """Texts with terms of one's own (after, before, in the middle), halves, and prose."""
    chance = random.Random(seed)
    for text in (texts[spdx] for spdx in sorted(texts)):
        filled = reflow(fill(text, chance), chance)
        parts = filled.split("\n\n")
        middle = max(len(parts) // 2, 1)
        for terms in OWN_TERMS:
            yield Case(f"{filled}\n{terms}\n", None, "terms after")
            yield Case(f"{terms}\n\n{filled}", None, "terms before")
            yield Case("\n\n".join([*parts[:middle], terms, *parts[middle:]]), None, "terms inside")
        for terms in UNMARKED_TERMS:
            yield Case(f"{filled}\n{terms}\n", None, "unmarked terms after")
            yield Case("\n\n".join([*parts[:middle], terms, *parts[middle:]]), None, "unmarked terms inside")
        yield Case(filled[: len(filled) * 55 // 100], None, "truncated")
    yield Case(
        "All rights reserved. This code is the property of Acme and confidential.\n", None, "proprietary"
    )
    yield Case(
        "# Code of Conduct\n\nWe pledge to make participation a good experience for all.\n", None, "prose"
    )
    yield Case("", None, "empty")
    yield Case("\0" * 100, None, "binary")
