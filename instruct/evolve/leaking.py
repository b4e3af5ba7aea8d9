"""Leaking: which texts hold a benchmark's tasks, by the rules of `contamination`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa

from contamination import ContaminationConfig, TaskGrams, contaminated, evidence, leaks
from contamination.commonness import Common


class LeakCheck:
    """Benchmark suites, read once; then texts are asked about.

    ``suites`` are named as everywhere (``humaneval``, ``mbpp:PATH``, ``codereval:PATH``, ``leetcode:PATH``); no suite
    finds nothing. Raises `InputError` for one that cannot be read.
    """

    def __init__(self, suites: Sequence[str], rule: str = "thresher") -> None:
        self.config = ContaminationConfig(suites=tuple(suites), rule=rule)
        self._index: TaskGrams | None = self.config.index() if suites else None

    def tasks(self, texts: Sequence[str]) -> list[list[str]]:
        """The tasks found in each text, as ``suite/task``, sorted.

        >>> LeakCheck(()).tasks(["def f(): pass"])
        [[]]
        """
        if self._index is None or not texts:
            return [[] for _ in texts]
        content = pa.array(texts, pa.large_string())
        facts = evidence(content, pa.array(["python"] * len(texts), pa.string()), self._index)
        digests = pa.array([hashlib.sha256(text.encode()).digest() for text in texts], pa.binary(32))
        found = leaks(pa.Table.from_batches([facts]), digests, self.config, Common({}))
        return contaminated(found, len(texts)).tasks.to_pylist()
