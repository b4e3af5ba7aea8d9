"""Splitting: rows come once, wherever and however often a stream is cut while it is read."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from contextlib import contextmanager

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("google.cloud.bigquery_storage_v1", reason="needs thresher[gcp]")

import apache_beam as beam
import grpc
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, fn_runner
from apache_beam.runners.sdf_utils import RestrictionTrackerView, ThreadsafeRestrictionTracker
from apache_beam.transforms import environments
from bigquery_fakes import FakeRest, FakeStorage, serving

from columns.document import DOCUMENT
from columns.files import Place
from pipelines.ingest import ReadStream, ReadUnit
from sources import IngestConfig, read_unit
from sources.bigquery import BigQueryTable, streams
from sources.bigquery.splitting import Claim, ClaimedStream, StreamRange, StreamRanges, StreamTracker

pytestmark = pytest.mark.xdist_group("bigquery")

TABLE = "p.code.files"
COLUMNS = (("id", "STRING"), ("path", "STRING"), ("content", "STRING"))


def batches(sizes):
    """Batches of some sizes, with the numbers from 0 on as their rows."""
    made, first = [], 0
    for size in sizes:
        numbers = [str(number) for number in range(first, first + size)]
        made.append(
            pa.record_batch({"id": numbers, "path": [f"{n}.py" for n in numbers], "content": numbers})
        )
        first += size
    return made


@contextmanager
def table(*sizes, streams=1):
    """A table of some messages; its storage, its configuration and its units."""
    made = batches(sizes)
    storage = FakeStorage([made[number::streams] for number in range(streams)], scanned=1000)
    with serving(FakeRest(tables={TABLE: {}}, columns=COLUMNS), storage) as config:
        yield storage, config, BigQueryTable(TABLE, settings=config).units(IngestConfig()).units


def documents(unit, tracker=None, before=lambda claims: None):
    """A unit's rows; ``before`` is called with the number of claims made so far, before each claim."""

    view = RestrictionTrackerView(ThreadsafeRestrictionTracker(tracker)) if tracker else None
    if tracker:
        claim, seen = tracker.try_claim, []

        def watched(position):
            before(len(seen))
            seen.append(position)
            return claim(position)

        tracker.try_claim = watched
    read = ClaimedStream.of(unit, view) if tracker else unit
    found = pa.Table.from_batches(read_unit(read, IngestConfig(), skipped=Counter()), DOCUMENT)
    return found.sort_by("path").to_pylist()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.dictionaries(st.integers(0, 6), st.floats(0.01, 0.99), max_size=3),
    st.booleans(),
)
def test_rows_come_once_wherever_a_stream_is_cut(sizes, cuts, failing):
    with table(*sizes) as (storage, config, [unit]), pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams.time, "sleep", lambda seconds: None)
        expected, found = documents(unit), []
        storage.failures = {0: [(2, grpc.StatusCode.UNAVAILABLE)]} if failing else {}
        left, marks = [StreamRange(unit.location, config)], []
        while left:
            piece = left.pop()
            marks.append(piece.mark)
            tracker = StreamTracker(piece)

            def before(claims, tracker=tracker):
                split = tracker.try_split(cuts[claims]) if claims in cuts and len(marks) < 9 else None
                left.extend([split[1]] if split else [])

            found += documents(unit, tracker, before)
            assert tracker.check_done()
    assert sorted(found, key=lambda row: row["path"]) == expected
    assert len(set(marks)) == len(marks)
    assert marks[0] == ""


