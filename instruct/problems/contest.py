"""Contest dumps as problems: APPS as folders or JSON lines, CodeContests as Parquet.

The statement becomes the docstring. A task is a program that reads and prints, or a function (APPS' ``fn_name``), whose
inputs and outputs become assertions on literals; where it is a method of a class Solution, a function is put before it,
and ``qualname`` says so. Source of the rules: Codex, arXiv 2107.03374, section 4.1; of the layouts:
github.com/hendrycks/apps, the data set codeparrot/apps, and contest_problem.proto of
github.com/google-deepmind/code_contests.

The dumps are other people's content: a task that cannot be read is marked ``malformed`` and says why.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from contamination.formats import chosen, open_files, records, tree_records
from contamination.template import clean
from instruct.problems.docstring import docstring
from instruct.problems.function import METHOD_OF, function_parts, method_parts
from instruct.problems.problem import CONTEST, REPR, STDIN

MALFORMED = "malformed"
APPS_FILE = "question.txt"
_APPS = frozenset({"question", "solutions", "input_output", "metadata"})
_APPS_ROWS = frozenset({"problem_id", "question", "solutions", "input_output", "url"})
_CODE_CONTESTS = (
    "name", "description", "public_tests", "private_tests", "generated_tests", "solutions", "incorrect_solutions",
)  # fmt: skip
_PYTHONS = frozenset({3, "3", "PYTHON3", "python3"})
_DATA = re.compile(r"\.(jsonl|json|parquet)(\.gz)?$")
_LABEL = re.compile(r"\W*(?:(sample|example) )?(input|output|note|explanation)s?\W*\d*\W*", re.IGNORECASE)
_HEADING = re.compile(r"\W*(?:sample|example)s?\W*", re.IGNORECASE)


def read_contest(path: Path) -> Iterator[dict[str, Any]]:
    """Rows for `problem_table` from a dump: APPS tasks as folders, else JSON lines or Parquet of APPS or CodeContests.

    Of files each row says by its columns what it is. Raises `columns.errors.InputError` where there is nothing of it,
    and for a file that is not JSON lines or Parquet at all.
    """
    files = open_files(path)
    if any(name.rpartition("/")[2] == APPS_FILE for name in files.names()):
        for record in tree_records(files, APPS_FILE, _APPS):
            yield _row(apps_row, record.values, f"apps/{record.values['@folder']}")
        return
    for name in chosen(files, ["*.parquet", "*.jsonl", "*.jsonl.gz"]):
        for number, record in enumerate(records(files, name, {*_CODE_CONTESTS, *_APPS_ROWS}), 1):
            apps = "question" in record.values
            about = (
                f"apps/{_DATA.sub('', name)}/{_identity(record.values, number)}"
                if apps
                else f"{name}/{number}"
            )
            yield _row(apps_row if apps else code_contests_row, record.values, about)


def _identity(values: Mapping[str, Any], number: int) -> str:
    """An APPS row's number in its split; where it names none, the row's place in the file."""
    found = values.get("problem_id")
    return str(found) if type(found) in (int, str) else str(number)


def _row(
    made: Callable[[Mapping[str, Any], str], dict[str, Any]], values: Mapping[str, Any], name: str
) -> dict[str, Any]:
    name = clean(name)
    try:
        return made(values, name)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {str(error)[:200]}"
        about = {"task_id": name, "source": CONTEST, "io_format": STDIN}
        return about | {"dropped": MALFORMED, "problem": clean(problem)}


def apps_row(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One APPS task: question, solutions, input_output and metadata (or url), each as text: a folder's or a row's.

    Without input_output the statement's own examples are the cases. Raises `ValueError` for what is not so.
    """
    about = json.loads(values.get("metadata") or "{}")
    site = clean(str(about.get("url") or values.get("url") or ""))
    row = {"task_id": name, "source": CONTEST, "repo": site, "path": name}
    solutions = [clean(_text(one)) for one in _listed(json.loads(values.get("solutions") or "[]"))]
    shown = json.loads(values.get("input_output") or "{}", parse_constant=_no_literal, parse_float=_finite)
    question = clean(values["question"])
    if shown.get("fn_name"):
        return row | _function(question, clean(_text(shown["fn_name"])), solutions, shown)
    cases = [_case(*pair, shown=False) for pair in _pairs(shown)]
    if cases:
        return row | _program(question, solutions, [], cases, "published")
    return row | _program(question, solutions, [], examples(question), "statement")


