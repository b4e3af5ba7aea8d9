from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("ray")

from training import BatchConfig, Loader, SampleDatasource, Stage, iter_batches, open_samples, read_shards
from training.datasource import sample_table

ROWS = 26


def numbers(tables) -> list[int]:
    return [row[0] for table in tables for row in table.column("input_ids").to_pylist()]


def stream_of(samples) -> list[int]:
    return samples.take(0, samples.order.end).ids[:, 0].tolist()


@pytest.fixture(scope="module")
def samples(dataset):
    return open_samples(dataset, seed=6, epochs=2)


@pytest.mark.parametrize("parallelism", [1, 2, 7, 500])
def test_tasks_joined_in_order_are_the_stream(samples, parallelism):
    tasks = SampleDatasource(samples, range(2 * ROWS), task_rows=1).get_read_tasks(parallelism)
    assert len(tasks) == min(parallelism, 2 * ROWS)
    assert numbers(table for task in tasks for table in task()) == stream_of(samples)


@pytest.mark.parametrize(("task_rows", "tasks"), [(1000, 1), (26, 2), (20, 3)])
def test_tasks_are_not_too_small(samples, task_rows, tasks):
    source = SampleDatasource(samples, range(2 * ROWS), task_rows=task_rows)
    assert len(source.get_read_tasks(50)) == tasks


def test_tasks_have_64_mib_of_ids(samples, monkeypatch):
    assert SampleDatasource(samples, range(2 * ROWS)).tasks == 1
    monkeypatch.setattr("training.datasource.TASK_BYTES", 10 * 16 * 2)
    assert SampleDatasource(samples, range(2 * ROWS)).tasks == 6
    assert SampleDatasource(samples, range(0)).tasks == 1


def test_nothing_to_read_is_no_task(samples):
    assert SampleDatasource(samples, range(5, 5)).get_read_tasks(4) == []


def test_tasks_state_what_they_read(samples):
    source = SampleDatasource(samples, range(10, 20), task_rows=1)
    tasks = source.get_read_tasks(3)
    assert [task.metadata.num_rows for task in tasks] == [3, 3, 4]
    assert source.estimate_inmemory_data_size() == 10 * 16 * 2
    for task in tasks:
        assert [table.schema for table in task()] == [task.schema]


def test_a_table_says_where_its_rows_come_from(dataset, make_dataset):
    sources = {"a": dataset, "b": make_dataset(train=(5,), ids=pa.uint16())}
    samples = open_samples(sources, stages=[Stage({"a": 2, "b": 1}, 20)])
    table = sample_table(samples, 5, 9)
    (batch,) = Loader(samples, BatchConfig(20, samples=True))
    names = [["a", "b"][source] for source in batch["sources"][5:14]]
    assert table.column("source").to_pylist() == names
    assert table.column("sample").to_pylist() == list(range(5, 14))
    assert table.column("input_ids").to_pylist() == batch["input_ids"][5:14].tolist()
    assert table.column("doc_starts").to_pylist() == [[0, 5]] * 9
    assert table.schema.field("input_ids").type == pa.list_(pa.uint16(), 16)


def test_tasks_are_small_to_send(samples):
    (task, *_) = SampleDatasource(samples, range(ROWS), task_rows=1).get_read_tasks(2)
    samples.take(0, 5)
    assert len(pickle.dumps(samples)) < 10_000
    assert task.metadata.num_rows == 13


@pytest.mark.parametrize("chosen", [range(-1, 5), range(0, 2 * ROWS + 1), range(0, 10, 2)])
def test_samples_that_are_not_there_are_refused(samples, chosen):
    with pytest.raises(ValueError, match="order: expected a range within 0 to 52"):
        read_shards(samples, order=chosen)


def test_an_order_needs_samples_and_an_end(dataset):
    with pytest.raises(ValueError, match="order: expected Samples"):
        read_shards(dataset, order=range(5))
    with pytest.raises(ValueError, match="endless stream"):
        read_shards(open_samples(dataset, epochs=None))


@pytest.mark.xdist_group("ray")
class TestInRay:
    def test_the_order_is_the_loaders(self, ray_session, samples):
        dataset = read_shards(samples, override_num_blocks=5)
        found = numbers(dataset.iter_batches(batch_size=8, batch_format="pyarrow"))
        assert found == stream_of(samples)

    def test_reading_on_from_a_state(self, ray_session, samples):
        loader = Loader(samples, BatchConfig(20))
        next(iter(loader))
        position = samples.order.position(loader.state_dict())
        rest = read_shards(samples, order=range(position, samples.order.end))
        found = numbers(rest.iter_batches(batch_size=8, batch_format="pyarrow"))
        assert found == stream_of(samples)[20:]

    def test_as_torch_batches(self, ray_session, samples):
        pytest.importorskip("torch")
        batch = BatchConfig(20, documents=True)
        expected = list(Loader(samples, batch))
        for left, right in zip(iter_batches(read_shards(samples), batch), expected, strict=True):
            assert left.keys() == right.keys()
            assert all(np.array_equal(left[name], right[name]) for name in left)
