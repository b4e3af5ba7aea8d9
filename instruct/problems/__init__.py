"""Problems: a prompt, a solution and tests, whichever way they were come by.

The map::

    problem.py    PROBLEM: one task as a row; problem_table
    checking.py   Checks: ``check(candidate)`` put together and taken apart; humaneval_row
"""

from instruct.problems.checking import Checks, check_of, humaneval_row, parsed, split_check
from instruct.problems.problem import (
    CI,
    CONTEST,
    PACKAGE,
    PROBLEM,
    REPR,
    STDIN,
    SUITE,
    problem_table,
)

__all__ = [
    "CI",
    "CONTEST",
    "PACKAGE",
    "PROBLEM",
    "REPR",
    "STDIN",
    "SUITE",
    "Checks",
    "check_of",
    "humaneval_row",
    "parsed",
    "problem_table",
    "split_check",
]
