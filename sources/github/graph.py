"""Graph: metadata of a hundred repositories with one request, by GitHub's GraphQL API, which needs a token.

Names travel as variables and are never part of the query's text. What it fails on is asked of the REST API.
Behaviour as documented: docs.github.com, "Rate limits and query limits for the GraphQL API".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sources.github.api import Api
from sources.github.facts import Facts, facts_of_graph, repository_name
from sources.github.refusals import Refusal

BATCH = 100

_FIELDS = (
    "nameWithOwner stargazerCount forkCount licenseInfo{spdxId} defaultBranchRef{name} pushedAt "
    "isArchived isFork isPrivate parent{nameWithOwner}"
)
_REFUSALS = {
    "NOT_FOUND": Refusal("gone", "404: not there"),
    "FORBIDDEN": Refusal("forbidden", "403: access refused"),
}


class Described(NamedTuple):
    """What is said of a repository: its name today and its facts."""

    name: str
    facts: Facts


class Graph:
    """What GraphQL says of some repositories, asked for a batch at a time when one of the batch is wanted."""

    def __init__(self, api: Api, names: Sequence[str]) -> None:
        self._api = api
        self._batches = [_Batch(names[at : at + BATCH]) for at in range(0, len(names), BATCH)]
        self._places = {name: batch for batch in self._batches for name in batch.names}

    def get(self, name: str) -> Described | None:
        """What is known of a repository; None when REST is to be asked, `Refusal` when it is not to be read."""
        batch = self._places.get(name)
        if batch is None:
            return None
        with batch.turn:
            if batch.found is None:
                batch.found = _ask(self._api, batch.names)
        found = batch.found.get(name)
        if isinstance(found, Refusal):
            raise found
        return found


class _Batch:
    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.turn = threading.Lock()
        self.found: dict[str, Described | Refusal] | None = None


def _ask(api: Api, names: Sequence[str]) -> dict[str, Described | Refusal]:
    """What is said of each name; those of which nothing can be used are left out."""
    query, variables = question(names)
    try:
        answer = api.graph(query, variables)
    except Refusal:
        return {}
    refused = _refused(answer.get("errors"))
    data = answer.get("data")
    said = data if isinstance(data, Mapping) else {}
    found: dict[str, Described | Refusal] = {}
    for number, name in enumerate(names):
        one = said.get(f"r{number}")
        described = _described(one) if isinstance(one, Mapping) else refused.get(f"r{number}")
        if described is not None:
            found[name] = described
    return found


def question(names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The query for some repositories, and its variables.

    >>> query, variables = question(["pallets/flask"])
    >>> query.partition(" fragment")[0]
    'query($o0:String!,$n0:String!){r0:repository(owner:$o0,name:$n0){...F}}'
    >>> variables
    {'o0': 'pallets', 'n0': 'flask'}
    """
    numbers = range(len(names))
    declared = ",".join(f"$o{n}:String!,$n{n}:String!" for n in numbers)
    asked = " ".join(f"r{n}:repository(owner:$o{n},name:$n{n}){{...F}}" for n in numbers)
    pairs = [name.split("/", 1) for name in names]
    variables = {f"o{n}": pair[0] for n, pair in enumerate(pairs)}
    variables |= {f"n{n}": pair[1] for n, pair in enumerate(pairs)}
    return f"query({declared}){{{asked}}} fragment F on Repository{{{_FIELDS}}}", variables


def _described(data: Mapping[str, Any]) -> Described | None:
    name = data.get("nameWithOwner")
    known = repository_name(name) if isinstance(name, str) else None
    return Described(known, facts_of_graph(data)) if known else None


def _refused(errors: Any) -> dict[str, Refusal]:
    """The refusals by alias; errors of other types say nothing for good."""
    found = {}
    for error in errors if isinstance(errors, list) else []:
        path, kind = (error.get("path"), error.get("type")) if isinstance(error, dict) else (None, None)
        if isinstance(path, list) and path and isinstance(path[0], str) and kind in _REFUSALS:
            found[path[0]] = _REFUSALS[kind]
    return found
