"""Contest dumps: both layouts, functions and programs, and content that is not what it should be."""

import ast
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.evaluation import Attempt, judge
from instruct.problems import PROBLEM, docstring, problem_table, read_contest
from instruct.problems.contest import apps_row, code_contests_row, examples, function_parts
from instruct.sandbox import Outcome
from tests.instruct.inprocess import InProcess

QUESTION = "Print twice the number.\n\n-----Input-----\nOne number.\n\n-----Output-----\nTwice it.\n"
SHOWN = "Double it.\n\n-----Examples-----\nInput\n2\n\nOutput\n4\n\nInput\n3\n\nOutput\n6\n\nNote\n\nEasy.\n"


def apps(root, name, **files):
    folder = root / name
    folder.mkdir(parents=True)
    for file, value in files.items():
        suffix = ".txt" if file == "question" else ".py" if file == "starter_code" else ".json"
        text = value if isinstance(value, str) else json.dumps(value)
        (folder / f"{file}{suffix}").write_text(text)
    return folder


def rows(path):
    return problem_table(read_contest(path)).to_pylist()


def test_an_apps_program(tmp_path):
    apps(
        tmp_path, "APPS/train/0001", question=QUESTION, solutions=["print(2 * int(input()))", "n = int(input())"],
        input_output={"inputs": ["2\n", ["3", "x"]], "outputs": ["4\n", "6"]}, metadata={"url": "https://x.example/1"},
    )  # fmt: skip
    (row,) = rows(tmp_path)
    assert (row["task_id"], row["source"], row["repo"]) == (
        "apps/APPS/train/0001",
        "contest",
        "https://x.example/1",
    )
    assert row["cases"] == [
        {"stdin": "2\n", "stdout": "4\n", "shown": False}, {"stdin": "3\nx", "stdout": "6", "shown": False},
    ]  # fmt: skip
    assert (row["n_tests"], row["tests_from"], row["dropped"]) == (2, "published", None)
    assert ast.literal_eval(row["prompt"].strip()).strip() == QUESTION.strip()
    assert row["solutions"] == ["n = int(input())"]


def test_without_tests_the_statement_s_examples_are_the_cases(tmp_path):
    apps(tmp_path, "0000", question=SHOWN, solutions=["print(2 * int(input()))"])
    (row,) = rows(tmp_path)
    assert row["tests_from"] == "statement"
    assert [(case["stdin"], case["stdout"]) for case in row["cases"]] == [("2\n", "4\n"), ("3\n", "6\n")]


def test_an_apps_function(tmp_path):
    code = "import math\ndef helper(x):\n    return x * 2\n\ndef twice(x, y=0):\n    # by help\n    return helper(x)\n"
    apps(
        tmp_path, "0002", question="Twice.", solutions=[code],
        input_output={"fn_name": "twice", "inputs": [[1], ["ab"]], "outputs": [[2], ["abab"]]},
    )  # fmt: skip
    (row,) = rows(tmp_path)
    assert row["tests"] == ["assert twice(1) == 2", "assert twice('ab') == 'abab'"]
    assert row["prompt"].startswith('import math\n\n\ndef twice(x, y=0):\n    """\n    Twice.\n')
    assert "helper(x):" not in row["prompt"]
    assert "# by help" in row["canonical_solution"]
    (verdict,) = judge([Attempt(row, row["canonical_solution"])], InProcess())
    assert verdict.outcome is Outcome.ALL_PASS


def test_outputs_that_are_not_all_wrapped_are_taken_as_they_are():
    given = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[1, 2], [3]]}
    row = apps_row({"question": "?", "input_output": json.dumps(given)}, "a")
    assert row["tests"] == ["assert f(1) == [1, 2]", "assert f(2) == [3]"]


@pytest.mark.parametrize(
    "code", [
        "class Solution:\n    def f(self, x):\n        return x\n",
        "f = lambda x: x",
        "def f(x",
        "x = 1\ndef f(y):\n    return x",
    ],
)  # fmt: skip
def test_a_function_that_cannot_be_taken_alone_is_marked(code):
    given = {"fn_name": "f", "inputs": [[1]], "outputs": [[1]]}
    texts = {"question": "?", "input_output": json.dumps(given), "solutions": json.dumps([code])}
    row = apps_row(texts, "a")
    assert (row["dropped"], row["problem"]) == ("not_a_function", "no def f")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("input_output", "{"),
        ("input_output", '{"inputs": ["1"], "outputs": []}'),
        ("input_output", '{"inputs": [1], "outputs": [2]}'),
        ("input_output", '{"fn_name": "f", "inputs": [1], "outputs": [1]}'),
        ("input_output", '{"fn_name": 3, "inputs": [[1]], "outputs": [1]}'),
        ("input_output", '{"fn_name": "f", "inputs": [[NaN]], "outputs": [Infinity]}'),
        ("input_output", "[1, 2]"),
        ("input_output", "[" * 100_000),
        ("solutions", '{"a": 1}'),
        ("solutions", "[null]"),
        ("solutions", "nothing"),
        ("metadata", "[]"),
    ],
)
def test_a_malformed_task_is_marked_and_the_others_are_read(tmp_path, file, text):
    apps(tmp_path, "0000", **({"question": QUESTION, "solutions": ["pass"]} | {file: text}))
    apps(tmp_path, "0001", question=SHOWN, solutions=["print(2 * int(input()))"])
    bad, good = rows(tmp_path)
    assert (bad["dropped"], bad["task_id"]) == ("malformed", "apps/0000")
    assert 0 < len(bad["problem"]) < 300
    assert good["dropped"] is None


