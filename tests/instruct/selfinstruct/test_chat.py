"""Chat: the published layouts, written down once more by hand."""

from __future__ import annotations

import json

import pytest

from columns.errors import InputError
from instruct.selfinstruct import chat_lines, has_tags, llama_chat, step_chat, triple_turns

TURNS = [("system", " Be brief. "), ("user", "Hi "), ("assistant", " Hello"), ("user", "Bye")]


def test_llama_2():
    """facebookresearch/codellama, llama/generation.py: the system's words stand inside the first user turn."""
    assert llama_chat(TURNS) == "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello [INST] Bye [/INST]"
    assert llama_chat(TURNS[1:2]) == "[INST] Hi [/INST]"


def test_the_steps_of_70b():
    assert step_chat(TURNS, answering=True) == (
        "Source: system\n\n Be brief. <step> Source: user\n\n Hi <step> Source: assistant\n\n Hello <step> "
        "Source: user\n\n Bye <step> Source: assistant\nDestination: user\n\n "
    )


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["system"],
        ["assistant"],
        ["user", "user"],
        ["user", "assistant", "system"],
        ["system", "system", "user"],
        ["user", "tool"],
    ],
)
@pytest.mark.parametrize("layout", [llama_chat, step_chat])
def test_turns_in_another_order_are_refused(layout, roles):
    with pytest.raises(InputError, match="chat: turns of"):
        layout([(role, "x") for role in roles])


@pytest.mark.parametrize("tag", ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<step>", "<s>", "</s>"])
def test_tags_are_seen(tag):
    assert has_tags(f"a{tag}b")
    assert not has_tags(tag[1:])


def test_a_record_of_a_triple():
    triple = {
        "id": "q",
        "question": "Add one.",
        "tests": ["assert f(1) == 2", "assert f(2) == 3"],
        "solution": "\ndef f(x):\n    return x + 1\n",
    }
    (line,) = chat_lines([triple])
    record = json.loads(line)
    assert list(record) == ["id", "messages", "text", "text_70b"]
    assert [message["role"] for message in record["messages"]] == ["user", "assistant"]
    assert record["messages"][1]["content"] == "[PYTHON]\ndef f(x):\n    return x + 1\n[/PYTHON]"
    assert "Add one.\n\nassert f(1) == 2\nassert f(2) == 3" in record["text"]
    assert record["text"] == llama_chat(triple_turns(triple))
    assert record["text_70b"].startswith("Source: user\n\n ")
