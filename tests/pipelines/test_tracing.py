"""Tracing: what a collector on the loopback interface receives, and that a job does without one."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from columns.files import Place
from pipelines import tracing as module
from pipelines.progress import Watch
from pipelines.stage import Stage, UnitRecord
from pipelines.tracing import ENDPOINT, installed, tracing

COMMAND = ("thresher", "build", "codex")
needs_otel = pytest.mark.skipif(not installed(), reason="needs thresher[otel]")


class Collector(HTTPServer):
    """Takes what is posted and answers 200, or another code."""

    def __init__(self, code: int = 200) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.code = code
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self):
        self.server.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector(monkeypatch):
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def finished_stage(folder) -> Watch:
    stage = Stage("measure", Place(str(folder)), "f", 1)
    stage.begin()
    stage.record(0, UnitRecord((), {"rows": 3}, {}))
    stage.commit()
    spread = {"count": 2, "sum": 30, "min": 10, "max": 20}
    figures = {"counters": {"files_measured": 3}, "distributions": {"kernel/text/milliseconds": spread}}
    stage.note(metrics=figures)
    return Watch("measure", lambda: 1, 1, stage)


def received(collector: Collector):
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans, sums = [], {}
    for path, body in collector.got:
        if path == "/v1/traces":
            for one in ExportTraceServiceRequest.FromString(body).resource_spans:
                spans += [span for scope in one.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            for one in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                found = [metric for scope in one.scope_metrics for metric in scope.metrics]
                sums |= {metric.name: metric.sum.data_points[0].as_int for metric in found}
    return spans, sums


def attributes(span) -> dict:
    return {
        one.key: one.value.int_value or one.value.string_value or one.value.bool_value
        for one in span.attributes
    }


def test_without_an_endpoint_nothing_is_watched(monkeypatch):
    monkeypatch.delenv(ENDPOINT, raising=False)
    with tracing(COMMAND) as found:
        assert found == []


def test_without_the_packages_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setattr(module, "installed", lambda: False)
    with tracing(COMMAND) as found:
        assert found == []
    assert "pip install 'thresher[otel]'" in capsys.readouterr().err


@needs_otel
def test_a_collector_gets_a_span_per_stage_and_the_figures(collector, tmp_path):
    watch = finished_stage(tmp_path)
    with tracing(COMMAND) as [traces]:
        traces.kept(Watch("ingest", lambda: 1, 1))
        traces.began(watch)
        traces.ended(watch, 1.0)
    spans, sums = received(collector)
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"ingest", "measure", "thresher build"}
    root = by_name["thresher build"].span_id
    assert {by_name[name].parent_span_id for name in ("ingest", "measure")} == {root}
    assert attributes(by_name["measure"]) == {
        "thresher.stage": "measure",
        "thresher.units": 1,
        "thresher.count.rows": 3,
    }
    assert sums == {
        "thresher/files_measured": 3,
        "thresher/kernel/text/milliseconds/sum": 30,
        "thresher/kernel/text/milliseconds/count": 2,
    }


@needs_otel
def test_a_failed_stage_says_why_without_logins(collector):
    watch = Watch("measure", lambda: 0, 1)
    with pytest.raises(ValueError, match="host"), tracing(COMMAND) as [traces]:
        traces.began(watch)
        error = ValueError("at https://me:secret@host/a")
        traces.failed(watch, error)
        raise error
    spans, _ = received(collector)
    [failed] = [span for span in spans if span.name == "measure"]
    assert failed.status.code == 2
    assert failed.status.message == "at https://…@host/a"
    assert not any(b"secret" in body for _, body in collector.got)


@needs_otel
def test_a_collector_that_refuses_stops_nothing(collector, tmp_path):
    collector.code = 400
    watch = finished_stage(tmp_path)
    with tracing(COMMAND) as [traces]:
        traces.began(watch)
        traces.ended(watch, 1.0)
    assert collector.got
