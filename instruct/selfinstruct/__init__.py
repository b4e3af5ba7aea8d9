"""Self-instruct: questions, tests and solutions that a model makes itself, kept where a solution passes the tests.

Source: Code Llama, arXiv 2308.12950, section 2.5.

The map::

    questions.py  the prompt for fifty questions, the parser, exact duplicates -> QUESTION rows
    tagged.py     prompts and parsers of tests ([TESTS]) and solutions ([PYTHON])
    triples.py    first_passing: question, tests, first solution that passes -> TRIPLE rows
    chat.py       turns in the published tags; chat records
    mixture.py    rehearsal of older data by tokens, and its manifest

A question flows: asked for -> distinct -> tests -> ten solutions -> the first that passes -> chat, with rehearsal.
"""

from instruct.selfinstruct.chat import chat_lines, has_tags, llama_chat, step_chat, triple_turns
from instruct.selfinstruct.mixture import DRAWN, MixtureConfig, Source, mixed, mixture_manifest
from instruct.selfinstruct.questions import (
    QUESTION,
    QuestionConfig,
    parse_questions,
    question_prompts,
    questions,
)
from instruct.selfinstruct.tagged import (
    TaskTests,
    between,
    messages_for_solution,
    messages_for_tests,
    parse_solution,
    parse_tests,
)
from instruct.selfinstruct.triples import (
    CANDIDATE,
    TESTED_QUESTION,
    TRIPLE,
    candidates,
    first_passing,
    question_test_prompts,
    question_tests,
    solution_prompts,
)

__all__ = [
    "CANDIDATE",
    "DRAWN",
    "QUESTION",
    "TESTED_QUESTION",
    "TRIPLE",
    "MixtureConfig",
    "QuestionConfig",
    "Source",
    "TaskTests",
    "between",
    "candidates",
    "chat_lines",
    "first_passing",
    "has_tags",
    "llama_chat",
    "messages_for_solution",
    "messages_for_tests",
    "mixed",
    "mixture_manifest",
    "parse_questions",
    "parse_solution",
    "parse_tests",
    "question_prompts",
    "question_test_prompts",
    "question_tests",
    "questions",
    "solution_prompts",
    "step_chat",
    "triple_turns",
]
