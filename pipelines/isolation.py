"""Isolation: a file on which a kernel raises is found by halving its batch, and costs no other file its facts.

It is measured as a file without a text, so what is known of it is that nothing is: `UNMEASURABLE` is its problem, it is
counted, and no rule can keep it. What can be mended (`ThresherError`), the machine's own trouble (`OSError`,
`MemoryError`) and a fault that hits many files are errors of the run, which mark nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.document import DOCUMENT, UNMEASURABLE
from columns.errors import EnvironmentProblem, ThresherError
from columns.storage import cause

LEAST = 10
SHARE = 0.01
"""A part may have `LEAST` unmeasurable files, or this share of its files: more is a fault of the program."""

_EVERY_TEXT_HAS = "bytes"
_log = logging.getLogger("thresher.measure")

Measure = Callable[[pa.RecordBatch], pa.RecordBatch]


def isolated(
    batch: pa.RecordBatch, measure: Measure, short: Measure | None = None
) -> Iterator[pa.RecordBatch]:
    """``measure(batch)`` in pieces, in order; a file on which it raises is measured without its text.

    ``short`` gives the same for less and is tried first. Costs nothing where nothing raises, else the batch again for
    each halving. Raises what ``measure`` raises where it is no fault of a text.
    """
    try:
        found = (short or measure)(batch)
    except (ThresherError, OSError, MemoryError):
        raise
    except Exception as error:
        if short is not None:
            yield from isolated(batch, measure)
            return
        if batch.num_rows > 1:
            half = batch.num_rows // 2
            yield from isolated(batch.slice(0, half), measure)
            yield from isolated(batch.slice(half), measure)
            return
        kind = type(error).__name__
        _log.error("%s: it cannot be measured: %s: %s", batch.column("path")[0], kind, cause(error))
        found = measure(_without_text(batch))
    yield found


def _without_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.get_field_index("content")
    return batch.set_column(
        at, DOCUMENT.field("content"), pa.nulls(batch.num_rows, DOCUMENT.field("content").type)
    )


def marked(carried: pa.RecordBatch, measured: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """The columns of a part's documents, with the problem of those that were measured without their text.

    By the facts themselves, so facts that are taken from an older dataset say the same. `EnvironmentProblem` where
    they are too many.
    """
    unknown = pc.and_(
        pc.is_null(measured.column(_EVERY_TEXT_HAS)), pc.is_valid(carried.column("content_hash"))
    )
    lost = pc.and_(unknown, pc.is_null(carried.column("problem")))
    number = int(np.count_nonzero(np.asarray(lost)))
    if not number:
        return carried
    if number > max(LEAST, SHARE * len(carried)):
        path = carried.column("path").filter(lost)[0]
        raise EnvironmentProblem(
            f"measure: {number} of {len(carried)} files of {name} cannot be measured, such as {path}",
            hint="so many are a fault of the program or its packages; the log says which: try thresher peek on one",
        )
    at = carried.schema.get_field_index("problem")
    said = pc.if_else(lost, UNMEASURABLE, carried.column("problem"))
    return carried.set_column(at, carried.schema.field(at), said)


def with_facts(known: pa.RecordBatch) -> pa.Array:
    """Which rows of an older dataset's facts are those of a text: ``bool[n]``."""
    return pc.is_valid(known.column(_EVERY_TEXT_HAS))


def unmeasurable(carried: pa.RecordBatch) -> int:
    """How many documents have this problem."""
    return int(pc.sum(pc.equal(carried.column("problem"), UNMEASURABLE)).as_py() or 0)
