"""Members: the documents of the shards are those that the ledger kept, each once, and none that had to go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.files import PartName
from pipelines.finished import Finished
from pipelines.verification.check import Check, files_word, some
from pipelines.verification.rows import Pieces
from pipelines.wording import counted, plain
from shards import PackConfig, order_keys, shard_of
from shards.repositories import memberships

_COLUMNS = ["doc_id", "repo", "ref", "path", "size", "kept", "split", "rule", "content_hash"]


@dataclass(frozen=True)
class Members:
    """The ledger's files in one table, and for each piece the row of its file in it (-1: unknown)."""

    files: pa.Table
    pieces: Pieces
    row: np.ndarray
    eot: int
    seed: int
    pooled: bool

    @classmethod
    def of(cls, dataset: Finished, pieces: Pieces) -> Members:
        """Read the ledger; of files with one id a kept one comes first. Memory: some 200 bytes a file."""
        parts = [dataset.ledger(part, _COLUMNS) for part in dataset.parts()]
        files = pa.concat_tables(parts).sort_by([("kept", "descending")]).combine_chunks()
        ids = files.column("doc_id").combine_chunks().cast(pa.binary())
        at = pc.index_in(pieces.span.document, value_set=ids)
        pack = PackConfig(**dataset.section("recipe", "pack"))
        row = np.asarray(at.fill_null(-1)).astype(np.int64)
        return cls(files, pieces, row, dataset.section("tokenizer")["eot"], pack.shuffle_seed, pack.pools)

    @property
    def kept(self) -> np.ndarray:
        """Which rows of ``files`` were kept."""
        return np.asarray(self.files.column("kept").fill_null(False))

    def keys(self, seed: int) -> np.ndarray:
        """What chooses each file's shard: the key of its id, or of its repository where files were joined."""
        repo, ref, ids = (self.files.column(name).combine_chunks() for name in ("repo", "ref", "doc_id"))
        return order_keys(memberships(repo, ref, ids) if self.pieces.grouped else ids, seed)

    def names(self, rows: np.ndarray) -> list[str]:
        """Repository and path of some rows, harmless to show."""
        found = self.files.select(["repo", "path", "doc_id"]).take(pa.array(rows)).to_pylist()
        return [
            plain(f"{one['repo'] or ''}:{one['path'] or one['doc_id'].hex()}".lstrip(":")) for one in found
        ]


def check_dropped(members: Members) -> Check:
    """No piece of a file that was dropped, of one nobody knows, or of the other split."""
    held, known = members.row, members.row >= 0
    gone = np.unique(held[known][~members.kept[held[known]]])
    rules = members.files.column("rule").take(pa.array(gone)).to_pylist()
    problems = [f"{name}: dropped by {rule}, but in the shards"
                for name, rule in zip(members.names(gone), rules, strict=True)]  # fmt: skip
    strange = pc.unique(members.pieces.span.document.filter(pa.array(~known)))
    problems += [f"document {one.hex()}: in the shards, but not in the ledger" for one in strange.to_pylist()]
    kept = np.flatnonzero(known)[members.kept[held[known]]]
    said = np.array(members.files.column("split").take(pa.array(held[kept])).to_pylist(), object)
    wrong = np.unique(held[kept][said != members.pieces.splits()[kept]])
    problems += [f"{name}: lies in the other split" for name in members.names(wrong)]
    return Check("no dropped file", counted(len(held), "piece"), some(problems))


def check_survivors(members: Members, dataset: Finished) -> Check:
    """Every survivor is in the shards, whole and once, but for tokens that packing says it dropped."""
    ends = _ends(members)
    problems = list(_torn(members))
    kept = np.flatnonzero(_first_of_each(members) & members.kept)
    lost = kept[ends[kept] == 0]
    unended = kept[ends[kept] < 0]
    gone, cut = excused(members, dataset)
    problems += [f"{name}: kept, but not in the shards" for name in members.names(lost[~gone[lost]])]
    problems += [f"{name}: its end is missing" for name in members.names(unended[~cut[unended]])]
    if members.pieces.unread:
        problems.append(f"{counted(len(members.pieces.unread), 'shard')} could not be read")
    short = int(gone[lost].sum())
    looked = files_word(len(kept)) + (f" ({short:,} in a shard's tail that packing drops)" if short else "")
    return Check("every survivor", looked, some(problems))


def _first_of_each(members: Members) -> np.ndarray:
    """The first row of each document id: files with the same name and text are one document in the shards."""
    ids = members.files.column("doc_id").combine_chunks().cast(pa.binary())
    return np.asarray(pc.index_in(ids, value_set=ids)) == np.arange(len(ids))


def _ends(members: Members) -> np.ndarray:
    """Of each file: 0 without a piece, 1 where a piece is its last one, else -1."""
    found = np.zeros(members.files.num_rows, np.int64)
    there = members.row >= 0
    found[members.row[there]] = -1
    ended = there & members.pieces.final(members.eot)
    found[members.row[ended]] = 1
    return found


