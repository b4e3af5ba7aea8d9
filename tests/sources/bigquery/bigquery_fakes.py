"""Both services on this machine's loopback, for what the emulator does not do: limits of billed bytes that are
enforced, errors in the middle of a stream, reading on at any offset, and what exactly was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

from sources.bigquery import BigQueryConfig

READ = "google.cloud.bigquery.storage.v1.BigQueryRead"
COLUMNS = (("id", "STRING"), ("path", "STRING"), ("content", "STRING"), ("extra", "STRING"))


@dataclass
class FakeStorage:
    """Streams of messages. ``failures``: per stream a list of (rows after which, status) that are used up in order.
    ``scanned``: what a session says it will scan; ``damage``: messages (stream, index) whose bytes are broken."""

    streams: list[Sequence[pa.RecordBatch]]
    failures: dict[int, list[tuple[int, grpc.StatusCode]]] = field(default_factory=dict)
    damage: frozenset[tuple[int, int]] = frozenset()
    scanned: int = 1000
    sessions: list[Any] = field(default_factory=list)
    offsets: list[tuple[int, int]] = field(default_factory=list)
    cuts: list[tuple[int, float]] = field(default_factory=list)
    refuse_cuts: bool = False

    def create(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.sessions.append(request)
        schema = self.streams[0][0].schema if self.streams else pa.schema([("content", pa.string())])
        return types.ReadSession(
            name="projects/p/locations/us/sessions/s",
            streams=[types.ReadStream(name=f"s/{index}") for index in range(len(self.streams))],
            arrow_schema=types.ArrowSchema(serialized_schema=schema.serialize().to_pybytes()),
            estimated_row_count=sum(batch.num_rows for stream in self.streams for batch in stream),
            estimated_total_bytes_scanned=self.scanned,
        )

    def read(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        number = int(request.read_stream.rpartition("/")[2])
        self.offsets.append((number, request.offset))
        at, planned = 0, self.failures.get(number, [])
        total = sum(batch.num_rows for batch in self.streams[number])
        if request.offset > total:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "an offset after the stream's end")
        for index, batch in enumerate(self.streams[number]):
            if planned and planned[0][0] <= at:
                context.abort(planned.pop(0)[1], "as planned")
            kept = batch.slice(max(0, request.offset - at))
            at += batch.num_rows
            if kept.num_rows:
                raw = kept.serialize().to_pybytes()
                raw = b"\xff" * len(raw) if (number, index) in self.damage else raw
                yield types.ReadRowsResponse(
                    row_count=kept.num_rows,
                    stats=types.StreamStats(progress=types.StreamStats.Progress(at_response_end=at / total)),
                    arrow_record_batch=types.ArrowRecordBatch(serialized_record_batch=raw),
                )
        if planned:
            context.abort(planned.pop(0)[1], "as planned, at the end")

    def split(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Cut between two rows; a stream of one row is not cut."""
        number = int(request.name.rpartition("/")[2])
        if self.refuse_cuts:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        self.cuts.append((number, request.fraction))
        rows = pa.Table.from_batches(self.streams[number])
        at = round(rows.num_rows * request.fraction)
        if not 0 < at < rows.num_rows:
            return types.SplitReadStreamResponse()
        first = len(self.streams)
        self.streams += [rows.slice(0, at).to_batches(max_chunksize=2), rows.slice(at).to_batches()]
        primary, residual = (types.ReadStream(name=f"s/{first + index}") for index in range(2))
        return types.SplitReadStreamResponse(primary_stream=primary, remainder_stream=residual)


