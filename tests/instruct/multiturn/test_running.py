"""MTPB: programs run, their last printed values compared, and pass rates."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.multiturn import (
    Answered,
    Dialogue,
    Printed,
    agrees,
    load_dialogues,
    numpy_there,
    rates,
    read_answers,
    run_answers,
)
from instruct.multiturn.agreeing import TOLERANCE
from instruct.multiturn.lastprint import cast, last_print
from instruct.sandbox import Limits, Returned, Sandbox, isolation_problem
from tests.instruct.inprocess import InProcess

TURNS = ('Let s be "{A}".', "Print s twice.")
ONE = Dialogue("1", "", "string", TURNS, ({"A": "ab"}, {"A": "c"}), ("abab", "cc"), 128)
TWO = Dialogue("2", "", "math", ("Print {n} plus 1.",), ({"n": 1},), (2,), 128)


def written(tmp_path, *rows):
    path = tmp_path / "turns.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answered(tmp_path, *rows):
    return list(read_answers(written(tmp_path, *rows), [ONE, TWO], preamble=False))


RIGHT = {"id": "1", "input_ix": 0, "completions": ["s = 'ab'", "print(s * 2)"]}


def test_answers_are_run_and_compared(tmp_path):
    rows = [RIGHT, RIGHT | {"input_ix": 1}, RIGHT, {"id": 2, "input_ix": 0, "completions": ["1 + 1"]}]
    sandbox = InProcess()
    heard = []
    found = list(
        run_answers(answered(tmp_path, *rows), [ONE, TWO], sandbox, lambda *done: heard.append(done))
    )
    assert [(one.id, one.input_ix, one.sample_ix, one.passed) for one in found] == [
        ("1", 0, 0, True), ("1", 1, 0, False), ("1", 0, 1, True), ("2", 0, 0, True),
    ]  # fmt: skip
    assert found[1].reason == "wrong_value"
    assert (sandbox.ran, heard[-1]) == (3, (3, 3))


def test_rows_of_the_published_sampler(tmp_path):
    row = {"id": "1", "input": {"A": "c"}, "gold_output": "cc", "completions": "s = 'c'\nprint(s * 2)\n"}
    (one,) = answered(tmp_path, row)
    assert (one.input_ix, one.program) == (1, "s = 'c'\nprint(s * 2)\n")


@pytest.mark.parametrize(
    ("completions", "reason"),
    [
        (["s = 'ab'", "for x in [1]:\n    pass"], "no_print"),
        (["s = 'ab'", "print(1 / 0)"], "exception"),
        (["s = 'ab", "print(s)"], "syntax"),
    ],
)
def test_why_a_program_fails(tmp_path, completions, reason):
    (found,) = run_answers(answered(tmp_path, RIGHT | {"completions": completions}), [ONE], InProcess())
    assert (found.passed, found.reason) == (False, reason)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (RIGHT | {"id": "9"}, "unknown problem '9'"),
        (RIGHT | {"input_ix": 2}, "input_ix: expected 0 to 1, got 2"),
        (RIGHT | {"input_ix": None}, "input_ix: expected 0 to 1, got None"),
        (RIGHT | {"input_ix": True}, "input_ix: expected 0 to 1, got True"),
        (RIGHT | {"completions": ["s = 1"]}, "1 completions for the 2 turns"),
        (RIGHT | {"completions": ["s = 1", 2]}, "completions: expected a text per turn"),
        (RIGHT | {"completions": None}, "completions: expected a text per turn"),
    ],
)
def test_a_bad_row_names_its_line(tmp_path, row, told):
    with pytest.raises(InputError, match=rf"turns.jsonl, line 2: {told}"):
        answered(tmp_path, RIGHT, row)


def test_no_answers(tmp_path):
    with pytest.raises(InputError, match="no answers"):
        answered(tmp_path)
    with pytest.raises(InputError, match="no answers"):
        rates([], [ONE])


@pytest.mark.parametrize(
    ("program", "kind", "value"),
    [
        ("print(1)\nprint(2, 3)", "int", 2),
        ("x = 5", "int", 5),
        ("1.5", "float", 1.5),
        ("print('12')", "int", 12),
        ("print([(1, 2)])", "list", [[1, 2]]),
        ("print({3, 1} & {3})", "list", [3]),
        ("print({'a': 1}.values())", "list", [1]),
        ("print(1 == 1)", "bool", True),
        ("print('True')", "bool", "True"),
        ("print([1])", "str", "[1]"),
        ("print(None)", "NoneType", None),
        ("print()", "str", ""),
        ("import builtins\nbuiltins.print(3)\nprint(4)", "int", 4),
    ],
)
def test_the_last_print(program, kind, value):
    assert last_print(program, kind) == {"printed": True, "value": value}


def test_values_of_numpy_are_python_s():
    found = last_print("import numpy as np\nprint(np.array([[1, 2], [3, 4]]).sum(axis=0))", "list")
    assert found["value"] == [4, 6]
    assert type(last_print("import numpy as np\nprint(np.float32(1))", "float")["value"]) is float
    assert last_print("import numpy as np\nprint([np.int64(1)])", "list")["value"] == [1]


@pytest.mark.parametrize(
    ("program", "printed"), [("", False), ("def f():\n    pass", False), ("f'{1}'", True)]
)
def test_whether_anything_is_printed(program, printed):
    assert last_print(program, "str")["printed"] is printed


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        (1, 1, True), (1, True, False), (True, 1, False), ("True", True, True), ("False", True, False),
        (1.0, 1.0 + 9e-7, True), (1.0, 1.0 + 2e-6, False), (1, 1.0, False), (float("nan"), 1.0, False),
        ([1, 2], [1, 2], True), ([1], "[1]", False), ("a", "a", True),
        (None, None, True), ("None", None, True), (0, None, False),
        ({5: ["a"]}, {"5": ["a"]}, True), ({5: ["a"]}, {"5": ["b"]}, False), ([], {}, False),
    ],
)  # fmt: skip
def test_agreement(value, wanted, same):
    assert agrees(value, wanted) is same


JSON = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)


@given(JSON | st.lists(JSON, max_size=4) | st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_every_expected_value_is_met_by_itself(wanted):
    assert agrees(cast(wanted, type(wanted).__name__), wanted)


def test_rates():
    rows = [("1", 0, 0, True), ("1", 0, 1, False), ("1", 1, 0, True), ("2", 0, 0, False)]
    three = Dialogue("3", "", "", (), (), (), 1)
    found = rates([Printed(*row, reason="", error="") for row in rows], [ONE, TWO, three])
    assert found.problems == {"1": 0.75, "2": 0.0}
    assert found.categories == {"math": 0.0, "string": 0.75}
    assert (found.overall, found.answers, found.unattempted) == (0.375, 4, 1)


def test_a_case_without_answer_counts_as_failed():
    assert rates([Printed("1", 0, 0, True, "", "")], [ONE]).problems == {"1": 0.5}


def test_every_published_output_is_met_by_a_program_that_prints_it(shared):
    dialogues = load_dialogues(shared / "data/benchmarks/mtpb/mtpb.jsonl.gz")
    for one in dialogues:
        for wanted in one.outputs:
            found = last_print(f"print({wanted!r})", type(wanted).__name__)
            assert agrees(found["value"], wanted), (one.id, wanted)


@pytest.mark.skipif(isolation_problem() is not None, reason=f"no isolation here: {isolation_problem()}")
def test_in_the_sandbox(tmp_path):
    bad = RIGHT | {"completions": ["s = 'ab'", "while True:\n    pass"]}
    answers = answered(tmp_path, RIGHT, bad, RIGHT | {"completions": ["import os", "print(os.environ)"]})
    with Sandbox(workers=1, limits=Limits(wall_s=2, cpu_s=2)) as sandbox:
        found = list(run_answers(answers, [ONE], sandbox))
        assert numpy_there(sandbox) in (True, False)
    assert [one.passed for one in found] == [True, False, False]
    assert found[1].reason == "timeout"


@pytest.mark.parametrize("wanted", [True, False, {}, {"1": 2}, 1, 1.0, "a", [1], None])
@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        {10**5000: 1},
        {(10**5000,): 2},
        {"printed": True},
        b"1",
        1j,
        {1},
        float("inf"),
        float("nan"),
        "1" * 10**5,
    ],
    ids=lambda value: type(value).__name__,
)
def test_hostile_values_agree_with_nothing_and_stop_nothing(value, wanted):
    assert agrees(value, wanted) is False


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        [],
        {},
        {"printed": True},
        {"printed": 1, "value": "abab"},
        {"printed": False, "value": "abab"},
    ],
)
def test_what_a_tampered_harness_returns_is_no_print(value):
    class Tampered:
        def call(self, calls):
            return ((Returned(value, "", "", False),) for _ in calls)

    answer = Answered("1", 0, 0, "print('abab')", {})
    (found,) = run_answers([answer], [ONE], Tampered())
    assert (found.passed, found.reason) == (False, "no_print")


def test_programs_that_are_equal_run_once_for_each_type_that_is_wanted():
    one, two = (
        Dialogue(name, "", "", ("x",), ({}, {}), (2, wanted), 1) for name, wanted in (("1", 3), ("2", "2"))
    )
    answers = [Answered(name, case, 0, "print('2')", {}) for name in "12" for case in (0, 1)]
    sandbox = InProcess()
    found = list(run_answers(answers, [one, two], sandbox))
    assert [each.passed for each in found] == [True, False, True, True]
    assert sandbox.ran == 2


def test_no_answers_run_nothing():
    sandbox = InProcess()
    assert (list(run_answers([], [ONE], sandbox)), sandbox.ran) == ([], 0)


@pytest.mark.parametrize(("found", "there"), [(1, True), (True, True), (2, False), (None, False)])
def test_whether_numpy_is_there(found, there):
    class Probed:
        def call(self, calls):
            return iter([(Returned(found, "" if found else "exception", "", False),)])

    assert numpy_there(Probed()) is there


@given(st.floats(-1e6, 1e6), st.floats(-3e-6, 3e-6))
def test_numbers_agree_within_the_tolerance_both_ways(wanted, off):
    assert agrees(wanted + off, wanted) is (abs(wanted + off - wanted) < TOLERANCE)
    assert agrees(wanted, wanted + off) is agrees(wanted + off, wanted)


@pytest.mark.parametrize(
    ("value", "kind", "made"),
    [
        (3, "float", 3.0), (2.9, "int", 2), (True, "int", 1), (" 7 ", "int", 7), ("1e3", "float", 1000.0),
        ((1, 2), "list", [1, 2]), ("ab", "list", ["a", "b"]), ({"b": 1, "a": 2}, "list", ["b", "a"]),
        (None, "str", "None"), ([1], "str", "[1]"), (0, "bool", "0"), (False, "bool", False),
        (5, "NoneType", 5), ([1], "dict", [1]),
    ],
)  # fmt: skip
def test_casts(value, kind, made):
    found = cast(value, kind)
    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize(("value", "kind"), [("x", "int"), (None, "float"), (5, "list"), (1j, "int")])
def test_what_cannot_be_cast_is_the_program_s_failure(value, kind):
    wanted = {"int": 1, "float": 1.0, "list": [1]}[kind]
    one = Dialogue("1", "", "", ("x",), ({},), (wanted,), 1)
    (found,) = run_answers([Answered("1", 0, 0, f"print({value!r})", {})], [one], InProcess())
    assert (found.passed, found.reason) == (False, "exception")


@given(st.lists(st.tuples(st.sampled_from("12"), st.integers(0, 1), st.booleans()), min_size=1, max_size=12))
def test_rates_lie_between_0_and_1_whatever_the_order(rows):
    two = Dialogue("2", "", "math", (), ({}, {}), (1, 2), 1)
    printed = [Printed(name, case, n, fine, "", "") for n, (name, case, fine) in enumerate(rows)]
    found = rates(printed, [ONE, two])
    assert 0 <= found.overall <= 1
    assert found.problems == pytest.approx(rates(printed[::-1], [ONE, two]).problems)
    assert all(
        (rate == 0) == (not any(f for n, _, f in rows if n == name)) for name, rate in found.problems.items()
    )
    assert (found.answers, found.unattempted) == (len(rows), 2 - len({name for name, _, _ in rows}))
    assert found.row()["overall"] == found.overall
