"""Ranking: answers of a student and a teacher, ordered by unit tests, as pairs to train on (RRTF).

Source: PanGu-Coder2, arXiv 2307.14936, sections 3.4, 3.5 and 4.1; the second output is RRHF's (GanjinZero/RRHF).

The map::

    extraction.py  extract: the program in an answer, and what is wrong with it
    unittests.py   tests that a model writes: the prompt, the parser, TESTED rows
    responses.py   RESPONSE rows of each role; judged: the four outcomes, by the sandbox
    preference.py  RankingConfig, pairs: which is better, and what is dropped -> PAIR rows
    formats.py     RRTF and RRHF records, training texts, the evaluation prompt

A task flows: tests -> answers of both roles -> outcomes -> pairs -> JSON lines.
"""

from instruct.ranking.extraction import Extracted, defined, extract
from instruct.ranking.formats import (
    docstring,
    evaluation_prompt,
    rrhf_lines,
    rrtf_lines,
    training_lines,
    training_prompt,
    training_text,
)
from instruct.ranking.preference import DROPS, PAIR, RankingConfig, pairs
from instruct.ranking.responses import (
    OUTCOMES,
    RESPONSE,
    STUDENT,
    TEACHER,
    Judge,
    ResponseConfig,
    judged,
    response_prompts,
    responses,
)
from instruct.ranking.unittests import (
    TESTED,
    UnitTestConfig,
    parse_unit_tests,
    unit_test_prompt,
    unit_test_prompts,
    with_tests,
)

__all__ = [
    "DROPS",
    "OUTCOMES",
    "PAIR",
    "RESPONSE",
    "STUDENT",
    "TEACHER",
    "TESTED",
    "Extracted",
    "Judge",
    "RankingConfig",
    "ResponseConfig",
    "UnitTestConfig",
    "defined",
    "docstring",
    "evaluation_prompt",
    "extract",
    "judged",
    "pairs",
    "parse_unit_tests",
    "response_prompts",
    "responses",
    "rrhf_lines",
    "rrtf_lines",
    "training_lines",
    "training_prompt",
    "training_text",
    "unit_test_prompt",
    "unit_test_prompts",
    "with_tests",
]
