"""Dialogues: the problems of CodeGen's multi-turn benchmark (MTPB), read and checked.

Source: CodeGen, arXiv 2203.13474, section 4 and appendix D; the file is mtpb.jsonl of github.com/salesforce/CodeGen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from columns.errors import InputError
from instruct.evaluation.samples import json_rows

TURN_TOKENS = 256
_HINT = "expected mtpb.jsonl of github.com/salesforce/CodeGen, plain or gzipped"


@dataclass(frozen=True)
class Dialogue:
    """One problem: a prompt for each turn, and test cases: values for the prompts' places, and the expected output.

    ``max_tokens`` is the most that a model is to write in a turn.
    """

    id: str
    name: str
    category: str
    prompts: tuple[str, ...]
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Any, ...]
    max_tokens: int

    def turns(self, input_ix: int) -> tuple[str, ...]:
        """The prompts with a case's values in their places."""
        return tuple(prompt.format(**self.inputs[input_ix]) for prompt in self.prompts)


def load_dialogues(path: Path) -> tuple[Dialogue, ...]:
    """The problems of a file in its order, every prompt formatted once with every case's values to see that it can be.

    Of one published problem (57) there are more outputs than inputs; the last ones are left out. Raises `InputError`,
    naming the line, for a row that is no problem, a prompt that cannot be formatted, and an id that is there twice.
    """
    found: dict[str, Dialogue] = {}
    for where, row in json_rows(path):
        dialogue = _dialogue(row, where)
        _check(dialogue, where)
        if dialogue.id in found:
            raise InputError(f"{where}: problem {dialogue.id} for the second time")
        found[dialogue.id] = dialogue
    if not found:
        raise InputError(f"{path}: no problems", hint=_HINT)
    return tuple(found.values())


def _dialogue(row: Mapping[str, Any], where: str) -> Dialogue:
    prompts, inputs, outputs = (_listed(row, name, where) for name in ("prompts", "inputs", "outputs"))
    if not all(isinstance(prompt, str) for prompt in prompts) or not all(isinstance(i, dict) for i in inputs):
        raise InputError(f"{where}: prompts: expected texts, and inputs: objects", hint=_HINT)
    if len(outputs) < len(inputs):
        raise InputError(f"{where}: {len(inputs)} inputs and {len(outputs)} outputs", hint=_HINT)
    name, category = str(row.get("name") or ""), str(row.get("category") or "")
    tokens = row.get("max_gen_length", TURN_TOKENS)
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        raise InputError(f"{where}: max_gen_length: expected a number, got {tokens!r:.40}", hint=_HINT)
    return Dialogue(
        str(row.get("id")),
        name,
        category,
        tuple(prompts),
        tuple(inputs),
        tuple(outputs[: len(inputs)]),
        tokens,
    )


def _listed(row: Mapping[str, Any], name: str, where: str) -> list[Any]:
    found = row.get(name)
    if not isinstance(found, list) or not found:
        raise InputError(f"{where}: {name}: expected a list, got {type(found).__name__}", hint=_HINT)
    return found


def _check(dialogue: Dialogue, where: str) -> None:
    for number in range(len(dialogue.inputs)):
        try:
            dialogue.turns(number)
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            what = (
                f"{where}: prompts cannot be filled with inputs[{number}] ({type(error).__name__}: {error})"
            )
            raise InputError(what, hint="each {name} of a prompt must be one of the inputs") from error
