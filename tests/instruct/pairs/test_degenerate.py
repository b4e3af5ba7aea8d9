"""Metrics of predictions that are hardly any, and files that are hardly pairs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.pairs import (
    BASH,
    EXCEL,
    PYTHON,
    count_overlap,
    divide_disjoint,
    divide_last,
    measure_predictions,
)
from instruct.pairs.diversity import diversity
from instruct.pairs.labels import sheet_of
from instruct.pairs.pair import LANGUAGES, PROBLEMS, checked_texts, origin_of

CODES = {PYTHON: "x = 1", BASH: "ls -l a", EXCEL: "Top(1)"}


def measured(folder, lang, predictions, rows=None):
    rows = [{"id": 1, "lang": lang, "split": "test", "code": CODES[lang]}] if rows is None else rows
    told = [{"id": row.get("id"), "predictions": predictions} for row in rows]
    for name, lines in (("pairs", rows), ("told", told)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return measure_predictions(folder / "told.jsonl", folder / "pairs.jsonl", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("text", ["", " ", "\n\n", "\0", "(" * 3000, "\ud800", "é" * 3000])
def test_predictions_that_are_hardly_any_match_nothing(tmp_path, lang, text):
    found = measured(tmp_path, lang, [text] * 7)
    for top in found["top"].values():
        assert [value for name, value in top.items() if name != "valid"] == [0] * (len(top) - 1)
    assert found["top"]["1"]["valid"] == found["top"]["5"]["valid"]
    assert found["diversity"]["edit_distance_mean"] == 0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_sixth_prediction_counts_for_nothing(tmp_path, lang):
    wrong = ["("] * 5
    assert measured(tmp_path, lang, [*wrong, CODES[lang]])["top"]["5"]["exact"] == 0
    assert measured(tmp_path, lang, [*wrong[1:], CODES[lang]])["top"]["5"]["exact"] == 1
    assert measured(tmp_path, lang, [*wrong[1:], CODES[lang]])["top"]["3"]["exact"] == 0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_longer_list_is_never_worse(tmp_path, lang):
    found = measured(tmp_path, lang, ["(", CODES[lang], "("])["top"]
    for name in set(found["1"]) - {"valid"}:
        assert found["1"][name] <= found["3"][name] == found["5"][name] == 1


@pytest.mark.parametrize("code", [3, None, [], {"a": 1}, "", True])
def test_a_pair_whose_code_is_no_text_is_left_out(tmp_path, code):
    good = {"id": 1, "lang": BASH, "split": "test", "code": "ls"}
    found = measured(tmp_path, BASH, ["ls"], [good, {**good, "id": 2, "code": code}])
    assert (found["pairs"], found["unknown"], found["top"]["1"]["exact"]) == (1, 1, 1)
    with pytest.raises(InputError, match="no pairs of bash"):
        measured(tmp_path, BASH, ["ls"], [{**good, "code": code}])


@pytest.mark.parametrize("sheet", [3, [[1]], {"a": 1}, True, "3", "[[]]", '{"a": 1}', "[[1], 2]"])
def test_sheets_of_any_kind_raise_nothing(tmp_path, sheet):
    row = {"id": 1, "lang": EXCEL, "split": "test", "code": "Top(1)", "sheet": sheet}
    found = measured(tmp_path, EXCEL, ["Top( 1.0)"], [row])
    assert found["top"]["1"]["execution"] == 1
    assert sheet_of(sheet) is None or isinstance(sheet_of(sheet)[0], list)


@given(st.lists(st.text("ab(", max_size=4), min_size=1, max_size=5), st.integers(1, 5))
@settings(max_examples=40)
def test_repeating_predictions_makes_them_no_more_diverse(texts, times):
    once, often = diversity(texts), diversity(texts * times)
    for one, other in zip(once.distinct, often.distinct, strict=True):
        assert (one is None) == (other is None)
        assert one is None or other == pytest.approx(one / times)
    assert all(0 <= one <= 1 for one in often.distances)


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["   ", "\n"]])
def test_no_tokens_have_no_ngrams(texts):
    assert diversity(texts).distinct == (None,) * 4


@given(st.integers(0, 30_000))
def test_the_last_rows_have_the_published_share(count):
    sides = divide_last(count)
    assert len(sides) == count
    assert sides == sorted(sides, reverse=True)
    assert abs(sides.count("test") - count * 2522 / 12607) <= 0.5


def test_divisions_and_overlaps_of_nothing():
    assert divide_disjoint([], []) == []
    assert count_overlap([], []) == (0, 0, 0)
    assert count_overlap(["a"], []) == (0, 0, 0)


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@given(JSON, JSON)
def test_checked_texts_have_a_code_or_a_problem(nl, code):
    found = checked_texts({"nl": nl, "code": code})
    assert (found["code"] is None) == (found["problem"] is not None)
    assert found["problem"] is None or found["problem"] in PROBLEMS
    assert isinstance(found["nl"], str | None)


@given(JSON)
def test_origins_are_short_texts(value):
    assert len(origin_of(value)) <= 80
    origin_of(value).encode()
