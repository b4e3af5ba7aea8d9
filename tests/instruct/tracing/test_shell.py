"""Lines of shell as people write them: redirections, comments, quotes, options that run nothing."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.tracing.ci.shell import CHARS, read_line


def first(line):
    return read_line(line)[0]


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("pytest tests 2>&1 | tee log", ("-m", "pytest", "tests")),
        ("pytest tests > log 2>&1", ("-m", "pytest", "tests")),
        ("pytest tests >>log", ("-m", "pytest", "tests")),
        ("pytest &> log tests", ("-m", "pytest", "tests")),
        ("pytest 2>/dev/null tests || true", ("-m", "pytest", "tests")),
        ("pytest -k 'a > b' tests", ("-m", "pytest", "-k", "a > b", "tests")),
        ('pytest -k "a # b" tests', ("-m", "pytest", "-k", "a # b", "tests")),
        ("pytest tests#one", ("-m", "pytest", "tests#one")),
        ("pytest tests # don't", ("-m", "pytest", "tests")),
        ("pytest tests;# it's", ("-m", "pytest", "tests")),
        ("pytest '' tests", ("-m", "pytest", "tests")),
        ('pytest "${{ matrix.args }}" tests', ("-m", "pytest", "tests")),
        ("python${{ matrix.python }} -m pytest tests", ("-m", "pytest", "tests")),
    ],
)
def test_what_stands_beside_a_command_is_no_part_of_it(line, argv):
    found = first(line)
    assert (found.argv, found.why) == (argv, "")


def test_a_number_sign_inside_a_word_ends_nothing():
    install, tests = read_line("pip install -e git+https://host/x.git#egg=x six && pytest tests")
    assert install.needs == ("six",)
    assert tests.argv == ("-m", "pytest", "tests")


@pytest.mark.parametrize(
    "line",
    [
        "pytest --version",
        "python -m pytest -h",
        "coverage run -m pytest --collect-only tests",
        "python -m unittest --help",
        "uv run pytest --co -q",
    ],
)
def test_a_runner_that_is_only_asked_is_no_test_command(line):
    found = first(line)
    assert (found.argv, found.why) == ((), "no test is run")


@pytest.mark.parametrize(
    ("line", "needs", "files"),
    [
        ("pip install -rdev.txt", (), ("dev.txt",)),
        ("pip install --requirement=a.txt -r b.txt", (), ("a.txt", "b.txt")),
        ("pip install --requirement a.txt six", ("six",), ("a.txt",)),
        ("pip install -r/etc/passwd --requirement=../up.txt", (), ()),
        ("pip install --requirements-of-no-pip six", ("six",), ()),
        ("pip3.11 install 'six >= 1' \"attrs ~= 2\"", ("six >= 1", "attrs ~= 2"), ()),
        ("pip install six 2>&1 > log", ("six",), ()),
        ("pip install six>=1", ("six",), ()),
        ('pip install "${{ env.EXTRA }}" six', ("six",), ()),
        ("pip install six # and attrs", ("six",), ()),
    ],
)
def test_installations_in_all_spellings(line, needs, files):
    assert (first(line).needs, first(line).files) == (needs, files)


@pytest.mark.parametrize("word", ["a\0b", "\ud800", "a\x1bb", "a\u202eb"])
def test_words_that_no_program_can_be_given_are_left_out(word):
    assert first(f"pytest '{word}' tests").argv == ("-m", "pytest", "tests")
    assert first(f"pytest '{word}' tests").left_out == (word,)
    assert first(f"python 'test{word}.py'").argv == ()


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("pytest -k /etc/passwd a", ("-m", "pytest", "a")),
        ("pytest --ignore=../up --ignore=b a", ("-m", "pytest", "--ignore=b", "a")),
        ("python -m unittest discover -s / -p 'x*.py'", ("-m", "unittest", "discover", "-p", "x*.py")),
        ("python -m unittest discover -t ../.. -s ok", ("-m", "unittest", "discover", "-s", "ok")),
    ],
)
def test_values_of_options_lead_out_of_the_project_as_little_as_words(line, argv):
    assert first(line).argv == argv


SEPARATORS = set("();<>|&")
WORDS = st.text(st.sampled_from("ab'\"\\ #>&;|()=.~é"), min_size=1, max_size=6)


@given(st.lists(WORDS.filter(lambda word: not set(word) <= SEPARATORS), max_size=5))
def test_quoted_words_come_back_whatever_is_in_them(words):
    """What quotes hold is nobody's comment, redirection or separator."""
    quoted = (word.replace("\\", "\\\\").replace('"', '\\"') for word in words)
    [found] = read_line(" ".join(["pytest", "-x", *(f'"{word}"' for word in quoted)]))
    handed = [word.removeprefix("./") or "." for word in words]
    told = [*found.argv[2:], *found.left_out]
    assert len(told) == 1 + len(words)
    assert set(told) <= {"-x", *words, *handed}


PREFIXES = ("A=1", "env A='x y'", "uv run --frozen", "time", "poetry run", "sudo", "exec", "-")


@given(
    st.lists(st.sampled_from(["a", "b.py", "a::b[1]", "-k", "x y"]), max_size=4),
    st.lists(st.sampled_from(PREFIXES), max_size=3),
)
def test_variables_and_runners_before_a_command_change_nothing(words, prefixes):
    line = shlex.join(["pytest", *words])
    assert read_line(" ".join([*prefixes, line])) == read_line(line)


def test_a_line_of_the_longest_kind_is_read_and_one_more_is_not():
    line = "pytest " + "a" * (CHARS - 7)
    assert len(first(line).argv) == 3
    assert first(line + "a").why == "a very long line"
