"""Changes: which files came, went, changed or took another's place between two versions of a dataset.

Ledgers of the same number of parts are compared part by part, since a file's part follows from its identity; only
files that one side alone has are held together, to tell changed ones from new ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.files import Place
from columns.tables import read_whole, write_table
from pipelines.dataset import Dataset, Names
from pipelines.ledger import EXACT_RULE, NEAR_RULE

CHANGELOG = "changes.parquet"
CHANGE = pa.schema(
    [
        pa.field(
            "change", pa.string(), metadata={"about": "added, removed, changed, promoted, kept or dropped"}
        ),
        pa.field("repo", pa.string()),
        pa.field("path", pa.string()),
        pa.field("doc_id", pa.binary(16), metadata={"about": "null for removed files"}),
        pa.field("doc_id_before", pa.binary(16), metadata={"about": "null for added files"}),
        pa.field("kept", pa.bool_(), metadata={"about": "in the shards; null for removed files"}),
        pa.field("kept_before", pa.bool_(), metadata={"about": "null for added files"}),
        pa.field("rule", pa.string(), metadata={"about": "what drops it"}),
        pa.field("rule_before", pa.string(), metadata={"about": "what dropped it before"}),
    ]
)
KINDS = ("added", "removed", "changed", "promoted", "kept", "dropped")
_COLUMNS = ("repo", "path", "doc_id", "kept", "rule")
_COPIES = (EXACT_RULE, NEAR_RULE)


def changes(old: Place, new: Place) -> pa.RecordBatch:
    """The files whose content or fate differs between two datasets: `CHANGE`, by kind, repository and path.

    "changed" is another text under the same repository and path; "promoted" an equal file that went for a copy
    before and now stays; "kept" and "dropped" equal files with another fate for any other reason. Holds one part's
    ledgers, and the rows that differ. Of a file that is listed more than once each occurrence counts.
    """
    gone: list[pa.Table] = []
    fresh: list[pa.Table] = []
    turned: list[pa.Table] = []
    for before, after in _pairs(old, new):
        at = _matches(before, after)
        matched = np.flatnonzero(at >= 0)
        turned.append(_turned(before.take(pa.array(at[matched])), after.take(pa.array(matched))))
        left = np.ones(before.num_rows, np.bool_)
        left[at[matched]] = False
        gone.append(before.filter(pa.array(left)))
        fresh.append(after.filter(pa.array(at < 0)))
    found = [*turned, _paired(pa.concat_tables(gone), pa.concat_tables(fresh))]
    table = pa.concat_tables(found).sort_by(
        [(name, "ascending") for name in ("change", "repo", "path", "doc_id")]
    )
    return concat(table.to_batches(), CHANGE)


def write_changes(place: Place, found: pa.RecordBatch) -> dict[str, int]:
    """Write ``changes.parquet`` into a version's directory; returns how many there are of each kind."""
    write_table(place, CHANGELOG, [found], CHANGE)
    counts = Counter(found.column("change").to_pylist())
    return {kind: counts[kind] for kind in KINDS}


def _pairs(old: Place, new: Place) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Ledgers that can hold the same files: part by part, or whole where the numbers of parts differ."""
    before, after = Dataset(old), Dataset(new)
    counts = before.parts(), after.parts()
    if counts[0] == counts[1]:
        for part in range(counts[0]):
            name = Names(counts[0]).part(part)
            yield tuple(read_whole(one.ledger, name, _COLUMNS).combine_chunks() for one in (before, after))
    else:
        yield _whole(before, counts[0]), _whole(after, counts[1])


def _whole(dataset: Dataset, parts: int) -> pa.Table:
    names = (Names(parts).part(part) for part in range(parts))
    return pa.concat_tables([read_whole(dataset.ledger, name, _COLUMNS) for name in names]).combine_chunks()


def _matches(before: pa.Table, after: pa.Table) -> np.ndarray:
    """The row of ``before`` that is each row of ``after``, -1 where there is none: n-th to n-th of equal ids."""
    one, other = (_numbered(table.column("doc_id")) for table in (before, after))
    return np.asarray(pc.fill_null(pc.index_in(other, value_set=one), -1), np.int64)


def _numbered(ids: pa.ChunkedArray) -> pa.Array:
    """Ids, the second and later ones of equal ids told apart by their number."""
    plain = ids.combine_chunks().cast(pa.binary())
    if pc.count_distinct(plain).as_py() == len(plain):
        return plain
    seen: Counter[bytes] = Counter()
    told = []
    for one in plain.to_pylist():
        told.append(one + seen[one].to_bytes(4, "big") if seen[one] else one)
        seen[one] += 1
    return pa.array(told, pa.binary())


def _turned(before: pa.Table, after: pa.Table) -> pa.Table:
    """Equal files whose fate is another one."""
    was, now = (np.asarray(table.column("kept").combine_chunks()) for table in (before, after))
    copy = np.asarray(pc.is_in(before.column("rule").combine_chunks(), pa.array(_COPIES)))
    kind = np.where(now, np.where(copy, "promoted", "kept"), "dropped")
    at = pa.array(np.flatnonzero(was != now))
    return _described(pa.array(kind, pa.string()).take(at), before.take(at), after.take(at))


def _paired(gone: pa.Table, fresh: pa.Table) -> pa.Table:
    """Files that one side alone has: changed where repository and path are on both, else added or removed."""
    waiting: dict[tuple[str | None, str | None], list[int]] = {}
    for row, name in enumerate(_names(gone)):
        waiting.setdefault(name, []).append(row)
    pairs = [(row, waiting[name].pop(0)) for row, name in enumerate(_names(fresh)) if waiting.get(name)]
    now, was = (pa.array([pair[side] for pair in pairs], pa.int64()) for side in (0, 1))
    added = _without(fresh, now)
    removed = _without(gone, was)
    return pa.concat_tables(
        [
            _described(_same("changed", len(pairs)), gone.take(was), fresh.take(now)),
            _described(_same("added", added.num_rows), None, added),
            _described(_same("removed", removed.num_rows), removed, None),
        ]
    )


def _names(table: pa.Table) -> Iterator[tuple[str | None, str | None]]:
    return zip(table.column("repo").to_pylist(), table.column("path").to_pylist(), strict=True)


def _without(table: pa.Table, rows: pa.Array) -> pa.Table:
    left = np.ones(table.num_rows, np.bool_)
    left[np.asarray(rows)] = False
    return table.filter(pa.array(left))


def _same(kind: str, rows: int) -> pa.Array:
    return pa.array([kind] * rows, pa.string())


def _described(kind: pa.Array, before: pa.Table | None, after: pa.Table | None) -> pa.Table:
    named = after if after is not None else before
    rows = len(kind)
    columns = [kind]
    for field in list(CHANGE)[1:]:
        side = before if field.name.endswith("_before") else after
        side = named if field.name in {"repo", "path"} else side
        name = field.name.removesuffix("_before")
        columns.append(pa.nulls(rows, field.type) if side is None else side.column(name).cast(field.type))
    return pa.Table.from_arrays(columns, schema=CHANGE)
