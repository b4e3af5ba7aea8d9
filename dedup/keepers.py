"""Keepers: which file of each set of duplicates stays, by a total order over files.

Two decisions, made apart because other rules come between them: exact duplicates (`choose_exact`), then
near duplicates among what is still there (`choose_near`). The near walk goes from the best file to the
worst and keeps a file unless it has a verified edge to one already kept. So every removed file is
itself similar to the file that replaced it: no chains, no clusters, no arbitrary survivor; and nothing
but the files connected to a file can change its fate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from dedup.runs import run_starts

Criterion = Literal["licensed", "stars", "forks", "newest", "oldest", "short_path", "path", "repo"]

DECISION = pa.schema(
    [
        pa.field("row", pa.int64(), metadata={"about": "the file that is removed"}),
        pa.field("keeper", pa.int64(), metadata={"about": "the file kept instead of it"}),
        pa.field(
            "similarity", pa.float32(), metadata={"about": "similarity of the two, 1 for equal content"}
        ),
        pa.field("kind", pa.string(), metadata={"about": "exact or near"}),
    ]
)

_KEYS = {
    "licensed": ("licensed", "descending"),
    "stars": ("stars", "descending"),
    "forks": ("forks", "descending"),
    "newest": ("updated", "descending"),
    "oldest": ("updated", "ascending"),
    "short_path": ("path_length", "ascending"),
    "path": ("path", "ascending"),
    "repo": ("repo", "ascending"),
}
_LAST = ("content_hash", "doc_id", "row")


@dataclass(frozen=True)
class KeepConfig:
    """Which of several duplicates stays: the first criterion that tells two files apart decides.

    ``licensed``: a stated licence first. ``stars``, ``forks``: more first. ``newest``, ``oldest``: by last
    change. ``short_path``: fewer characters first. ``path``, ``repo``: by name. What is unknown comes
    last; ties end with the content hash and the document id.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    order: tuple[Criterion, ...] = ("stars", "forks", "short_path", "path")

    def __post_init__(self) -> None:
        unknown = [name for name in self.order if name not in get_args(Criterion)]
        if unknown:
            raise ValueError(f"order: expected names from {sorted(get_args(Criterion))}, got {unknown}")
        if len(set(self.order)) != len(self.order):
            raise ValueError(f"order: expected each name once, got {list(self.order)}")


class Participants(NamedTuple):
    """The files a decision is about, in any order: equally long ``int64``, ``int64``, ``bool`` arrays.

    ``rank`` is from `rank`, lower is better; ``survives`` says what no earlier rule has removed. Only rows
    that occur in groups or edges matter; others may be left out.
    """

    row: np.ndarray
    rank: np.ndarray
    survives: np.ndarray


def rank(table: pa.Table | pa.RecordBatch, config: KeepConfig) -> np.ndarray:
    """The place of each file in the total order, ``int64[n]``, 0 is the best.

    The table has the document columns that the criteria need (``license stars forks updated path repo``),
    and ``content_hash``, ``doc_id`` and, where two rows may be the same document, ``row``.

    >>> files = pa.table({"stars": [3, None, 9], "path": ["a", "b", "c"]})
    >>> rank(files, KeepConfig(order=("stars",))).tolist()
    [1, 2, 0]
    """
    wanted = [_KEYS[name] for name in config.order]
    wanted += [(name, "ascending") for name in _LAST if name in table.schema.names]
    places = np.zeros(table.num_rows, np.int64)
    tied = np.arange(table.num_rows)
    for name, direction in wanted:
        tied = _refine(places, tied, _sort_column(table, name), direction)
    places[tied] += np.arange(len(tied)) - np.searchsorted(places[tied], places[tied])
    return places


def _refine(
    places: np.ndarray, tied: np.ndarray, column: pa.ChunkedArray | pa.Array, direction: str
) -> np.ndarray:
    """Tell tied rows apart by one more key, in place; returns the rows that are still tied, by place.

    ``tied`` is sorted by place and complete: every row whose place is another row's too. Unknown values
    come last.
    """
    if len(tied) == 0:
        return tied
    found = pc.rank(column.take(pa.array(tied)), direction, tiebreaker="dense")
    keys, before = np.asarray(found).astype(np.int64), places[tied]
    order = np.lexsort((keys, before))
    tied, starts = tied[order], run_starts(before, keys[order])
    run = np.repeat(starts[:-1], np.diff(starts))
    places[tied] = before + run - np.searchsorted(before, before)
    return tied[np.repeat(np.diff(starts) > 1, np.diff(starts))]


def choose_exact(groups: pa.RecordBatch, participants: Participants) -> pa.RecordBatch:
    """Remove all but the best surviving file of each group of equal contents: `DECISION`, by row.

    ``groups`` is `dedup.exact.EXACT`, or pieces of it joined. Needs no signatures, so it also decides
    files that are too short to have one.

    >>> groups = pa.RecordBatch.from_pydict({"row": [1, 5, 9], "representative": [1, 1, 1]})
    >>> files = Participants(np.array([1, 5, 9]), np.array([2, 0, 1]), np.array([True, True, True]))
    >>> choose_exact(groups, files).to_pandas()[["row", "keeper"]].values.tolist()
    [[1, 5], [9, 5]]
    """
    copies = _copies(groups, participants)
    best = np.repeat(copies.row[copies.starts[:-1]], np.diff(copies.starts))
    removed = copies.row != best
    return _decisions(copies.row[removed], best[removed], np.ones(int(removed.sum()), np.float32), "exact")


