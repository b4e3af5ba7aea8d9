"""Sampling: a model's answers decide which problems stay.

Source: Codex, arXiv 2107.03374, section 4.3: 100 samples a problem; where none passes, the task is too hard or its
statement and tests do not fit, and it is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from instruct.evaluation import task_counts
from instruct.problems import PROBLEM

NOT_SAMPLED, NO_SAMPLE_PASSES = "not_sampled", "no_sample_passes"
RULES = (NOT_SAMPLED, NO_SAMPLE_PASSES)


def keep_solved(problems: pa.Table, verdicts: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """Note how many samples of each kept problem pass; drop it where none does, or none was drawn.

    ``verdicts`` are `instruct.evaluation.VERDICT` rows. Counts rows per rule, ``solved``, and ``samples``.

    >>> from instruct.evaluation import VERDICT
    >>> from instruct.problems import problem_table
    >>> _, counts = keep_solved(problem_table([{"task_id": "a"}]), VERDICT.empty_table())
    >>> dict(counts)
    {'not_sampled': 1}
    """
    found: Mapping[str, tuple[int, int]] = task_counts(verdicts)
    counts: Counter[str] = Counter()
    rows = problems.to_pylist()
    for row in rows:
        if row["dropped"] is not None:
            continue
        row["n_samples"], row["n_pass"] = found.get(row["task_id"], (0, 0))
        if not row["n_pass"]:
            row["dropped"] = NO_SAMPLE_PASSES if row["n_samples"] else NOT_SAMPLED
        counts[row["dropped"] or "solved"] += 1
        counts["samples"] += row["n_samples"]
    return pa.Table.from_pylist(rows, schema=PROBLEM), +counts
