"""Multi-turn benchmark (MTPB): problems that a model answers turn by turn, as CodeGen published them.

The map::

    dialogue.py    Dialogue, load_dialogues: the problems, every prompt filled once to see that it can be
    wire.py        history: what a model is given at each turn; truncated_turn: where an answer ends
    answers.py     Answered, read_answers: what a model wrote, from JSON lines
    lastprint.py   runs inside the sandbox: what a program prints last
    agreeing.py    agrees: whether that is the expected value
    running.py     run_answers, rates: pass rates of problems and categories
"""

from instruct.multiturn.agreeing import agrees
from instruct.multiturn.answers import Answered, read_answers
from instruct.multiturn.dialogue import Dialogue, load_dialogues
from instruct.multiturn.running import LIMITS, Printed, Rates, numpy_there, rates, run_answers
from instruct.multiturn.wire import PREAMBLE, history, truncated_turn

__all__ = [
    "LIMITS",
    "PREAMBLE",
    "Answered",
    "Dialogue",
    "Printed",
    "Rates",
    "agrees",
    "history",
    "load_dialogues",
    "numpy_there",
    "rates",
    "read_answers",
    "run_answers",
    "truncated_turn",
]
