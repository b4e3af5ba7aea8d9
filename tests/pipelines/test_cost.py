"""The cost model: its formulas by hand, its bounds by property; the table of prices."""

from __future__ import annotations

from dataclasses import replace

import apache_beam as beam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from columns.files import Place
from pipelines.cost import ALONE, HERE, START, Cluster, JobCost, Meter, by_stage, cpu_seconds, grown
from pipelines.engine import Engine, run_units
from pipelines.metered import MeteredEngine
from pipelines.prices import TABLE, PriceTable, load_prices
from pipelines.stage import Stage
from tests.pipelines.building import ROOT
from tests.pipelines.test_engine import Square

FREE = PriceTable(0, 0, 0, 0)
jobs = st.builds(
    JobCost, st.sampled_from(["ingest", "measure", "tokenizer"]), st.sampled_from(["x", HERE, *sorted(ALONE)]),
    st.floats(0, 1e6), st.floats(0, 1e15), st.integers(1, 1 << 20),
)  # fmt: skip
clusters = st.builds(
    Cluster, st.integers(1, 1000), st.integers(1, 64), st.floats(1, 512), st.floats(0, 1000),
    st.floats(0.1, 10), st.floats(0, 600),
)  # fmt: skip


def test_work_grows_and_its_start_does_not():
    job = JobCost("measure", "measure", START + 10, 100.0)
    assert job.grown(1, 1) == job
    assert job.grown(1000, 64) == JobCost("measure", "measure", START + 10_000, 100_000.0, 64)


def test_what_is_trained_on_a_sample_of_fixed_size_does_not_grow():
    found = JobCost("tokenizer", "tokenizer", 40.0, 5.0).grown(1000, 64)
    assert (found.cpu_seconds, found.shuffled) == (40.0, 5.0)


@pytest.mark.parametrize("name", [*sorted(ALONE), HERE])
def test_what_one_worker_does_is_one_piece(name):
    assert JobCost("decide", name, 5.0).grown(10, 64).pieces == 1


def test_ingest_is_read_in_units_when_these_are_more():
    found = grown([JobCost("ingest", "ingest", 1.0), JobCost("measure", "measure", 1.0)], 10, 500, 64)
    assert [job.pieces for job in found] == [500, 64]
    assert grown([JobCost("ingest", "ingest", 1.0)], 10, 5, 64)[0].pieces == 64


def test_time_is_a_start_and_rounds_of_pieces():
    cluster = Cluster(workers=2, cores=4, start_seconds=60)
    assert cluster.seconds(JobCost("m", "m", 800, pieces=8)) == 60 + 100
    assert cluster.seconds(JobCost("m", "m", 900, pieces=9)) == 60 + 200
    assert cluster.seconds(JobCost("m", "m", 800, pieces=1)) == 60 + 800
    assert cluster.seconds(JobCost("m", HERE, 800, pieces=1)) == 800
    assert replace(cluster, speed=2.0).seconds(JobCost("m", "m", 800, pieces=8)) == 60 + 50


def test_a_price_is_of_machines_for_as_long_as_they_are_kept_and_of_what_is_shuffled():
    cluster = Cluster(workers=2, cores=4, memory_gb=16, disk_gb=100, start_seconds=0)
    prices = PriceTable(vcpu_hour=1.0, memory_gb_hour=0.1, shuffle_gb=0.5, disk_gb_hour=0.01)
    hour = 4 * 1.0 + 16 * 0.1 + 100 * 0.01
    assert prices.machine_hour(4, 16, 100) == pytest.approx(hour)
    job = JobCost("m", "m", 8 * 3600, 4e9, pieces=8)
    assert cluster.price(job, prices) == pytest.approx(2 * hour + 2.0)
    alone = JobCost("m", "m", 3600, pieces=1)
    assert cluster.price(alone, prices) == pytest.approx(hour)


@given(jobs, clusters)
def test_no_cluster_is_faster_than_all_its_cores(job, cluster):
    assert cluster.seconds(job) * cluster.speed >= job.cpu_seconds / (cluster.workers * cluster.cores) * (
        1 - 1e-9
    )
    assert 1 <= cluster.machines(job) <= cluster.workers
    assert cluster.price(job, FREE) == 0


