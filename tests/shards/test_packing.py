"""Packing: every token is where the spans say it is, and every token is accounted for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.format import shard_schema
from shards.packing import Documents, PackConfig, Packed, pack, pool
from shards.packing.best_fit import bins

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


def reassemble(*packed: Packed) -> dict[bytes, list[int]]:
    """Every document's tokens, put together from the spans alone; pieces of a document in the order of rows."""
    found: dict[bytes, list[int]] = {}
    for row in [row for one in packed for row in one.rows.to_pylist()]:
        first = row["doc_starts"][0]
        stops = [*row["doc_starts"][1:], first + row["n_tokens"]]
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
        ({"tail": "keep"}, "drop, pad or pool, got 'keep'"),
        ({"method": "worst_fit"}, "concat, best_fit or single, got 'worst_fit'"),
        ({"overlong": "keep"}, "cut, truncate or drop, got 'keep'"),
        ({"pad": "top"}, "right or left, got 'top'"),
        ({"validation_fraction": 2.0}, "0 to 1, got 2.0"),
        ({"shard_tokens": 10}, "at least seq_len 2048, got 10"),
    ],
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        PackConfig(**values)


def bins_slow(sizes: list[int], room: int) -> list[int]:
    """Best fit, looking at every bin: the fullest that has room, of equals the one that was changed first."""
    left: list[int] = []
    changed: list[int] = []
    found = []
    for turn, size in enumerate(sizes):
        fits = [(left[at], changed[at], at) for at in range(len(left)) if left[at] >= size]
        at = min(fits)[2] if fits else len(left)
        if not fits:
            left.append(room)
            changed.append(turn)
        left[at] -= size
        changed[at] = turn
        found.append(at)
    return found


@settings(max_examples=300)
@given(st.data(), st.integers(1, 9000))
def test_best_fit_equals_looking_at_every_bin(data, room):
    sizes = data.draw(st.lists(st.integers(1, room), max_size=60))
    assert bins(np.array(sizes, np.int64), room).tolist() == bins_slow(sizes, room)


