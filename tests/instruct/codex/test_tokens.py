"""Token rows: prompts padded on the left, solutions aligned, no loss on prompts."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.codex import IGNORED, TokenConfig, fixed_rows, masked_rows, token_schema

PAD, END = 0, 999
CONFIG = TokenConfig(length=12, prompt=5)
TEXTS = st.lists(st.tuples(st.text("abc", max_size=8), st.text("xyz", max_size=10)), max_size=8)


def encode(text):
    return [ord(one) for one in text]


def rows(pairs, first=0):
    ids = [str(first + number) for number in range(len(pairs))]
    return masked_rows(ids, [p for p, _ in pairs], [s for _, s in pairs], encode, CONFIG, pad=PAD, end=END)


@given(TEXTS)
def test_first_solution_tokens_align_and_there_is_loss_on_nothing_else(pairs):
    table, counts = rows(pairs)
    assert table.schema == token_schema(CONFIG)
    fitting = 0
    for (prompt, solution), row in zip(pairs, table.to_pylist(), strict=True):
        head, tail = encode(prompt), [*encode(solution), END]
        assert (row["prompt_len"], row["solution_len"]) == (len(head), len(tail))
        if len(head) > CONFIG.prompt or len(tail) > CONFIG.length - CONFIG.prompt:
            assert (row["dropped"], row["input_ids"], row["labels"]) == ("over_long", None, None)
            continue
        fitting += len(tail)
        ids, labels = row["input_ids"], row["labels"]
        assert row["dropped"] is None
        assert ids[: CONFIG.prompt] == [PAD] * (CONFIG.prompt - len(head)) + head
        assert ids[CONFIG.prompt : CONFIG.prompt + len(tail)] == tail
        assert [label for label in labels if label != IGNORED] == tail
        assert labels[: CONFIG.prompt] == [IGNORED] * CONFIG.prompt
        assert set(ids[CONFIG.prompt + len(tail) :]) <= {PAD}
    assert counts["loss_tokens"] == fitting
    assert counts["over_long"] == sum(row is not None for row in table["dropped"].to_pylist())


@given(TEXTS, st.integers(0, 8))
def test_the_batch_law(pairs, cut):
    cut = min(cut, len(pairs))
    pieces = [rows(pairs[:cut])[0], rows(pairs[cut:], cut)[0]]
    assert rows(pairs)[0].combine_chunks().equals(pa.concat_tables(pieces).combine_chunks())


def test_the_end_has_loss_even_where_it_is_the_pad():
    table, _ = masked_rows(["a"], ["p"], ["x"], encode, CONFIG, pad=END, end=END)
    assert table["labels"][0].as_py().count(END) == 1
    assert table["input_ids"][0].as_py().count(END) == 12 - 2


@given(TEXTS)
def test_rows_come_back_from_parquet_and_as_lists_of_fixed_length(pairs):
    table, _ = rows(pairs)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    back = pq.read_table(pa.BufferReader(sink.getvalue()))
    assert back.equals(table)
    fixed = fixed_rows(back, CONFIG)
    assert fixed.schema.field("input_ids").type == pa.list_(pa.int32(), CONFIG.length)
    assert fixed.schema.metadata == token_schema(CONFIG).metadata
    fitting = [row for row in table.to_pylist() if row.pop("dropped") is None]
    assert fixed.to_pylist() == fitting


def test_metadata_says_how_rows_are_padded():
    schema = token_schema(CONFIG)
    assert schema.metadata == {b"pad_side": b"left", b"prompt": b"5"}
    assert all(field.metadata[b"about"] for field in schema)


@pytest.mark.parametrize(("length", "prompt"), [(8, 8), (8, 0), (1, 1)])
def test_lengths_that_leave_no_room(length, prompt):
    with pytest.raises(ValueError, match="expected 1 <= prompt < length"):
        TokenConfig(length, prompt)


def test_what_just_fits_is_kept_and_one_more_is_over_long():
    fits, room = "p" * CONFIG.prompt, CONFIG.length - CONFIG.prompt - 1
    table, counts = rows([(fits, "x" * room), (fits + "p", "x"), ("p", "x" * (room + 1))])
    assert table["dropped"].to_pylist() == [None, "over_long", "over_long"]
    assert table["prompt_len"].to_pylist() == [5, 6, 1]
    assert table["solution_len"].to_pylist() == [7, 2, 8]
    assert counts == {"rows": 3, "over_long": 2, "loss_tokens": 7}
    assert table["input_ids"][0].as_py() == [*encode(fits + "x" * room), END]


def test_an_empty_solution_still_has_its_end():
    table, counts = rows([("", "")])
    row = table.to_pylist()[0]
    assert row["input_ids"] == [PAD] * 5 + [END] + [PAD] * 6
    assert (row["labels"][5], counts["loss_tokens"]) == (END, 1)


def test_no_rows_and_no_fitting_rows():
    table, counts = rows([])
    assert (table.num_rows, counts) == (0, {})
    for made in (table, token_schema(CONFIG).empty_table(), rows([("p" * 9, "x")])[0]):
        fixed = fixed_rows(made, CONFIG)
        assert fixed.num_rows == 0
        assert fixed.schema.field("labels").type == pa.list_(pa.int32(), CONFIG.length)


def test_lists_of_two_tables_become_one():
    both = pa.concat_tables([rows([("a", "x"), ("a" * 9, "x")])[0], rows([("b", "y")], 2)[0]])
    fixed = fixed_rows(both, CONFIG)
    assert fixed["task_id"].to_pylist() == ["0", "2"]
    assert [row[5:7] for row in fixed["labels"].to_pylist()] == [[ord("x"), END], [ord("y"), END]]


def test_texts_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="zip"):
        masked_rows(["a"], ["p"], [], encode, CONFIG, pad=PAD, end=END)
