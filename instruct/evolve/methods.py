"""Methods: how a task is made harder, and the prompt that asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from columns.hashing import unit_hash

METHODS: Mapping[str, str] = {
    "constraint": "Add one more constraint or requirement, in about ten words.",
    "rarer": "Take a requirement that is often met in such tasks and put a rarer, more specific one in its place.",
    "reasoning": "If a few steps of thought are enough for it now, ask for more steps.",
    "misdirection": "Show a piece of wrong code as a reference that leads astray.",
    "complexity": "Ask for a better running time or less memory. Use this way sparingly.",
}
"""WizardCoder's five ways (Luo et al., arXiv 2306.08568, section 3.1), in our words."""

FORBIDDEN = ("#given task#", "#rewritten task#", "given task", "rewritten task")
"""What an evolved task must not contain, in lower case (PanGu-Coder2, arXiv 2307.14936, figure 2)."""

_PROMPT = """You design problems for programming contests. Rewrite the task below so that it becomes slightly harder.

Make it harder in this way:
{method}

The new task must be about as long as the old one, and one Python function must be enough to solve it.
Answer with the new task alone, without a solution or remarks. Do not write "#Given Task#", "#Rewritten Task#",
"given task" or "rewritten task".

#Given Task#
{instruction}

#Rewritten Task#
"""


def evolve_prompt(instruction: str, method: str) -> str:
    """What a model is asked, to make a task harder by one of `METHODS`.

    The structure is PanGu-Coder2's (arXiv 2307.14936, figure 2): the role, slightly harder by a method, similar
    length, a solution of one function, the forbidden texts. The words are ours.

    >>> evolve_prompt("Add two numbers.", "constraint").splitlines()[3]
    'Add one more constraint or requirement, in about ten words.'
    """
    return _PROMPT.format(method=METHODS[method], instruction=instruction)


def chosen_method(parent: str, round_: int, methods: Sequence[str], seed: int) -> str:
    """The method for a task in a round, by a hash of its id, the round and the seed.

    >>> chosen_method("seed-1", 1, ("constraint",), 0)
    'constraint'
    """
    drawn = int(unit_hash(f"evolve/{seed}/{round_}", [parent.encode()])[0])
    return methods[drawn % len(methods)]
