"""Terminal: what is shown fits, says the same as the whole, and is harmless."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from pipelines.terminal import elided, fitting, print_file, print_indented, setting, short, table

NAMES = st.lists(st.text("ab:._", min_size=1, max_size=9), min_size=1, max_size=9).map("/".join)


def console(width: int, *, terminal: bool = True) -> Console:
    return Console(width=width, record=True, file=io.StringIO(), force_terminal=terminal)


@given(name=NAMES, width=st.integers(8, 60))
def test_an_elided_name_fits_and_ends_as_the_whole_does(name, width):
    shown = elided(name, width)
    assert cell_len(shown) <= width
    if cell_len(name) <= width:
        assert shown == name
    else:
        start, _, end = shown.partition("…")
        assert name.startswith(start)
        assert name.endswith(end)


def test_the_repository_and_the_file_s_name_stay_as_long_as_they_fit():
    name = "lab/x:one/two/three/name.py"
    assert [elided(name, width) for width in (27, 26, 20, 16, 12, 7)] == [
        name, "lab/x:one/two/…/name.py", "lab/x:one/…/name.py", "lab/x:…/name.py", "…/name.py",
        "…ame.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (9_999, "10 k"),
        (999_499, "999 k"),
        (999_600, "1 M"),
        (7e12, "7e+03 G"),
    ],
)
def test_a_short_number_has_three_digits(number, said):
    assert short(number) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filters.a: x > 1 → x > 2", "filters.a: x > 1 → x > 2"),
        ("filters.a: x > 1 for c, d → no rule", "filters.a: x > 1 for c, d → no rule"),
        ("filters.a: no rule → x > 1 for c, ant build system, d and 7 more",
         "filters.a: no rule → x > 1 (10 languages)"),
        ("filters.a: x > 1 for c, d and 7 more → x > 2 for c, d and 7 more", "filters.a: x > 1 → x > 2 (9 languages)"),
        ("filters.a: x > 1 except for c, d and 1,200 more with probability 0.5 → no rule",
         "filters.a: x > 1 (not 1203 languages) with probability 0.5 → no rule"),
        ("filters.a: x > 1 for c → x > 1 for d", "filters.a: x > 1 for c → x > 1 for d"),
        ("pack.seq_len: 256 → 512", "pack.seq_len: 256 → 512"),
    ],
)  # fmt: skip
def test_a_setting_is_shortened_without_another_meaning(text, said):
    assert setting(text) == said


def test_the_widest_choice_that_fits_is_taken():
    def made(columns: int):
        found = table("name", [f"column {at}" for at in range(columns)])
        found.add_row("x", *["1"] * columns)
        return [found]

    choices = [made(9), made(3), made(0)]
    assert [fitting(console(width), choices) for width in (200, 50, 10)] == choices


def test_a_file_s_name_is_one_harmless_line():
    for terminal in (True, False):
        shown = console(40, terminal=terminal)
        print_file(shown, "  ", "a\x1b[31m\n" + "deep/" * 30 + "end.py")
        text = shown.export_text()
        assert "\x1b" not in text
        assert len(text.splitlines()) == 1
        assert text.rstrip().endswith("end.py")


def test_a_paragraph_is_indented_and_one_line_for_a_program():
    said = "some words " * 20
    for terminal, lines in ((True, 10), (False, 1)):
        shown = console(30, terminal=terminal)
        print_indented(shown, said, 4)
        text = shown.export_text().splitlines()
        assert all(line.startswith("    some") or line.startswith("    words") for line in text)
        assert (len(text) > 1) == (lines > 1)
        assert " ".join(" ".join(text).split()) == said.strip()