def _torn(members: Members) -> Iterator[str]:
    """Files whose pieces overlap or leave a gap."""
    span, there = members.pieces.span, np.flatnonzero(members.row >= 0)
    order = there[np.lexsort((span.offset[there], members.row[there]))]
    row, offset, length = members.row[order], span.offset[order], span.length[order]
    begins = np.append(True, row[1:] != row[:-1]) if len(row) else np.zeros(0, np.bool_)
    expected = np.where(begins, 0, np.append(0, (offset + length)[:-1])) if len(row) else offset
    single = ~_several(members)[row]
    for problem, mask in (("is twice in the shards", offset < expected), ("has a gap", offset > expected)):
        at = np.flatnonzero(mask & single)
        at = at[np.unique(row[at], return_index=True)[1]] if len(at) else at
        for name, index in zip(members.names(row[at]), at.tolist(), strict=True):
            yield f"{name}: {problem}, at its token {int(min(offset[index], expected[index])):,}"


def _several(members: Members) -> np.ndarray:
    """Files whose id was kept more than once: the same file, named twice by the inputs."""
    ids = members.files.column("doc_id").combine_chunks().cast(pa.binary())
    first = np.asarray(pc.index_in(ids, value_set=ids))
    counts = np.bincount(first[members.kept], minlength=len(ids)) if len(ids) else np.zeros(0, np.int64)
    return counts[first] > 1 if len(ids) else np.zeros(0, np.bool_)


def excused(members: Members, dataset: Finished) -> tuple[np.ndarray, np.ndarray]:
    """Files that may be missing, and those that may lack their end: packing says that it dropped something there."""
    none, every = np.zeros(members.files.num_rows, np.bool_), np.ones(members.files.num_rows, np.bool_)
    gone = (
        np.asarray(pc.fill_null(pc.equal(members.files.column("size"), 0), False))
        if members.pieces.grouped
        else none
    )
    dropped, pack = dataset.section("tokens", "dropped"), dataset.section("recipe", "pack")
    if dropped.get("overlong") and members.pieces.grouped:
        return every, every
    if dropped.get("overlong"):
        return (
            (every, none)
            if pack.get("overlong") == "drop"
            else (gone, _truncated(members, int(pack["seq_len"])))
        )
    if not dropped.get("shard_tail"):
        return gone, none
    found = _in_tails(members, int(pack.get("shuffle_seed", 0)))
    return found | gone, found


def _truncated(members: Members, seq_len: int) -> np.ndarray:
    """Files of which there is one piece that fills a row."""
    span, row = members.pieces.span, members.row
    found = np.zeros(members.files.num_rows, np.bool_)
    found[row[(row >= 0) & (span.offset == 0) & (span.length == seq_len)]] = True
    return found


def _in_tails(members: Members, seed: int) -> np.ndarray:
    """Files behind the last whole document of their shard, whose tokens the shard's tail dropped."""
    found, keys = np.zeros(members.files.num_rows, np.bool_), members.keys(seed)
    splits = np.array(members.files.column("split").to_pylist(), object)
    held = np.unique(members.row[members.row >= 0])
    listed = [PartName.parse(name) for name in members.pieces.names]
    for split in ("train", "validation"):
        count = max((part.count for part in listed if part.stem == split), default=1)
        mine = np.flatnonzero(splits == split)
        shard = shard_of(keys[mine], count) if len(mine) else mine
        last = np.zeros(count, np.uint64)
        there = np.isin(mine, held)
        np.maximum.at(last, shard[there], keys[mine[there]])
        found[mine] = keys[mine] >= last[shard]
    return found


def check_duplicates(members: Members, dataset: Finished) -> Check:
    """No two kept files of the same text, where the recipe removes them."""
    dedup = dataset.section("recipe", "dedup")
    if not dedup.get("exact", True):
        return Check("no duplicate", "", (), "the recipe keeps equal files")
    kept = (
        members.files.filter(members.files.column("kept"))
        .column("content_hash")
        .combine_chunks()
        .cast(pa.binary())
    )
    again = np.flatnonzero(np.asarray(pc.index_in(kept, value_set=kept)) != np.arange(len(kept)))
    names = members.names(np.flatnonzero(members.kept)[again])
    return Check(
        "no duplicate", files_word(len(kept)), some(f"{name}: kept beside an equal file" for name in names)
    )


def check_contamination(dataset: Finished) -> Check:
    """No kept file with a benchmark task that had to go: such files are dropped, or the task is cut out."""
    problems, looked, files = [], False, 0
    for part in dataset.parts():
        leaks, cuts = dataset.leaks(part), dataset.cuts(part)
        if leaks is None:
            continue
        looked = True
        ledger = dataset.ledger(part, ["kept", "path"])
        kept = np.asarray(ledger.column("kept").fill_null(False))
        files += int(kept.sum())
        cut = set() if cuts is None else set(cuts.filter(cuts.column("applied")).column("row").to_pylist())
        for row, suite, task, action, reached in zip(
            *(leaks.column(name).to_pylist() for name in ("row", "suite", "task", "action", "reached")),
            strict=True,
        ):
            left = action == "drop" or (action == "excise" and reached and row not in cut)
            if kept[row] and left:
                problems.append(
                    f"{plain(ledger.column('path')[row].as_py() or '')}: kept with {suite} {task} ({action})"
                )
    skipped = "" if looked else "nobody looked for benchmark tasks"
    return Check("no benchmark task", files_word(files) if looked else "", some(problems), skipped)
