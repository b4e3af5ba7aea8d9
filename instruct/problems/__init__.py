"""Problems: a prompt, a solution and tests, whichever way they were come by.

The map::

    problem.py    PROBLEM: one task as a row; problem_table
    checking.py   Checks: ``check(candidate)`` put together and taken apart; humaneval_row
    published.py  load_problems: HumanEval, MBPP and suites of HumanEval's layout
    contest.py    read_contest: APPS folders and rows, CodeContests; docstring.py: statements as docstrings
    function.py   function_parts, method_parts: a contest solution in the layout of HumanEval
    leaks.py      leaked: benchmark tasks that stand in made problems
"""

from instruct.problems.checking import Checks, check_of, humaneval_row, parsed, split_check
from instruct.problems.contest import read_contest
from instruct.problems.docstring import docstring
from instruct.problems.leaks import leaked
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
from instruct.problems.published import by_task, load_problems

__all__ = [
    "CI",
    "CONTEST",
    "PACKAGE",
    "PROBLEM",
    "REPR",
    "STDIN",
    "SUITE",
    "Checks",
    "by_task",
    "check_of",
    "docstring",
    "humaneval_row",
    "leaked",
    "load_problems",
    "parsed",
    "problem_table",
    "read_contest",
    "split_check",
]
