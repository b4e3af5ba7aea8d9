"""Truncation: properties, and the published stops."""

from hypothesis import given
from hypothesis import strategies as st

from instruct.evaluation import PUBLISHED_STOPS, truncated

TEXTS = st.text(alphabet="\ndefclas#iprnt x", max_size=60)
STOPS = st.lists(st.text(alphabet="\ndef#", max_size=4), max_size=4)


@given(TEXTS, STOPS)
def test_what_is_left_is_the_longest_beginning_without_a_stop(text, stops):
    kept, stop = truncated(text, stops)
    real = [one for one in stops if one]
    assert text.startswith(kept)
    if stop is None:
        assert kept == text
        assert not any(one in text for one in real)
    else:
        assert text[len(kept) :].startswith(stop)
        assert not any(one in text[: len(kept) + len(one) - 1] for one in real)


@given(TEXTS, STOPS)
def test_cutting_twice_changes_nothing(text, stops):
    kept, _ = truncated(text, stops)
    assert truncated(kept, stops) == (kept, None)


@given(TEXTS)
def test_the_order_of_stops_changes_only_the_name(text):
    assert truncated(text, PUBLISHED_STOPS)[0] == truncated(text, PUBLISHED_STOPS[::-1])[0]


def test_the_published_stops():
    """Codex, arXiv 2107.03374, section 3: the five sequences at which sampling stops."""
    assert set(PUBLISHED_STOPS) == {"\nclass", "\ndef", "\n#", "\nif", "\nprint"}


def test_a_function_inside_is_no_stop():
    text = "    def inner():\n        return 1\n    return inner()\n"
    assert truncated(text, PUBLISHED_STOPS) == (text, None)


def test_of_two_stops_at_one_place_the_first_is_named():
    assert truncated("a\ndef", ("\nd", "\ndef"))[1] == "\nd"


@given(TEXTS, STOPS, STOPS)
def test_more_stops_never_keep_more(text, stops, more):
    assert len(truncated(text, [*stops, *more])[0]) <= len(truncated(text, stops)[0])


@given(TEXTS)
def test_no_stops_and_empty_stops_cut_nothing(text):
    assert truncated(text, ()) == truncated(text, ("", "")) == (text, None)


def test_a_stop_at_the_begin_leaves_nothing_and_one_without_its_line_end_is_none():
    assert truncated("\ndef f():", PUBLISHED_STOPS) == ("", "\ndef")
    assert truncated("def f():\n    pass", PUBLISHED_STOPS)[1] is None
