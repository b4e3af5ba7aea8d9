"""What is given to the sandbox, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a candidate is worth, in the four ranks of PanGu-Coder2 (Shen et al. 2023, section 3.2).

    >>> sorted(Outcome, key=lambda outcome: outcome.rank)[0].value
    'compile_error'
    """

    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    SOME_PASS = "some_pass"
    ALL_PASS = "all_pass"
    NO_TESTS = "no_tests"

    @property
    def rank(self) -> int:
        """0 does not compile, 1 no test passes (or there is none), 2 some tests pass, 3 all pass."""
        return {"compile_error": 0, "runtime_error": 1, "no_tests": 1, "some_pass": 2, "all_pass": 3}[
            self.value
        ]


@dataclass(frozen=True)
class Trial:
    """A candidate program and its tests.

    Attributes:
        code: the whole candidate program, untrusted.
        entry_point: its function, which tests call by this name or as ``candidate``.
        tests: blocks of Python statements, passed or failed one by one; the values they get are plain data.
        setup: Python run once before the tests, in their process; it never sees the candidate's objects.
    """

    code: str
    entry_point: str
    tests: tuple[str, ...]
    setup: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the tests said.

    Attributes:
        outcome: the rank of the candidate.
        n_pass, n_tests: how many tests passed, of how many.
        passed: one per test.
        reason: why the first failing test failed: ``assertion``, ``exception``, ``timeout``, ``memory``, ``died``,
            ``not_plain`` (an argument or a value that is no plain data), ``name_error``, ``syntax`` (the candidate's),
            ``test_syntax``, ``setup`` (the setup failed); "" where all passed.
        error: one short line about it.
    """

    outcome: Outcome
    n_pass: int
    n_tests: int
    passed: tuple[bool, ...]
    reason: str
    error: str


@dataclass(frozen=True)
class Calls:
    """A program, and calls of one of its functions: for each a tuple of arguments and a dict of keyword arguments."""

    code: str
    entry_point: str
    calls: tuple[tuple[tuple[object, ...], dict[str, object]], ...]


@dataclass(frozen=True)
class Returned:
    """What one call returned.

    Attributes:
        value: plain data; None where there is a problem.
        problem: "", ``exception``, ``timeout``, ``memory``, ``died``, ``not_plain``, ``name_error`` or ``syntax``.
        error: one short line about it.
        mutated: the function changed its arguments.
    """

    value: object
    problem: str
    error: str
    mutated: bool


@dataclass(frozen=True)
class Script:
    """A whole program, run like a file given to ``python``, and its standard input."""

    code: str
    stdin: str = ""


@dataclass(frozen=True)
class Ran:
    """What a program wrote.

    Attributes:
        stdout, stderr: text; bytes that are not UTF-8 are replaced.
        problem: "", ``exception`` (it ended with another code than 0), ``timeout``, ``memory``, ``died``, ``output``
            (it wrote more than allowed, and was stopped) or ``syntax``.
        truncated: output was cut.
        exit_code: the program's own word, which proves nothing; None where it did not end by itself.
    """

    stdout: str
    stderr: str
    problem: str
    truncated: bool
    exit_code: int | None = None
