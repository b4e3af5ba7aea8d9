import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.batch import concat, rebatch, row_bytes, split_by_bytes
from columns.document import DOCUMENT, document_batch, text_buffers, typed_column
from columns.errors import InputError
from columns.testing import assert_batch_law, documents

texts = st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=20)


def contents(batches):
    return [text for batch in batches for text in batch.column("content").to_pylist()]


@given(texts, st.integers(0, 20), st.integers(0, 20))
def test_text_buffers_of_any_slice(values, start, length):
    array = pa.array(values, pa.large_string()).slice(min(start, len(values)), length)
    data, offsets = text_buffers(array)
    found = [bytes(data[a:b]).decode() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    assert found == [value or "" for value in array.to_pylist()]


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.large_binary(), pa.large_string()])
def test_text_buffers_takes_every_text_type(kind):
    data, offsets = text_buffers(pa.array(["é", "x"], pa.string()).cast(kind))
    assert bytes(data[offsets[0] : offsets[2]]) == "éx".encode()


@given(texts, st.integers(1, 30))
def test_split_by_bytes_loses_nothing_and_respects_the_limit(values, limit):
    batch = documents(values)
    pieces = list(split_by_bytes(batch, limit))
    assert contents(pieces) == values
    assert all(piece.num_rows == 1 or row_bytes(piece).sum() <= limit for piece in pieces)


@given(st.lists(texts, max_size=4), st.integers(1, 40))
def test_rebatch_is_independent_of_how_batches_came(groups, limit):
    values = [value for group in groups for value in group]
    assert contents(rebatch([documents(group) for group in groups], limit)) == values


def test_concat_of_nothing_has_the_schema():
    assert concat([], DOCUMENT).schema == DOCUMENT


def test_document_batch_refuses_unknown_columns():
    with pytest.raises(KeyError, match="contents"):
        document_batch({"contents": ["x"]}, 1)


def test_document_batch_fills_missing_columns_with_nulls():
    batch = document_batch({"path": ["a"]}, 1)
    assert batch.schema == DOCUMENT
    assert batch.column("content").null_count == 1


def test_the_batch_law_helper_sees_a_broken_kernel():
    def numbers_rows(batch):
        return pa.RecordBatch.from_pydict({"row": list(range(batch.num_rows))})

    with pytest.raises(AssertionError, match="batch law"):
        assert_batch_law(numbers_rows, documents(["a", "b"]), 1)


def test_typed_columns_are_what_the_contract_says():
    batch = documents(["x"])
    assert typed_column(batch, "content").type == pa.large_string()
    with pytest.raises(InputError, match="content: expected large_string, got string"):
        typed_column(pa.RecordBatch.from_pydict({"content": ["x"]}), "content")
    with pytest.raises(InputError, match="path: expected string, got nothing"):
        typed_column(batch.select(["content"]), "path")
