from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import OutputError
from training import iter_batches, read_shards, shard_files
from training.batches import arrays, regroup, segment_ids

torch = pytest.importorskip("torch")


def plain_ids(dataset, split="train"):
    """The ids as plain pyarrow reads them, with no code of ours."""
    tables = [pa.ipc.open_file(shard.path).read_all() for shard in shard_files(dataset, split)]
    return np.array(pa.concat_tables(tables).column("input_ids").to_pylist())


def joined(batches, name="input_ids"):
    return torch.cat([batch[name] for batch in batches]).numpy()


def test_dtype_and_shape(dataset):
    batches = list(iter_batches(dataset, batch_size=8))
    assert [tuple(batch["input_ids"].shape) for batch in batches] == [(8, 16)] * 3 + [(2, 16)]
    assert {name: tensor.dtype for name, tensor in batches[0].items()} == {
        "input_ids": torch.int64,
        "labels": torch.int64,
    }


@pytest.mark.parametrize("ids", [pa.uint16(), pa.uint32()], ids=str)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_row_once_in_order(make_dataset, ids, split):
    place = make_dataset(ids=ids)
    assert np.array_equal(joined(iter_batches(place, 4, split)), plain_ids(place, split))


def test_large_ids_of_both_widths_survive(make_dataset):
    for kind, first in ((pa.uint16(), 65_535), (pa.uint32(), 4_294_967_295)):
        batch = pa.record_batch(
            {
                "input_ids": pa.FixedSizeListArray.from_arrays(pa.array([first, 1], kind), 2),
                "n_tokens": pa.array([2], pa.int32()),
                "doc_starts": pa.array([[0]], pa.list_(pa.int32())),
            }
        )
        assert arrays(batch, segments=False)["input_ids"].tolist() == [[first, 1]]


def test_batch_size_does_not_change_the_rows(dataset):
    for size in (1, 3, 26, 100):
        assert np.array_equal(joined(iter_batches(dataset, size)), plain_ids(dataset))


def test_labels_ignore_padding_only(dataset):
    batch = next(iter_batches(dataset, batch_size=10))
    assert torch.equal(batch["labels"][:9], batch["input_ids"][:9])
    assert torch.equal(batch["labels"][9, :6], batch["input_ids"][9, :6])
    assert batch["labels"][9, 6:].tolist() == [-100] * 10


def test_tensors_are_the_caller_s_own_to_write(dataset):
    batch = next(iter_batches(dataset, batch_size=2))
    batch["input_ids"][:] = 0
    assert next(iter_batches(dataset, batch_size=2))["input_ids"].any()
    assert batch["labels"].any()


def test_segments_number_the_documents(dataset):
    batch = next(iter_batches(dataset, batch_size=10, segments=True))
    assert batch["segment_ids"][0].tolist() == [0] * 5 + [1] * 11
    assert batch["segment_ids"][9].tolist() == [0] * 5 + [1] + [-1] * 10


def test_drop_last(dataset):
    assert [len(batch["input_ids"]) for batch in iter_batches(dataset, 8, drop_last=True)] == [8, 8, 8]


def test_list_of_files(dataset):
    path = shard_files(dataset)[1].path
    assert joined(iter_batches([path], 100))[:, 0].tolist() == list(range(10, 17))


def test_impossible_batch_size(dataset):
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        iter_batches(dataset, 0)


def test_errors_come_at_the_call_not_at_the_first_batch(tmp_path):
    with pytest.raises(OutputError):
        iter_batches(tmp_path, 1)


def test_verify(make_dataset):
    place = make_dataset()
    path = place / "shards" / "train-00001-of-00003.arrow"
    damaged = bytearray(path.read_bytes())
    damaged[700] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(OutputError, match="checksum"):
        list(iter_batches(place, 4, verify=True))


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 12))
def test_regroup_keeps_every_row_and_only_the_last_batch_is_short(sizes, size):
    ends = np.cumsum([0, *sizes]).tolist()
    pieces = [pa.record_batch({"x": pa.array(range(a, b), pa.int64())}) for a, b in pairwise(ends)]
    found = list(regroup(pieces, size))
    assert [value for batch in found for value in batch.column("x").to_pylist()] == list(range(ends[-1]))
    assert all(batch.num_rows == size for batch in found[:-1])
    assert all(0 < batch.num_rows <= size for batch in found)


def segment_ids_slow(starts, width):
    """For each position, how many documents have begun there or before, less one."""
    return [[sum(start <= at for start in row) - 1 for at in range(width)] for row in starts]


@given(st.lists(st.lists(st.integers(0, 11), max_size=5).map(sorted), max_size=6), st.integers(0, 3))
def test_segment_ids_equal_the_slow_twin_on_slices_too(rows, cut):
    starts = pa.array(rows, pa.list_(pa.int32()))
    assert segment_ids(starts, 12).tolist() == segment_ids_slow(rows, 12)
    assert segment_ids(starts.slice(cut), 12).tolist() == segment_ids_slow(rows[cut:], 12)


@given(st.integers(0, 10))
def test_batch_law(dataset, cut):
    rows = pa.ipc.open_file(shard_files(dataset)[0].path).read_all().combine_chunks().to_batches()[0]
    whole = arrays(rows, segments=True)
    first, second = (arrays(rows.slice(*span), segments=True) for span in ((0, cut), (cut, 10 - cut)))
    for name, array in whole.items():
        assert np.array_equal(np.concatenate([first[name], second[name]]), array)


def test_hugging_face_datasets_opens_the_same_files(dataset, tmp_path):
    datasets = pytest.importorskip("datasets")
    files = [shard.path for shard in shard_files(dataset)]
    opened = datasets.load_dataset("arrow", data_files=files, split="train", cache_dir=str(tmp_path))
    found = np.array(opened[:]["input_ids"])
    assert np.array_equal(found, plain_ids(dataset))
    assert np.array_equal(found, joined(iter_batches(dataset, 5)))


@pytest.mark.xdist_group("ray")
def test_a_ray_dataset_gives_the_same_tensors(ray_session, dataset):
    from_ray = list(iter_batches(read_shards(dataset), 8, segments=True))
    direct = list(iter_batches(dataset, 8, segments=True))
    assert len(from_ray) == len(direct)
    for one, other in zip(from_ray, direct, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) and one[name].dtype == torch.int64 for name in one)
