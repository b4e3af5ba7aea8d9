"""Codex-S and Codex-D: problems with tests that a model can solve, and their solutions described.

The map::

    verifying.py   choose_cases, verify, mark_duplicates: tests that count, a solution that passes them every time
    asking.py      question, completion: what a model is asked, and what of its answer counts
    sampling.py    keep_solved: problems that some sample of a model solves
    tokens.py      masked_rows: prompts padded on the left, no loss on them
    describing.py  described: Codex-D, the docstring behind the solution
"""

from instruct.codex.asking import completion, question, stops_of
from instruct.codex.describing import DESCRIBED, described
from instruct.codex.sampling import keep_solved
from instruct.codex.tokens import IGNORED, TokenConfig, fixed_rows, masked_rows, token_schema
from instruct.codex.verifying import VerifyConfig, choose_cases, mark_duplicates, verify

__all__ = [
    "DESCRIBED",
    "IGNORED",
    "TokenConfig",
    "VerifyConfig",
    "choose_cases",
    "completion",
    "described",
    "fixed_rows",
    "keep_solved",
    "mark_duplicates",
    "masked_rows",
    "question",
    "stops_of",
    "token_schema",
    "verify",
]