def choose_near(
    edges: pa.RecordBatch, groups: pa.RecordBatch, participants: Participants, *, threshold: float = 0.0
) -> pa.RecordBatch:
    """Remove every surviving file with an edge to a better file that is kept: `DECISION`, by row.

    ``edges`` (`dedup.verify.EDGE`, any order, repeats allowed) join contents, each named by its smallest
    row; ``groups`` says which rows share it. The best surviving row of a content stands for it; an edge to
    a content of which nothing survives says nothing. The keeper named is the most similar of the kept
    neighbours better than the file, the better one on ties. Rows still equal to each other (a recipe
    without the exact rule) share their content's fate. Edges below ``threshold`` are not used.

    >>> edges = pa.RecordBatch.from_pydict({"left": [1, 2], "right": [2, 3], "similarity": [0.9, 0.8]})
    >>> none = pa.RecordBatch.from_pydict({"row": [], "representative": []})
    >>> files = Participants(np.array([1, 2, 3]), np.array([0, 1, 2]), np.array([True, True, True]))
    >>> choose_near(edges, none, files).column("row").to_pylist()  # 3 is not similar to 1, so it stays
    [2]
    """
    copies = _copies(groups, participants)
    places = np.empty(len(copies.starts) - 1, np.int64)  # content -> its place among contents, 0 the best
    leads = copies.starts[:-1]
    places[np.lexsort((copies.row[leads], copies.rank[leads]))] = np.arange(len(leads))
    worse, better, similarity = _directed(edges, copies.content[leads], places, threshold)
    chosen = np.full(len(leads), -1, np.int64)
    likeness = np.zeros(len(leads), np.float32)
    _walk(worse, better, similarity, chosen, likeness)
    stander = np.empty(len(leads), np.int64)
    stander[places] = copies.row[leads]
    place = np.repeat(places, np.diff(copies.starts))
    removed = chosen[place] >= 0
    gone = place[removed]
    return _decisions(copies.row[removed], stander[chosen[gone]], likeness[gone], "near")


class _Copies(NamedTuple):
    """Surviving rows by content, the best first; content ``i`` owns ``starts[i]:starts[i + 1]``."""

    content: np.ndarray
    rank: np.ndarray
    row: np.ndarray
    starts: np.ndarray


def _copies(groups: pa.RecordBatch, participants: Participants) -> _Copies:
    alive = np.asarray(participants.survives, np.bool_)
    rows, ranks = (np.asarray(values, np.int64)[alive] for values in participants[:2])
    member, representative = (
        np.asarray(groups.column(name)).astype(np.int64) for name in ("row", "representative")
    )
    content = _look_up(rows, member, representative, rows)
    order = np.lexsort((rows, ranks, content))
    content = content[order]
    return _Copies(content, ranks[order], rows[order], run_starts(content))


def _look_up(wanted: np.ndarray, keys: np.ndarray, values: np.ndarray, default: np.ndarray) -> np.ndarray:
    """``values`` at ``wanted`` among the ``keys``, else ``default``."""
    if len(keys) == 0:
        return default
    order = np.argsort(keys)
    at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    return np.where(keys[at] == wanted, values[at], default)


def _directed(
    edges: pa.RecordBatch, contents: np.ndarray, places: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges between surviving contents as (worse place, better place, similarity), in walking order."""
    similarity = np.asarray(edges.column("similarity")).astype(np.float32)
    ends = [np.asarray(edges.column(name)).astype(np.int64) for name in ("left", "right")]
    one, other = (_look_up(end, contents, places, np.full(len(end), -1, np.int64)) for end in ends)
    used = (one >= 0) & (other >= 0) & (one != other) & (similarity >= np.float32(threshold))
    worse, better, similarity = np.maximum(one, other)[used], np.minimum(one, other)[used], similarity[used]
    order = np.lexsort((better, worse))
    return worse[order], better[order], similarity[order]


def _decisions(rows: np.ndarray, keepers: np.ndarray, similarity: np.ndarray, kind: str) -> pa.RecordBatch:
    order = np.argsort(rows)
    columns = [pa.array(column[order]) for column in (rows, keepers, similarity)]
    return pa.RecordBatch.from_arrays(
        [*columns, pa.repeat(pa.scalar(kind, pa.string()), len(rows))], schema=DECISION
    )


def _sort_column(table: pa.Table | pa.RecordBatch, name: str) -> pa.Array | pa.ChunkedArray:
    if name == "licensed":
        return pc.is_valid(table.column("license")).cast(pa.int8())
    if name == "path_length":
        return pc.utf8_length(table.column("path"))
    column = table.column(name)
    return column.cast(pa.binary()) if pa.types.is_fixed_size_binary(column.type) else column


@njit(nogil=True, cache=True)
def _walk(worse, better, similarity, chosen, likeness):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Best to worst: a better end is decided before it is asked for, as edges come by their worse end."""
    for edge in range(len(worse)):
        here, there = worse[edge], better[edge]
        if chosen[there] < 0 and (chosen[here] < 0 or similarity[edge] > likeness[here]):
            chosen[here] = there
            likeness[here] = similarity[edge]
