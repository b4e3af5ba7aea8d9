"""Slow twins of metrics, marks, divisions and places, written from their definitions."""

from __future__ import annotations

import ast
import json
import warnings
from collections import Counter
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from instruct.pairs import (
    BASH,
    EXCEL,
    PAIR,
    PYTHON,
    Coded,
    MaskConfig,
    count_overlap,
    divide_disjoint,
    mark_pairs,
    mask_names,
    measure_predictions,
    random_overlaps,
    template_of,
    validity,
)
from instruct.pairs.diversity import diversity
from instruct.pairs.overlap import OverlapConfig
from instruct.pairs.spans import Span

WORDS = st.lists(st.sampled_from(["ls", "-l", " ", "a", "_b", "$", "|", "é1"]), max_size=7).map("".join)


def slow_tokens(text):
    """Runs of letters, digits and _, and single other marks."""
    tokens, run = [], ""
    for mark in text + " ":
        if mark.isalnum() or mark == "_":
            run += mark
            continue
        tokens += [run] if run else []
        tokens += [] if mark.isspace() else [mark]
        run = ""
    return tokens


@settings(max_examples=40)
@given(st.lists(WORDS, max_size=4))
def test_distinct_ngrams_are_those_of_the_slow_twin(texts):
    for n, share in enumerate(diversity(texts).distinct, 1):
        grams = []
        for tokens in map(slow_tokens, texts):
            grams += [" ".join(tokens[at : at + n]) for at in range(len(tokens) - n + 1)]
        kinds = Counter(grams)
        assert share == (pytest.approx(len(kinds) / kinds.total()) if grams else None)


COMMANDS = st.sampled_from(["ls", " ls", "ls -l", "ls a", "ls | ls a", "| ls", "$(", "ls b"])
LINE = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", "2", 3]), "predictions": st.lists(COMMANDS, max_size=7)}
)
LINES = st.lists(
    LINE | st.sampled_from([None, 5, {}, {"id": "1"}, {"id": "2", "predictions": [1]}]), max_size=5
)


@settings(max_examples=40)
@given(st.lists(COMMANDS, min_size=1, max_size=2), LINES)
@example(["| ls"], [{"id": "1", "predictions": ["| ls"]}])
def test_measures_are_those_of_the_slow_twin(tmp_path_factory, codes, lines):
    folder = tmp_path_factory.mktemp("measured")
    rows = [{"id": at, "lang": BASH, "split": "test", "code": code} for at, code in enumerate(codes, 1)]
    for name, all_of in (("pairs", rows), ("told", lines)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in all_of))
    found = measure_predictions(folder / "told.jsonl", folder / "pairs.jsonl", BASH)
    told, good = (
        {},
        [one for one in lines if one and isinstance(one, dict) and one.get("predictions", [1]) != [1]],
    )
    for one in good:
        told.setdefault(str(one["id"]), one["predictions"][:5])
    assert found["unreadable"] == len(lines) - len(good)
    assert found["repeated"] == len(good) - len(told)
    assert found["unknown"] == sum(int(name) > len(codes) for name in told)
    for top in (1, 3, 5):
        expected = slow_top(codes, told, top)
        assert found["top"][str(top)] == {name: pytest.approx(value) for name, value in expected.items()}
    slow_diversity(found["diversity"], [told[name] for name in told if int(name) <= len(codes)])


def slow_top(codes, told, top):
    exact = template = valid = judged = 0
    for at, code in enumerate(codes, 1):
        texts = told.get(str(at), [])[:top]
        wanted = template_of(code)
        exact += code.strip() in [text.strip() for text in texts]
        same = [text for text in texts if template_of(text) == wanted] if wanted is not None else []
        template += bool(same) or (wanted is None and code.strip() in [text.strip() for text in texts])
        valid += sum(validity(text, BASH).valid for text in texts)
        judged += len(texts)
    return {"exact": exact / len(codes), "template": template / len(codes), "valid": valid / max(judged, 1)}


def slow_diversity(found, answers):
    several = [texts for texts in answers if len(texts) > 1]
    pairs = [diversity(pair).distances[0] for texts in several for pair in combinations(texts, 2)]
    assert found["sentences"] == len(several)
    mean = sum(pairs) / len(pairs) if pairs else None
    assert found["edit_distance_mean"] == (pytest.approx(mean) if pairs else None)
    spread = (sum((one - mean) ** 2 for one in pairs) / len(pairs)) ** 0.5 if pairs else None
    assert found["edit_distance_std"] == (pytest.approx(spread, abs=1e-9) if pairs else None)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "lang": st.sampled_from([BASH, BASH, PYTHON]), "split": st.sampled_from(["train", "test", ""]),
            "nl": st.sampled_from([None, "list"]), "intent": st.sampled_from([None, "list"]),
            "code": st.sampled_from([None, "ls", "ls", "x"]),
            "problem": st.sampled_from([None, None, None, "too_large"]),
        }
    ),
    max_size=9,
)  # fmt: skip
DECISIONS = st.sampled_from(["drop", "keep"])


