"""Files that somebody else wrote: odd fields, odd lines, files that could be meant twice."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.pairs import BASH, EXCEL, PAIR, PYTHON, mark_pairs, read_pairs, read_snippets
from instruct.pairs.pair import MOST_CHARS, checked_texts


def rows_of(batches):
    return pa.Table.from_batches(batches, PAIR).to_pylist()


def item(**changes):
    return {
        "question_id": 7,
        "intent": "title",
        "rewritten_intent": "sort x",
        "snippet": "x.sort()",
        **changes,
    }


def conala(folder, *items, name="conala-train.json"):
    (folder / name).write_text(json.dumps(items))
    return rows_of(read_pairs(folder / name, PYTHON))


@pytest.mark.parametrize("field", ["intent", "rewritten_intent", "snippet"])
@pytest.mark.parametrize("value", [3, 0.5, True, False, [], ["x"], {}, {"a": None}, float("nan")])
def test_a_field_of_another_type_marks_its_row_alone(tmp_path, field, value):
    first, broken, last = conala(tmp_path, item(), item(**{field: value}), item())
    assert (broken["problem"], broken["nl"], broken["intent"], broken["code"]) == (
        "not_text",
        None,
        None,
        None,
    )
    assert broken["origin"] == "7"
    assert {**first, "id": ""} == {**last, "id": ""}
    assert first["problem"] is None


@pytest.mark.parametrize("absent", ["question_id", "intent", "rewritten_intent", "snippet"])
def test_a_field_that_is_null_and_one_that_is_absent_are_the_same(tmp_path, absent):
    whole = item()
    less = {name: value for name, value in whole.items() if name != absent}
    null, none = conala(tmp_path, {**whole, absent: None}, less)
    assert {**null, "id": ""} == {**none, "id": ""}
    assert null["problem"] == ("no_code" if absent == "snippet" else None)


def test_equal_rows_are_rows_of_their_own_until_they_are_marked(tmp_path):
    rows = conala(tmp_path, *[item()] * 3)
    assert [row["id"] for row in rows] == ["python/train/1", "python/train/2", "python/train/3"]
    marked, counts = mark_pairs(pa.Table.from_pylist(rows, schema=PAIR))
    assert marked["first_id"].to_pylist() == [None, "python/train/1", "python/train/1"]
    assert counts == {"python: kept": 1, "python: duplicate": 2}


@pytest.mark.parametrize(
    ("size", "problem"), [(MOST_CHARS, None), (MOST_CHARS + 1, "too_large"), (1 << 21, "too_large")]
)
def test_a_row_may_be_as_large_as_the_bound(tmp_path, size, problem):
    huge, after = conala(tmp_path, item(snippet="x" * size + "\n" * 9), item())
    assert (huge["problem"], huge["code"]) == (problem, None if problem else "x" * size)
    assert after["code"] == "x.sort()"


def test_lines_of_json_keep_their_numbers_whatever_stands_in_them(tmp_path):
    line = json.dumps(item(snippet="a\u2028b\x00"), ensure_ascii=False)
    lines = [
        "\ufeff" + line,
        line.replace("\\u0000", "\0"),
        '{"snippet": "x", "snippet": "y"}',
        " \t",
        "nul",
        "1e999",
    ]
    (tmp_path / "conala-mined.jsonl").write_text("\r\n".join(lines), newline="")
    rows = rows_of(read_pairs(tmp_path, PYTHON))
    assert [row["id"][-1] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["code"] for row in rows] == ["a\u2028b\0", None, "y", None, None]
    assert [row["problem"] for row in rows] == [None, "not_json", None, "not_json", "not_an_object"]


@pytest.mark.parametrize("other", ["conala-train.jsonl", "CoNaLa-train.json", "conala-train.json.bak"])
def test_two_files_of_one_split_would_give_ids_twice_and_are_refused(tmp_path, other):
    conala(tmp_path, item())
    (tmp_path / other).write_text("[]")
    with pytest.raises(InputError, match="another conala-train beside it") as raised:
        read_pairs(tmp_path, PYTHON)
    assert "keep one" in raised.value.hint


def test_letter_case_of_an_ending_does_not_count(tmp_path):
    rule = {"ID": 1, "NL Utterance": "mark", "Code": "Blanks()"}
    for name, lang in (("Rules.JSON", BASH), ("Rules.Json", PYTHON), ("Rules.JSON", EXCEL)):
        (tmp_path / name).write_text(json.dumps([rule]))
        assert [row["code"] for row in rows_of(read_pairs(tmp_path / name, lang))] == ["Blanks()"]


LINES = st.lists(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r"), max_size=6),
    min_size=1,
    max_size=6,
)


def twins(folder, sentences, commands, *, end="\n", mark="", last=True, endings=""):
    for kind, lines in (("nl", sentences), ("cm", commands)):
        text = mark + end.join(lines) + (end if last else "")
        (folder / f"all.{kind}{endings}").write_bytes(text.encode())
    return folder


@given(LINES, st.data(), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]), st.booleans())
@settings(max_examples=30)
def test_the_nth_sentence_belongs_to_the_nth_command(tmp_path_factory, sentences, data, end, mark, last):
    commands = [f"c {number}" for number in range(len(sentences))]
    shown = ["s" + one for one in sentences]
    folder = twins(tmp_path_factory.mktemp("twins"), shown, commands, end=end, mark=mark, last=last)
    rows = rows_of(read_pairs(folder, BASH))
    assert [(row["nl"], row["code"]) for row in rows] == list(zip(shown, commands, strict=True))
    assert [row["origin"] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    at = data.draw(st.integers(0, len(commands) - 1))
    twins(folder, shown, [*commands[:at], "more", *commands[at:]], end=end, mark=mark)
    with pytest.raises(InputError, match=rf"{len(shown) + 1} lines, all\.nl has {len(shown)}"):
        rows_of(read_pairs(folder, BASH))


@given(st.text("ab \t\r\n\0\ufeff\u2028", max_size=8))
def test_line_ends_at_the_end_are_no_part_of_a_text_and_others_are(text):
    found = checked_texts({"nl": "x", "code": text + "\r\n"})["code"]
    kept = text
    while kept[-1:] in ("\r", "\n") and kept:
        kept = kept[:-1]
    assert found == (kept if kept.split() else None)


def test_blank_and_null_byte_lines_are_rows(tmp_path):
    rows = rows_of(read_pairs(twins(tmp_path, ["a\0b", "", "say"], ["ls\0", "pwd", "\t"]), BASH))
    assert [(row["nl"], row["code"], row["problem"]) for row in rows] == [
        ("a\0b", "ls\0", None), (None, "pwd", None), ("say", None, "no_code")]  # fmt: skip


def test_the_file_that_is_named_is_the_one_that_is_read(tmp_path):
    twins(tmp_path, ["raw"], ["echo raw"])
    twins(tmp_path, ["less"], ["echo less"], endings=".filtered")
    for name, code in (("all.nl", "echo raw"), ("all.cm", "echo raw"), ("all.cm.filtered", "echo less")):
        assert [row["code"] for row in rows_of(read_pairs(tmp_path / name, BASH))] == [code]
    with pytest.raises(InputError, match="is beside it") as raised:
        read_pairs(tmp_path, BASH)
    assert raised.value.hint == "name the one that is meant"


def test_a_twin_with_other_endings_is_taken_where_it_is_the_only_one(tmp_path):
    twins(tmp_path, ["list"], ["ls"])
    (tmp_path / "all.nl").rename(tmp_path / "all.nl.filtered")
    assert [row["nl"] for row in rows_of(read_pairs(tmp_path / "all.cm", BASH))] == ["list"]
    (tmp_path / "all.nl.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"all\.nl\.gz: all\.nl\.filtered is beside it"):
        read_pairs(tmp_path / "all.cm", BASH)


@pytest.mark.parametrize("name", ["all.txt", "all", "dev.nl", "all.nl.gz"])
def test_a_name_that_is_no_file_of_pairs_is_refused_though_others_are_beside_it(tmp_path, name):
    twins(tmp_path, ["list"], ["ls"])
    with pytest.raises(InputError, match="no NL2Bash files"):
        read_pairs(tmp_path / name, BASH)


@given(LINES, st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=30)
def test_snippets_are_named_by_their_lines(tmp_path_factory, lines, end):
    path = tmp_path_factory.mktemp("snippets") / "bash.txt"
    path.write_bytes(end.join(lines).encode())
    rows = rows_of(read_snippets(path))
    expected = [
        (str(number), line)
        for number, line in enumerate(lines, 1)
        if line.removeprefix("\ufeff" * (number == 1)).strip()
    ]
    assert [row["origin"] for row in rows] == [number for number, _ in expected]
    assert [row["code"] for row in rows[1:]] == [line for _, line in expected[1:]]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"Data": [[{"a": [1]}, None]], "Labels": [0]}, None),
        ({"Data": [], "Labels": [True]}, None),
        ({"Data": [["v"], "row"]}, "not_an_object"),
        ({"Data": {"v": 1}}, "not_an_object"),
        ({"Code": 3, "Data": [["v"]]}, "not_text"),
        ({"Labels": [1 << 70], "Data": [["v"]]}, None),
        ({"Labels": "0", "Data": [["v"]]}, None),
    ],
)
def test_sheets_and_labels_of_any_kind(tmp_path, data, problem):
    rule = {"ID": 1, "NL Utterance": "mark", "Code": "Blanks()", "Labels": [1, 0], **data}
    (tmp_path / "rules.json").write_text(json.dumps({"test": [rule]}))
    [row] = rows_of(read_pairs(tmp_path / "rules.json", EXCEL))
    assert row["problem"] == problem
    whole = [one for one in rule["Labels"] if type(one) is int and one < 1 << 62]
    assert row["labels"] == (whole if row["sheet"] and whole else None)
    assert row["sheet"] is None or json.loads(row["sheet"]) == data["Data"]