def code_contests_row(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One CodeContests row; only solutions in Python 3 count. Lists may be structs of lists or lists of structs."""
    shown, hidden = _tests(values, "public_tests"), _tests(values, "private_tests")
    cases = [_case(*pair, shown=True) for pair in shown]
    cases += [_case(*pair, shown=False) for pair in [*hidden, *_tests(values, "generated_tests")]]
    made = _program(
        clean(_text(values["description"])),
        _python(values.get("solutions")), _python(values.get("incorrect_solutions")), cases, "statement",
    )  # fmt: skip
    return {
        "task_id": clean(_text(values.get("name") or name)),
        "source": CONTEST,
        "path": name,
    } | made


def _no_literal(name: str) -> NoReturn:
    raise ValueError(f"{name} is no literal of Python")


def _finite(digits: str) -> float:
    found = float(digits)
    return found if math.isfinite(found) else _no_literal(digits)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _case(stdin: Any, stdout: Any, *, shown: bool) -> dict[str, Any]:
    return {"stdin": clean(_lines(stdin)), "stdout": clean(_lines(stdout)), "shown": shown}


def _lines(value: Any) -> str:
    """A text; APPS gives some as lists of lines."""
    return "\n".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _pairs(given: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    return list(zip(given.get("inputs") or [], given.get("outputs") or [], strict=True))


def _columns(value: Any, *names: str) -> list[tuple[Any, ...]]:
    """Rows of a struct of lists, or of a list of structs."""
    if isinstance(value, Mapping):
        return list(zip(*(value.get(name) or [] for name in names), strict=True))
    return [tuple(one[name] for name in names) for one in value or []]


def _tests(values: Mapping[str, Any], name: str) -> list[tuple[Any, ...]]:
    return _columns(values.get(name), "input", "output")


def _python(value: Any) -> list[str]:
    return [
        clean(_text(code))
        for language, code in _columns(value, "language", "solution")
        if language in _PYTHONS
    ]


def _program(
    statement: str,
    solutions: Sequence[str],
    wrong: Sequence[str],
    cases: Sequence[Mapping[str, Any]],
    tests_from: str,
) -> dict[str, Any]:
    return {
        "prompt": docstring(statement),
        "canonical_solution": solutions[0] if solutions else "",
        "solutions": list(solutions[1:]),
        "wrong": list(wrong),
        "cases": list(cases),
        "io_format": STDIN,
        "tests_from": tests_from,
    }


def examples(statement: str) -> list[dict[str, Any]]:
    """The cases below a statement's heading "Examples", with "Input" and "Output" on lines of their own.

    >>> examples("Double it.\\n\\n-----Examples-----\\nInput\\n2\\n\\nOutput\\n4\\n")
    [{'stdin': '2\\n', 'stdout': '4\\n', 'shown': True}]
    """
    found: list[tuple[str, list[str]]] = []
    begun = False
    for line in statement.split("\n"):
        label = _LABEL.fullmatch(line)
        begun = begun or bool(_HEADING.fullmatch(line)) or bool(label and label[1])
        if label and begun:
            found.append((label[2].lower(), []))
        elif found:
            found[-1][1].append(line)
    pairs = [
        ("\n".join(given).strip(), _paragraph(wanted))
        for (first, given), (second, wanted) in pairwise(found)
        if (first, second) == ("input", "output")
    ]
    return [_case(f"{given}\n", f"{wanted}\n", shown=True) for given, wanted in pairs if given and wanted]


def _paragraph(lines: Sequence[str]) -> str:
    """The first lines up to an empty one."""
    return "\n".join(lines).strip().partition("\n\n")[0]


def _function(
    statement: str, name: str, solutions: Sequence[str], given: Mapping[str, Any]
) -> dict[str, Any]:
    pairs = [(_listed(inputs), output) for inputs, output in _pairs(given)]
    single = all(isinstance(output, list) and len(output) == 1 for _, output in pairs)
    tests = [
        f"assert {name}({', '.join(map(repr, inputs))}) == {(output[0] if single else output)!r}"
        for inputs, output in pairs
    ]
    base = {"entry_point": name, "tests": tests, "io_format": REPR, "tests_from": "published"}
    split = [parts for code in solutions if (parts := _parts(code, name, statement)) is not None]
    if not split:
        return base | {
            "prompt": docstring(statement),
            "dropped": "not_a_function",
            "problem": f"no def {name}",
        }
    first, body, qualname = split[0]
    others = [other for prompt, other, kind in split[1:] if (prompt, kind) == (first, qualname)]
    made = {"prompt": first, "canonical_solution": body, "solutions": others}
    return base | made | ({"qualname": qualname} if qualname else {})


def _parts(code: str, name: str, statement: str) -> tuple[str, str, str] | None:
    """Prompt and rest of a solution, and the name of the method behind the function; '' where there is none."""
    parts, qualname = function_parts(code, name, statement), ""
    if parts is None:
        parts, qualname = method_parts(code, name, statement), f"{METHOD_OF}.{name}"
    return None if parts is None else (*parts, qualname)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value
