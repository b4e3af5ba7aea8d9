import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.pairs.labels import agrees, number_of, row_labels, same_labels, sheet_of
from instruct.pairs.parser import parse_rule

SHEET = [
    ["Item", "Area", "Score"],
    ["pen", "North", 4],
    ["cup", "north-east", "7"],
    ["pen", "South", ""],
    ["hat", "", "$9.50"],
    ["map", "South", "#REF!"],
    ["cap", "West", 7.0],
]


def formatted(text, sheet=SHEET):
    labels = row_labels(parse_rule(text).rule, sheet)
    return None if labels is None else [number for number, label in enumerate(labels) if label]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("GreaterThan(7)", [3]),
        ("GreaterThanEqual(7)", [1, 3, 5]),
        ("LessThan(7)", [0]),
        ("LessThanEqual(7)", [0, 1, 5]),
        ("Equals(7)", [1, 5]),
        ("NotEquals(7)", [0, 3]),
        ("Between(4, 7)", [0, 1, 5]),
        ("Between(7, 4)", [0, 1, 5]),
        ("NotBetween(4, 7)", [3]),
        ("TextEquals(c[1], 'SOUTH')", [2, 4]),
        ("TextEquals(7)", [1, 5]),
        ("TextContains(c[1], 'north')", [0, 1]),
        ("StartsWith(c[0], 'c')", [1, 5]),
        ("EndsWith(c[0], 'p')", [1, 4, 5]),
        ("Equals(c[0], 'pen')", [0, 2]),
        ("NotEquals(c[0], 'pen')", [1, 3, 4, 5]),
        ("LessThan(c[0], 'pen')", []),
        ("Top()", [3]),
        ("Top(2)", [1, 3, 5]),
        ("Top(99)", [0, 1, 3, 5]),
        ("Bottom(1)", [0]),
        ("TopPercent(50)", [1, 3, 5]),
        ("TopPercent(1)", [3]),
        ("BottomPercent(25)", [0]),
        ("Duplicates(c[0])", [0, 2]),
        ("Duplicates(c[1])", [2, 4]),
        ("Unique(c[1])", [0, 1, 5]),
        ("Blanks()", [2]),
        ("Errors()", [4]),
        ("AboveAverage()", [1, 3, 5]),
        ("BelowAverage()", [0]),
        ("ColorScale()", [0, 1, 3, 5]),
        ("NOT(Blanks(c[1]))", [0, 1, 2, 4, 5]),
        ("AND(TextEquals(c[0], 'pen'), GreaterThan(c[2], 0))", [0]),
        ("OR(Blanks(), AND(Errors(), NOT(Blanks())))", [2, 4]),
        ("Blanks(c[3])", None),
    ],
)
def test_rules_format_the_rows_that_excel_would(text, rows):
    assert formatted(text) == rows


def test_an_empty_sheet_has_no_rows_to_format_and_no_column():
    rule = parse_rule("AboveAverage()").rule
    assert row_labels(rule, []) is None
    assert row_labels(rule, [["Value"]]) == ()


def test_a_rule_without_a_column_is_on_the_one_headed_value():
    sheet = [["Index", "Value", "Score"], [0, "9", 1], [1, "2", 8]]
    assert formatted("GreaterThan(5)", sheet) == [0]
    assert formatted("GreaterThan(c[2], 5)", sheet) == [1]
    assert formatted("GreaterThan(5)", [["Index", "Price"], [0, 1], [1, 9]]) == [1]


@pytest.mark.parametrize(
    ("labels", "agreed"),
    [([0, 0, 1], True), ([0, 1, 1], False), ([0, 0], None), ([0], None), ([], None), ([0, 0, 1, 0], None)],
)
def test_labels_of_the_source_are_compared_where_they_are_whole(labels, agreed):
    rule = parse_rule("GreaterThan(5)").rule
    assert agrees(rule, [["Index", "Value"], [0, "2"], [1, "9"]], labels) is agreed


def test_labels_of_a_column_that_is_not_there_do_not_agree():
    assert agrees(parse_rule("Blanks(c[9])").rule, [["Value"], [""]], [0, 1]) is False


@pytest.mark.parametrize("text", [None, "", "null", "[]", "{}", "[3]", "[[1], 2]", "{", "[" * 100_000, 7])
def test_what_is_no_sheet_is_none(text):
    assert sheet_of(text) is None


def test_a_short_row_has_blank_cells():
    assert formatted("Blanks(c[1])", [["a", "b"], [1, 2], [1]]) == [1]


def test_numbers_and_ranks_of_a_column_without_numbers_are_no_error():
    sheet = [["a"], ["x"], [None], [float("nan")], [10**400], [True]]
    for text in ("Top(1)", "TopPercent(10)", "AboveAverage()", "LessThan(5)", "DataBar()"):
        assert formatted(text, sheet) == []


def test_two_spellings_of_the_same_rows_match():
    assert same_labels(parse_rule("GreaterThan(7)").rule, parse_rule("GreaterThan(8)").rule, SHEET)
    assert not same_labels(parse_rule("GreaterThan(7)").rule, parse_rule("GreaterThan(4)").rule, SHEET)


def test_bars_and_scales_do_not_match_though_they_format_the_same_cells():
    bar, scale = parse_rule("DataBar()").rule, parse_rule("ColorScale()").rule
    assert row_labels(bar, SHEET) == row_labels(scale, SHEET)
    assert not same_labels(bar, scale, SHEET)
    assert same_labels(bar, parse_rule("DataBar(c[2])").rule, SHEET)


def test_a_column_that_is_not_there_matches_nothing_not_even_itself():
    rule = parse_rule("Blanks(c[9])").rule
    assert not same_labels(rule, rule, SHEET)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("-$3", -3.0), ("$-3", -3.0), ("1,000,000", 1e6), ("5.", 5.0), (".5", 0.5), ("1e400", None), ("1,00", None),
        ("3 4", None), ("٣", None), ("-.5", -0.5), (None, None), ([1], None), ("7%", 0.07), ("--1", None),
    ],
)  # fmt: skip
def test_cells_that_read_as_numbers(cell, number):
    assert number_of(cell) == pytest.approx(number) if number is not None else number_of(cell) is None


CELLS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers())
)
RULES = st.sampled_from(
    ["Top(2)", "Bottom(1)", "TopPercent(30)", "LessThan(3)", "Between(1, 2)", "Duplicates()", "TextContains(a)",
     "Blanks()", "Errors()", "AboveAverage()", "Equals('a')", "IconSet()"]
)  # fmt: skip


@given(st.lists(CELLS, max_size=8), RULES)
def test_any_cells_are_labelled_and_not_turns_every_label(cells, text):
    sheet = [["v"], *([cell] for cell in cells)]
    plain = row_labels(parse_rule(text).rule, sheet)
    turned = row_labels(parse_rule(f"NOT({text})").rule, sheet)
    assert len(plain) == len(cells)
    assert turned == tuple(not label for label in plain)
    assert row_labels(parse_rule(f"AND({text}, {text})").rule, sheet) == plain


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.integers(1, 9))
def test_top_formats_what_no_more_than_n_minus_one_values_exceed(cells, n):
    sheet = json.loads(json.dumps([["v"], *([cell] for cell in cells)]))
    labels = row_labels(parse_rule(f"Top({n})").rule, sheet)
    assert labels == tuple(sum(other > cell for other in cells) < n for cell in cells)
