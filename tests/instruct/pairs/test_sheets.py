"""Laws of what rules format, on sheets as large, as equal and as odd as cells can be."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from instruct.pairs import EXCEL, parse_rule, print_rule, row_labels, same_labels, validity
from instruct.pairs.labels import agrees, number_of, sheet_of
from instruct.pairs.parser import MOST_CHARS, MOST_DEPTH

NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-3, 3)
    | st.sampled_from([0.1, 0.05, 1e308, -1e308])
)
CELLS = NUMBERS | st.sampled_from(["", None, "a", "A ", "#N/A", "5%", "$3", "1,000", "true", True])
SINGLE = (
    "GreaterThan(0.1)", "LessThanEqual(1)", "Equals(3)", "NotEquals(c[0], 'a')", "Between(-1, 2)", "NotBetween(0, 1)",
    "TextEquals(a)", "TextContains(n)", "StartsWith(#)", "EndsWith(%)", "Top(2)", "Bottom(1)", "TopPercent(40)",
    "BottomPercent(60)", "Duplicates()", "Unique()", "Blanks()", "Errors()", "AboveAverage()", "BelowAverage()",
    "DataBar()",
)  # fmt: skip
RULES = st.sampled_from(SINGLE)


def formatted(text, cells):
    return row_labels(parse_rule(text).rule, [["v"], *([cell] for cell in cells)])


@settings(max_examples=40)
@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_averages_are_exact(cells):
    mean = sum(map(Fraction, cells)) / len(cells)
    near = float(mean)
    above, below = formatted("AboveAverage()", cells), formatted("BelowAverage()", cells)
    assert above == tuple(float(cell) > near for cell in cells)
    assert below == tuple(float(cell) < near for cell in cells)


@pytest.mark.parametrize("value", [0.05, 0.1, "18%", 1e308, -1.7e308])
@pytest.mark.parametrize("count", [2, 3, 6, 7])
def test_equal_cells_are_neither_above_nor_below_their_average(value, count):
    for rule in ("AboveAverage()", "BelowAverage()"):
        assert formatted(rule, [value] * count) == (False,) * count


@pytest.mark.parametrize(
    "cell", ["#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!", "#CALC!",
             "#n/a", " #ref! "]
)  # fmt: skip
def test_errors_are_those_that_excel_shows(cell):
    assert formatted("Errors()", [cell]) == (True,)
    assert number_of(cell) is None


@pytest.mark.parametrize(
    "cell", ["#1", "#todo", "#A", "#REF", "#N/A!", "REF!", "##", "#", "a #N/A", "#NAME!", "", None, 0]
)
def test_a_text_that_begins_like_an_error_is_none(cell):
    assert formatted("Errors()", [cell]) == (False,)


@settings(max_examples=40)
@given(st.lists(CELLS, max_size=7), RULES, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_label(cells, rule, random):
    order = list(range(len(cells)))
    random.shuffle(order)
    labels = formatted(rule, cells)
    assert formatted(rule, [cells[at] for at in order]) == tuple(labels[at] for at in order)


@settings(max_examples=40)
@given(st.lists(CELLS, max_size=7), RULES)
@example(["a", None], "Duplicates()")
def test_rows_without_a_value_change_nothing_of_the_others(cells, rule):
    assert formatted(rule, [*cells, None, ""])[: len(cells)] == formatted(rule, cells)


@settings(max_examples=40)
@given(st.lists(CELLS, max_size=5), RULES, RULES)
def test_connectives_obey_de_morgan(cells, one, other):
    assert formatted(f"NOT(AND({one}, {other}))", cells) == formatted(f"OR(NOT({one}), NOT({other}))", cells)
    both, either = formatted(f"AND({one}, {other})", cells), formatted(f"OR({one}, {other})", cells)
    assert all(first <= second for first, second in zip(both, either, strict=True))


@settings(max_examples=40)
@given(st.lists(CELLS, max_size=5), RULES, RULES)
def test_same_labels_is_symmetric_and_blind_to_spelling(cells, one, other):
    sheet = [["v"], *([cell] for cell in cells)]
    first, second = parse_rule(one).rule, parse_rule(other).rule
    assert same_labels(first, second, sheet) == same_labels(second, first, sheet)
    assert same_labels(first, parse_rule(print_rule(first)).rule, sheet)
    ours = [0, *map(int, row_labels(first, sheet))]
    assert agrees(first, sheet, ours) is (True if cells else None)


@settings(max_examples=40)
@given(st.lists(NUMBERS, min_size=1, max_size=7), st.integers(1, 100))
def test_shares_format_at_least_one_and_grow_with_the_share(cells, share):
    ranked = sorted(map(float, cells), reverse=True)
    found = formatted(f"TopPercent({share})", cells)
    limit = ranked[max(1, share * len(cells) // 100) - 1]
    assert found == tuple(float(cell) >= limit for cell in cells)
    more = formatted(f"TopPercent({min(share + 20, 100)})", cells)
    assert all(one <= two for one, two in zip(found, more, strict=True))
    assert formatted("BottomPercent(100)", cells) == (True,) * len(cells)


NESTED = {"NOT": "NOT({})", "OR": "OR(Errors(), {})", "AND": "AND({}, TextContains(''))"}


@settings(max_examples=30)
@given(st.lists(st.sampled_from(sorted(NESTED)), min_size=MOST_DEPTH - 1, max_size=MOST_DEPTH), st.booleans())
def test_nesting_to_the_bound_is_labelled_as_it_is_read(connectives, blank):
    text = "Blanks()"
    for name in connectives:
        text = NESTED[name].format(text)
    odd = connectives.count("NOT") % 2 == 1
    assert formatted(text, [None if blank else 1]) == (blank is not odd,)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("=A1>3", 0), ("$B2=\"x\"", 0), ("RC[-1]>5", 2), ("R1C1=R2C2", 1), ("{1,2;3,4}", 0), ("#REF!", 0),
        ("-Blanks()", 0),
        ("GreaterThan(5%)", 13), ("GreaterThan(1+2*3)", 13), ("GreaterThan(2^3)", 13), ("GreaterThan({1})", 12),
        ("GreaterThan(A1)", 12), ("GreaterThan(c[1]+1)", 12), ("GreaterThan(1e)", 13), ("GreaterThan(0x1F)", 13),
        ("GreaterThan(١)", 12), ("Between(1;2)", 9), ("Blanks()>0", 8), ("Blanks() Blanks()", 9), ("Größer(1)", 2),
        ("GreaterThan(#N/A)", 12), ("TextEquals('open", 16), ("NOT Blanks()", 4),
        ("AND(Blanks()", 12), ("(Blanks())", 0), ("Blanks[]", 6), ("\0", 0), ("\ufeffBlanks()", 0),
    ],
)  # fmt: skip
def test_formulas_and_other_notations_are_no_rules(text, position):
    reading = parse_rule(text)
    assert (reading.rule, reading.position) == (None, position)
    assert validity(text, EXCEL) == (False, position, reading.problem)


@pytest.mark.parametrize(
    "text", ["TextEquals(5%)", "TextEquals({1,2})", "TextEquals(=A1)", "TextContains(ß)", "EndsWith(R1C1)"]
)
def test_what_is_no_number_may_be_a_text(text):
    wanted = text.partition("(")[2][:-1]
    assert parse_rule(text).rule.values == (wanted,)
    assert formatted(text, [wanted.upper(), "x" + wanted, wanted + "x"])[0]


def test_a_number_that_grows_when_it_is_printed_may_outgrow_the_bound():
    rule = parse_rule(f"AND({','.join(['Equals(9e99)'] * 100)})").rule
    assert len(print_rule(rule)) > MOST_CHARS
    assert parse_rule(print_rule(rule)).problem == f"more than {MOST_CHARS} characters"


@settings(max_examples=40)
@given(st.decimals(-999999999, 999999999, places=3), st.sampled_from(["", "$", "€", "£"]), st.booleans())
def test_numbers_are_read_as_they_are_shown(value, sign, share):
    shown = f"{sign}{abs(value):,.3f}{'%' if share else ''}"
    expected = float(abs(value)) / (100 if share else 1)
    assert number_of(shown) == number_of(f" {shown} ") == expected
    assert number_of(f"-{shown}") == -expected
    assert number_of(f"{shown}{sign or '€'}") is None
    assert number_of(f"({shown})") is None


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(), max_size=3),
        max_size=3,
    )
)
def test_sheets_come_back_from_json_as_they_were(rows):
    found = sheet_of(json.dumps(rows))
    assert (found is None) == (not rows)
    assert found is None or json.dumps(found) == json.dumps(rows)
    assert sheet_of(json.dumps([*rows, 1])) is None


@settings(max_examples=40)
@given(st.integers(0, 4), st.integers(0, 6), st.integers(0, 3))
def test_a_column_is_there_where_the_header_has_it_however_long_the_rows_are(header, cells, column):
    sheet = [list("abcd")[:header], [1] * cells]
    labels = row_labels(parse_rule(f"Equals(c[{column}], 1)").rule, sheet)
    assert labels == (None if column >= header else (column < cells,))


@pytest.mark.parametrize(
    "cell", [math.inf, -math.inf, math.nan, 1 << 2000, [1], {"a": 1}, True, "1e999", "٣", "½"]
)
def test_what_has_no_finite_number_meets_no_condition_on_numbers(cell):
    for rule in (
        "GreaterThan(-1e9)",
        "LessThan(1e9)",
        "NotEquals(1)",
        "NotBetween(1, 2)",
        "Top(9)",
        "BottomPercent(100)",
    ):
        assert formatted(rule, [cell, 4])[0] is False