@settings(max_examples=80)
@given(ROWS, DECISIONS, DECISIONS, st.booleans())
def test_marks_are_those_of_the_slow_twin(rows, leaks, duplicates, intents):
    named = [{"id": str(at), **row} for at, row in enumerate(rows)]
    config = OverlapConfig(leaks, duplicates, intent_for_null=intents)
    marked, counts = mark_pairs(pa.Table.from_pylist(named, schema=PAIR), config)
    shown = [{**row, "nl": row["nl"] or (row["intent"] if intents else None)} for row in named]
    for at, (row, found) in enumerate(zip(shown, marked.to_pylist(), strict=True)):
        there = row["code"] is not None and row["problem"] is None
        same = [one["id"] for one in shown[:at] if there and one["problem"] is None
                and all(one[name] == row[name] for name in ("lang", "split", "nl", "code"))]  # fmt: skip
        shows = there and any(
            one["split"] == "test" and (one["lang"], one["code"]) == (row["lang"], row["code"])
            for one in shown
        )
        assert found["first_id"] == (same[0] if same else None)
        assert found["in_test"] == (None if row["split"] == "test" else shows)
        assert found["dropped"] == slow_rule(row, config, there=there, shows=shows, again=bool(same))
        assert found["nl"] == row["nl"]
    assert counts.total() == len(rows)


def slow_rule(row, config, *, there, shows, again):
    if not there:
        return "unreadable"
    if row["nl"] is None:
        return "no_nl"
    if row["split"] == "test":
        return None
    if shows and config.leaks == "drop":
        return "leak"
    return "duplicate" if again and config.duplicates == "drop" else None


TEXTS = st.lists(
    st.tuples(st.none() | st.sampled_from("abcdef"), st.none() | st.sampled_from("uvwxyz")), max_size=12
)


@settings(max_examples=40)
@given(TEXTS, st.integers(0, 3))
@example([("a", "u"), ("b", "v"), ("b", "u")], 2)
def test_a_group_alone_stands_where_it_stands_among_all(texts, seed):
    sides = divide_disjoint(*([one[at] for one in texts] for at in (0, 1)), seed)
    left = set(range(len(texts)))
    while left:
        group = grown({min(left)}, texts)
        alone = [texts[at] for at in sorted(group)]
        found = divide_disjoint(*([one[at] for one in alone] for at in (0, 1)), seed)
        assert {*found, *(sides[at] for at in group)} == {found[0]}
        left -= group


def grown(group, texts):
    """The rows that hang together with these, over others too."""
    while True:
        more = {
            at for at, one in enumerate(texts) if at in group or any(
                mine is not None and mine == texts[other][side] for other in group for side, mine in enumerate(one)
            )
        }  # fmt: skip
        if more == group:
            return group
        group = more


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.data())
def test_random_divisions_leave_no_row_out_and_count_none_twice(codes, data):
    size = data.draw(st.integers(0, len(codes)))
    for shared in random_overlaps(codes, size, range(3)):
        assert shared in {
            count_overlap(
                [codes[at] for at in range(len(codes)) if at not in chosen], [codes[at] for at in chosen]
            ).shared
            for chosen in combinations(range(len(codes)), size)
        }


@settings(max_examples=40)
@given(
    st.integers(1, 30),
    st.lists(st.floats(0.001, 1), min_size=2, max_size=5),
    st.text(max_size=4),
    st.integers(0, 9),
)
def test_a_greater_ratio_hides_what_a_smaller_one_hides_and_more(count, ratios, name, seed):
    ends = np.arange(1, 2 * count + 1, dtype=np.int32)
    spans = [Span(2 * at, 2 * at + 1) for at in range(count)]
    hidden = [
        set(mask_names(name, b"x " * count, Coded(ends, ends), spans, MaskConfig(ratio, seed)).positions)
        for ratio in sorted(ratios)
    ]
    assert hidden[0]
    assert all(one <= other for one, other in zip(hidden, hidden[1:], strict=False))


PIECES = st.lists(
    st.sampled_from(
        [
            "x = 1",
            "'\u2028'",
            "#\x0c",
            "é",
            "\n",
            "\r",
            "\r\n",
            "\x1c",
            "\x85",
            "# \x0b",
            " ",
            "(",
            ")",
            "if",
            ":",
        ]
    ),
    max_size=12,
)


def syntax_error(code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(code)
        except SyntaxError as error:
            return error
    return None


@settings(max_examples=60)
@given(PIECES.map("".join))
def test_the_place_of_an_error_is_in_the_line_that_python_counts(code):
    found, error = validity(code, PYTHON), syntax_error(code)
    assert found.valid == (error is None and bool(code.strip()))
    if error is not None and found.position >= 0 and code.strip():
        before = code.encode()[: found.position].decode().replace("\r\n", "\n").replace("\r", "\n")
        line = code.replace("\r\n", "\r").replace("\n", "\r").split("\r")[error.lineno - 1]
        assert before.count("\n") == error.lineno - 1
        assert len(before.rpartition("\n")[2]) == min(error.offset - 1, len(line) + 1)


@pytest.mark.parametrize("mark", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\u2029"])
def test_marks_that_end_no_line_of_python_move_no_error(mark):
    code = f"x = '{mark}é'\n# {mark}\r\ny = '{mark}'\ry + (\n"
    assert validity(code, PYTHON).position == code.encode().index(b"(")
    assert not validity(f"x = '{mark}'\n(", BASH).valid
    assert not validity(f"Blanks({mark}1)", EXCEL).valid


ARGUMENTS = st.sampled_from(
    ["a.txt", "'two words'", '"$HOME/x"', "$X", "~/d", "*.c", "007", "a=b", "\\(", "'-l'"]
)


@given(st.lists(ARGUMENTS, min_size=3, max_size=3), st.lists(ARGUMENTS, min_size=3, max_size=3))
def test_a_template_does_not_depend_on_the_arguments(these, those):
    command = "find {} -name {} -type f | xargs -n 1 grep -l {} > out"
    assert template_of(command.format(*these)) == template_of(command.format(*those)) is not None