def test_a_name_of_a_function_that_is_no_name_makes_no_test():
    given = {"fn_name": "os.system('x') or f", "inputs": [[1]], "outputs": [[1]]}
    row = apps_row({"question": "?", "input_output": json.dumps(given)}, "a")
    assert row["dropped"] == "not_a_function"


CONTEST = {
    "name": "7_A. Twice", "description": SHOWN,
    "public_tests": {"input": ["2\n"], "output": ["4\n"]}, "private_tests": {"input": ["5\n"], "output": ["10\n"]},
    "generated_tests": {"input": [], "output": []},
    "solutions": {"language": [2, 3, 1], "solution": ["int main(){}", "print(2 * int(input()))", "print 1"]},
    "incorrect_solutions": {"language": [3], "solution": ["print(4)"]},
}  # fmt: skip


def test_code_contests(tmp_path):
    path = tmp_path / "contests.parquet"
    pq.write_table(pa.Table.from_pylist([CONTEST]), path)
    (row,) = rows(path)
    assert row["task_id"] == "7_A. Twice"
    assert [(case["stdin"], case["shown"]) for case in row["cases"]] == [("2\n", True), ("5\n", False)]
    assert row["canonical_solution"] == "print(2 * int(input()))"
    assert row["solutions"] == []
    assert row["wrong"] == ["print(4)"]
    assert (row["tests_from"], row["io_format"]) == ("statement", "stdin")


def test_code_contests_with_lists_of_structs():
    listed = {
        name: [
            dict(zip(CONTEST[name], pair, strict=True)) for pair in zip(*CONTEST[name].values(), strict=True)
        ]
        for name in ("public_tests", "private_tests", "generated_tests", "solutions", "incorrect_solutions")
    }
    assert code_contests_row(CONTEST | listed, "x") == code_contests_row(CONTEST, "x")


def test_a_malformed_contest_is_marked(tmp_path):
    path = tmp_path / "contests.parquet"
    bad = CONTEST | {"public_tests": {"input": ["2\n", "3"], "output": ["4\n"]}}
    pq.write_table(pa.Table.from_pylist([bad, CONTEST]), path)
    assert [row["dropped"] for row in rows(path)] == ["malformed", None]


def test_a_folder_without_a_dump(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "more.txt").write_text("hello")
    with pytest.raises(InputError):
        rows(tmp_path)


def test_examples_of_a_statement_without_any():
    assert examples(QUESTION.replace("-----", "")) == examples("") == []


def test_codeforces_examples():
    text = "Input\n\nNumbers.\n\nOutput\n\nTheir sum.\n\nExamples\n\nInput\n\n1 2\n\n\nOutput\n\n3\n\n\nNote\n\nYes."
    assert examples(text) == [{"stdin": "1 2\n", "stdout": "3\n", "shown": True}]


def test_examples_without_a_heading():
    assert examples("Sample Input:\n5\nSample Output:\n7\n8\n\nmore") == [
        {"stdin": "5\n", "stdout": "7\n8\n", "shown": True}
    ]


@given(st.text(max_size=60))
def test_a_docstring_holds_its_text(text):
    clean = text.encode("utf-8", "replace").decode()
    found = ast.literal_eval(docstring(clean).rstrip("\n"))
    assert found == f"\n{clean.strip()}\n"


@given(st.text(alphabet="ab\"'\\\n\t ", max_size=40))
def test_a_docstring_can_be_indented(text):
    code = f"def f():\n{docstring(text, '    ')}    return 1\n"
    function = ast.parse(code).body[0]
    assert (ast.get_docstring(function) or "").split() == text.split()


@pytest.mark.parametrize("indent", ["  ", "    ", "\t"])
def test_function_parts_run_whatever_the_indent(indent):
    code = (
        f"def f(x):\n{indent}'''old'''\n{indent}if x:\n{indent}{indent}return [1,\n  2]\n{indent}return 0\n"
    )
    prompt, body = function_parts(code, "f", "New.")
    space = {}
    exec(prompt + body, space)
    assert (space["f"](1), space["f"](0)) == ([1, 2], 0)
    assert space["f"].__doc__.strip() == "New."


def test_rows_fit_the_schema(tmp_path):
    apps(tmp_path, "0000", question=SHOWN, solutions=["pass"])
    assert problem_table(read_contest(tmp_path)).schema == PROBLEM
