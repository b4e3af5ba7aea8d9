"""Tracing: a span per stage and a job's metrics over OTLP/HTTP, where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says where to.

Needs ``pip install 'thresher[otel]'``. What is sent are names, times and numbers, never content. A collector that does
not answer costs the figures, never the job.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pipelines.journal import said_of
from pipelines.metrics import NAMESPACE
from pipelines.progress import Observer, Watch

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
FLUSH_MILLISECONDS = 5000


@dataclass
class Tracing(Observer):
    """Makes a span of every stage, and hands on what its commit says was counted."""

    tracer: Any
    meter: Any
    _span: Any = None
    _counters: dict[str, Any] = field(default_factory=dict)

    def kept(self, watch: Watch) -> None:
        """A stage was finished before: a span without length."""
        said = {"thresher.stage": watch.label, "thresher.kept": True}
        self.tracer.start_span(watch.label, attributes=said).end()

    def began(self, watch: Watch) -> None:
        """A stage is under way."""
        said = {"thresher.stage": watch.label, "thresher.units": watch.total}
        self._span = self.tracer.start_span(watch.label, attributes=said)

    def ended(self, watch: Watch, seconds: float) -> None:
        """A stage is finished: its span ends, its figures go out."""
        commit = (watch.stage.committed() if watch.stage else None) or {}
        for name, number in commit.get("counts", {}).items():
            self._span.set_attribute(f"thresher.count.{name}", number)
        self._span.end()
        figures = commit.get("metrics", {})
        for name, number in figures.get("counters", {}).items():
            self._add(name, number, watch.label)
        for name, one in figures.get("distributions", {}).items():
            self._add(f"{name}/sum", one["sum"], watch.label)
            self._add(f"{name}/count", one["count"], watch.label)

    def failed(self, watch: Watch, error: BaseException) -> None:
        """A stage ended early: its span says why, in a line."""
        _set_wrong(self._span, error)
        self._span.end()

    def _add(self, name: str, number: int, stage: str) -> None:
        if name not in self._counters:
            self._counters[name] = self.meter.create_counter(f"{NAMESPACE}/{name}")
        self._counters[name].add(number, {"stage": stage})


def _set_wrong(span: Any, error: BaseException) -> None:
    """The SDK's own record of an exception would hold its whole text, with logins of URLs."""
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, said_of(error)["what"]))


def installed() -> bool:
    """Whether OpenTelemetry's SDK and its exporter are there."""
    try:
        found = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        return False
    return found is not None and importlib.util.find_spec("opentelemetry.sdk") is not None


@contextmanager
def tracing(command: Sequence[str]) -> Iterator[list[Tracing]]:
    """Send spans and metrics of the job that the block does; nothing where no endpoint is named."""
    if not os.environ.get(ENDPOINT):
        yield []
        return
    if not installed():
        print(f"{ENDPOINT} is set, but not served: pip install 'thresher[otel]'", file=sys.stderr)
        yield []
        return
    with _sent(" ".join(command[:2])) as found:
        yield [found]


@contextmanager
def _sent(job: str) -> Iterator[Tracing]:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", NAMESPACE)})
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    readers = [PeriodicExportingMetricReader(OTLPMetricExporter())]
    meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    tracer = spans.get_tracer(NAMESPACE)
    try:
        silent = {"record_exception": False, "set_status_on_exception": False}
        with tracer.start_as_current_span(job, **silent) as span:
            try:
                yield Tracing(tracer, meters.get_meter(NAMESPACE))
            except BaseException as error:
                _set_wrong(span, error)
                raise
    finally:
        with suppress(Exception):
            spans.force_flush(FLUSH_MILLISECONDS)
            meters.force_flush(FLUSH_MILLISECONDS)
            spans.shutdown()
            meters.shutdown()
