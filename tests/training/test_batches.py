from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import BatchConfig, Loader, iter_batches, open_samples, read_shards, shard_files
from training.batches import regroup, rows_of
from training.loader import batch_arrays
from training.pool import Pool

torch = pytest.importorskip("torch")
EVERYTHING = BatchConfig(8, documents=True)


class Blocks:
    """What `iter_batches` asks of a Ray dataset, without Ray: blocks of the given sizes."""

    def __init__(self, table, *sizes):
        ends = np.cumsum([0, *sizes]).tolist()
        self.blocks = [table.slice(start, end - start) for start, end in pairwise([*ends, len(table)])]

    def iter_batches(self, *, batch_size, batch_format):
        assert (batch_size, batch_format) == (None, "pyarrow")
        return iter(self.blocks)


def table_of(dataset, split="train"):
    """The rows as plain pyarrow reads them, with no code of ours."""
    tables = [pa.ipc.open_file(shard.path).read_all() for shard in shard_files(dataset, split)]
    return pa.concat_tables(tables)


def loaded(dataset, batch, split="train"):
    return list(Loader(open_samples(dataset, split=split, shuffle=None), batch))


def same(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def batch_of(ids, n_tokens, starts, kind=None):
    kind = kind or pa.uint16()
    values = {
        "input_ids": pa.array(ids, pa.list_(kind, len(ids[0]))),
        "n_tokens": pa.array(n_tokens, pa.int32()),
        "doc_starts": pa.array(starts, pa.list_(pa.int32())),
    }
    return pa.record_batch(values)


def arrays(batch, config=EVERYTHING):
    return batch_arrays(rows_of(batch, Pool()), config, Pool())


def test_dtypes_and_shapes(dataset):
    batches = list(iter_batches(Blocks(table_of(dataset)), BatchConfig(8)))
    assert [tuple(batch["input_ids"].shape) for batch in batches] == [(8, 16)] * 3 + [(2, 16)]
    assert {name: tensor.dtype for name, tensor in batches[0].items()} == {
        "input_ids": torch.int64,
        "labels": torch.int64,
    }


@pytest.mark.parametrize("ids", [pa.uint16(), pa.uint32()], ids=str)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_batches_are_the_loaders(make_dataset, ids, split):
    place = make_dataset(ids=ids)
    found = list(iter_batches(Blocks(table_of(place, split)), EVERYTHING))
    expected = loaded(place, EVERYTHING, split)
    assert len(found) == len(expected)
    assert all(same(left, right) for left, right in zip(found, expected, strict=True))


@given(st.lists(st.integers(0, 9), max_size=3), st.integers(1, 30), st.booleans())
def test_neither_blocks_nor_their_sizes_change_a_batch(dataset, sizes, size, drop_last):
    config = BatchConfig(size, documents=True, drop_last=drop_last)
    found = list(iter_batches(Blocks(table_of(dataset), *sizes), config))
    expected = loaded(dataset, config)
    assert [same(left, right) for left, right in zip(found, expected, strict=True)] == [True] * len(expected)


@pytest.mark.parametrize(("kind", "first"), [(pa.uint16(), 65_535), (pa.uint32(), 4_294_967_295)])
def test_large_ids_survive(kind, first):
    assert arrays(batch_of([[first, 1]], [2], [[0]], kind))["input_ids"].tolist() == [[first, 1]]


def test_labels_ignore_padding_on_either_side():
    found = arrays(batch_of([[7, 7, 5, 6], [5, 6, 7, 7], [7, 7, 7, 7]], [2, 2, 0], [[2], [0, 1], []]))
    assert found["labels"].tolist() == [[-100, -100, 5, 6], [5, 6, -100, -100], [-100] * 4]
    assert found["segment_ids"].tolist() == [[-1, -1, 0, 0], [0, 1, -1, -1], [-1] * 4]


def test_tensors_are_the_caller_s_own_to_write(dataset):
    table = table_of(dataset)
    batch = next(iter_batches(Blocks(table), BatchConfig(2)))
    batch["input_ids"][:] = 0
    assert next(iter_batches(Blocks(table), BatchConfig(2)))["input_ids"].any()
    assert batch["labels"].any()


def test_batches_that_are_kept_are_not_overwritten(dataset):
    kept = [
        batch["input_ids"][:, 0].tolist()
        for batch in list(iter_batches(Blocks(table_of(dataset)), BatchConfig(2)))
    ]
    assert [number for batch in kept for number in batch] == list(range(26))


def test_other_columns_are_not_needed(dataset):
    table = (
        table_of(dataset).append_column("more", pa.array(range(26))).drop_columns(["doc_ids", "doc_offsets"])
    )
    assert len(list(iter_batches(Blocks(table), BatchConfig(13)))) == 2


def test_numbers_of_samples_are_columns_of_the_dataset(dataset):
    with pytest.raises(ValueError, match="samples: expected False, got True"):
        next(iter_batches(Blocks(table_of(dataset)), BatchConfig(2, samples=True)))


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 12))
def test_regroup_keeps_every_row_and_only_the_last_batch_is_short(sizes, size):
    ends = np.cumsum([0, *sizes]).tolist()
    pieces = [pa.record_batch({"x": pa.array(range(a, b), pa.int64())}) for a, b in pairwise(ends)]
    found = list(regroup(pieces, size))
    assert [value for batch in found for value in batch.column("x").to_pylist()] == list(range(ends[-1]))
    assert all(batch.num_rows == size for batch in found[:-1])
    assert all(0 < batch.num_rows <= size for batch in found)


def test_hugging_face_datasets_opens_the_same_files(dataset, tmp_path):
    datasets = pytest.importorskip("datasets")
    files = [shard.path for shard in shard_files(dataset)]
    opened = datasets.load_dataset("arrow", data_files=files, split="train", cache_dir=str(tmp_path))
    (batch,) = loaded(dataset, BatchConfig(26))
    assert np.array_equal(np.array(opened[:]["input_ids"]), batch["input_ids"])


@pytest.mark.xdist_group("ray")
def test_a_ray_dataset_gives_the_same_tensors(ray_session, dataset):
    found = list(iter_batches(read_shards(dataset), EVERYTHING))
    expected = loaded(dataset, EVERYTHING)
    assert [same(left, right) for left, right in zip(found, expected, strict=True)] == [True] * 4
    assert all(batch["input_ids"].dtype == torch.int64 for batch in found)
