"""Slow, recursive twins of the parser and of the labels, written from docs/pairs.md: the oracles of both."""

import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from instruct.pairs.labels import row_labels
from instruct.pairs.parser import parse_rule
from instruct.pairs.rule import CONDITIONS, Condition, Joined

SPACES = st.sampled_from(["", " ", "  ", "\t", " \n"])
NAMES = {
    "number1": ["GreaterThan", "GreaterThanEqual", "LessThan", "LessThanEqual", "Equals", "NotEquals"],
    "number2": ["Between", "NotBetween"],
    "text": ["TextEquals", "TextContains", "StartsWith", "EndsWith"],
    "rank": ["Top", "Bottom", "TopPercent", "BottomPercent"],
    "none": ["Duplicates", "Unique", "Blanks", "Errors", "AboveAverage", "BelowAverage"],
    "visual": ["ColorScale", "DataBar", "IconSet"],
}
WORDS = st.text("abXY01 ,-/%é適", min_size=1, max_size=8).filter(str.strip)


def test_the_twins_know_every_condition():
    assert {name for names in NAMES.values() for name in names} == {one.name for one in CONDITIONS.values()}


@st.composite
def spelled(draw, depth=2):
    """A rule and one of the many ways to spell it."""
    if depth and draw(st.booleans()):
        connective = draw(st.sampled_from(["AND", "OR", "NOT"]))
        count = 1 if connective == "NOT" else draw(st.integers(1, 3))
        parts = [draw(spelled(depth - 1)) for _ in range(count)]
        inner = ",".join(draw(SPACES) + text + draw(SPACES) for _, text in parts)
        return Joined(connective, tuple(rule for rule, _ in parts)), f"{cased(draw, connective)}({inner})"
    kind = draw(st.sampled_from(sorted(NAMES)))
    name, column = draw(st.sampled_from(NAMES[kind])), draw(st.none() | st.integers(0, 3))
    count = {"number1": 1, "number2": 2, "text": 1, "rank": 1}.get(kind, 0)
    values, texts = [], []
    for _ in range(count):
        value, text = draw(worded(column is None) if kind == "text" else numbered(positive=kind == "rank"))
        values.append(value)
        texts.append(text)
    arguments = [*([] if column is None else [f"{draw(SPACES)}c[{column}]{draw(SPACES)}"]), *texts]
    return Condition(name, column, tuple(values)), f"{cased(draw, name)}({','.join(arguments)})"


def cased(draw, name):
    return draw(st.sampled_from([name, name.lower(), name.upper(), name.swapcase()]))


@st.composite
def numbered(draw, *, positive):
    sign = "" if positive else draw(st.sampled_from(["", "-", "+"]))
    text = sign + draw(
        st.sampled_from(["1", "07", "2.50", ".5", "3.", "1e3", "12E-2", "99999999999999999999"])
    )
    return Decimal(text), draw(SPACES) + text + draw(SPACES)


@st.composite
def worded(draw, bare):
    word = draw(WORDS)
    if bare and draw(st.booleans()):
        return word, word
    mark = draw(st.sampled_from("'\""))
    inside = draw(st.sampled_from(["", mark, "(", "),("]))
    return word + inside, draw(SPACES) + mark + (word + inside).replace(mark, mark * 2) + mark + draw(SPACES)


@given(spelled())
def test_every_spelling_is_read_as_the_rule_it_spells(rule_and_text):
    rule, text = rule_and_text
    reading = parse_rule(text)
    assert (reading.problem, reading.rule) == ("", rule)


@given(spelled(), st.data())
def test_a_rule_that_is_cut_short_is_none_and_says_where(rule_and_text, data):
    _, text = rule_and_text
    cut = data.draw(st.integers(0, len(text.rstrip()) - 1))
    reading = parse_rule(text[:cut])
    assert reading.rule is None
    assert reading.position <= cut


CELLS = st.sampled_from(["", None, "a", "AB", "b", "#N/A", "3", 3, 3.0, "-1", 7, "7.5", "10%", "$8", 0])


def number(cell):
    if isinstance(cell, int | float):
        return float(cell)
    found = re.fullmatch(r"(-?)\$?([0-9.]+)(%?)", cell or "")
    return float(found[1] + found[2]) / (100 if found[3] else 1) if found else None


def text_of(cell):
    return (
        ""
        if cell is None
        else str(int(cell))
        if isinstance(cell, float) and cell % 1 == 0
        else str(cell).lower()
    )


def slow_label(rule, rows, at):
    if isinstance(rule, Joined):
        labels = [slow_label(part, rows, at) for part in rule.parts]
        return {"AND": all(labels), "OR": any(labels), "NOT": not labels[0]}[rule.connective]
    column = [row[1 if rule.column is None else rule.column] for row in rows]
    values = list(rule.values)
    return bool(slow_condition(rule.name, values, column, column[at]))


def slow_condition(name, values, column, cell):
    own, numbers = number(cell), [one for one in map(number, column) if one is not None]
    texts = [text_of(one) for one in column]
    word = text_of(values[0]) if values and isinstance(values[0], str) else ""
    if name in NAMES["text"]:
        text = text_of(cell)
        return {
            "TextEquals": text == word, "TextContains": word in text, "StartsWith": text.startswith(word),
            "EndsWith": text.endswith(word),
        }[name]  # fmt: skip
    if name in ("Blanks", "Errors", "Duplicates", "Unique"):
        times = texts.count(text_of(cell))
        blank = not text_of(cell).strip()
        return {
            "Blanks": blank, "Errors": text_of(cell).startswith("#"), "Duplicates": not blank and times > 1,
            "Unique": not blank and times == 1,
        }[name]  # fmt: skip
    return own is not None and slow_number(name, [float(value) for value in values], numbers, own)


def slow_number(name, limits, numbers, own):
    higher, lower = sum(one > own for one in numbers), sum(one < own for one in numbers)
    mean = sum(numbers) / len(numbers)
    first = limits[0] if limits else 1.0
    last = limits[1] if len(limits) > 1 else first
    share = max(1, int(min(first, 100) * len(numbers) / 100))
    return {
        "GreaterThan": own > first, "GreaterThanEqual": own >= first, "LessThan": own < first,
        "LessThanEqual": own <= first, "Equals": own == first, "NotEquals": own != first,
        "Between": min(first, last) <= own <= max(first, last),
        "NotBetween": not min(first, last) <= own <= max(first, last),
        "Top": higher < max(1, int(first)), "Bottom": lower < max(1, int(first)),
        "TopPercent": higher < share, "BottomPercent": lower < share,
        "AboveAverage": own > mean, "BelowAverage": own < mean,
        "ColorScale": True, "DataBar": True, "IconSet": True,
    }[name]  # fmt: skip


@given(spelled(), st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=6))
def test_labels_are_those_of_the_slow_twin(rule_and_text, rows):
    rule, _ = rule_and_text
    labels = row_labels(rule, [["Index", "Value", "Score", "More"], *rows])
    assert labels == tuple(slow_label(rule, rows, at) for at in range(len(rows)))
