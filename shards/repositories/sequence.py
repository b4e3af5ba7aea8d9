"""Sequence: in which order the files of a repository stand; by paths and imports alone."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def tree_order(paths: Sequence[str]) -> list[int]:
    """Files by path, folder by folder: a folder's own files come before those of its folders.

    >>> tree_order(["b/x", "a/c/y", "a/z", "r"])
    [3, 2, 1, 0]
    """
    return sorted(range(len(paths)), key=lambda at: _tree_key(paths[at]))


def _tree_key(path: str) -> tuple[tuple[int, str], ...]:
    *folders, name = path.split("/")
    return (*((1, folder) for folder in folders), (0, name))


def import_order(paths: Sequence[str], imports: Sequence[Sequence[int]]) -> list[int]:
    """Files such that each stands behind those it imports, else by path; O((n + imports) log n).

    ``imports[i]`` are the numbers of the files that file i imports. Where files import each other in a circle, the
    first by path of those that wait for the fewest files goes first (DeepSeek-Coder's issue 43; arXiv 2401.14196).

    >>> import_order(["a", "b", "c"], [[1], [], [0]])
    [1, 0, 2]
    """
    wait = [len(set(found)) for found in imports]
    wanted: list[list[int]] = [[] for _ in paths]
    for at, found in enumerate(imports):
        for one in set(found):
            wanted[one].append(at)
    queue = [(count, paths[at], at) for at, count in enumerate(wait)]
    heapq.heapify(queue)
    placed: list[int] = []
    done = [False] * len(paths)
    while queue:
        count, _, at = heapq.heappop(queue)
        if done[at] or count != wait[at]:
            continue
        done[at] = True
        placed.append(at)
        for one in wanted[at]:
            wait[one] -= 1
            if not done[one]:
                heapq.heappush(queue, (wait[one], paths[one], one))
    return placed
