"""Run: every check of a dataset, in the order a person reads them."""

from __future__ import annotations

import pyarrow as pa

from columns.errors import OutputError
from columns.files import Place
from pipelines.finished import Finished
from pipelines.stage import COMMIT
from pipelines.verification.check import Check, Watch
from pipelines.verification.files import check_account, check_manifest, check_shards, check_stages
from pipelines.verification.joining import check_joined
from pipelines.verification.members import (
    Members,
    check_contamination,
    check_dropped,
    check_duplicates,
    check_survivors,
    excused,
)
from pipelines.verification.rows import Pieces, check_rows
from pipelines.verification.searching import NAME
from pipelines.verification.texts import check_texts, unreadable

SAMPLE = 200


def _unseen(_what: str, _done: int, _total: int) -> None:
    """Nobody is watching."""


def verify_dataset(place: Place, *, sample: int | None = SAMPLE, watch: Watch = _unseen) -> list[Check]:
    """Check a dataset: files, manifest, account of tokens, rows, members, and ``sample`` documents (None: all).

    A copy that holds only shards and manifest is checked as far as they go; other checks say that they were skipped.
    Cost: reads every file once, and the documents of the parts that the sample is in. `OutputError` where the
    place holds no dataset of this format.
    """
    dataset = Finished.open(place)
    try:
        checks = [check_shards(dataset, watch), check_stages(dataset, watch), check_manifest(dataset)]
        checks.append(check_account(dataset))
        rows, pieces = check_rows(dataset, watch)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{place.url}/manifest.json: a section is missing or not what it was: {error}"
        raise OutputError(what, hint="build it again") from error
    return [*checks, rows, *_members(dataset, pieces, sample, watch)]


def _members(dataset: Finished, pieces: Pieces, sample: int | None, watch: Watch) -> list[Check]:
    if not dataset.parts():
        names = ("every survivor", "no dropped file", "no duplicate", "no benchmark task", "texts", NAME)
        return [Check(name, "", (), "the ledger is not here") for name in names]
    try:
        members = Members.of(dataset, pieces)
        checks = [check_survivors(members, dataset), check_dropped(members)]
        checks += [check_joined(members, excused(members, dataset)[1])] if pieces.grouped else []
        checks += [check_duplicates(members, dataset), check_contamination(dataset)]
    except (pa.ArrowException, OSError) as error:
        return [Check("ledger", "", (f"cannot be read: {' '.join(str(error).split())}",))]
    if not dataset.place.child("documents").exists(COMMIT):
        return [*checks, *(Check(name, "", (), "the documents are not here") for name in ("texts", NAME))]
    try:
        return [*checks, *check_texts(dataset, members, sample, watch)]
    except (OutputError, pa.ArrowException, OSError, LookupError, ValueError) as error:
        return [*checks, unreadable(OutputError(f"cannot be read: {' '.join(str(error).split())}"))]
