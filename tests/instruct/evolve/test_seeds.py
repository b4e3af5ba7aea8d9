"""Seeds: CodeAlpaca's layout, as a list and as lines, and what people's files hold beside it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.evolve import SEED, read_seeds, seed_table

ROWS = [
    {"instruction": " Add two numbers. ", "input": "1 2", "output": "3"},
    {"instruction": "Sort a list.", "input": "", "output": "sorted(x)"},
    {"instruction": "Reverse it.", "input": "<noinput>"},
]


@pytest.mark.parametrize("lines", [False, True])
def test_a_list_and_lines_are_the_same(tmp_path, lines):
    path = tmp_path / "alpaca.json"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) if lines else json.dumps(ROWS, indent=1))
    table = read_seeds(path)
    assert table.schema == SEED
    assert table["instruction"].to_pylist() == [
        "Add two numbers.\n\nInput:\n1 2",
        "Sort a list.",
        "Reverse it.",
    ]
    assert table["source"].to_pylist() == ["alpaca.json:1", "alpaca.json:2", "alpaca.json:3"]
    assert table["output"].to_pylist() == ["3", "sorted(x)", ""]
    assert table["dropped"].null_count == 3


def test_ids_depend_on_the_text_and_repeat_with_a_number():
    table = seed_table("a", [ROWS[1], ROWS[0], ROWS[1], ROWS[1]])
    ids = table["id"].to_pylist()
    assert ids[2:] == [f"{ids[0]}-2", f"{ids[0]}-3"]
    assert seed_table("b", [ROWS[0]])["id"].to_pylist() == [ids[1]]


@pytest.mark.parametrize(
    ("item", "dropped"),
    [
        (7, "malformed"), (None, "malformed"), ([], "malformed"), ({}, "malformed"), ({"instruction": 3}, "malformed"),
        ({"instruction": "x", "input": 3}, "malformed"), ({"instruction": "x", "output": ["y"]}, "malformed"),
        ({"instruction": "  "}, "empty"), ({"instruction": "x", "input": None}, None),
    ],
)  # fmt: skip
def test_rows_that_are_none_are_marked(item, dropped):
    assert seed_table("a", [item])["dropped"].to_pylist() == [dropped]


def test_a_bad_line_is_marked_where_it_stands(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(f"\ufeff{json.dumps(ROWS[0])}\n\nnot json\n{json.dumps(ROWS[1])}\n", encoding="utf-8")
    assert read_seeds(path)["dropped"].to_pylist() == [None, "malformed", None]


@pytest.mark.parametrize(
    ("text", "said"), [("", "no JSON object"), ("hello", "no JSON object"), ("[1,", "not JSON")]
)
def test_files_that_are_none_are_refused(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_seeds(path)
    assert caught.value.hint
    with pytest.raises(InputError, match="cannot be read"):
        read_seeds(tmp_path / "absent.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab ", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["instruction", "input", "output"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(JSON, max_size=5))
def test_no_item_raises_and_ids_are_unique(items):
    table = seed_table("a", items)
    assert table.num_rows == len(items) == len(set(table["id"].to_pylist()))


def test_several_files_are_one_set(tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(ROWS[:2]))
    table = read_seeds(tmp_path / "a.json", tmp_path / "b.json")
    ids = table["id"].to_pylist()
    assert ids[2:] == [f"{ids[0]}-2", f"{ids[1]}-2"]
    assert table["source"].to_pylist()[2] == "b.json:1"
    assert read_seeds().num_rows == 0
