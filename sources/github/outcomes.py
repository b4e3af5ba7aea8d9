"""Outcomes: what became of each repository of a list, as rows that a dataset keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from sources.github.states import State

OUTCOMES = pa.schema(
    [
        pa.field("repo", pa.string(), metadata={"about": "the name in the list"}),
        pa.field(
            "state",
            pa.string(),
            metadata={"about": "done, moved, gone, forbidden, too_large, left_out, failed"},
        ),
        pa.field("reason", pa.string(), metadata={"about": "why nothing was read; null when something was"}),
        pa.field("now", pa.string(), metadata={"about": "its name today, of one that has moved"}),
        pa.field("ref", pa.string(), metadata={"about": "the commit that was read; null when none was"}),
        pa.field("license", pa.string(), metadata={"about": "as the API or the list states it"}),
        pa.field("stars", pa.int64(), metadata={"about": "stars"}),
        pa.field("forks", pa.int64(), metadata={"about": "forks"}),
        pa.field("fork_of", pa.string(), metadata={"about": "the repository it is a fork of"}),
        pa.field("archived", pa.bool_(), metadata={"about": "whether it is archived"}),
        pa.field("updated", pa.timestamp("us", "UTC"), metadata={"about": "time of the last push"}),
    ]
)


def outcomes(states: Sequence[State], unread: Mapping[str, str]) -> pa.Table:
    """One row of `OUTCOMES` per repository; ``unread`` are the states of those that were fetched and not listed.

    >>> outcomes([State("a/b", "gone", "404")], {}).select(["repo", "state", "reason"]).to_pylist()
    [{'repo': 'a/b', 'state': 'gone', 'reason': '404'}]
    """
    return pa.Table.from_pylist([_row(state, unread.get(state.name)) for state in states], OUTCOMES)


def _row(state: State, unread: str | None) -> dict[str, object]:
    facts = state.facts
    read = unread is None and state.state in ("done", "moved")
    return {
        "repo": state.name, "state": unread or state.state, "reason": state.reason or None,
        "now": state.now or None, "ref": (state.commit or None) if read else None, "license": facts.license,
        "stars": facts.stars, "forks": facts.forks, "fork_of": facts.fork_of, "archived": facts.archived,
        "updated": datetime.fromisoformat(facts.updated) if facts.updated else None,
    }  # fmt: skip
