"""Engines: which runner works, with which options, and that every unit is done."""

import os

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DebugOptions, DirectOptions, GoogleCloudOptions, SetupOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from columns.errors import EnvironmentProblem
from columns.files import Place
from pipelines.engine import LOCAL_RUNNERS, NO_PROXY, Engine, run_units
from pipelines.runners import PORTABLE
from pipelines.stage import Stage, UnitRecord


@pytest.mark.parametrize("name", LOCAL_RUNNERS)
def test_a_local_runner_is_pinned_to_beams_own(name):
    engine = Engine(name)
    assert isinstance(engine._runner(), FnApiRunner)
    assert engine.local


def test_another_runner_goes_by_name():
    engine = Engine("DataflowRunner")
    assert engine._runner() == "DataflowRunner"
    assert not engine.local


@pytest.mark.parametrize(
    ("workers", "mode", "expected"),
    [(1, "threads", "in_memory"), (1, "processes", "in_memory"), (2, "threads", "multi_threading")],
)
def test_workers_and_mode_become_beams_options(workers, mode, expected):
    options = Engine(workers=workers, mode=mode)._options("measure").view_as(DirectOptions)
    assert options.direct_running_mode == expected
    assert options.direct_num_workers == workers


def test_several_processes_are_those_of_our_pool():
    engine = Engine(workers=2, mode="processes")
    assert (engine.pooled, engine.local, engine.here, engine._runner()) == (True, True, True, PORTABLE)
    assert not Engine(workers=1, mode="processes").pooled


@pytest.mark.parametrize(("cores", "expected"), [(8, 8), (1, 1), (None, 1)])
def test_no_workers_means_one_per_core(monkeypatch, cores, expected):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert Engine()._options("x").view_as(DirectOptions).direct_num_workers == expected


def test_unknown_options_are_handed_to_beam():
    flags = ("--runner_of_nobody=1", "--direct_runner_bundle_repeat=3", "--project", "mine")
    options = Engine(options=flags)._options("measure")
    assert options.view_as(DirectOptions).direct_runner_bundle_repeat == 3
    assert options.view_as(GoogleCloudOptions).project == "mine"
    assert options.get_all_options(retain_unknown_options=True)["runner_of_nobody"] in {1, "1"}


def test_a_distant_job_gets_a_name_unless_it_has_one():
    named = Engine("DataflowRunner", options=("--job_name=mine",))._options("link")
    assert named.view_as(GoogleCloudOptions).job_name == "mine-link"
    assert Engine("DataflowRunner")._options("link").view_as(GoogleCloudOptions).job_name == "thresher-link"


@pytest.mark.parametrize(("flags", "threads"), [((), 2), (("--number_of_worker_harness_threads=7",), 7)])
def test_dataflows_processes_get_two_threads_unless_told_otherwise(flags, threads):
    options = Engine("dataflow", options=flags)._options("link")
    assert options.view_as(DebugOptions).number_of_worker_harness_threads == threads


def test_a_distant_job_gets_no_local_options():
    options = Engine("DataflowRunner", workers=7)._options("link").view_as(DirectOptions)
    assert options.direct_num_workers != 7


def test_the_callers_session_is_never_pickled():
    flags = ("--save_main_session",)
    assert Engine(options=flags)._options("x").view_as(SetupOptions).save_main_session is False


def test_exchanges_go_by_reference_only_on_this_machine(tmp_path):
    work = Place(str(tmp_path))
    assert Engine().exchange(work) == work
    assert Engine("DataflowRunner").exchange(work) is None


def test_a_job_runs_to_its_end(tmp_path):
    def wire(pipeline: beam.Pipeline) -> None:
        _ = pipeline | beam.Create([1, 2]) | beam.Map(lambda n: (tmp_path / str(n)).write_text("done"))

    Engine(workers=1).run("test", wire)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


@pytest.mark.parametrize("flags", [(), ("--direct_runner_bundle_repeat=2",)])
def test_every_unit_is_worked_and_recorded(tmp_path, flags):
    stage = Stage("measure", Place(str(tmp_path)), "abc", 5)
    pending = stage.begin()
    run_units(Engine(workers=1, options=flags), stage, Square(stage.place), pending)
    assert stage.commit()["counts"] == {"value": 30}


def test_no_units_start_no_job(monkeypatch, tmp_path):
    monkeypatch.setattr(Engine, "run", lambda *_: pytest.fail("a job was started"))
    run_units(Engine(), Stage("measure", Place(str(tmp_path)), "abc", 0), Square(Place(str(tmp_path))), [])


def test_an_error_of_a_unit_is_the_jobs_error(tmp_path):
    stage = Stage("measure", Place(str(tmp_path)), "abc", 2)
    with pytest.raises(Exception, match="unit 1 is broken"):
        run_units(Engine(workers=1), stage, Broken(stage.place), stage.begin())
    assert 1 not in stage.done()


class Square:
    def __init__(self, place: Place) -> None:
        self.place = place

    def __call__(self, unit: int) -> UnitRecord:
        self.place.write_bytes(f"part-{unit}", b"x" * unit)
        return UnitRecord((f"part-{unit}",), {"value": unit * unit}, {})


class Broken(Square):
    def __call__(self, unit: int) -> UnitRecord:
        if unit == 1:
            raise ValueError("unit 1 is broken")
        return super().__call__(unit)


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "localhost"), ({"no_proxy": "a.org"}, "a.org,localhost"),
     ({"no_grpc_proxy": "b.org,localhost"}, "b.org,localhost"),
     ({"no_proxy": "a.org", "no_grpc_proxy": "b.org"}, "b.org,localhost")],
)  # fmt: skip
def test_workers_do_not_ask_the_proxy_for_each_other(before, after, monkeypatch):
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    Engine(workers=1).run("nothing", lambda pipeline: pipeline | beam.Create([1]))
    assert os.environ[NO_PROXY] == after


def test_an_unknown_option_is_named_without_its_value():
    with pytest.raises(EnvironmentProblem) as refused:
        Engine(options=("--pasword=hunter2",)).check()
    assert "hunter2" not in str(refused.value)
