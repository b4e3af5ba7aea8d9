"""Bodies that nobody should believe."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.models.prompt import PROBLEMS
from instruct.models.reply import Reply, parse_body
from tests.instruct.models.chatserver import completion


def test_a_good_body():
    assert parse_body(completion("hello")) == Reply("hello", "", 7, 3, "stop")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "not_json"),
        (b'"text"', "not_json"),
        (b"null", "not_json"),
        (b"{}", "choices"),
        (b'{"choices": null}', "choices"),
        (b'{"choices": []}', "choices"),
        (completion("a", choices=[{"message": {"content": "a"}}] * 2), "choices"),
        (completion("a", choices=[None]), "no_text"),
        (completion("a", choices=[{"message": "a"}]), "no_text"),
        (completion(None), "no_text"),
        (completion(7), "no_text"),
        (completion(["a"]), "no_text"),
        (completion("a\0b"), "nul"),
        (b'{"choices": [{"message": {"content": "\\ud800"}}]}', "not_json"),
    ],
)
def test_a_bad_body_has_a_problem_and_no_text(body, problem):
    reply = parse_body(body)
    assert (reply.text, reply.problem) == ("", problem)
    assert problem in PROBLEMS


@pytest.mark.parametrize(
    "usage",
    [
        None,
        3,
        {},
        {"prompt_tokens": -1},
        {"prompt_tokens": True},
        {"prompt_tokens": 1e9},
        {"prompt_tokens": 1 << 40},
    ],
)
def test_counts_that_are_none_are_unknown(usage):
    reply = parse_body(completion("a", usage=usage))
    assert (reply.text, reply.tokens_in, reply.tokens_out) == ("a", 0, 0)


def test_a_finish_that_is_no_word():
    assert (
        parse_body(completion("a", choices=[{"message": {"content": "a"}, "finish_reason": 4}])).finish == ""
    )
    long = completion("a", choices=[{"message": {"content": "a"}, "finish_reason": "x" * 999}])
    assert len(parse_body(long).finish) == 40


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "finish_reason"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_json_raises(data):
    reply = parse_body(json.dumps(data).encode())
    assert bool(reply.problem) != isinstance(reply.text, str) or reply.text == "" or not reply.problem


@given(st.binary(max_size=60))
def test_no_bytes_raise(data):
    assert parse_body(data).problem in PROBLEMS
