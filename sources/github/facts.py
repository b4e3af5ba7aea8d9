"""Facts: what is known about a repository besides its files, from the API or from a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from sources.tables.cells import flag, integer, moment, text

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,99})/[A-Za-z0-9._-]{1,100}")

_LONGEST = 200
_URL = re.compile(
    r"(?:(?:https?|git|ssh)://(?:[^/@\s]*@)?[\w.-]+(?::\d+)?/|[\w.-]+@[\w.-]+:|[\w.-]+\.[a-z]+/)", re.ASCII
)


class Facts(NamedTuple):
    """Stars, forks, the licence's SPDX name, the time of the last push (ISO 8601), and the repository it is a fork of.

    Whatever is not known is None. `fork_of` is the direct parent; families of forks follow from it.
    """

    stars: int | None = None
    forks: int | None = None
    license: str | None = None
    default_branch: str | None = None
    updated: str | None = None
    archived: bool | None = None
    fork_of: str | None = None
    private: bool | None = None


def repository_name(written: str) -> str | None:
    """``owner/name`` of what a list or an event says, or None when it names no repository.

    >>> repository_name("https://github.com/pallets/flask.git"), repository_name("git@github.com:a/b")
    ('pallets/flask', 'a/b')
    >>> repository_name("../x"), repository_name("a/..")
    (None, None)
    """
    path = _URL.sub("", written.strip(), count=1) if _URL.match(written.strip()) else written.strip()
    owner, _, rest = path.strip("/").partition("/")
    name = rest.split("/")[0].removesuffix(".git")
    whole = f"{owner}/{name}"
    return whole if NAME.fullmatch(whole) and name not in (".", "..") else None


def facts_of_api(answer: Mapping[str, Any]) -> Facts:
    """Facts of a repository object of the REST API; a value of another type is None.

    >>> facts_of_api({"stargazers_count": 3, "license": {"spdx_id": "MIT"}, "fork": False})[:3]
    (3, None, 'MIT')
    """
    licence, parent = answer.get("license"), answer.get("parent")
    spdx = licence.get("spdx_id") if isinstance(licence, Mapping) else None
    return Facts(
        stars=integer(answer.get("stargazers_count")),
        forks=integer(answer.get("forks_count")),
        license=None if spdx == "NOASSERTION" else _short(spdx),
        default_branch=_short(answer.get("default_branch")),
        updated=_time(answer.get("pushed_at")),
        archived=flag(answer.get("archived")),
        fork_of=_parent(parent.get("full_name") if isinstance(parent, Mapping) else None, answer.get("fork")),
        private=flag(answer.get("private")),
    )


def facts_of_graph(answer: Mapping[str, Any]) -> Facts:
    """Facts of a repository object of the GraphQL API; the same as the REST API gives.

    >>> facts_of_graph({"stargazerCount": 3, "licenseInfo": {"spdxId": "MIT"}, "isFork": True}).fork_of
    ''
    """
    licence, branch, parent = (answer.get(key) for key in ("licenseInfo", "defaultBranchRef", "parent"))
    return facts_of_api(
        {
            "stargazers_count": answer.get("stargazerCount"),
            "forks_count": answer.get("forkCount"),
            "license": {"spdx_id": licence.get("spdxId")} if isinstance(licence, Mapping) else None,
            "default_branch": branch.get("name") if isinstance(branch, Mapping) else None,
            "pushed_at": answer.get("pushedAt"),
            "archived": answer.get("isArchived"),
            "fork": answer.get("isFork"),
            "private": answer.get("isPrivate"),
            "parent": {"full_name": parent.get("nameWithOwner")} if isinstance(parent, Mapping) else None,
        }
    )


def facts_of_row(row: Mapping[str, Any]) -> Facts:
    """Facts of a list's row, under the names of `Facts`; a value of another type is None."""
    return Facts(
        stars=integer(row.get("stars")),
        forks=integer(row.get("forks")),
        license=_short(text(row.get("license"))),
        default_branch=_short(row.get("default_branch")),
        updated=_time(row.get("updated")),
        archived=flag(row.get("archived")),
        fork_of=_parent(row.get("fork_of"), None),
    )


def _parent(name: object, fork: object) -> str | None:
    known = repository_name(name) if isinstance(name, str) else None
    return known or ("" if fork is True else None)


def _short(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value.isprintable() else None


def _time(value: object) -> str | None:
    found = moment(value)
    return found.isoformat() if found else None
