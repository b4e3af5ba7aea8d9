"""Names: what people call a licence -> its SPDX expression ("apache-2.0", "MIT License", "['mit']", "GPLv3+")."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from licensing.expressions import all_of, canonical

MAX_CHARS = 200
_NAMES = Path(__file__).with_name("names.csv")
_LISTED = re.compile(r"""["']([^"']*)["']""")
_GNU = re.compile(
    r"(?:gnu )?(?:(?P<kind>affero|library|lesser|free documentation)? ?(?:or )?(?:lesser )?"
    r"general public|(?P<short>[al]?gpl|gfdl|fdl)|free documentation)"
    r" ?(?P<version>\d(?: \d)?)(?P<later> only| or later| or newer|\+| or any later| or greater)?"
    r"(?: [al]?gpl ?v? ?\d(?: \d)?\+?)?"
)
_KINDS = {"affero": "AGPL", "library": "LGPL", "lesser": "LGPL", "agpl": "AGPL", "lgpl": "LGPL", "gpl": "GPL"}
_SILENT = {
    *("", "other", "none", "null", "nan", "unknown", "noassertion", "no license", "no_license", "n/a", "[]"),
    *("unlicensed", "not found", "proprietary", "custom", "see license", "free", "open source"),
}
_OTHER_NAMES = {
    "Apache-2.0": "apache, apache 2, asl 2, asl 2 0, apache software, apl 2 0, apache 2 0 software",
    "MIT": "expat, mit expat, mit x11 expat, mit mit",
    "BSD-3-Clause": "new bsd, modified bsd, revised bsd, bsd new, bsd 3, 3 clause bsd, 3 clause, bsd new or revised,"
    " bsd 3 clause new or revised, three clause bsd, bsd three clause",
    "BSD-2-Clause": "simplified bsd, bsd simplified, freebsd, bsd 2, 2 clause bsd, two clause bsd",
    "BSL-1.0": "boost software, boost, boost software 1 0, bsl 1 0",
    "ISC": "isc iscl, iscl",
    "MPL-2.0": "mpl 2, mpl 2 0 mpl 2 0, mozilla 2 0, mozilla public 2 0 mpl 2 0",
    "PSF-2.0": "python software foundation, psf, psfl",
    "Unlicense": "unlicense unlicense, public domain unlicense",
    "CC0-1.0": "cc0, cc0 1 0 universal, creative commons zero, cc0 1 0 universal cc0 1 0 public domain dedication",
    "Zlib": "zlib libpng, zlib, libpng zlib",
    "WTFPL": "wtfpl 2, do what the fuck you want to public",
    "EPL-1.0": "eclipse 1 0, eclipse public 1 0",
    "EPL-2.0": "eclipse 2 0, eclipse public 2 0",
    "0BSD": "zero clause bsd, bsd zero clause",
}


@lru_cache(4096)
def spdx_of(words: str) -> str | None:
    """The SPDX expression that a name, an identifier, a key of a code host or a list of such means; None for no answer.

    Lists name every licence found in a repository, so their members are joined by AND. Names that leave open which
    licence is meant ("BSD", "other") give None, and so does a list with such a member. A GNU licence that is
    named without "only" or "or later" stays without (``GPL-3.0``); elsewhere SPDX identifiers keep their meaning.

    >>> spdx_of("mit"), spdx_of("Apache License, Version 2.0"), spdx_of("['mit', 'bsd-3-clause']")
    ('MIT', 'Apache-2.0', 'BSD-3-Clause AND MIT')
    >>> spdx_of("gpl-3.0"), spdx_of("GNU General Public License v3 or later (GPLv3+)"), spdx_of("BSD License")
    ('GPL-3.0', 'GPL-3.0-or-later', None)
    """
    if len(words) > MAX_CHARS:
        return None
    words = words.strip()
    if words.startswith(("[", "{", "(")) and (listed := _LISTED.findall(words)):
        members = [spdx_of(member) for member in listed]
        return None if None in members else all_of([member for member in members if member])
    if words.lower() in _SILENT:
        return None
    return _gnu(_plain(words)) or _names().get(_plain(words)) or canonical(words) or _alternatives(words)


def _alternatives(words: str) -> str | None:
    """ "MIT/Apache-2.0", as Cargo once wrote OR."""
    sides = [spdx_of(side) for side in words.split("/")] if "/" in words else [None]
    return None if None in sides else canonical(" OR ".join(side for side in sides if side))


def _plain(name: str) -> str:
    """A name without case, punctuation, "the", "license" and "version".

    >>> _plain("The Apache License, Version 2.0")
    'apache 2 0'
    """
    name = re.sub(r"[^a-z0-9+]+", " ", name.lower())
    name = re.sub(r"\b(?:the|licen[cs]e[ds]?|version|osi approved|under)\b", " ", name)
    name = re.sub(r"\bv(?= ?\d)|(?<=gpl)v(?=\d)", "", name)
    return re.sub(r" +", " ", name).strip()


def _gnu(name: str) -> str | None:
    match = _GNU.fullmatch(re.sub(r"\b([al]?gpl) ", r"\1 ", name))
    if match is None:
        return None
    short = match["short"] or match["kind"] or ("gfdl" if "documentation" in name else "gpl")
    kind = "GFDL" if "f" in short and "d" in short and "aff" not in short else _KINDS[short]
    number = match["version"].replace(" ", ".")
    number = number if "." in number else f"{number}.0"
    later = (match["later"] or "").strip()
    suffix = "" if not later else "-only" if later == "only" else "-or-later"
    named = f"{kind}-{number}{suffix}"
    return named if canonical(named) else None


@cache
def _names() -> Mapping[str, str]:
    with _NAMES.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(line for line in source if not line.startswith("#")))
    found = {_plain(row["name"]): row["id"] for row in reversed(rows)}
    found |= {_plain(row["id"]): row["id"] for row in rows if not row["id"].endswith(("-only", "-or-later"))}
    for licence, others in _OTHER_NAMES.items():
        found |= {_plain(other): licence for other in others.split(",")}
    return found
