"""Leaks: benchmark tasks that stand in made problems."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from columns.hashing import content_hashes
from contamination import ContaminationConfig, TaskGrams, contaminated, evidence, leaks
from contamination.commonness import Common


def leaked(texts: Sequence[str], config: ContaminationConfig, index: TaskGrams) -> list[list[str]]:
    """The benchmark tasks that the recipe's rule finds in each Python text, as ``suite/task``, sorted.

    ``index`` is ``config.index()``, made once. No n-gram counts as common: a made set is too small to learn them from.

    >>> config = ContaminationConfig()
    >>> index = config.index()
    >>> from contamination import load_suite
    >>> leaked(["x = 1", load_suite("humaneval").tasks[12].solutions[0]], config, index)
    [[], ['humaneval/HumanEval/12']]
    """
    content = pa.array(texts, pa.large_string())
    facts = evidence(content, pa.array(["python"] * len(texts), pa.string()), index)
    table = pa.Table.from_batches([facts], facts.schema)
    found = leaks(table, content_hashes(content), config, Common({}))
    return contaminated(found, len(texts)).tasks.to_pylist()
