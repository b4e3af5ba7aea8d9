"""The wire format of MTPB: what a model is given turn by turn, and where its answers end.

Source: CodeGen, arXiv 2203.13474, appendix; the text and the order of the rules as in codegen1/benchmark/mtpb_sample.py
of github.com/salesforce/CodeGen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from instruct.multiturn.dialogue import Dialogue

PREAMBLE = "# Import libraries.\n\nimport numpy as np\n\n"
TEMPERATURE, TOP_P = 0.2, 0.95
_ENDS = re.compile(r"^#|<\|endoftext\|>|^'''|^\"\"\"|\n\n\n", re.MULTILINE)
_TWICE = (re.compile("^print", re.MULTILINE), re.compile("^def", re.MULTILINE))


def turn_text(prompt: str) -> str:
    """A turn's prompt as a comment.

    >>> turn_text("Add 1.")
    '# Add 1.\\n'
    """
    return f"# {prompt}\n"


def truncated_turn(completion: str) -> str:
    """A turn's answer up to where it ends.

    First at the second line that begins with ``print``, then the second with ``def``, then at a comment, a text in
    triple quotes or an end of text at a line's begin, or two empty lines.

    >>> truncated_turn("x = 1\\nprint(x)\\nprint(2)\\n")
    'x = 1\\nprint(x)\\n'
    """
    for pattern in _TWICE:
        found = list(pattern.finditer(completion))
        if len(found) > 1:
            completion = completion[: found[1].start()]
    end = _ENDS.search(completion)
    return completion[: end.start()] if end else completion


def history(dialogue: Dialogue, input_ix: int, completions: Sequence[str], *, preamble: bool = True) -> str:
    """The text so far: after every answered turn the next turn's prompt, which a model is to go on from.

    With an answer to every turn it is the whole program. Raises `ValueError` for more answers than turns.

    >>> one = Dialogue("1", "", "", ("Let x be {n}.", "Print x."), ({"n": 2},), (2,), 128)
    >>> print(history(one, 0, ["x = 2"], preamble=False), end="")
    # Let x be 2.
    x = 2
    <BLANKLINE>
    # Print x.
    """
    turns = dialogue.turns(input_ix)
    if len(completions) > len(turns):
        raise ValueError(f"{len(completions)} answers for {len(turns)} turns")
    text = PREAMBLE if preamble else ""
    for prompt, completion in zip(turns, completions, strict=False):
        text += f"{turn_text(prompt)}{truncated_turn(completion)}\n\n"
    return text if len(completions) == len(turns) else text + turn_text(turns[len(completions)])
