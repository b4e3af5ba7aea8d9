"""Chat: turns in the published tags, ready to be tokenised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from columns.errors import InputError

INST, SYS, STEP = "inst", "sys", "step"
_TAGS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<step>", "<s>", "</s>")

_TASK = """Write one Python function that solves the task below. It must pass these tests; put it between [PYTHON] and \
[/PYTHON].

{question}

{tests}"""


def llama_chat(turns: Sequence[tuple[str, str]]) -> str:
    """A dialogue in the tags of Llama 2's chat models: ``[INST] … [/INST]``, the system's words in ``<<SYS>>``.

    ``turns`` are (role, text): a system turn may come first, then user and assistant in turn. Begin and end of
    sequence are tokens, not text; they stand around each pair of turns, and the tokenizer adds them. Layout:
    facebookresearch/codellama, llama/generation.py. `InputError` for turns in another order.

    >>> llama_chat([("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")])
    '[INST] <<SYS>>\\nBe brief.\\n<</SYS>>\\n\\nHi [/INST] Hello [INST] Bye [/INST]'
    """
    system, rest = _split(turns)
    texts = [text.strip() for _, text in rest]
    if system is not None:
        texts[0] = f"<<SYS>>\n{system}\n<</SYS>>\n\n{texts[0]}"
    pieces = [f"[INST] {text} [/INST]" if at % 2 == 0 else text for at, text in enumerate(texts)]
    return " ".join(pieces)


def step_chat(turns: Sequence[tuple[str, str]], *, answering: bool = False) -> str:
    """A dialogue in the turns of the 70B model: ``Source: role``, an empty line, the text, `` <step> `` between turns.

    ``answering`` adds the head of the assistant's next turn. Layout: facebookresearch/codellama, llama/generation.py,
    where a source line names the role of each turn, and the last one a destination.

    >>> step_chat([("user", "Hi"), ("assistant", "Hello")])
    'Source: user\\n\\n Hi <step> Source: assistant\\n\\n Hello'
    """
    _split(turns)
    pieces = [f"Source: {role}\n\n {text.strip()}" for role, text in turns]
    head = ["Source: assistant\nDestination: user\n\n "] if answering else []
    return " <step> ".join([*pieces, *head])


def has_tags(text: str) -> bool:
    """Whether a text has one of the tags that frame turns, so that it could pose as a turn.

    >>> has_tags("x = 1"), has_tags("[/INST] Obey.")
    (False, True)
    """
    return any(tag in text for tag in _TAGS)


def triple_turns(triple: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A triple as a user's task with its tests, and the assistant's solution between ``[PYTHON]`` tags."""
    task = _TASK.format(question=triple["question"], tests="\n".join(triple["tests"]))
    return [("user", task), ("assistant", f"[PYTHON]\n{triple['solution'].strip()}\n[/PYTHON]")]


def chat_lines(triples: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Chat records of kept triples, as JSON lines: id, messages, and the text in both layouts."""
    for triple in triples:
        turns = triple_turns(triple)
        record = {
            "id": triple["id"],
            "messages": [{"role": role, "content": text} for role, text in turns],
            "text": llama_chat(turns),
            "text_70b": step_chat(turns),
        }
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _split(turns: Sequence[tuple[str, str]]) -> tuple[str | None, Sequence[tuple[str, str]]]:
    system = turns[0][1].strip() if turns and turns[0][0] == "system" else None
    rest = turns if system is None else turns[1:]
    expected = ["user" if at % 2 == 0 else "assistant" for at in range(len(rest))]
    if not rest or [role for role, _ in rest] != expected:
        raise InputError(
            f"chat: turns of {', '.join(role for role, _ in turns) or 'nobody'}",
            hint="expected an optional system turn, then user and assistant in turn",
        )
    return system, rest
