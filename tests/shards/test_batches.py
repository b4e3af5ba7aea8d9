"""Batches: their places in the file are those that Arrow finds, and each damaged one is named."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import OutputError
from columns.files import Place
from shards.batches import damage, map_ids, read_batches
from shards.manifest import Manifest, verify
from shards.packing import PackConfig, pack
from shards.reader import open_shard
from shards.writer import ShardInfo, write_shard

NAME = "train-00000-of-00001.arrow"
LENGTHS = [11] * 3000


def write(place: Place, found, **changes) -> ShardInfo:
    config = PackConfig(**{"seq_len": 16, "shard_tokens": 64, **changes})
    return write_shard(place, NAME, pack(found, 0, config), config, tokenizer_sha256="", eot_id=0)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(str(tmp_path / "shards"))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_ids_are_mapped_without_arrow(place, stream, dtype):
    info = write(place, stream(LENGTHS, dtype))
    views = map_ids(place, NAME, info.batches, 16, np.dtype(dtype))
    assert [batch.rows for batch in info.batches] == [1024, 1024, 202]
    for view, other in zip(views, open_shard(place, NAME).views, strict=True):
        assert np.array_equal(view, other)
        assert not view.flags.owndata


def test_the_other_columns_are_where_they_are_said_to_be(place, stream):
    info = write(place, stream([5, 90, 3] * 300), method="best_fit")
    data = np.frombuffer(place.read(NAME), np.uint8)
    for batch, arrow in zip(info.batches, open_shard(place, NAME).batches, strict=True):
        lengths = data[batch.n_tokens :][: 4 * batch.rows].view(np.int32)
        bounds = data[batch.piece_bounds :][: 4 * batch.rows + 4].view(np.int32)
        starts = data[batch.doc_starts :][: 4 * int(bounds[-1])].view(np.int32)
        assert lengths.tolist() == arrow.column("n_tokens").to_pylist()
        assert bounds.tolist() == arrow.column("doc_starts").offsets.to_pylist()
        assert starts.tolist() == arrow.column("doc_starts").values.to_pylist()


def test_batches_cover_the_file_up_to_its_footer(place, stream):
    info = write(place, stream(LENGTHS))
    assert info.batches[0].offset == 0
    for one, following in zip(info.batches, info.batches[1:], strict=False):
        assert one.offset + one.bytes == following.offset
    end = info.batches[-1].offset + info.batches[-1].bytes
    assert 0 < info.bytes - end < 4096
    assert place.read(NAME)[end : end + 4] == b"\xff\xff\xff\xff"


def test_an_empty_shard_has_no_batches(place, stream):
    info = write(place, stream([]))
    assert (info.batches, damage(place, NAME, info.batches)) == ((), [])


def test_what_the_manifest_lists_comes_back(place, stream):
    info = write(place, stream(LENGTHS))
    assert read_batches(asdict(info)["batches"]) == info.batches
    with pytest.raises(OutputError, match="batches of a shard"):
        read_batches([{"rows": 1}])


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_the_damaged_batch_is_named(tmp_path_factory, stream, share, change):
    place = Place(str(tmp_path_factory.mktemp("shards")))
    info = write(place, stream(LENGTHS))
    data = bytearray(place.read(NAME))
    end = info.batches[-1].offset + info.batches[-1].bytes
    at = int(share * end)
    data[at] ^= change
    place.write_bytes(NAME, bytes(data))
    hit = [number for number, one in enumerate(info.batches) if one.offset <= at < one.offset + one.bytes]
    batch = info.batches[hit[0]]
    line = f"record batch {hit[0]}, bytes {batch.offset} to {batch.offset + batch.bytes}, is damaged"
    assert damage(place, NAME, info.batches) == [line]


def test_verify_names_the_batch_and_its_bytes(tmp_path, stream):
    root = Place(str(tmp_path))
    info = write(root.child("shards"), stream(LENGTHS))
    manifest = Manifest(shards=[info.describe()])
    assert verify(root, manifest) == []
    data = bytearray(root.child("shards").read(NAME))
    data[info.batches[1].input_ids] ^= 1
    root.child("shards").write_bytes(NAME, bytes(data))
    first, second = verify(root, manifest)
    assert "sha256 is" in first
    assert second.startswith(f"shards/{NAME}: record batch 1, bytes {info.batches[1].offset} to ")


def test_a_file_that_is_too_short_is_refused(place, stream):
    info = write(place, stream(LENGTHS))
    place.write_bytes(NAME, place.read(NAME)[: info.batches[1].offset + 10])
    with pytest.raises(OutputError, match="ends at byte"):
        map_ids(place, NAME, info.batches, 16, np.dtype(np.uint16))
    assert len(damage(place, NAME, info.batches)) == 2


def test_the_same_rows_give_the_same_numbers(tmp_path, stream):
    one, other = (write(Place(str(tmp_path / name)), stream(LENGTHS)) for name in "ab")
    assert one == other
