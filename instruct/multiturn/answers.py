"""Answers: what a model wrote turn by turn, read from JSON lines.

    {"id": "1", "input_ix": 0, "completions": ["my_string = 'abcde'", "my_string = my_string.lower()", …]}

The rows that codegen1/benchmark/mtpb_sample.py writes are read as well: ``input`` is the case's values, and
``completions`` the whole program as one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from columns.errors import InputError
from contamination.template import clean
from instruct.evaluation.samples import SETTINGS, json_rows
from instruct.multiturn.dialogue import Dialogue
from instruct.multiturn.wire import PREAMBLE, history

_HINT = 'expected {"id": "1", "input_ix": 0, "completions": ["…", one per turn]}'


@dataclass(frozen=True)
class Answered:
    """One run through a problem's turns: which case of it, its number among that case's runs, and the program."""

    id: str
    input_ix: int
    sample_ix: int
    program: str
    settings: Mapping[str, Any]


def read_answers(path: Path, dialogues: Sequence[Dialogue], *, preamble: bool = True) -> Iterator[Answered]:
    """The answers of a file in its order. Without ``preamble`` programs do not import NumPy.

    Raises `InputError`, naming the line, for a row that is not as above and for an unknown problem or case.
    """
    known = {dialogue.id: dialogue for dialogue in dialogues}
    counts: dict[tuple[str, int], int] = {}
    for where, row in json_rows(path):
        dialogue = known.get(str(row.get("id")))
        if dialogue is None:
            raise InputError(f"{where}: unknown problem {row.get('id')!r:.60}", hint=_HINT)
        case = _case(row, dialogue, where)
        text = _program(row, dialogue, case, where, preamble=preamble)
        number = counts.get((dialogue.id, case), 0)
        counts[dialogue.id, case] = number + 1
        settings = {name: row[name] for name in SETTINGS if name in row}
        yield Answered(dialogue.id, case, number, clean(text), settings)
    if not counts:
        raise InputError(f"{path}: no answers", hint=_HINT)


def _case(row: Mapping[str, Any], dialogue: Dialogue, where: str) -> int:
    found = row.get("input_ix")
    if found is None and row.get("input") in dialogue.inputs:
        return dialogue.inputs.index(row["input"])
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < len(dialogue.inputs):
        what = f"{where}: input_ix: expected 0 to {len(dialogue.inputs) - 1}, got {found!r:.40}"
        raise InputError(what, hint=_HINT)
    return found


def _program(row: Mapping[str, Any], dialogue: Dialogue, case: int, where: str, *, preamble: bool) -> str:
    found = row.get("completions")
    if isinstance(found, str):
        return found if preamble else found.removeprefix(PREAMBLE)
    if not isinstance(found, list) or not all(isinstance(turn, str) for turn in found):
        raise InputError(f"{where}: completions: expected a text per turn", hint=_HINT)
    if len(found) != len(dialogue.prompts):
        what = f"{where}: {len(found)} completions for the {len(dialogue.prompts)} turns of problem {dialogue.id}"
        raise InputError(what, hint=_HINT)
    return history(dialogue, case, found, preamble=preamble)
