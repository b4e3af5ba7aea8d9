"""Takedowns: what was asked to be removed from a dataset, remembered in its directory for every later build of it.

``takedowns.json`` is a list of entries; each has what an opt-out list has (`sources.optout`), who signed it off and
when. Builds and refreshes read it as part of the recipe's ``ingest.opt_out``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from columns.errors import OutputError
from columns.files import Place
from pipelines.recipe import LoadedRecipe
from sources.optout import Kind, OptedOut

TAKEDOWNS = "takedowns.json"


@dataclass(frozen=True, order=True)
class Takedown:
    """One remembered wish; ``day`` is a date as YYYY-MM-DD."""

    kind: Kind
    value: str
    reason: str = ""
    signed_off_by: str = ""
    day: str = ""

    def wish(self) -> OptedOut:
        """The entry of an opt-out list; `ValueError` for what is none."""
        return OptedOut(self.kind, self.value, self.reason)


def read_takedowns(place: Place) -> tuple[Takedown, ...]:
    """The list of a dataset's directory; empty where nothing was removed."""
    if not place.exists(TAKEDOWNS):
        return ()
    try:
        found = tuple(Takedown(**entry) for entry in json.loads(place.read(TAKEDOWNS)))
        for entry in found:
            entry.wish()
    except (ValueError, TypeError, AttributeError) as error:
        raise OutputError(
            f"{place.url}/{TAKEDOWNS}: not a list of takedowns: {error}",
            hint="mend it by hand: without it what was removed would come back",
        ) from error
    return found


def remember(place: Place, entries: Sequence[Takedown]) -> None:
    """Add to the list what is not in it yet, by kind and value."""
    known = {(entry.kind, entry.value.lower()): entry for entry in read_takedowns(place)}
    for entry in entries:
        known.setdefault((entry.kind, entry.value.lower()), entry)
    text = json.dumps([asdict(entry) for entry in sorted(known.values())], indent=1, ensure_ascii=False)
    place.write_bytes(TAKEDOWNS, f"{text}\n".encode())


def honoured(loaded: LoadedRecipe, place: Place) -> LoadedRecipe:
    """The recipe with the takedowns of a directory in its opt-out list."""
    wishes = {entry.wish() for entry in read_takedowns(place)} - set(loaded.recipe.ingest.opt_out)
    if not wishes:
        return loaded
    ingest = loaded.recipe.ingest
    whole = tuple(sorted({*ingest.opt_out, *wishes}))
    changed = dataclasses.replace(ingest, opt_out=whole)
    return dataclasses.replace(loaded, recipe=dataclasses.replace(loaded.recipe, ingest=changed))
