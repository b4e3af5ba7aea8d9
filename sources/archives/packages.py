"""Packages: what the metadata of a PyPI, npm or wheel archive says of it, and when a member was changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import HeaderParser
from typing import Any, NamedTuple

import orjson

from sources.archives.names import Identity
from sources.tables.cells import SEPARATOR, text

MAX_BYTES = 1 << 20

_METADATA = re.compile(r"(?:[^/]+/)?PKG-INFO|package/package\.json|[^/]+\.dist-info/METADATA")
_ARCHIVE = re.compile(r"(?:.*/)?[^/]+-v?\d[^/]*\.(?:tar\.gz|tgz|tar\.bz2|zip|whl)")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*|@[\w.~-]+/[\w.~-]+", re.ASCII)
_CLASSIFIER = "License :: "
_LONGEST = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_CONSTANT = ((1980, 1, 1), (1985, 10, 26))


class Package(NamedTuple):
    """Name, version and licence of a package, as its metadata states them; null where it does not."""

    name: str | None = None
    version: str | None = None
    license: str | None = None


def may_be_package(archive: str) -> bool:
    """Whether an archive's name is that of a released package: NAME-VERSION.

    >>> may_be_package("requests-2.32.3.tar.gz"), may_be_package("work.tar.gz")
    (True, False)
    """
    return _ARCHIVE.fullmatch(archive) is not None


def is_metadata(path: str) -> bool:
    """Whether a member holds a package's metadata: PKG-INFO and package.json at the top, METADATA of a wheel.

    >>> is_metadata("requests-2.32.3/PKG-INFO"), is_metadata("package/src/package.json")
    (True, False)
    """
    return _METADATA.fullmatch(path) is not None


def read_package(path: str, raw: bytes) -> Package:
    """Read a package's metadata; what is not as it should be is null.

    PyPI: "Core metadata specifications" of packaging.python.org (a licence's own words, the expression first, then the
    field, then classifiers); npm: "package.json" of docs.npmjs.com.

    >>> read_package("x-1/PKG-INFO", b"Name: x\\nVersion: 1\\nLicense-Expression: MIT\\n")
    Package(name='x', version='1', license='MIT')
    """
    if not path.endswith(".json"):
        return _of_headers(HeaderParser().parsestr(raw.decode("utf-8", "replace")))
    try:
        found = orjson.loads(raw)
    except ValueError:
        return Package()
    return _of_json(found) if isinstance(found, dict) else Package()


def identified(identity: Identity, package: Package) -> Identity:
    """An archive's identity with the package's own name, and its version where the archive's name says no ref."""
    return identity._replace(repo=package.name or identity.repo, ref=identity.ref or package.version)


def changed(seconds: int | None) -> datetime | None:
    """The time a member states, or None for the constants of reproducible packaging: 0, 1980-01-01, 1985-10-26.

    >>> changed(1_600_000_000).year, changed(0), changed(499162500)
    (2020, None, None)
    """
    try:
        found = _EPOCH + timedelta(seconds=0 if seconds is None else seconds)
    except OverflowError:
        return None
    return found if _FIRST <= found < _LAST and found.timetuple()[:3] not in _CONSTANT else None


def _of_headers(found: Message) -> Package:
    classifiers = [_short(one) or "" for one in found.get_all("Classifier") or ()]
    named = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith(_CLASSIFIER)]
    stated = _short(found.get("License-Expression")) or _short(found.get("License"))
    return Package(_name(found.get("Name")), _short(found.get("Version")), stated or text(named))


def _of_json(found: Mapping[str, Any]) -> Package:
    license = found.get("license", found.get("licenses"))
    every = license if isinstance(license, list) else [license]
    named = [one.get("type") if isinstance(one, dict) else one for one in every]
    said = [one for one in map(_short, named) if one and not one.upper().startswith("SEE LICENSE")]
    return Package(_name(found.get("name")), _short(found.get("version")), SEPARATOR.join(said) or None)


def _name(value: object) -> str | None:
    """A name as PyPI and npm have them: never an owner's repository, which anybody could claim to be."""
    said = _short(value)
    return said if said and _NAME.fullmatch(said) else None


def _short(value: object) -> str | None:
    """A value of one short line; a whole licence text in its field is none, and UNKNOWN says nothing."""
    said = str(value).strip() if isinstance(value, str) else ""
    return said if said and said.isprintable() and len(said) <= _LONGEST and said != "UNKNOWN" else None
