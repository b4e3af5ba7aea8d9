"""The problem's schema, and its checks put together and taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.problems import PROBLEM, STDIN, check_of, humaneval_row, parsed, problem_table, split_check

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def same(x):
    return x


def passes(check, function):
    space = {}
    exec(check, space)
    space["check"](function)


def test_every_column_says_what_it_is():
    assert all(field.metadata[b"about"] for field in PROBLEM)


def test_texts_default_to_empty_and_facts_to_null():
    (row,) = problem_table([{"task_id": "a", "source": "ci"}]).to_pylist()
    assert (row["prompt"], row["tests"], row["n_tests"]) == ("", [], 0)
    assert all(row[name] is None for name in ("verify_runs", "n_samples", "n_pass", "dropped", "repo"))


def test_cases_are_the_tests_of_a_program():
    case = {"stdin": "", "stdout": "", "shown": True}
    assert (
        problem_table([{"task_id": "a", "io_format": STDIN, "cases": [case] * 2}])["n_tests"][0].as_py() == 2
    )


def test_an_unknown_column_is_refused():
    with pytest.raises(KeyError, match="entrypoint"):
        problem_table([{"task_id": "a", "entrypoint": "f"}])


@given(st.lists(PLAIN, min_size=1, max_size=5))
def test_assertions_survive_being_put_together_and_taken_apart(values):
    tests = [f"assert same({value!r}) == {value!r}" for value in values]
    check = check_of({"entry_point": "same", "tests": tests})
    passes(check, same)
    with pytest.raises(AssertionError):
        passes(check, lambda x: object())


def test_apart_again_are_as_many_tests():
    check = "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 2, 'two'\n"
    found = split_check(check, "same")
    assert found.split
    assert found.tests == ("assert candidate(1) == 1", "assert candidate(2) == 2, 'two'")


def test_a_text_over_several_lines_keeps_its_value():
    block = 'assert same("""a\n  b""") == "a\\n  b"'
    passes(check_of({"entry_point": "same", "tests": [block]}), same)


def test_setup_stands_before_the_check():
    row = {"entry_point": "same", "setup": "import math\n", "tests": ["assert same(math.pi) > 3"]}
    assert check_of(row).startswith("import math\n\n\ndef check(candidate):\n")
    passes(check_of(row), same)


def test_a_program_is_a_function_from_input_to_output():
    case = {"stdin": "1 2\n", "stdout": "3\n", "shown": True}
    row = humaneval_row({"task_id": "a", "io_format": STDIN, "cases": [case], "prompt": '"""Add."""\n'})
    assert row["io_format"] == STDIN
    passes(row["test"], lambda text: f"  {sum(map(int, text.split()))}")
    with pytest.raises(AssertionError):
        passes(row["test"], lambda _: "4")


def test_a_problem_without_tests_makes_a_check_all_the_same():
    passes(check_of({"entry_point": "f"}), None)


@pytest.mark.parametrize(
    "body",
    [
        "for x in [1, 2]:\n        assert candidate(x) == x",
        "y = candidate(1)\n    assert y == 1",
        "x = 1\n    assert candidate(x) == 1\n    x = 2\n    assert candidate(x) == 2",
        "print(candidate(1))",
        "assert True",
    ],
)
def test_what_is_not_flat_stays_one_test(body):
    check = f"def check(candidate):\n    {body}\n"
    found = split_check(check, "f")
    assert (found.split, found.tests, found.setup) == (False, ("check(f)",), check)


@pytest.mark.parametrize(
    "check", ["def check(:", "x = 1", "def check(f):\n    assert f(1)", "def check(candidate): pass\n" * 2]
)
def test_what_is_no_check_stays_one_test(check):
    assert split_check(check, "f").tests == ("check(f)",)


def test_an_assertion_without_the_candidate_is_no_test_of_its_own():
    body = "def check(candidate):\n    assert True, 'on'\n    assert candidate(1) == 1\n    assert 1\n"
    assert split_check(body, "f").tests == ("assert True, 'on'\nassert candidate(1) == 1\nassert 1",)


def test_preparations_join_the_setup():
    head = "M = 1\ndef check(candidate):\n    import math\n    x = [1,\n         2]\n"
    body = f"{head}    assert candidate(x) == math.pi\n"
    found = split_check(body, "f")
    space = {}
    exec(found.setup, space)
    assert (space["M"], space["x"]) == (1, [1, 2])
    assert found.tests == ("assert candidate(x) == math.pi",)


@pytest.mark.parametrize("code", ["def f(:", "\0", pytest.param("(" * 10_000, id="deep"), "x = '\ud800'"])
def test_what_does_not_parse_is_none(code):
    assert parsed(code) is None


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=4))
def test_any_cases_make_a_check_of_their_words(pairs):
    cases = [{"stdin": given, "stdout": wanted, "shown": False} for given, wanted in pairs]
    answers = dict(pairs)
    check = check_of({"io_format": STDIN, "cases": cases})
    if all(answers[given] == wanted for given, wanted in pairs):
        passes(check, lambda text: f"\n {answers[text]} ")
    with pytest.raises(AssertionError):
        passes(check, lambda text: f"{answers[text]} more")


def test_only_programs_say_how_they_are_run():
    row = humaneval_row({"task_id": "a", "io_format": "repr", "dropped": "x"})
    assert sorted(row) == ["canonical_solution", "entry_point", "prompt", "task_id", "test"]
    assert (row["prompt"], row["test"]) == ("", "def check(candidate):\n    pass\n")


def test_tests_may_name_the_candidate_itself():
    check = check_of({"entry_point": "candidate", "tests": ["assert candidate(1) == 1"]})
    assert check == "def check(candidate):\n    assert candidate(1) == 1\n"
    passes(check, same)


@pytest.mark.parametrize(
    "block",
    [
        "x = [1,\n     2]\nassert same(x) == [1, 2]",
        "assert same('''\nif x:\n    y\n''').count('    ') == 1",
        "y = 1\nassert same(f'''{y}\n  b''') == '1\\n  b'",
        "for x in range(3):\n    assert same(x) == x",
        "with_tabs = same('a\\tb')\nassert with_tabs == 'a\tb'",
    ],
)
def test_blocks_of_many_lines_mean_the_same_inside_a_check(block):
    exec(block, {"same": same})
    check = check_of({"entry_point": "same", "tests": [block, "assert same(0) == 0"]})
    passes(check, same)
    with pytest.raises((AssertionError, AttributeError, TypeError)):
        passes(check, lambda x: None)


def test_counts_that_are_given_are_kept():
    assert problem_table([{"task_id": "a", "n_tests": 7}])["n_tests"].to_pylist() == [7]


def test_a_check_with_a_text_is_still_flat():
    found = split_check('def check(candidate):\n    """All."""\n    assert candidate(1) == 1\n', "same")
    assert (found.split, found.tests) == (True, ("assert candidate(1) == 1",))


def test_assertions_over_many_lines_stay_whole():
    body = "def check(candidate):\n    assert candidate([1,\n        2]) == [\n        1, 2]\n"
    (one,) = split_check(body, "same").tests
    exec(one, {"candidate": same})
    assert one.count("\n") == 2
