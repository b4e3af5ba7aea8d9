"""A little PanGu-Coder2: seven seeds, and what a teacher and a student say to everything; written for these tests.

Each line of tasks is a seed and what it becomes in rounds. The recording of it is the packaged example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """An evolved task and the answers to it."""

    text: str
    tests: str = ""
    teacher: str = ""
    student: str = ""


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def head(signature: str, *asserts: str) -> str:
    return "\n".join([f"def {signature}:", "    pass", "", *(f"assert {one}" for one in asserts)])


def body(signature: str, *lines: str) -> str:
    return "\n".join([f"def {signature}:", *(f"    {line}" for line in lines)])


EVENS = body("sum_evens(numbers)", "return sum(n for n in numbers if n % 2 == 0)")
EVENS_TESTS = head(
    "sum_evens(numbers)", "sum_evens([1, 2, 3, 4]) == 6", "sum_evens([]) == 0", "sum_evens([-2, 2]) == 0"
)
ODD = body("odd_places(numbers)", "return sum(n for n in numbers[1::2] if n % 2 == 0)")
ODD_TOO = body("odd_places(numbers)", "return sum(n for i, n in enumerate(numbers) if i % 2 and n % 2 == 0)")
ODD_TESTS = head("odd_places(numbers)", "odd_places([2, 4, 6, 8]) == 12", "odd_places([4]) == 0")
RUN = body(
    "best_run(numbers)",
    "best = current = 0",
    "for n in numbers:",
    "    current = max(0, current + n) if n % 2 == 0 else 0",
    "    best = max(best, current)",
    "return best",
)
RUN_TESTS = head("best_run(numbers)", "best_run([2, 4, 1, 8]) == 8", "best_run([1, 3]) == 0")
WORDS = body("turn_words(sentence)", "return ' '.join(word[::-1] for word in sentence.split(' '))")
WORDS_TESTS = head("turn_words(sentence)", "turn_words('ab cd') == 'ba dc'", "turn_words('') == ''")
PEAKS = body(
    "peaks(values)",
    "inner = range(1, len(values) - 1)",
    "return [i for i in inner if values[i - 1] < values[i] > values[i + 1]]",
)
NO_PEAKS = body("peaks(values)", "return []")
PEAK_TESTS = head("peaks(values)", "peaks([1, 3, 2]) == [1]", "peaks([1, 2, 3]) == []", "peaks([]) == []")
MERGE = body("merge(left, right)", "return sorted(left + right)")
MERGE_TESTS = head("merge(left, right)", "merge([1, 3], [2]) == [1, 2, 3]", "merge([], []) == []")
STEPS = body(
    "steps(n)",
    "count = 0",
    "while n != 1:",
    "    n = n // 2 if n % 2 == 0 else 3 * n + 1",
    "    count += 1",
    "return count",
)
STEPS_TESTS = head("steps(n)", "steps(1) == 0", "steps(6) == 8")

LINES: dict[str, tuple[Task, ...]] = {
    "Write a function that adds up a list of numbers.": (
        Task(
            "Write a Python function that adds up the even numbers of a list and leaves the list as it is.",
            fenced(EVENS_TESTS), fenced(EVENS), fenced("def sum_evens(numbers):\n    return sum(numbers[1::2])"),
        ),
        Task(
            "Write a Python function that adds up those even numbers of a list that stand at odd positions.",
            fenced(ODD_TESTS), fenced(ODD),
            fenced(ODD_TOO),
        ),
        Task(
            "Return the largest total of neighbouring even values in a list of numbers; no values have the total 0.",
            f"These should do.\n\n{fenced(RUN_TESTS)}", fenced(RUN),
            fenced("def best_run(numbers):\n    return max(n for n in numbers if n.even)"),
        ),
    ),
    "Reverse the words of a sentence.": (
        Task(
            "Reverse every word of a sentence but keep the words and the spaces between them in their order.",
            fenced(WORDS_TESTS), f'"""\nEvery word is turned round.\n"""\n{WORDS}\n',
            fenced("def turn_words(sentence)\n    return sentence[::-1]"),
        ),
        Task("#Rewritten Task#: reverse every second word of a sentence."),
    ),
    "Count the vowels of a text.": (Task("I am sorry, but I cannot make this task any harder."),),
    "Turn a sentence round.": (
        Task("Reverse every WORD of a sentence, but keep the words and the spaces between them in their order!"),
        Task("Reverse every single word of a sentence but keep the words and the spaces between them in their order."),
        Task(
            "Find the positions of all values of a list that are greater than both of their neighbours.",
            fenced(PEAK_TESTS), fenced(NO_PEAKS),
            fenced(PEAKS),
        ),
    ),
    "Merge two sorted lists.": (
        Task(
            "Merge two ascending lists into one ascending list without using any function that sorts.",
            "I would rather describe the tests in words.",
        ),
        Task(
            "Merge two ascending lists of numbers, of which one may be empty, in linear time and without sorting.",
            fenced(MERGE_TESTS), "Sorry, I do not write such code.", fenced(MERGE),
        ),
        Task(
            "Merge two ascending lists so that equal values of both appear only once.",
            fenced(MERGE_TESTS), fenced("print(sorted([1, 3] + [2]))"), fenced(MERGE),
        ),
    ),
    "Show an alert when a button is pressed.": (
        Task("Write a JavaScript function that shows an alert when a button is pressed twice."),
        Task(
            "For a positive whole number, count how often it is halved, or tripled and raised by one, until it is 1.",
            fenced(STEPS_TESTS), fenced("def collatz(n):\n    return 0"), "    return 0\n",
        ),
        Task(
            "Count the steps of the rule that halves even numbers and maps odd n to 3n + 1, from a start down to 1.",
            fenced(STEPS_TESTS),
            fenced(STEPS),
            "    return 0\n\nThis returns the steps.",
        ),
    ),
    "Print the date.": (Task(""),),
}  # fmt: skip

SEEDS = [{"instruction": text, "input": "", "output": ""} for text in LINES]


def known(lines: dict[str, tuple[Task, ...]]) -> tuple[dict[str, str], dict[str, Task]]:
    """What every text becomes, and every task by its text."""
    following: dict[str, str] = {}
    tasks: dict[str, Task] = {}
    for seed, line in lines.items():
        before = seed
        for task in line:
            following[before] = task.text
            tasks[task.text] = task
            before = task.text
    return following, tasks


def answering(lines: dict[str, tuple[Task, ...]]) -> Any:
    """What the loopback server says to a request."""
    following, tasks = known(lines)

    def answer(asked: dict[str, Any]) -> str:
        text = asked["messages"][-1]["content"]
        if "#Given Task#\n" in text:
            given = text.split("#Given Task#\n")[-1].split("\n\n#Rewritten Task#")[0]
            return following.get(given, "")
        if text.startswith('"""\n'):
            task = next(one for name, one in tasks.items() if name and text.startswith(f'"""\n{name}\n"""'))
            return task.teacher if asked["model"] == "teacher" else task.student
        return tasks[text.split("Task:\n")[-1].strip()].tests

    return answer