@dataclass
class FakeRest:
    """Jobs and tables. ``processed``: bytes a dry run states; ``billed``: what a query really needs, refused when over
    its limit. ``tables``: their facts by name, as the service words them."""

    processed: int = 0
    billed: int = 0
    columns: Sequence[tuple[str, str]] = COLUMNS
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    refuse: tuple[int, str] | None = None

    def queries(self) -> list[dict[str, Any]]:
        """The jobs that were more than dry runs."""
        return [job for job in self.jobs if not job["configuration"].get("dryRun")]

    def answer(self, method: str, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refuse:
            return self.refuse[0], {"error": {"code": self.refuse[0], "message": self.refuse[1]}}
        parts = [unquote(part) for part in path.partition("?")[0].split("/")[4:]]
        if parts[1:2] == ["jobs"]:
            return (200, self._job(dict(body))) if method == "POST" else (200, self._found(parts[2]))
        if parts[1:2] == ["queries"]:
            return 200, {
                "jobComplete": True,
                "totalRows": "0",
                "schema": self._schema(),
                "jobReference": _reference(),
            }
        name = ".".join((parts[0], parts[2], parts[4]))
        if name not in self.tables:
            return 404, {"error": {"code": 404, "message": f"Not found: Table {name}"}}
        if method == "PATCH":
            self.tables[name].update(body)
        return 200, self._table(name)

    def _job(self, job: dict[str, Any]) -> dict[str, Any]:
        self.jobs.append(job)
        settings = job["configuration"]
        query = settings["query"]
        limit = int(query.get("maximumBytesBilled", 1 << 62))
        answer = {"jobReference": _reference(), "configuration": settings, "status": {"state": "DONE"}}
        answer["statistics"] = {
            "totalBytesProcessed": str(self.processed),
            "query": {
                "totalBytesProcessed": str(self.processed),
                "schema": self._schema(),
                "referencedTables": [
                    _table_reference(name) for name in sorted(self.tables) if "result" not in name
                ],
            },
        }
        if settings.get("dryRun"):
            return answer
        if self.billed > limit:
            said = f"Query exceeded limit for bytes billed: {limit}. {self.billed} or higher required."
            error = {"reason": "bytesBilledLimitExceeded", "message": said}
            answer["status"] |= {"errorResult": error, "errors": [error]}
        target = query.setdefault("destinationTable", _table_reference("p._anon.result"))
        self.tables.setdefault(".".join(target.values()), {})
        return answer

    def _found(self, job_id: str) -> dict[str, Any]:
        answer = self._job(self.jobs.pop())
        return answer

    def _schema(self) -> dict[str, Any]:
        return {"fields": [{"name": name, "type": kind} for name, kind in self.columns]}

    def _table(self, name: str) -> dict[str, Any]:
        facts = {"type": "TABLE", "numRows": "3", "numBytes": "300", "lastModifiedTime": "1700000000000"}
        return (
            facts | {"tableReference": _table_reference(name), "schema": self._schema()} | self.tables[name]
        )


def _reference() -> dict[str, str]:
    return {"projectId": "p", "jobId": "j", "location": "US"}


def _table_reference(name: str) -> dict[str, str]:
    return dict(zip(("projectId", "datasetId", "tableId"), name.split("."), strict=True))


@contextmanager
def serving(rest: FakeRest, storage: FakeStorage, **options: object) -> Iterator[BigQueryConfig]:
    """Both fakes on free ports; the configuration that reaches them."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(rest))
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(READ, _methods(storage))])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield BigQueryConfig(
            project="p", api=f"http://127.0.0.1:{http.server_port}", storage=f"127.0.0.1:{port}", **options
        )
    finally:
        server.stop(None).wait()
        http.shutdown()
        http.server_close()
        thread.join()


def _methods(storage: FakeStorage) -> dict[str, grpc.RpcMethodHandler]:
    return {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(
            storage.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
        ),
        "ReadRows": grpc.unary_stream_rpc_method_handler(
            storage.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        ),
        "SplitReadStream": grpc.unary_unary_rpc_method_handler(
            storage.split, types.SplitReadStreamRequest.deserialize, types.SplitReadStreamResponse.serialize
        ),
    }


def _handler(rest: FakeRest) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = rest.answer(self.command, self.path, json.loads(raw or b"{}"))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _serve

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    return Handler