@given(jobs, clusters)
def test_more_machines_never_take_longer(job, cluster):
    more = replace(cluster, workers=cluster.workers * 2)
    assert more.seconds(job) <= cluster.seconds(job)


@given(jobs, st.floats(1, 1e4), st.floats(1, 1e4))
def test_a_larger_whole_never_takes_less(job, one, other):
    small, large = sorted((one, other))
    assert job.grown(small, 8).cpu_seconds <= job.grown(large, 8).cpu_seconds
    assert job.grown(small, 8).shuffled <= job.grown(large, 8).shuffled


@given(st.lists(jobs, max_size=6), clusters)
def test_stages_hold_all_jobs(found, cluster):
    stages = by_stage(found, cluster, load_prices())
    assert sum(one.core_hours for one in stages) == pytest.approx(
        sum(job.cpu_seconds for job in found) / 3600
    )
    assert sum(one.jobs for one in stages) == sum(job.job != HERE for job in found)
    assert [one.stage for one in stages] == list(dict.fromkeys(job.stage for job in found))


@pytest.mark.parametrize("name", ["workers", "cores", "memory_gb", "speed"])
def test_a_cluster_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}: expected more than 0"):
        Cluster(**{name: 0})


def test_a_meter_notes_jobs_and_what_is_left():
    meter = Meter()
    meter.begin("link")
    meter.job("link", 0.0, 5.0)
    meter.end()
    assert [(job.stage, job.job, job.shuffled) for job in meter.jobs] == [
        ("link", "link", 5.0),
        ("link", HERE, 0.0),
    ]
    assert all(job.cpu_seconds >= 0 for job in meter.jobs)
    assert cpu_seconds() > 0


def test_a_lone_unit_is_metered_as_a_job(tmp_path):
    meter = Meter()
    engine = MeteredEngine.of(Engine(workers=1), meter)
    stage = Stage("measure", Place(str(tmp_path)), "abc", 1)
    meter.begin("measure")
    run_units(engine, stage, Square(stage.place), stage.begin())
    assert stage.done() == [0]
    assert [job.job for job in meter.jobs] == ["measure"]


def test_what_is_exchanged_is_weighed(tmp_path):
    meter = Meter()
    engine = MeteredEngine.of(Engine(workers=1), meter)

    def wire(pipeline: beam.Pipeline) -> None:
        place = engine.exchange(Place(str(tmp_path)))
        _ = pipeline | beam.Create([1]) | beam.Map(lambda _: place.write_bytes("chunk", b"x" * 1000))

    meter.begin("link")
    engine.run("link", wire)
    assert meter.jobs[0].shuffled == 1000


def test_the_table_says_where_it_is_from_and_that_it_is_to_be_checked():
    table = load_prices()
    assert not table.checked
    assert table.source.startswith("https://")
    assert table.date in table.about()
    assert "not checked" in table.about()
    page = (ROOT / "docs" / "concepts" / "scale.md").read_text("utf-8")
    for price in (table.vcpu_hour, table.memory_gb_hour, table.shuffle_gb):
        assert f"{price} $" in page


def test_a_file_takes_the_place_of_some_or_all(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("shuffle_gb: 0.5\nregion: europe-west4\n")
    some = load_prices(str(mine))
    assert (some.shuffle_gb, some.vcpu_hour) == (0.5, load_prices().vcpu_hour)
    assert not some.checked
    mine.write_text("{vcpu_hour: 1, memory_gb_hour: 2, shuffle_gb: 3, disk_gb_hour: 4, date: 2027-01-01}")
    whole = load_prices(str(mine), {"vcpu_hour": 9})
    assert (whole.vcpu_hour, whole.memory_gb_hour, whole.checked) == (9, 2, True)
    assert whole.about() == "2027-01-01"


@pytest.mark.parametrize(
    ("text", "said"),
    [("vcpu: 1", "vcpu"), ("vcpu_hour: dear", "vcpu_hour"), ("vcpu_hour: -1", "expected a price"), ("[1]", "by name"),
     ("{", "not a YAML file")],
)  # fmt: skip
def test_a_wrong_table_is_refused_by_name(tmp_path, text, said):
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    with pytest.raises(InputError, match=said) as refused:
        load_prices(str(mine))
    assert "mine.yaml" in str(refused.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        load_prices(str(tmp_path / "nowhere.yaml"))
    assert TABLE.exists()