@pytest.mark.parametrize("room", [1, 63, 64, 65, 4095, 4096, 4097, 70_000, 300_000])
def test_best_fit_at_the_edges_of_its_bitmap(room):
    sizes = [max(1, room * share // 13) for share in (13, 12, 7, 6, 5, 5, 4, 1, 1, 9, 3, 8, 2, 11, 13, 1)]
    assert bins(np.array(sizes), room).tolist() == bins_slow(sizes, room)


@pytest.mark.parametrize("size", [0, 5, -1])
def test_best_fit_refuses_what_fits_nowhere(size):
    with pytest.raises(ValueError, match="expected 1 to 4"):
        bins(np.array([size]), 4)


def whole_of(documents: Documents) -> dict[bytes, list[int]]:
    bounds = zip(documents.offsets[:-1].tolist(), documents.offsets[1:].tolist(), strict=True)
    texts = [documents.ids[start:stop].tolist() for start, stop in bounds]
    return {name: [*text, EOT] for name, text in zip(documents.doc_ids.to_pylist(), texts, strict=True)}


def check_rows(packed: Packed, config: PackConfig) -> None:
    """What holds for rows of every method."""
    packed.rows.validate(full=True)
    for row in packed.rows.to_pylist():
        first, count = row["doc_starts"][0], row["n_tokens"]
        assert first == (config.seq_len - count if config.pad == "left" else 0)
        padding = row["input_ids"][:first] + row["input_ids"][first + count :]
        assert padding == [EOT] * (config.seq_len - count)
        assert row["doc_starts"] == sorted(set(row["doc_starts"]))
        assert 0 < count <= config.seq_len


sides = st.sampled_from(["right", "left"])


@settings(max_examples=200)
@given(lengths, st.integers(1, 17), sides)
def test_best_fit_loses_nothing_and_cuts_only_what_is_too_long(stream, sizes, seq_len, pad):
    config = PackConfig(seq_len=seq_len, method="best_fit", pad=pad, shard_tokens=1000)
    packed = pack(stream(sizes), EOT, config)
    check_rows(packed, config)
    assert reassembled(packed) == whole_of(stream(sizes))
    assert packed.split_documents == sum(size + 1 > seq_len for size in sizes)
    assert packed.written == packed.produced
    assert packed.rows.num_rows <= max(pack(stream(sizes), EOT, one_each(seq_len)).rows.num_rows, 0)


def one_each(seq_len: int) -> PackConfig:
    return PackConfig(seq_len=seq_len, method="single", shard_tokens=1000)


def reassembled(packed: Packed) -> dict[bytes, list[int]]:
    """Documents from their pieces, whatever the order of rows."""
    pieces: dict[bytes, dict[int, list[int]]] = {}
    for row in packed.rows.to_pylist():
        stops = [*row["doc_starts"][1:], row["doc_starts"][0] + row["n_tokens"]]
        for name, start, stop, offset in zip(
            row["doc_ids"], row["doc_starts"], stops, row["doc_offsets"], strict=True
        ):
            pieces.setdefault(name, {})[offset] = row["input_ids"][start:stop]
    joined = {name: sorted(found.items()) for name, found in pieces.items()}
    for found in joined.values():
        assert [offset for offset, _ in found] == [
            sum(len(p) for _, p in found[:n]) for n in range(len(found))
        ]
    return {name: [token for _, piece in found for token in piece] for name, found in joined.items()}


def test_rows_of_best_fit_come_in_the_order_of_the_stream(stream):
    config = PackConfig(seq_len=8, method="best_fit", shard_tokens=8)
    packed = pack(stream([2, 6, 1, 7, 3]), EOT, config)
    starts = [row["input_ids"][0] for row in packed.rows.to_pylist()]
    firsts = [ids[0] for ids in whole_of(stream([2, 6, 1, 7, 3])).values()]
    assert starts == [first for first in firsts if first in starts]


@settings(max_examples=200)
@given(lengths, st.integers(1, 17), sides, st.sampled_from(["cut", "truncate", "drop"]))
def test_one_document_a_row(stream, sizes, seq_len, pad, overlong):
    config = PackConfig(seq_len=seq_len, method="single", pad=pad, overlong=overlong, shard_tokens=1000)
    packed = pack(stream(sizes), EOT, config)
    check_rows(packed, config)
    assert all(len(names) == 1 for names in packed.rows.column("doc_ids").to_pylist())
    short = {name: ids for name, ids in whole_of(stream(sizes)).items() if len(ids) <= seq_len}
    expected = {
        "cut": whole_of(stream(sizes)),
        "truncate": {name: ids[:seq_len] for name, ids in whole_of(stream(sizes)).items()},
        "drop": short,
    }
    assert reassembled(packed) == expected[overlong]
    assert packed.written + sum(packed.dropped.values()) == packed.produced


@settings(max_examples=200)
@given(st.lists(lengths, min_size=1, max_size=4), st.integers(1, 17), sides)
def test_a_pool_holds_what_shards_have_left(stream, shards, seq_len, pad):
    config = PackConfig(seq_len=seq_len, tail="pool", pad=pad, shard_tokens=1000)
    named = [stream(sizes, first=100 * number) for number, sizes in enumerate(shards)]
    packed = [pack(documents, EOT, config) for documents in named]
    assert all(one.written + one.pooled == one.produced for one in packed)
    pooled = pool(pa.concat_batches([one.rest for one in packed]), EOT, config)
    check_rows(pooled, config)
    assert pooled.written == sum(one.pooled for one in packed)
    assert pooled.padding < seq_len
    expected = {name: ids for documents in named for name, ids in whole_of(documents).items()}
    assert reassemble(*packed, pooled) == expected


def test_a_document_of_the_pool_may_be_cut_again(stream):
    config = PackConfig(seq_len=4, tail="pool", shard_tokens=4)
    one, two = pack(stream([2]), EOT, config), pack(stream([2], first=1), EOT, config)
    both = pool(pa.concat_batches([one.rest, two.rest]), EOT, config)
    assert both.rows.column("n_tokens").to_pylist() == [4, 2]
    assert both.rows.column("doc_offsets").to_pylist() == [[0, 0], [1]]
