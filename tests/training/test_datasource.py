from __future__ import annotations

import json
import pickle

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import OutputError

pytest.importorskip("ray")

from training import ShardDatasource, read_shards
from training.datasource import runs


def numbers(tables):
    """The first id of every row: its number in the dataset."""
    return [row[0] for table in tables for row in table.column("input_ids").to_pylist()]


def read_all(tasks):
    return numbers(table for task in tasks for table in task())


def ray_numbers(dataset):
    return numbers(dataset.iter_batches(batch_size=5, batch_format="pyarrow"))


@pytest.mark.parametrize("parallelism", [1, 2, 3, 50])
def test_every_row_exactly_once_whatever_the_parallelism(dataset, parallelism):
    tasks = ShardDatasource(dataset).get_read_tasks(parallelism)
    assert len(tasks) == min(parallelism, 3)
    assert read_all(tasks) == list(range(26))


def test_tasks_state_what_they_read(dataset):
    tasks = ShardDatasource(dataset).get_read_tasks(2)
    assert [task.metadata.num_rows for task in tasks] == [10, 16]
    assert [len(task.metadata.input_files) for task in tasks] == [1, 2]
    assert tasks[0].schema.field("input_ids").type == pa.list_(pa.uint16(), 16)


def test_estimate_is_the_size_of_the_files(dataset):
    source = ShardDatasource(dataset)
    sizes = [path.stat().st_size for path in (dataset / "shards").glob("train-*")]
    assert source.estimate_inmemory_data_size() == sum(sizes)
    assert sum(task.metadata.size_bytes for task in source.get_read_tasks(9)) == sum(sizes)


def test_blocks_are_the_record_batches_and_are_not_copied(dataset):
    (task, *_) = ShardDatasource(dataset).get_read_tasks(3)
    before = pa.total_allocated_bytes()
    blocks = list(task())
    assert [block.num_rows for block in blocks] == [4, 4, 2]
    assert pa.total_allocated_bytes() == before


def test_row_limit(dataset):
    (task,) = ShardDatasource(dataset).get_read_tasks(1, per_task_row_limit=6)
    assert sum(block.num_rows for block in task()) == 6


def test_tasks_travel(dataset):
    cloudpickle = pytest.importorskip("ray.cloudpickle")
    tasks = pickle.loads(cloudpickle.dumps(ShardDatasource(dataset).get_read_tasks(2)))
    assert read_all(tasks) == list(range(26))


def test_missing_shard_is_found_before_any_task_starts(make_dataset):
    place = make_dataset()
    (place / "shards" / "train-00001-of-00003.arrow").unlink()
    with pytest.raises(OutputError, match="shard is missing"):
        ShardDatasource(place)


@given(st.integers(1, 40), st.integers(1, 60))
def test_runs_keep_order_and_are_even(count, parallelism):
    found = runs(range(count), parallelism)
    assert [item for run in found for item in run] == list(range(count))
    assert len(found) == min(count, parallelism)
    assert max(map(len, found)) - min(map(len, found)) <= 1


@pytest.mark.xdist_group("ray")
class TestRay:
    """Through Ray's own workers, which import `training` by themselves."""

    @pytest.mark.parametrize("ids", [pa.uint16(), pa.uint32()], ids=str)
    def test_rows_exactly_once_in_order(self, ray_session, make_dataset, ids):
        assert ray_numbers(read_shards(make_dataset(ids=ids))) == list(range(26))

    def test_validation(self, ray_session, dataset):
        assert ray_numbers(read_shards(dataset, split="validation")) == list(range(26, 31))

    def test_order_is_the_manifest_s(self, ray_session, make_dataset):
        place = make_dataset(train=(3,) * 12)
        manifest = json.loads((place / "manifest.json").read_text())
        manifest["shards"].reverse()
        (place / "manifest.json").write_text(json.dumps(manifest))
        expected = [row for shard in reversed(range(12)) for row in range(3 * shard, 3 * shard + 3)]
        assert ray_numbers(read_shards(place, override_num_blocks=5)) == expected

    def test_without_order_every_row_still_comes_once(self, ray_session, dataset):
        assert sorted(ray_numbers(read_shards(dataset, preserve_order=False))) == list(range(26))

    def test_count_and_schema(self, ray_session, dataset):
        found = read_shards(dataset)
        assert found.count() == 26
        assert found.schema().names == ["input_ids", "n_tokens", "doc_ids", "doc_starts", "doc_offsets"]

    def test_list_of_files(self, ray_session, dataset):
        paths = sorted(map(str, (dataset / "shards").glob("train-*")))
        assert ray_numbers(read_shards(paths[1:])) == list(range(10, 26))

    def test_damaged_shard_is_named(self, ray_session, make_dataset):
        place = make_dataset()
        path = place / "shards" / "train-00001-of-00003.arrow"
        damaged = bytearray(path.read_bytes())
        damaged[700] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(Exception, match=r"train-00001-of-00003\.arrow: checksum expected"):
            read_shards(place, verify=True).materialize()