def test_a_cut_is_at_a_share_of_what_is_left_and_both_parts_are_the_stream():
    with table(10, 10) as (storage, config, [unit]):
        tracker = StreamTracker(StreamRange(unit.location, config))
        assert tracker.try_claim(Claim(unit.location, 10, 0.5))
        primary, residual = tracker.try_split(0.5)
        assert storage.cuts == [(0, 0.75)]
        assert tracker.current_restriction() == primary
        assert (primary.share, residual.share) == (0.75, 0.25)
        assert primary.mark == "" != residual.mark
        assert tracker.current_progress().fraction_completed == pytest.approx(2 / 3)
        assert StreamRanges().restriction_size((0, unit), residual) == unit.bytes // 4
        assert not tracker.try_claim(Claim(unit.location, 20, 1.0))
        assert tracker.try_claim(Claim(primary.stream, 15, 1.0))
        with pytest.raises(ValueError, match="up to row 15 and not to its end"):
            tracker.check_done()
        assert tracker.try_claim(Claim(primary.stream, None))
        assert tracker.check_done()


def test_what_cannot_be_cut_is_read_on():
    with table(10) as (storage, config, [unit]):
        tracker = StreamTracker(StreamRange(unit.location, config))
        for fraction in (0, 1):
            assert tracker.try_split(fraction) is None
        assert storage.cuts == []
        assert tracker.try_split(0.01) is None  # the service has no row to cut at
        assert tracker.try_claim(Claim(unit.location, 10, 0.2))  # further than the service said
        assert tracker.try_split(0.5) is None
        assert storage.cuts[-1] == (0, pytest.approx(0.6))
        assert tracker.current_restriction().stream == unit.location
        assert tracker.try_claim(Claim(unit.location, None))
        assert tracker.try_split(0.5) is None


def test_a_service_that_fails_to_cut_costs_nothing():
    with table(5, 5) as (storage, config, [unit]):
        expected = documents(unit)
        storage.refuse_cuts = True
        tracker = StreamTracker(StreamRange(unit.location, config))
        assert documents(unit, tracker, lambda claims: tracker.try_split(0.5)) == expected


GO, ASKED = threading.Event(), threading.Event()
CLAIM = RestrictionTrackerView.try_claim


def patient(tracker, position):
    """The first claim waits until the splits were made."""
    ASKED.set()
    GO.wait(30)
    return CLAIM(tracker, position)


def keep(batch, folder):
    with pa.ipc.new_file(f"{folder}/{uuid.uuid4().hex}", batch.schema) as sink:
        sink.write_batch(batch)


@pytest.mark.parametrize("fractions", [(0.5,), (0.6, 0.5, 0.4), ()])
def test_the_runner_s_splits_give_the_same_rows_and_a_marker_for_each_piece(tmp_path, monkeypatch, fractions):
    def splits(elements):
        if not GO.is_set():
            yield None  # the bundle starts after the first one
            ASKED.wait(30)
            for fraction in fractions:
                _ = yield fraction
            GO.set()

    with table(*[3] * 10) as (storage, _, [unit]):
        expected = documents(unit)
        for event in (GO, ASKED):
            event.clear()
        monkeypatch.setattr(RestrictionTrackerView, "try_claim", patient)
        marks, rows = tmp_path / "marks", tmp_path / "rows"
        rows.mkdir()
        read = ReadUnit(IngestConfig(), Place(str(marks)), 1 << 20)
        runner = FnApiRunner(
            environments.EmbeddedPythonGrpcEnvironment()
        )  # splits while a bundle is processed
        with fn_runner.split_manager("ReadStreams", splits), beam.Pipeline(runner=runner) as pipeline:
            made = pipeline | beam.Create([(7, unit)], reshuffle=False)
            found = made | "ReadStreams" >> beam.ParDo(ReadStream(read)).with_output_types(pa.RecordBatch)
            _ = found | beam.Map(keep, str(rows))
    found = pa.concat_tables(pa.ipc.open_file(str(path)).read_all() for path in rows.iterdir())
    assert found.sort_by("path").to_pylist() == expected
    markers = sorted(path.name for path in marks.iterdir())
    assert markers[0] == "0000007"
    assert len(markers) == 1 + len(storage.cuts)
    assert len(storage.cuts) == len(fractions)
