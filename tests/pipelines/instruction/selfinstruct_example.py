"""A little self-instruct: what a model asks, tests and solves; written for these tests. Its recording is packaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Item:
    """A question, the answer with tests, and at which of ten samples the first right solution comes (-1: at none)."""

    text: str
    tests: str = ""
    right: str = ""
    wrong: str = ""
    first: int = 0


def tests_of(*asserts: str) -> str:
    lines = [f"# Test case {n}:\n{one}" for n, one in enumerate(asserts, 1)]
    return "[TESTS]\n" + "\n".join(lines) + "\n[/TESTS]"


ITEMS = {
    "easy": (
        Item(
            "Write a function that counts how often each letter occurs in a word.",
            tests_of("assert count_letters('aab') == {'a': 2, 'b': 1}", "assert count_letters('') == {}"),
            "def count_letters(word):\n    return {c: word.count(c) for c in word}",
        ),
        Item(
            "Write a function that says whether two words have the same letters.",
            tests_of("assert same_letters('ab', 'ba') is True", "assert same_letters('ab', 'abb') is False"),
            "def same_letters(one, two):\n    return sorted(one) == sorted(two)",
            "def same_letters(one, two):\n    return set(one) == set(two)",
            3,
        ),
        Item(
            "Write a function that returns the difference between the largest and the smallest number of a list.",
            tests_of("assert spread([1, 5, 3]) == 4", "assert spread([2]) == 0", "assert spread([-1, 1]) == 2"),
            "def spread(numbers):\n    return max(numbers) - min(numbers)",
            "I am sorry, I cannot do this.",
            1,
        ),
        Item(
            "Write a function that returns a number's digits as a list, from left to right.",
            tests_of("assert digits(120) == [1, 2, 0]", "assert digits(0) == []"),
            "",
            "def digits(n):\n    return [int(c) for c in str(n)]",
            -1,
        ),
        Item("Write a function that says whether two words have the same letters."),
        Item("Sort it."),
    ),
    "medium": (
        Item(
            "Write a function that splits a list into pieces of a given length; the last may be shorter.",
            tests_of("assert pieces([1, 2, 3], 2) == [[1, 2], [3]]", "assert pieces([], 4) == []"),
            "def pieces(items, size):\n    return [items[i:i + size] for i in range(0, len(items), size)]",
            "def pieces(items, size):\n    while True:\n        pass",
            2,
        ),
        Item("Write a function that draws a house with characters.", "This cannot be tested well."),
        Item(
            "Write a function that returns the n-th row of Pascal's triangle, counted from zero.",
            tests_of("assert pascal(0) == [1]", "assert pascal(3) == [1, 3, 3, 1]", "assert pascal(4)[2] == 6"),
            "from math import comb\n\ndef pascal(n):\n    return [comb(n, k) for k in range(n + 1)]",
            "def pascal(n):\n    return [1] * (n + 1",
            9,
        ),
    ),
}  # fmt: skip


def answering(items: dict[str, tuple[Item, ...]], first_seed: int = 0) -> Any:
    """What the loopback server says to a request."""
    by_text = {item.text: item for line in items.values() for item in reversed(line)}

    def answer(asked: dict[str, Any]) -> str:
        text = asked["messages"][-1]["content"]
        if text.startswith("Make up"):
            level = "easy" if " easy " in text else "medium"
            lines = [f"{n}. {item.text}" for n, item in enumerate(items[level], 1)]
            return "Here are some:\n\n" + "\n".join(lines)
        question, _, test = text.removeprefix("Task: ").partition("\nTest: ")
        item = by_text[question]
        if not test:
            return item.tests
        right = 0 <= item.first <= asked["seed"] - first_seed
        return f"[PYTHON]\n{item.right}\n[/PYTHON]" if right else f"[PYTHON]\n{item.wrong}\n[/PYTHON]"

    return answer
