"""Models that answer to harm: tags in every place, questions that are none, mixtures at their edges."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.models import Answer
from instruct.selfinstruct import (
    QuestionConfig,
    Source,
    between,
    candidates,
    chat_lines,
    first_passing,
    has_tags,
    llama_chat,
    mixed,
    mixture_manifest,
    parse_questions,
    parse_solution,
    parse_tests,
    question_tests,
    questions,
    step_chat,
)
from tests.instruct.ranking.fakejudge import FakeJudge

TAGS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<step>", "<s>", "</s>")
PLAIN = st.text("ab .\n", min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.lists(PLAIN, min_size=1, max_size=7), st.none() | PLAIN)
def test_a_dialogue_comes_back_from_its_tags(texts, system):
    roles = ["user" if at % 2 == 0 else "assistant" for at in range(len(texts))]
    turns = [*([("system", system)] if system else []), *zip(roles, texts, strict=True)]
    said = llama_chat(turns)
    if system:
        head = f"[INST] <<SYS>>\n{system}\n<</SYS>>\n\n"
        assert said.startswith(head)
        said = "[INST] " + said.removeprefix(head)
    pieces = [one for part in said.split("[INST] ")[1:] for one in part.split(" [/INST]")]
    assert [one.strip() for one in pieces if one.strip()] == texts
    assert said.count("[INST]") == roles.count("user")


@given(st.lists(PLAIN, min_size=1, max_size=7), st.booleans())
def test_steps_come_back_from_theirs(texts, answering):
    turns = [("user" if at % 2 == 0 else "assistant", text) for at, text in enumerate(texts)]
    pieces = step_chat(turns, answering=answering).split(" <step> ")
    assert len(pieces) == len(texts) + answering
    for piece, (role, text) in zip(pieces, turns, strict=False):
        assert piece == f"Source: {role}\n\n {text}"
    assert pieces[-1].endswith("Destination: user\n\n ") is answering


def test_white_space_around_turns_is_no_part_of_them():
    turns = [("system", "\n s \n"), ("user", " u\n"), ("assistant", "\ta ")]
    assert llama_chat(turns) == llama_chat([(role, text.strip()) for role, text in turns])


def test_refused_turns_are_named():
    with pytest.raises(InputError, match="turns of user, system") as told:
        llama_chat([("user", "a"), ("system", "b")])
    assert "user and assistant in turn" in told.value.hint
    with pytest.raises(InputError, match="turns of nobody"):
        step_chat([])


def made(question, test, solution):
    """A triple through all steps, of one question with one test and one solution."""
    rows = [{"id": "q", "question": question, "dropped": None}]
    tested, _ = question_tests(rows, [Answer("q", 0, f"[TESTS]\n{test}\n[/TESTS]", "", "m", 0, 0)], 5, 1)
    given_ = [Answer("q", 0, f"[PYTHON]\n{solution}\n[/PYTHON]", "", "m", 0, 0)]
    found, _ = candidates(tested.to_pylist(), given_)
    triples, counts = first_passing(tested.to_pylist(), found.to_pylist(), FakeJudge())
    return triples.to_pylist()[0], counts


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("where", ["question", "test", "solution"])
def test_a_tag_anywhere_drops_the_triple(tag, where):
    parts = {
        "question": "Return the text.",
        "test": "assert f('a') == 'a'",
        "solution": "def f(x):\n    return x",
    }
    row, counts = made(*parts.values())
    assert (row["dropped"], counts["kept"]) == (None, 1)
    parts["question"] += f" {tag}" * (where == "question")
    parts["test"] = parts["test"].replace("'a'", f"'{tag}'") if where == "test" else parts["test"]
    parts["solution"] += f"  # {tag}" * (where == "solution")
    row, counts = made(*parts.values())
    assert (row["dropped"], counts["dropped chat_tag"]) == ("chat_tag", 1)


def test_a_tag_that_a_test_spells_with_escapes_is_seen():
    row, _ = made("Return the text.", r"assert f('\x5bINST]') == '\x5bINST]'", "def f(x):\n    return x")
    assert row["dropped"] == "chat_tag"


def test_kept_triples_frame_one_turn_each():
    row, _ = made("Return the text.", "assert f('[INST') == '[INST'", "def f(x):\n    return x")
    assert row["dropped"] is None
    record = json.loads(next(iter(chat_lines([row]))))
    assert (record["text"].count("[INST]"), record["text"].count("[/INST]")) == (1, 1)
    assert record["text_70b"].count(" <step> ") == 1
    assert not any(has_tags(one["content"]) for one in record["messages"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1. [/INST] obey\n2. fine", [(1, "[/INST] obey"), (2, "fine")]),
        ("1.A\n2. B", [(2, "B")]),
        ("0. zero\n0. again", [(0, "zero"), (0, "again")]),
        ("9999. last\n10000. none", [(9999, "last 10000. none")]),
        ("1. a\n        2. eight deep\n         3. nine deep", [(1, "a"), (2, "eight deep 3. nine deep")]),
        ("1. a\x00b", [(1, "a\x00b")]),
        ("1. 2. 3. nested", [(1, "2. 3. nested")]),
        ("-1. negative", []),
        ("1 . spaced", []),
        ("1.\t tabbed", [(1, "tabbed")]),
        ("1.   \n\n   ", []),
        ("Q: 1. a", []),
    ],
)
def test_hostile_numbering(text, found):
    assert parse_questions(text) == found


@given(st.text(max_size=80))
@settings(max_examples=60)
def test_any_text_gives_rows_that_can_be_told_apart(text):
    answers = [Answer("easy", ix, text, "", "m", 0, 0) for ix in range(2)]
    table, counts = questions(answers, QuestionConfig(min_words=1), lambda texts: [[] for _ in texts])
    rows = table.to_pylist()
    assert len({row["id"] for row in rows}) == len(rows) == 2 * len(parse_questions(text))
    assert all(row["dropped"] == "duplicate" for row in rows if row["call"] == 1)
    assert sum(counts.values()) == max(len(rows), 2 * (not rows))


def test_too_short_is_counted_in_words_at_the_limit():
    answers = [Answer("easy", 0, "1. one two three\n2. one two three four", "", "m", 0, 0)]
    table, _ = questions(answers, QuestionConfig(min_words=4), lambda texts: [[] for _ in texts])
    assert table["dropped"].to_pylist() == ["too_short", None]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[TESTS]" * 500, "no_tests"),
        ("[TESTS]\n" + "(" * 5000 + "\n[/TESTS]", "syntax"),
        ("[TESTS]\nassert f(" + "-" * 3000 + "1) == 1\n[/TESTS]", "syntax"),
        ("[TESTS]\nwhile True: pass\n[/TESTS]", "no_tests"),
        ("[TESTS]\nassert f(open('x')) == g\n[/TESTS]", "no_tests"),
        ("[TESTS]\nassert f.g(1) == 1\n[/TESTS]", "no_tests"),
        ("[TESTS]\nif 1:\n    assert f(1) == 1\n[/TESTS]", "no_tests"),
    ],
    ids=range(7),
)
def test_hostile_tests_have_a_problem(text, problem):
    assert parse_tests(text).problem == problem


def test_the_function_that_most_call_is_asked_for_and_of_equals_the_first_name():
    assert parse_tests("assert b(1) == 1\nassert a(1) == 1").entry_point == "a"
    assert parse_tests("assert a(1) == 1\nassert b(1) == 1\nassert b(2) == 2").entry_point == "b"


def test_tags_of_another_kind_end_nothing():
    assert between("[A]x[/B]y[/A]", "A") == "x[/B]y"
    assert parse_solution("[PYTHON]\ndef f(x): return '[/TESTS]'\n[/PYTHON]", "f").problem == ""


@given(st.integers(1, 400), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 60))
def test_a_mixture_counts_what_it_drew(main, sizes, percent):
    share = percent / 100
    one = Source("c", [f"c{n}" for n in range(len(sizes))], sizes)
    table = mixed(Source("m", ["m"], [main]), [(one, share)], 3)
    told = mixture_manifest(table, {"m": (1 - share, main), "c": (share, sum(sizes))}, 1.0)
    drawn = sum(row["tokens"] for row in table.to_pylist() if row["source"] == "c")
    assert told["tokens"] == main + drawn
    assert told["sources"]["c"]["epochs"] == round(drawn / sum(sizes), 4)
    assert sum(one["share"] for one in told["sources"].values()) == pytest.approx(1, abs=2e-6)
    passes = [row["epoch"] for row in table.to_pylist() if row["source"] == "c"]
    assert max(passes, default=0) == max(0, len(passes) - 1) // len(sizes)


def test_no_share_draws_nothing():
    one = Source("c", ["c"], [5])
    assert mixed(Source("m", ["m"], [100]), [(one, 0.0)], 0)["source"].to_pylist() == ["m"]
