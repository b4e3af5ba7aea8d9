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
from instruct.problems.contest import apps_row, code_contests_row, examples
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
        "class Solution:\n    def g(self, x):\n        return x\n",
        "class Other:\n    def f(self, x):\n        return x\n",
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
        pytest.param("input_output", "[" * 100_000, id="deep"),
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


def test_rows_fit_the_schema(tmp_path):
    apps(tmp_path, "0000", question=SHOWN, solutions=["pass"])
    assert problem_table(read_contest(tmp_path)).schema == PROBLEM


HF = {
    "problem_id": 7, "question": SHOWN, "solutions": json.dumps(["print(2 * int(input()))"]), "starter_code": "",
    "input_output": json.dumps({"inputs": ["5\n"], "outputs": ["10\n"]}), "difficulty": "interview",
    "url": "https://x.example/7",
}  # fmt: skip


def lines(path, *given):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return path


def test_apps_as_json_lines_is_what_it_is_as_a_folder(tmp_path):
    path = lines(tmp_path / "test.jsonl", HF)
    apps(
        tmp_path / "folders", "7", question=SHOWN, solutions=["print(2 * int(input()))"],
        input_output={"inputs": ["5\n"], "outputs": ["10\n"]}, metadata={"url": "https://x.example/7"},
    )  # fmt: skip
    (row,), (folder,) = rows(path), rows(tmp_path / "folders")
    assert row["task_id"] == row["path"] == "apps/test/7"
    apart = {"task_id": "", "path": ""}
    assert row | apart == folder | apart


def test_apps_without_tests_or_solutions_as_json_lines(tmp_path):
    (row,) = rows(lines(tmp_path / "test.jsonl", HF | {"input_output": "", "solutions": ""}))
    assert (row["tests_from"], row["n_tests"], row["canonical_solution"]) == ("statement", 2, "")


def test_splits_of_a_folder_do_not_share_names(tmp_path):
    lines(tmp_path / "data/train.jsonl", HF)
    lines(tmp_path / "data/test.jsonl", HF, HF | {"problem_id": "8"})
    (tmp_path / "README.md").write_text("Read me.")
    (tmp_path / "dataset_infos.json").write_text("{}")
    names = [row["task_id"] for row in rows(tmp_path)]
    assert names == ["apps/data/test/7", "apps/data/test/8", "apps/data/train/7"]


@pytest.mark.parametrize("number", [None, [7], True, {"a": 1}])
def test_a_row_without_a_number_has_its_place(tmp_path, number):
    path = lines(tmp_path / "train.jsonl", HF, HF | {"problem_id": number})
    assert [row["task_id"] for row in rows(path)] == ["apps/train/7", "apps/train/2"]


def test_apps_as_parquet(tmp_path):
    path = tmp_path / "train.parquet"
    pq.write_table(pa.Table.from_pylist([HF, HF | {"problem_id": 8}]), path)
    assert [(row["task_id"], row["n_tests"]) for row in rows(path)] == [
        ("apps/train/7", 1),
        ("apps/train/8", 1),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"question": 7},
        {"question": None},
        {"solutions": ["print(1)"]},
        {"solutions": "{"},
        {"input_output": "[]x"},
        {"input_output": [1]},
        {"@number": []},
        {"url": 7},
        {"url": "\ud800"},
        {"problem_id": "\ud800"},
        {"input_output": '{"fn_name": "\\ud800", "inputs": [[1]], "outputs": [1]}'},
        {"input_output": '{"fn_name": "f", "inputs": [["\\ud800"]], "outputs": [["\\ud800"]]}'},
        {"solutions": '["print(\\"\\ud800\\")"]'},
    ],
)
def test_no_hostile_row_stops_the_reading(tmp_path, change):
    bad, good = rows(lines(tmp_path / "train.jsonl", HF | change, HF | {"problem_id": 8}))
    assert good["task_id"] == "apps/train/8"
    assert good["dropped"] is None
    assert bad["task_id"].startswith("apps/train/")
    assert bad["dropped"] in (None, "malformed", "not_a_function")
    assert (bad["dropped"] is None) == (bad["problem"] is None)


