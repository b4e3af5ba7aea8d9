"""Packing: every token is where the spans say it is, and every token is accounted for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.format import shard_schema
from shards.packing import Documents, PackConfig, Packed, pack

EOT = 0


def pack_slow(documents: Documents, eot_id: int, config: PackConfig) -> list[dict[str, object]]:
    """The clear twin: one token at a time."""
    flat = []
    for index, doc_id in enumerate(documents.doc_ids.to_pylist()):
        ids = documents.ids[documents.offsets[index] : documents.offsets[index + 1]].tolist()
        flat += [(token, doc_id, offset) for offset, token in enumerate([*ids, eot_id])]
    rows = []
    for at in range(0, len(flat), config.seq_len):
        piece = flat[at : at + config.seq_len]
        if len(piece) < config.seq_len and config.tail == "drop":
            break
        first = [i for i, item in enumerate(piece) if i == 0 or item[2] == 0]
        padding = [eot_id] * (config.seq_len - len(piece))
        rows.append(
            {
                "input_ids": [item[0] for item in piece] + padding,
                "n_tokens": len(piece),
                "doc_ids": [piece[i][1] for i in first],
                "doc_starts": first,
                "doc_offsets": [piece[i][2] for i in first],
            }
        )
    return rows


def reassemble(packed: Packed) -> dict[bytes, list[int]]:
    """Every document's tokens, put together from the spans alone."""
    found: dict[bytes, list[int]] = {}
    for row in packed.rows.to_pylist():
        stops = [*row["doc_starts"][1:], row["n_tokens"]]
        for doc_id, start, stop, offset in zip(
            row["doc_ids"], row["doc_starts"], stops, row["doc_offsets"], strict=True
        ):
            held = found.setdefault(doc_id, [])
            assert len(held) == offset
            held += row["input_ids"][start:stop]
    return found


configs = st.builds(
    lambda seq_len, tail: PackConfig(seq_len=seq_len, tail=tail, shard_tokens=1000),
    st.integers(1, 17),
    st.sampled_from(["drop", "pad"]),
)
lengths = st.lists(st.integers(0, 40), max_size=12)


@settings(max_examples=200)
@given(lengths, configs)
def test_fast_equals_slow(stream, sizes, config):
    documents = stream(sizes)
    assert pack(documents, EOT, config).rows.to_pylist() == pack_slow(documents, EOT, config)


@settings(max_examples=200)
@given(lengths, configs)
def test_every_token_is_accounted_for(stream, sizes, config):
    packed = pack(stream(sizes), EOT, config)
    assert packed.produced == sum(sizes) + len(sizes)
    assert packed.written + sum(packed.dropped.values()) == packed.produced
    assert packed.written == sum(packed.rows.column("n_tokens").to_pylist())
    assert packed.written + packed.padding == packed.rows.num_rows * config.seq_len
    assert packed.dropped["shard_tail"] < config.seq_len
    assert packed.padding < config.seq_len
    assert (packed.padding if config.tail == "drop" else packed.dropped["shard_tail"]) == 0


@settings(max_examples=200)
@given(lengths, configs)
def test_spans_give_every_document_back(stream, sizes, config):
    documents = stream(sizes)
    packed = pack(documents, EOT, config)
    whole = []
    for index, doc_id in enumerate(documents.doc_ids.to_pylist()):
        ids = documents.ids[documents.offsets[index] : documents.offsets[index + 1]].tolist()
        whole += [(doc_id, token) for token in [*ids, EOT]]
    found = [(doc_id, token) for doc_id, ids in reassemble(packed).items() for token in ids]
    assert found == whole[: packed.written]


@given(lengths, configs, st.integers(0, 3))
def test_a_slice_of_a_longer_stream_packs_like_a_copy(stream, sizes, config, skip):
    whole = stream([5] * skip + sizes)
    part = Documents(whole.ids, whole.offsets[skip:], whole.doc_ids.slice(skip))
    copy = Documents(whole.ids[5 * skip :].copy(), whole.offsets[skip:] - 5 * skip, whole.doc_ids.slice(skip))
    assert pack(part, EOT, config).rows.equals(pack(copy, EOT, config).rows)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_rows_have_the_shard_schema(stream, dtype):
    packed = pack(stream([3, 9], dtype), EOT, PackConfig(seq_len=4, shard_tokens=4))
    assert packed.rows.schema == shard_schema(4, np.dtype(dtype))
    packed.rows.validate(full=True)


def test_padding_repeats_end_of_text(stream):
    packed = pack(stream([2]), 9, PackConfig(seq_len=5, tail="pad", shard_tokens=5))
    assert packed.rows.column("input_ids").to_pylist() == [[1, 2, 9, 9, 9]]
    assert packed.rows.column("n_tokens").to_pylist() == [3]
    assert (packed.written, packed.padding) == (3, 2)


def test_an_empty_document_is_one_end_of_text(stream):
    packed = pack(stream([0, 0]), 9, PackConfig(seq_len=2, shard_tokens=2))
    assert packed.rows.column("input_ids").to_pylist() == [[9, 9]]
    assert packed.rows.column("doc_starts").to_pylist() == [[0, 1]]


@pytest.mark.parametrize("tail", ["drop", "pad"])
def test_no_documents_give_no_rows(stream, tail):
    packed = pack(stream([]), EOT, PackConfig(seq_len=4, tail=tail, shard_tokens=4))
    assert (packed.rows.num_rows, packed.produced, packed.written, packed.padding) == (0, 0, 0, 0)


def test_a_stream_shorter_than_a_row_is_dropped_by_name(stream):
    packed = pack(stream([2]), EOT, PackConfig(seq_len=4, shard_tokens=4))
    assert (packed.rows.num_rows, packed.dropped) == (0, {"shard_tail": 3})


def test_the_largest_id_fits():
    documents = Documents(
        np.array([65535], np.uint16), np.array([0, 1]), pa.array([b"a" * 16], pa.binary(16))
    )
    packed = pack(documents, 65534, PackConfig(seq_len=2, shard_tokens=2))
    assert packed.rows.column("input_ids").to_pylist() == [[65535, 65534]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seq_len": 0}, "seq_len"),
        ({"tail": "keep"}, "drop or pad, got 'keep'"),
        ({"validation_fraction": 2.0}, "0 to 1, got 2.0"),
        ({"shard_tokens": 10}, "at least seq_len 2048, got 10"),
    ],
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        PackConfig(**values)
