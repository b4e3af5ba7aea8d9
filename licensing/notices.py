"""Notices: the sentences by which a file's head says which licence it is under, and what they say in SPDX.

The sentences are those the licences themselves ask for (Apache-2.0 appendix; GPL, LGPL, AGPL "How to apply these
terms"; MPL 2.0 exhibit A; EPL exhibit A; SPDX specification 2.3 annex E for the tag) and common short ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from licensing.expressions import all_of, any_of, canonical, identifiers
from licensing.names import spdx_of
from licensing.texts import contained

_TAG = re.compile(
    r"""^(?:[^\w\n"'`]|\"\"\"|'''|\brem\b|\bdnl\b|\bc\b)*SPDX-License-Identifier:[ \t]*([^\n]*)""",
    re.IGNORECASE | re.MULTILINE,
)
_TAG_END = re.compile(r"""(?:\*/|--+>|\*\)|-\}|\#\}|%>|\]\]|\|#|=#|["'`;,*#\s])+$""")
_FIELD = re.compile(
    r"^[ \t]*(?:[#*/;%!.\-]+[ \t]*)?(?:@licen[cs]e:?|(?<=[#*/;%!])[ \t]*licen[cs]e:)[ \t]+([^\n]{2,80})",
    re.IGNORECASE | re.MULTILINE,
)
_DECORATION = " \t\r\f#*/;%!|-.\"'"
_REFERENCE = re.compile(
    r"[\w-]{1,20}[ -]style licen[cs]e that can be found in the \S+(?: file)?"
    r"|see (?:the )?(?:accompanying )?(?:file )?(?:licen[cs]e|copying)\S*(?: file)? for [^.]{0,60}"
)
_UNDER = r"(?:under|with|by|to|of|or|and) (?:the )?(?:terms (?:and conditions )?of )?(?:the )?"
_GNU = re.compile(
    r"(?:version (?P<before>\d(?:\.\d)?)(?P<later_before>,? or (?:\(at your option\) )?(?:any )?later,?)? of the )?"
    r"gnu (?P<kind>affero |lesser |library )?(?:or lesser )?general public licen[cs]e(?P<rest>[^:]{0,140})"
)
_GNU_VERSION = re.compile(r"(?:version|v)\.? ?(\d(?:\.\d)?)")
_GNU_SHORT = re.compile(
    rf"{_UNDER}(?:gnu )?(?P<kind>[al]?)gpl[ -]?(?:version |v)?\.? ?(?P<version>\d(?:\.\d)?)(?P<later>\+| or )?"
)
_LATER = re.compile(r"any later version|or later|or newer|or any later")
_KINDS = {"affero ": "AGPL", "lesser ": "LGPL", "library ": "LGPL", "a": "AGPL", "l": "LGPL"}
_EXCEPTIONS = {
    "Classpath-exception-2.0": re.compile(r'"?classpath"? exception'),
    "GCC-exception-3.1": re.compile(r"gcc runtime library exception"),
}
_CHOICE = re.compile(
    r"\bdual\b.{0,40}licen|at your (?:option|choice)(?!\)?,? any later)|alternatively|, or (?:under )?the \w+ licen"
    r"| or (?:the )?(?:terms of the )?(?:mit|bsd|apache|gnu|lgpl|gpl|mozilla)\b"
)
_FIXED = tuple(
    (literal, re.compile(pattern), licence)
    for literal, pattern, licence in (
        (
            "with llvm",
            r"apache licen[cs]e,? v(?:ersion )?2\.0 with llvm exceptions?",
            "Apache-2.0 WITH LLVM-exception",
        ),
        (
            "apache",
            rf"{_UNDER}apache (?:software )?licen[cs]e,? ?\(?(?:version |v)?\.? ?2(?:\.0)?\b(?! with llvm)",
            "Apache-2.0",
        ),
        (
            "mit",
            rf"{_UNDER}mit(?:/x11| x11|/expat)?[ -]licen[cs]e\b|licen[cs]ed under (?:the )?mit\b(?![ -]style)",
            "MIT",
        ),
        ("expat", rf"{_UNDER}expat[ -]licen[cs]e\b", "MIT"),
        (
            "bsd",
            rf"{_UNDER}(?:bsd[ -]3[ -]clause|(?:new|modified|revised|3-clause|three-clause) bsd)\b",
            "BSD-3-Clause",
        ),
        (
            "bsd",
            rf"{_UNDER}(?:bsd[ -]2[ -]clause|(?:simplified|freebsd|2-clause|two-clause) bsd)\b",
            "BSD-2-Clause",
        ),
        ("mozilla", rf"{_UNDER}mozilla public licen[cs]e,? (?:version |v)?\.? ?2\.0", "MPL-2.0"),
        ("mpl 1.1", r"mpl 1\.1/gpl 2\.0/lgpl 2\.1", "MPL-1.1 OR GPL-2.0-or-later OR LGPL-2.1-or-later"),
        ("eclipse", rf"{_UNDER}eclipse public licen[cs]e(?: -)?,? ?(?:version |v)?\.? ?1\.0", "EPL-1.0"),
        ("eclipse", rf"{_UNDER}eclipse public licen[cs]e(?: -)?,? ?(?:version |v)?\.? ?2\.0", "EPL-2.0"),
        ("boost", rf"{_UNDER}boost software licen[cs]e,? ?(?:-|\()? ?(?:version |v)?\.? ?1\.0", "BSL-1.0"),
        ("isc", rf"{_UNDER}isc licen[cs]e\b", "ISC"),
        ("zlib", rf"{_UNDER}zlib(?:/libpng)? licen[cs]e\b", "Zlib"),
        ("php", r"subject to version 3\.01 of the php licen[cs]e", "PHP-3.01"),
        ("php", r"subject to version 3\.0 of the php licen[cs]e", "PHP-3.0"),
        (
            "unencumbered",
            r"this is free and unencumbered software released into the public domain",
            "Unlicense",
        ),
        ("fuck", rf"{_UNDER}do what the fuck you want to public licen[cs]e", "WTFPL"),
        ("publicdomain", r"creativecommons\.org/publicdomain/zero/1\.0", "CC0-1.0"),
        ("perl", r"same terms as (?:the )?perl\b", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
    )
)
_COMMONS = re.compile(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)")
_FULL_TEXT = re.compile(
    r"permission is hereby granted|redistribution and use|permission to use, copy|permission is granted to"
)


class Notice(NamedTuple):
    """``spdx``: the expression, None when no licence is named; ``words``: what was read; ``line``: where, from 0."""

    spdx: str | None
    words: str | None
    line: int


def read_notice(text: str) -> Notice:
    """What the head of a file says about its licence.

    A valid ``SPDX-License-Identifier`` decides alone, and several such lines all hold; one that is not valid gives
    no licence, only its words. Then come ``@license`` fields, sentences and whole licence texts. Pointers such as
    "a BSD-style license that can be found in the LICENSE file" name no licence.

    >>> read_notice("# SPDX-License-Identifier: mit or apache-2.0")
    Notice(spdx='Apache-2.0 OR MIT', words='mit or apache-2.0', line=0)
    >>> read_notice("// Licensed under the Apache License,\\n// Version 2.0 (the ...)").spdx
    'Apache-2.0'
    """
    tags = list(_TAG.finditer(text)) if "spdx" in text.lower() else []
    if tags:
        return _of_tags(text, tags)
    plain = _flat(text)
    stated = list(_stated(text, plain))
    if stated:
        join = any_of if _CHOICE.search(plain) else all_of
        return Notice(join(_most_exact(stated)), None, 0)
    reference = _REFERENCE.search(plain)
    return Notice(None, reference[0][:80].strip(_DECORATION + "=") if reference else None, 0)


def _of_tags(text: str, tags: list[re.Match[str]]) -> Notice:
    words = [_TAG_END.sub("", tag[1][:300]).strip() for tag in tags]
    found = [canonical(expression) for expression in words]
    valid = [expression for expression in found if expression is not None]
    spdx = all_of(valid) if len(valid) == len(found) else None
    return Notice(spdx, words[0] or None, text.count("\n", 0, tags[0].start(1)))


def _flat(text: str) -> str:
    """The text without comment marks and line ends, in lower case."""
    lines = [line.strip(_DECORATION).removeprefix("dnl ") for line in text.lower().split("\n")]
    return " ".join(" ".join(lines).split())


def _stated(text: str, plain: str) -> Iterator[str]:
    for field in _FIELD.finditer(text):
        named = spdx_of(_TAG_END.sub("", field[1]))
        if named:
            yield named
    if "general public" in plain or "gpl" in plain:
        yield from _gnu(plain)
    for literal, pattern, licence in _FIXED:
        if literal in plain and pattern.search(plain):
            yield licence
    for match in _COMMONS.finditer(plain):
        named = canonical(f"CC-{match[1]}-{match[2]}")
        if named:
            yield named
    if _FULL_TEXT.search(plain):
        whole = contained(text)
        if whole:
            yield whole


def _gnu(plain: str) -> Iterator[str]:
    for match in _GNU.finditer(plain):
        version = _GNU_VERSION.search(match["rest"])
        number = match["before"] or (version and version[1])
        if number:
            after = match["rest"][version.end() :] if version and not match["before"] else match["rest"]
            later = bool(match["later_before"] or _LATER.search(after))
            yield from _gnu_name(_KINDS.get(match["kind"] or "", "GPL"), number, plain, later=later)
    for match in _GNU_SHORT.finditer(plain):
        later = match["later"] == "+" or bool(_LATER.match(plain[match.end("version") :].strip()))
        yield from _gnu_name(_KINDS.get(match["kind"], "GPL"), match["version"], plain, later=later)


def _gnu_name(kind: str, number: str, plain: str, *, later: bool) -> Iterator[str]:
    number = number if "." in number else f"{number}.0"
    name = f"{kind}-{number}-{'or-later' if later else 'only'}"
    exceptions = [word for word, pattern in _EXCEPTIONS.items() if pattern.search(plain)]
    named = canonical(f"{name} WITH {exceptions[0]}" if exceptions else name)
    if named:
        yield named


def _most_exact(stated: list[str]) -> list[str]:
    """The statements, of those about the same licences only the longest: "GPL-3.0-or-later", not "GPL-3.0"."""
    by_family: dict[frozenset[str], str] = {}
    for statement in stated:
        family = identifiers(statement)
        if len(statement) > len(by_family.get(family, "")):
            by_family[family] = statement
    parts = list(by_family)
    return [by_family[family] for family in parts if not any(family < other for other in parts)]
