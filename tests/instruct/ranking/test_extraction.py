"""Extraction: every way in which models hand over code, and texts that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.ranking import defined, extract
from instruct.ranking.extraction import PROBLEMS

GOOD = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    ("text", "how", "code"),
    [
        (f"```python\n{GOOD}```", "fenced", GOOD),
        (f"Of course!\n\n```py\n{GOOD}```\nThis adds one.", "fenced", GOOD),
        (f"```\n{GOOD}```", "fenced", GOOD),
        (f"~~~python\n{GOOD}~~~\n", "fenced", GOOD),
        (f"````python title=a\n{GOOD}````", "fenced", GOOD),
        (f"```python\n{GOOD}", "fenced", GOOD),
        (f"```python\r\n{GOOD}```".replace("\n", "\r\n").replace("\r\r", "\r"), "fenced", GOOD),
        (f"```bash\npip install x\n```\n```python\n{GOOD}```", "fenced", GOOD),
        (f"```python\nf(1)\n```\nand\n```python\n{GOOD}```", "fenced", GOOD),
        (f"```python\ndef g():\n    pass\n```\nand\n```python\n{GOOD}```", "fenced", GOOD),
        (GOOD, "bare", GOOD),
        (f'"""\nAdd one.\n"""\n{GOOD}', "bare", f'"""\nAdd one.\n"""\n{GOOD}'),
        (f"import math\n\n{GOOD}", "bare", f"import math\n\n{GOOD}"),
        (f"Here it is.\n\n{GOOD}\nThis adds one to x.", "embedded", f"{GOOD}\n"),
        (f"Here it is:\nfrom math import pi\n{GOOD}That's all!", "embedded", f"from math import pi\n{GOOD}"),
        ("    return x + 1\n", "continued", GOOD),
        ("\n    return x + 1\n\nThat is all!", "continued", f"{GOOD}\n"),
        ("```python\n    return x + 1\n```", "continued", GOOD),
    ],
)
def test_where_code_stands(text, how, code):
    found = extract(text, "f", "def f(x):")
    assert (found.how, found.code, found.problem) == (how, code, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no_answer"),
        (" \n\t", "no_answer"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("As an AI, I do not write code.", "refusal"),
        ("The function adds one.", "no_code"),
        ("f", "no_code"),
        ("42", "no_code"),
        ("```java\nint f(int x) { return x + 1; }\n```", "not_python"),
        ("```python\ndef f(x:\n    return\n```", "syntax"),
        ("Take this:\ndef f(x:\n    return\n", "syntax"),
        ("```python\nx = 1\n```", "no_function"),
        ("```python\nclass A:\n    def f(self): pass\n```", "no_function"),
        ("```python\ndef g(x): return x\n```", "entry_point"),
    ],
)
def test_what_is_wrong(text, problem):
    assert extract(text, "f").problem == problem
    assert problem in PROBLEMS


def test_without_an_entry_point_any_function_will_do():
    assert extract("```\ndef g(x): return x\n```").problem == ""


def test_an_apology_with_code_is_code():
    assert extract(f"Sorry, my mistake:\n```\n{GOOD}```", "f").problem == ""


@pytest.mark.parametrize(
    "text",
    [
        "`" * 200_000,
        "```" + "a" * 200_000,
        "```" + " " * 200_000,
        "```\n" * 60_000,
        "~~~ `" * 50_000,
        " " * 200_000 + "x",
        "def f(" * 40_000,
        "(" * 100_000,
        "def f(x):\n" + "\n".join(" " * n + "if x:" for n in range(1, 99)),
        "\n".join("def f" for _ in range(30_000)),
        "x" * 10_000_000,
        "import \ud800",
    ],
    ids=range(12),
)  # fmt: skip
def test_hostile_texts_come_back(text):
    assert extract(text, "f", "def f(x):").problem in {*PROBLEMS, ""}


@given(st.text(st.sampled_from("`~ \ndef(x):\t'\"\0ñ"), max_size=60), st.sampled_from(["", "def f(x):"]))
def test_no_text_raises(text, signature):
    found = extract(text, "f", signature)
    assert (found.how == "none") == (not found.code)
    assert found.problem in {*PROBLEMS, ""}
    assert found.problem or "f" in defined(found.code)


def test_functions_at_the_top():
    assert defined(
        "def a(): pass\nif 1:\n    def b(): pass\nclass C:\n    def d(self): pass\ndef e(): pass\n"
    ) == ["a", "e"]
    assert defined("def") == []
