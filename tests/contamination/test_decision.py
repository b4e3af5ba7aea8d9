"""The decision: thresholds over facts, nothing else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contamination import OVERLAPS, ContaminationConfig, contaminated

CONFIG = ContaminationConfig(min_matched=4, min_coverage=0.2, min_tests_coverage=0.5)


def fact(row, task="T/0", solution=0, solution_total=100, tests=0, tests_total=100):
    matched, total = solution + tests, solution_total + tests_total
    fields = {"row": row, "suite": "toy", "task": task, "rule": "ngram", "matched": matched, "total": total}
    spans = {"coverage": matched / total, "prompt": 0, "first_line": 1, "last_line": 2}
    parts = {
        "solution": solution,
        "solution_total": solution_total,
        "tests": tests,
        "tests_total": tests_total,
    }
    return {**fields, **spans, **parts}


def facts(*rows):
    return pa.RecordBatch.from_pylist(list(rows), OVERLAPS)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (fact(0, solution=20), True),
        (fact(0, solution=19), False),
        (fact(0, solution=3, solution_total=15), False),
        (fact(0, solution=4, solution_total=20), True),
        (fact(0, solution=4, solution_total=4), True),
        (fact(0, tests=50), True),
        (fact(0, tests=49), False),
        (fact(0, tests=3, tests_total=3), False),
        (fact(0, solution=19, tests=49), False),
        (fact(0, solution=4, solution_total=0), True),
    ],
)
def test_thresholds(row, expected):
    assert contaminated(facts(row), 1, CONFIG).mask.tolist() == [expected]


@given(st.integers(1, 2000), st.integers(1, 99))
def test_a_share_equal_to_the_threshold_reaches_it(scale, percent):
    config = ContaminationConfig(min_matched=1, min_coverage=percent / 100)
    row = fact(0, solution=percent * scale, solution_total=100 * scale)
    assert contaminated(facts(row), 1, config).mask.all()


def test_any_ngram_rule():
    config = ContaminationConfig(min_matched=1, min_coverage=0, min_tests_coverage=0)
    rows = facts(fact(0, solution=1, solution_total=900), fact(2, tests=1, tests_total=900))
    assert contaminated(rows, 3, config).mask.tolist() == [True, False, True]


def test_tasks_are_named_in_full_per_row():
    rows = facts(
        fact(1, "T/0", solution=50),
        fact(1, "T/1", solution=1),
        fact(1, "T/2", tests=60),
        fact(3, solution=99),
    )
    found = contaminated(rows, 5, CONFIG)
    assert found.mask.dtype == np.bool_
    assert found.mask.tolist() == [False, True, False, True, False]
    assert found.tasks.type == pa.list_(pa.string())
    assert found.tasks.to_pylist() == [[], ["toy/T/0", "toy/T/2"], [], ["toy/T/0"], []]


@given(st.permutations(range(6)))
def test_the_order_of_rows_means_nothing(order):
    rows = [fact(row, f"T/{row}", solution=20 + row) for row in range(6)]
    expected = contaminated(facts(*rows), 6, CONFIG)
    found = contaminated(facts(*(rows[i] for i in order)), 6, CONFIG)
    assert found.tasks.equals(expected.tasks)


def test_tables_in_chunks_read_like_batches():
    rows = [fact(0, solution=30), fact(2, tests=80), fact(2, "T/1", tests=1)]
    table = pa.Table.from_batches([facts(rows[0]), facts(*rows[1:])])
    found, expected = contaminated(table, 3, CONFIG), contaminated(facts(*rows), 3, CONFIG)
    assert found.tasks.equals(expected.tasks)
    assert found.mask.tolist() == expected.mask.tolist()


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("empty", [facts(), OVERLAPS.empty_table(), pa.Table.from_batches([], OVERLAPS)])
def test_without_facts_all_is_clean(rows, empty):
    found = contaminated(empty, rows, CONFIG)
    assert found.mask.tolist() == [False] * rows
    assert found.tasks.to_pylist() == [[]] * rows


@pytest.mark.parametrize("row", [-1, 3])
def test_rows_that_are_not_there_are_refused(row):
    with pytest.raises(ValueError, match="expected rows 0 to 2"):
        contaminated(facts(fact(row)), 3, CONFIG)
