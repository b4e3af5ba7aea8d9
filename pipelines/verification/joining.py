"""Joining: files of a repository stand behind each other, in the repository's shard, and one end of text follows."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from columns.files import PartName
from pipelines.verification.check import Check, files_word, some
from pipelines.verification.members import Members
from shards import shard_of


def check_joined(members: Members, cut: np.ndarray) -> Check:
    """Joined files; ``cut`` are those that may lack their end (`pipelines.verification.members.excused`)."""
    stray, torn, ended = _misplaced(members), *_sequence(members, cut)
    problems = [f"{name}: lies in the shard of another repository" for name in members.names(stray)]
    problems += [f"{name}: what stands behind it is not the next file" for name in members.names(torn)]
    problems += [
        f"{name}: ends with an end of text but is not the last file, or the other way round"
        for name in members.names(ended)
    ]
    return Check("joined files", files_word(len(np.unique(members.row[members.row >= 0]))), some(problems))


def _misplaced(members: Members) -> np.ndarray:
    """Rows of files that do not lie in the shard that their repository's key chooses; what a pool holds is of all."""
    parts, row = [PartName.parse(name) for name in members.pieces.names], members.row
    about = np.array([(part.index, part.count - members.pooled) for part in parts], np.int64)
    index, count = about[members.pieces.span.shard].T if len(row) else np.zeros((2, 0), np.int64)
    keys, wrong = members.keys(members.seed), np.zeros(len(row), np.bool_)
    for number in np.unique(count).tolist():
        there = np.flatnonzero((row >= 0) & (index < number) & (count == number))
        wrong[there] = shard_of(keys[row[there]], number) != index[there]
    return np.unique(row[wrong])


def _sequence(members: Members, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of files that the next one does not follow, and of those with a wrong end."""
    span, notes = members.pieces.span, members.pieces.notes
    if notes is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    before, length = (np.asarray(notes.column(name)).astype(np.int64) for name in ("before", "length"))
    group = np.asarray(pc.dictionary_encode(notes.column("first").combine_chunks()).indices)
    at = np.flatnonzero((members.row >= 0) & (span.offset == 0))
    at = at[np.lexsort((before[at], group[at]))]
    row, last = members.row[at], np.append(group[at][1:] != group[at][:-1], True)[: len(at)]
    follows = np.append(before[at][1:] == (before + length)[at][:-1], True)[: len(at)]
    ended = np.zeros(len(cut), np.bool_)
    ended[members.row[members.pieces.final(members.eot) & (span.last == members.eot)]] = True
    wrong = ended[row] & ~last | ~ended[row] & last & ~cut[row]
    return row[~follows & ~last], row[wrong]
