from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instruct.pairs.parser import MOST_CHARS, MOST_DEPTH, parse_rule
from instruct.pairs.rule import ALIASES, CONDITIONS, Condition, Joined, print_rule, stands_bare

BOTH_SPELLINGS = [
    ("AND(GreaterThanEqual(3),LessThan(9))", "AND(GreaterThanEqual(3), LessThan(9))"),
    ("TextContains(late)", "TextContains(late)"),
    ("TextEquals(n/a)", "TextEquals(n/a)"),
    ("TextEquals(two words )", "TextEquals(two words )"),
    ("TextEquals(a, b (c), d)", "TextEquals(a, b (c), d)"),
    ("Between(0.00000000000000001, 0.5)", "Between(0.00000000000000001, 0.5)"),
    ("Between( 1 ,2.50 )", "Between(1, 2.5)"),
    ("top(3)", "Top(3)"),
    ("Bottom(c[1])", "Bottom(c[1])"),
    ("Duplicate()", "Duplicates()"),
    ("Not(Equals(c[2], 0))", "NOT(Equals(c[2], 0))"),
    ('TextContains(c[3], "East")', "TextContains(c[3], 'East')"),
    ("TextEquals(c[0], 'it''s')", "TextEquals(c[0], 'it''s')"),
    ("OR(TextEquals(c[0], 'a'), NOT(Blanks(c[1])))", "OR(TextEquals(c[0], 'a'), NOT(Blanks(c[1])))"),
    ("GreaterThan(c[1],  -1e3)", "GreaterThan(c[1], -1000)"),
    ("GreaterThan(-0.0)", "GreaterThan(0)"),
    ("TextEquals('open)", "TextEquals('''open')"),
    ("TextEquals('a' or b)", "TextEquals('''a'' or b')"),
    ("Equals(c[1], 'x')", "Equals(c[1], 'x')"),
    ("ColorScale()", "ColorScale()"),
    ("IconSet(c[8])", "IconSet(c[8])"),
    ("TextContains(適)", "TextContains(適)"),
]

REFUSED = [
    ("", 0, "expected a rule such as GreaterThan(3)"),
    ("$A2=$A3", 0, "expected a rule such as GreaterThan(3)"),
    ("Blanks", 6, "expected '('"),
    ("Sparkle(1)", 0, "no condition 'Sparkle'"),
    ("GreaterThan(x)", 12, "expected a number"),
    ("GreaterThan()", 12, "GreaterThan takes 1 value"),
    ("GreaterThan(1, 2)", 14, "GreaterThan takes 1 value"),
    ("Between(1)", 9, "Between takes 2 values"),
    ("Top(1, 2)", 6, "Top takes 0 to 1 value"),
    ("Blanks(1)", 7, "Blanks takes no value"),
    ("Top(0)", 5, "Top takes a number above 0"),
    ("Top('a')", 7, "Top takes a number above 0"),
    ("TextEquals()", 11, "TextEquals takes 1 value"),
    ("TextEquals(c[1])", 15, "TextEquals takes 1 value"),
    ("TextEquals(c[1],)", 16, "expected a text"),
    ("TextContains(:))", 15, "expected the end of the rule"),
    ("TextContains((x)", 16, "expected ')'"),
    ("GreaterThan(5", 13, "expected ')'"),
    ("AND(Top(1),)", 11, "expected a rule such as GreaterThan(3)"),
    ("AND()", 4, "expected a rule such as GreaterThan(3)"),
    ("AND(Top(1) Top(2))", 11, "expected ',' or ')'"),
    ("NOT(Top(1), Top(2))", 10, "NOT takes one condition"),
    ("Top(1) and more", 7, "expected the end of the rule"),
]


@pytest.mark.parametrize(("text", "printed"), BOTH_SPELLINGS)
def test_both_published_spellings_are_read_and_printed_in_one_way(text, printed):
    reading = parse_rule(text)
    assert (reading.problem, print_rule(reading.rule)) == ("", printed)
    assert parse_rule(printed).rule == reading.rule


@pytest.mark.parametrize(("text", "position", "problem"), REFUSED)
def test_what_is_no_rule_says_where_and_why(text, position, problem):
    reading = parse_rule(text)
    assert (reading.rule, reading.position, reading.problem) == (None, position, problem)


def test_every_alias_means_a_condition():
    assert set(ALIASES.values()) <= set(CONDITIONS)
    assert set(ALIASES).isdisjoint(CONDITIONS)


def test_spans_are_names_and_columns():
    text = "AND(TextEquals(c[0], 'AND'), top(3))"
    assert [text[start:end] for start, end in parse_rule(text).spans] == ["AND", "TextEquals", "c[0]", "top"]


def test_spans_of_a_broken_rule_are_those_read_before_it_breaks():
    text = "OR(Blanks(), Sparkle(c[1]))"
    assert [text[start:end] for start, end in parse_rule(text).spans] == ["OR", "Blanks", "Sparkle"]


def test_nesting_is_bounded():
    deepest = "NOT(" * MOST_DEPTH + "Blanks()" + ")" * MOST_DEPTH
    assert parse_rule(deepest).rule is not None
    assert parse_rule(f"NOT({deepest})").problem == f"more than {MOST_DEPTH} levels"


def test_length_is_bounded():
    text = "x" * (MOST_CHARS - len("TextEquals()"))
    assert parse_rule(f"TextEquals({text})").rule == Condition("TextEquals", None, (text,))
    assert parse_rule(f"TextEquals({text}x)").position == MOST_CHARS


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@st.composite
def conditions(draw):
    signature = draw(st.sampled_from(sorted(CONDITIONS.values(), key=lambda one: one.name)))
    values = {
        "number": NUMBERS | TEXTS,
        "text": TEXTS,
        "rank": NUMBERS.map(abs).filter(bool),
    }.get(signature.kind, st.nothing())
    count = draw(st.integers(signature.least, signature.most))
    column = draw(st.none() | st.integers(0, 99))
    return Condition(signature.name, column, tuple(draw(values) for _ in range(count)))


def joined(parts):
    some = st.lists(parts, min_size=1, max_size=3).map(tuple)
    several = st.builds(Joined, st.sampled_from(["AND", "OR"]), some)
    return several | st.builds(Joined, st.just("NOT"), st.tuples(parts))


@given(st.recursive(conditions(), joined, max_leaves=8))
@example(Condition("TextEquals", None, (" ",)))
@example(Condition("TextEquals", None, ("",)))
@example(Condition("TextContains", None, ("c[1]",)))
@example(Condition("TextContains", 3, ("'),(\"",)))
@example(Condition("Equals", None, ("5",)))
@example(Condition("LessThan", 0, (Decimal("-0.000000"),)))
def test_what_is_printed_reads_back_as_the_same_rule(rule):
    printed = print_rule(rule)
    assert parse_rule(printed).rule == rule
    assert print_rule(parse_rule(printed).rule) == printed


@given(st.text(max_size=200) | st.text("ANDORTop(c[1],'\") .-9%", max_size=60))
def test_no_text_raises_and_a_rule_prints_itself_again(text):
    reading = parse_rule(text)
    assert (reading.rule is None) == bool(reading.problem)
    assert 0 <= reading.position <= len(text)
    assert all(0 <= start < end <= len(text) for start, end in reading.spans)
    if reading.rule is not None:
        assert parse_rule(print_rule(reading.rule)).rule == reading.rule


@given(TEXTS)
def test_a_text_that_stands_bare_reads_back_as_it_stands(text):
    read = parse_rule(f"TextEquals({text})").rule
    if stands_bare(text):
        assert read == Condition("TextEquals", None, (text,))
