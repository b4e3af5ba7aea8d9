"""The real clients against fakes on the loopback: limits, pins, failures in the middle of streams."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("google.cloud.bigquery_storage_v1", reason="needs thresher[gcp]")

import grpc
import requests
from bigquery_fakes import FakeRest, FakeStorage, serving
from google.api_core import exceptions as google
from google.cloud.bigquery_storage_v1 import types

from columns.document import DOCUMENT
from columns.errors import EnvironmentProblem, InputError
from sources import IngestConfig, read_unit
from sources.bigquery import (
    BigQueryConfig,
    BigQueryQuery,
    BigQueryTable,
    StreamUnit,
    bigquery_source,
    streams,
    wire,
)
from sources.bigquery.connection import mended
from sources.bigquery.source import SqlText

pytestmark = pytest.mark.xdist_group("bigquery")

TABLE = "p.code.files"
QUERY = SqlText("SELECT id, path, content FROM files")
TRANSIENT = (
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED, grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED,
)  # fmt: skip


def batch(first, rows):
    numbers = [str(number) for number in range(first, first + rows)]
    paths = [f"{number}.py" for number in numbers]
    return pa.record_batch({"id": pa.array(numbers), "path": pa.array(paths), "content": pa.array(numbers)})


def read(listing, config=None, batch_bytes=1 << 20):
    config, skipped = config or IngestConfig(), Counter()
    batches = [
        b for unit in listing.units for b in read_unit(unit, config, batch_bytes=batch_bytes, skipped=skipped)
    ]
    return pa.Table.from_batches(batches, DOCUMENT)


def table_rest(**facts):
    return FakeRest(
        tables={TABLE: facts}, columns=(("id", "STRING"), ("path", "STRING"), ("content", "STRING"))
    )


# Cost


def test_a_query_over_the_limit_is_refused_by_the_dry_run_and_never_sent():
    rest = FakeRest(processed=3 << 40, tables={TABLE: {}})
    with serving(rest, FakeStorage([])) as config, pytest.raises(InputError) as caught:
        BigQueryQuery("q.sql", QUERY, config).units(IngestConfig())
    assert "3.00 TiB to scan, about 18.75 USD" in str(caught.value)
    assert "raise max_bytes_billed to 3298534883328" in str(caught.value.hint)
    assert rest.queries() == []


def test_every_job_carries_the_limit():
    rest = FakeRest(processed=10, tables={TABLE: {}})
    with serving(rest, FakeStorage([[batch(0, 2)]]), max_bytes_billed=12345) as config:
        BigQueryQuery("q.sql", QUERY, config).units(IngestConfig())
        BigQueryTable(TABLE, settings=config).units(IngestConfig())
    assert {job["configuration"]["query"]["maximumBytesBilled"] for job in rest.jobs} == {"12345"}
    assert len(rest.jobs) == 3
    assert len(rest.queries()) == 1


def test_the_service_s_own_refusal_is_one_clear_error():
    rest = FakeRest(processed=10, billed=99999, tables={TABLE: {}})
    with (
        serving(rest, FakeStorage([]), max_bytes_billed=12345) as config,
        pytest.raises(InputError) as caught,
    ):
        BigQueryQuery("q.sql", QUERY, config).units(IngestConfig())
    assert "limit for bytes billed: 12345" in str(caught.value)
    assert caught.value.hint == "raise max_bytes_billed, or select less"


@pytest.mark.parametrize("kind", ["query", "table"])
def test_nothing_is_billed_unless_confirmed(kind):
    rest, storage, shown = FakeRest(processed=1 << 30, tables={TABLE: {}}), FakeStorage([[batch(0, 2)]]), []

    def confirm(estimate):
        shown.append(estimate)
        return False

    with serving(rest, storage) as config:
        source = (
            BigQueryQuery("q.sql", QUERY, config, confirm)
            if kind == "query"
            else BigQueryTable(TABLE, "", config, confirm)
        )
        with pytest.raises(InputError, match="not confirmed"):
            source.units(IngestConfig())
        assert shown == [source.estimate(IngestConfig())]
    assert rest.queries() == storage.sessions == []
    assert shown[0].price == pytest.approx((6.25 if kind == "query" else 1.10) / 1024)


def test_a_session_that_would_scan_too_much_is_not_read():
    storage = FakeStorage([[batch(0, 2)]], scanned=1 << 41)
    with serving(table_rest(), storage) as config, pytest.raises(InputError, match="over max_bytes_read"):
        BigQueryTable(TABLE, settings=config).units(IngestConfig())
    assert storage.offsets == []


# What is pinned


def test_a_table_is_read_as_of_a_moment_after_its_last_change_and_not_in_the_future():
    storage, before = FakeStorage([[batch(0, 2)]]), datetime.now(UTC)
    with serving(table_rest(), storage) as config:
        listing = BigQueryTable(TABLE, settings=config).units(IngestConfig())
    asked = storage.sessions[0].read_session.table_modifiers.snapshot_time
    assert before <= asked + timedelta(seconds=10) <= datetime.now(UTC)
    assert listing.units[0].name == f"{TABLE}@2023-11-14T22:13:20.001000+00:00"


def test_a_named_moment_is_what_the_session_asks_for():
    storage, changed = (
        FakeStorage([[batch(0, 2)]]),
        str(int(datetime(2026, 5, 2, tzinfo=UTC).timestamp() * 1000)),
    )
    with serving(table_rest(lastModifiedTime=changed), storage) as config:
        source = bigquery_source(f"{TABLE}@2026-05-01T02:00:00+02:00", config)
        listing = source.units(IngestConfig())
    asked = storage.sessions[0].read_session.table_modifiers.snapshot_time
    assert asked.isoformat() == "2026-05-01T00:00:00+00:00"
    assert listing.units[0].name == f"{TABLE}@2026-05-01T00:00:00+00:00"


def test_an_unchanged_table_is_read_at_a_moment_that_the_service_still_knows():
    storage, before = FakeStorage([[batch(0, 2)]]), datetime.now(UTC)
    with serving(table_rest(), storage) as config:
        pinned = BigQueryTable(TABLE, settings=config).units(IngestConfig()).pinned
        again = bigquery_source(pinned.removeprefix("bigquery:"), config).units(IngestConfig())
    asked = storage.sessions[1].read_session.table_modifiers.snapshot_time
    assert asked + timedelta(seconds=11) >= before
    assert again.pinned == pinned == f"bigquery:{TABLE}@2023-11-14T22:13:20.001000+00:00"
    assert again.units[0].name == f"{TABLE}@2023-11-14T22:13:20.001000+00:00"


def test_the_stamp_follows_the_table_s_last_change():
    def listed(**facts):
        with serving(table_rest(**facts), FakeStorage([[batch(0, 2)]])) as config:
            return BigQueryTable(TABLE, settings=config).units(IngestConfig()).stamp

    assert listed() == listed() != listed(lastModifiedTime="1700000000001")


def test_the_stamp_of_a_query_follows_the_tables_it_reads():
    def listed(**facts):
        with serving(FakeRest(tables={TABLE: facts}), FakeStorage([[batch(0, 2)]])) as config:
            return BigQueryQuery("q.sql", QUERY, config).units(IngestConfig()).stamp

    assert listed() == listed() != listed(lastModifiedTime="1700000000001")


def test_only_the_columns_that_are_needed_are_read():
    storage = FakeStorage([[batch(0, 2)]])
    with serving(FakeRest(tables={TABLE: {}}), storage) as config:
        BigQueryTable(TABLE, settings=config).units(IngestConfig())
    assert sorted(storage.sessions[0].read_session.read_options.selected_fields) == ["content", "path"]


@pytest.mark.parametrize(
    ("facts", "said"), [({"type": "VIEW"}, "without a query"), ({"streamingBuffer": {}}, "streamed")]
)
def test_tables_that_cannot_be_pinned_are_refused(facts, said):
    with (
        serving(table_rest(**facts), FakeStorage([])) as config,
        pytest.raises(InputError, match=said) as caught,
    ):
        BigQueryTable(TABLE, settings=config).units(IngestConfig())
    assert caught.value.hint


def test_a_kept_result_is_read_without_a_second_query_until_a_table_changes():
    rest = FakeRest(tables={TABLE: {}})
    with serving(rest, FakeStorage([[batch(0, 2)]]), destination="p.code.result") as config:
        source = BigQueryQuery("q.sql", QUERY, config)
        first, second = source.units(IngestConfig()), source.units(IngestConfig())
        assert first.stamp == second.stamp
        assert len(rest.queries()) == 1
        rest.tables[TABLE]["lastModifiedTime"] = "1800000000000"
        with pytest.raises(InputError, match="older tables"):
            source.units(IngestConfig())
    assert len(rest.queries()) == 1


def test_a_kept_result_is_estimated_as_the_reading_it_is_and_pinned_as_its_table():
    rest, shown = FakeRest(processed=1 << 30, tables={TABLE: {}}), []

    def confirm(estimate):
        shown.append((estimate.processed, estimate.read, estimate.tables))
        return True

    with serving(rest, FakeStorage([[batch(0, 2)]]), destination="p.code.result") as config:
        source = BigQueryQuery("q.sql", QUERY, config, confirm)
        first = source.units(IngestConfig())
        second = source.agreed(IngestConfig()).units(IngestConfig())
        pinned = bigquery_source(first.pinned.removeprefix("bigquery:"), config).units(IngestConfig())
    assert shown == [(1 << 30, 0, (TABLE,)), (0, 1 << 30, ("p.code.result",))]
    assert len(rest.queries()) == 1
    assert first.pinned == second.pinned == pinned.pinned
    assert {unit.name for found in (first, second, pinned) for unit in found.units} == {first.pinned[9:]}


# Streams


def stream_rows(cuts):
    ends = [0, *cuts]
    return [batch(start, stop - start) for start, stop in zip(ends, ends[1:], strict=False) if stop > start]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=6).map(sorted),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(TRANSIENT)), max_size=6),
    st.sampled_from([1, 20, 1 << 20]),
)
def test_rows_come_once_and_in_order_whatever_fails(cuts, failures, batch_bytes):
    made = stream_rows(cuts) or [batch(0, 1)]
    rows = sum(piece.num_rows for piece in made)
    storage = FakeStorage([made], failures={0: sorted(failures, key=lambda found: found[0])})
    with pytest.MonkeyPatch.context() as patch, serving(table_rest(), storage) as config:
        patch.setattr(streams.time, "sleep", lambda seconds: None)
        table = read(BigQueryTable(TABLE, settings=config).units(IngestConfig()), batch_bytes=batch_bytes)
    assert table.column("content").to_pylist() == [str(number) for number in range(rows)]
    assert storage.offsets == sorted(storage.offsets)


def test_a_stream_goes_on_at_the_offset_it_had_reached(no_wait):
    storage = FakeStorage([[batch(0, 5), batch(5, 5), batch(10, 5)]])
    storage.failures = {0: [(5, grpc.StatusCode.UNAVAILABLE), (10, grpc.StatusCode.UNAVAILABLE)]}
    with serving(table_rest(), storage) as config:
        read(BigQueryTable(TABLE, settings=config).units(IngestConfig()))
    assert storage.offsets == [(0, 0), (0, 5), (0, 10)]
    assert no_wait == [0.1, 0.1]


def test_a_stream_that_keeps_failing_is_an_error_and_never_a_shorter_table(no_wait):
    storage = FakeStorage([[batch(0, 5)]], failures={0: [(5, grpc.StatusCode.UNAVAILABLE)] * 99})
    with serving(table_rest(), storage, attempts=4) as config:
        listing = BigQueryTable(TABLE, settings=config).units(IngestConfig())
        with pytest.raises(EnvironmentProblem, match=r"p\.code\.files@.*BigQuery failed: as planned"):
            read(listing)
    assert no_wait == [0.1, 0.2, 0.4]


def test_an_expired_session_is_not_tried_again(no_wait):
    storage = FakeStorage([[batch(0, 5)]], failures={0: [(0, grpc.StatusCode.FAILED_PRECONDITION)]})
    with serving(table_rest(), storage) as config:
        listing = BigQueryTable(TABLE, settings=config).units(IngestConfig())
        with pytest.raises(InputError, match="as planned") as caught:
            read(listing)
    assert "lasts some hours: run again" in caught.value.hint
    assert no_wait == []


def test_a_damaged_batch_costs_itself():
    storage = FakeStorage(
        [[batch(0, 5), batch(5, 3), batch(8, 2)], [batch(10, 2)]], damage=frozenset({(0, 1)})
    )
    with serving(table_rest(), storage) as config:
        table = read(BigQueryTable(TABLE, settings=config).units(IngestConfig()))
    lost = [row["problem"] for row in table.to_pylist() if row["problem"]]
    assert len(lost) == 1
    assert lost[0].startswith("malformed: 3 rows of a read stream from 5 on")
    assert sorted(int(text) for text in table.column("content").drop_null().to_pylist()) == [
        0,
        1,
        2,
        3,
        4,
        8,
        9,
        10,
        11,
    ]


def test_bytes_that_are_no_text_are_a_fact_of_their_row():
    raw = pa.array([b"fine", b"\xff\xfe\xfd", b"a\0b" + b"\0" * 9, None])
    broken = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    rows = pa.record_batch(
        {"id": pa.array(list("1234")), "path": pa.array(["a", "b", "c", "d"]), "content": broken}
    )
    with serving(table_rest(), FakeStorage([[rows]])) as config:
        table = read(BigQueryTable(TABLE, settings=config).units(IngestConfig()))
    found = {row["path"]: row for row in table.to_pylist()}
    assert found["a"]["content"] == "fine"
    assert found["b"]["content"] is not None
    assert found["c"]["problem"] == "binary"
    assert found["d"]["problem"] == "missing"


def test_a_unit_is_small_and_travels(no_wait):
    with serving(table_rest(), FakeStorage([[batch(0, 5)], [batch(5, 5)]])) as config:
        listing = BigQueryTable(TABLE, settings=config).units(IngestConfig())
        units = pickle.loads(pickle.dumps(listing.units))
        assert units == listing.units
        assert all(isinstance(unit, StreamUnit) and len(pickle.dumps(unit)) < 4096 for unit in units)
        backwards = [read_unit(unit, IngestConfig()) for unit in reversed(units)]
        assert sum(b.num_rows for found in backwards for b in found) == 10


def test_values_lie_where_kernels_expect_them():
    rows = pa.record_batch(
        {"path": pa.array(["a.py", "bb.py"]), "content": pa.array(["x", "yy"]), "stars": [1, 2]}
    )
    for shift in range(9):
        raw = b"\0" * shift + rows.serialize().to_pybytes()
        header = (("content", "content"), ("path", "path"), ("stars", "stars"))
        found = streams._decoded(memoryview(raw)[shift:], rows.schema, header)
        assert found.column("path").cast(pa.string()).to_pylist() == ["a.py", "bb.py"]
        assert all(b.address % 8 == 0 for c in (1, 2) for b in found.column(c).buffers() if b is not None)


def test_contents_that_are_no_text_are_refused():
    rows = pa.record_batch({"content": pa.array([1, 2])})
    rest = FakeRest(tables={TABLE: {}}, columns=(("content", "INTEGER"),))
    with (
        serving(rest, FakeStorage([[rows]])) as config,
        pytest.raises(InputError, match="expected STRING or BYTES"),
    ):
        BigQueryTable(TABLE, settings=config).units(IngestConfig())


# Wire


@given(st.binary(max_size=300), st.integers(0, 1 << 40), st.floats(0, 1), st.integers(0, 100))
def test_an_answer_is_read_as_google_s_own_classes_read_it(raw, rows, share, throttled):
    made = types.ReadRowsResponse(
        row_count=rows,
        arrow_record_batch=types.ArrowRecordBatch(serialized_record_batch=raw, row_count=rows),
        stats=types.StreamStats(progress=types.StreamStats.Progress(at_response_end=share)),
        throttle_state=types.ThrottleState(throttle_percent=throttled),
        arrow_schema=types.ArrowSchema(serialized_schema=b"schema"),
        uncompressed_byte_size=7,
    )
    found = wire.answer(types.ReadRowsResponse.serialize(made))
    assert (found.rows, bytes(found.batch), found.read) == (rows, raw, share)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_answer_are_a_value_error_or_empty(raw):
    try:
        found = wire.answer(raw)
    except ValueError:
        return
    assert len(found.batch) <= len(raw)


# Credentials


def test_a_refusal_says_what_is_needed():
    rest = FakeRest(refuse=(403, "Access Denied"))
    with (
        serving(rest, FakeStorage([])) as config,
        pytest.raises(EnvironmentProblem, match="Denied") as caught,
    ):
        BigQueryTable(TABLE, settings=config).estimate(IngestConfig())
    assert "bigquery.jobs.create" in caught.value.hint


@pytest.mark.parametrize(
    "content", [None, "not json: hunter2", json.dumps({"type": "service_account", "private_key": "hunter2"})]
)
def test_bad_credentials_are_said_without_repeating_them(content, tmp_path, monkeypatch):
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(EnvironmentProblem) as caught:
        BigQueryTable(TABLE, settings=BigQueryConfig(project="p")).estimate(IngestConfig())
    assert "hunter2" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.hint


def test_without_a_project_to_bill_the_error_says_so(monkeypatch):
    def refuse(**options):
        raise OSError("Project was not passed and could not be determined from the environment.")

    monkeypatch.setattr("google.cloud.bigquery.Client", refuse)
    with pytest.raises(EnvironmentProblem, match="no project to bill"):
        BigQueryTable(TABLE).estimate(IngestConfig())


@pytest.mark.parametrize(
    "error", [requests.ConnectionError("at https://u:hunter2@x"), google.RetryError("late", None)]
)
def test_a_service_that_is_not_reached_is_said(error):
    with (
        pytest.raises(EnvironmentProblem, match=r"t: BigQuery cannot be reached \(\w+\)") as caught,
        mended("t"),
    ):
        raise error
    assert "hunter2" not in str(caught.value)