def test_a_file_that_is_no_json_lines_names_the_line(tmp_path):
    path = lines(tmp_path / "train.jsonl", HF)
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(InputError, match="line 2"):
        rows(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_without_a_literal_is_malformed(tmp_path, number):
    shown = f'{{"fn_name": "f", "inputs": [[{number}]], "outputs": [[1]]}}'
    (row,) = rows(lines(tmp_path / "train.jsonl", HF | {"input_output": shown}))
    assert (row["dropped"], row["problem"]) == ("malformed", f"ValueError: {number} is no literal of Python")


METHOD = "class Solution:\n    def twice(self, values: List[int]) -> int:\n        return [2 * one for one in values]\n"
PLAIN = "def twice(values):\n    return [one + one for one in values]\n"
TWICE = {
    "input_output": json.dumps({"fn_name": "twice", "inputs": [[[1, 2]], [[]]], "outputs": [[2, 4], []]}),
    "starter_code": "class Solution:\n    def twice(self, values: List[int]) -> int:\n        ",
}  # fmt: skip


def test_a_method_of_a_class_solution(tmp_path):
    (row,) = rows(lines(tmp_path / "train.jsonl", HF | TWICE | {"solutions": json.dumps([METHOD])}))
    assert (row["entry_point"], row["qualname"], row["dropped"]) == ("twice", "Solution.twice", None)
    assert row["prompt"].startswith("from typing import List\n\n\ndef twice(values: List[int]) -> int:\n")
    assert "Solution" not in row["prompt"]
    assert row["canonical_solution"].startswith("    return Solution().twice(values)\n\n\nclass Solution:\n")
    right, wrong = judge(
        [Attempt(row, row["canonical_solution"]), Attempt(row, "    return Solution().twice(values)\n")],
        InProcess(),
    )
    assert (right.outcome, right.n_pass) == (Outcome.ALL_PASS, 2)
    assert wrong.outcome is Outcome.RUNTIME_ERROR


def test_a_function_is_not_said_to_be_a_method(tmp_path):
    (row,) = rows(lines(tmp_path / "train.jsonl", HF | TWICE | {"solutions": json.dumps([PLAIN])}))
    assert (row["qualname"], row["dropped"]) == (None, None)


def test_further_solutions_are_those_of_the_same_kind_and_signature(tmp_path):
    method = METHOD.replace("List[int]", "list").replace("-> int", "")
    codes = [METHOD.replace(": List[int]", "").replace(" -> int", ""), PLAIN, method, "def twice(", METHOD]
    codes.append(codes[0].replace("2 * one", "one * 2"))
    (row,) = rows(lines(tmp_path / "train.jsonl", HF | TWICE | {"solutions": json.dumps(codes)}))
    assert row["qualname"] == "Solution.twice"
    assert len(row["solutions"]) == 1
    assert "one * 2" in row["solutions"][0]


@given(
    st.dictionaries(
        st.sampled_from(sorted(HF)),
        st.none() | st.integers() | st.text(max_size=6) | st.lists(st.text(max_size=3), max_size=2)
        | st.sampled_from(['{"inputs": [1]}', '{"fn_name": [], "inputs": []}', "[[]]", "null", "3", '"x"', "[1e999]"]),
    )
)  # fmt: skip
def test_any_row_becomes_one_row(tmp_path_factory, change):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    (row,) = rows(lines(path, HF | change))
    assert row["source"] == "contest"
    assert row["task_id"].startswith("apps/any/")
    assert (row["problem"] is None) == (row["dropped"] is None)


@given(
    st.lists(
        st.tuples(st.text("ab1 ", min_size=1).map(str.strip), st.text("xy2 ", min_size=1).map(str.strip))
    )
)
def test_examples_are_found_again(pairs):
    pairs = [pair for pair in pairs if all(pair)]
    text = "Do it.\n\n-----Examples-----\n" + "".join(f"Input\n{a}\n\nOutput\n{b}\n\n" for a, b in pairs)
    assert [(one["stdin"], one["stdout"]) for one in examples(text)] == [
        (f"{a}\n", f"{b}\n") for a, b in pairs
    ]
