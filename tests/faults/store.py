"""An object store on the loopback that fails by plan: a proxy in front of the emulator of the deployment's tests."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

import pytest

from tests.infra.conftest import emulated, seen_here

READS = ("429", "503", "reset", "lost", "timeout", "truncated", "short", "slow")
WRITES = ("429", "503", "reset", "lost", "timeout", "cut", "slow")
OTHERS = ("429", "503", "reset", "lost", "slow")
TIMEOUT_SECONDS = 0.5

Plan = Callable[[str, str], str]
"""The fault of a request by its method and path; "" for none."""


def kinds(method: str, path: str) -> tuple[str, ...]:
    """The faults that a request can have."""
    if method == "GET" and "alt=media" in path:
        return READS
    return WRITES if path.startswith("/upload/") else OTHERS


def seeded(seed: int, share: float) -> Plan:
    """A plan that lets a share of the requests fail, each with one of its kinds."""
    rng, turn = random.Random(seed), Lock()

    def fault(method: str, path: str) -> str:
        with turn:
            return rng.choice(kinds(method, path)) if rng.random() < share else ""

    return fault


def none(_method: str, _path: str) -> str:
    """A plan without faults."""
    return ""


class FaultyStore(ThreadingHTTPServer):
    """The proxy; ``seen`` counts the faults that happened."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Proxy)
        self.behind = urlsplit(behind).netloc
        self.plan: Plan = none
        self.seen: Counter[str] = Counter()
        self.requests = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is none of our business."""


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyStore
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.plan(self.command, self.path)
        self.server.requests += 1
        self.server.seen[fault] += bool(fault)
        if fault in ("429", "503"):
            self._answer(int(fault), {}, b'{"error": {"message": "not now"}}')
            return
        if fault == "reset":
            self._hang_up()
            return
        if fault == "timeout":
            time.sleep(TIMEOUT_SECONDS * 1.4)
            self._hang_up()
            return
        status, headers, found = self._behind(_halved(body) if fault == "cut" else body)
        if fault == "lost":
            self._hang_up()
        elif fault == "short" and status in (200, 206):
            self._answer(status, headers, found[: len(found) // 2])
        else:
            self._answer(status, headers, found, how=fault)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _behind(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.behind, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        found = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), found

    def _answer(self, status: int, headers: dict[str, str], body: bytes, how: str = "") -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if how == "truncated":
            self.wfile.write(body[: len(body) // 2])
            self._hang_up()
            return
        for start in range(0, len(body), max(1, len(body) // 4) if how == "slow" else max(1, len(body))):
            self.wfile.write(body[start : start + max(1, len(body) // 4)] if how == "slow" else body)
            time.sleep(0.02 if how == "slow" else 0)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.rfile.close()


def _halved(body: bytes) -> bytes:
    """A multipart upload with half of its data: metadata and data are apart, and end in a boundary."""
    start, end = body.find(b"\n\n", body.find(b"\n\n") + 2) + 2, body.rfind(b"\n--")
    return body[: start + (end - start) // 2] + body[end:] if 2 < start < end else body


@contextmanager
def faulty_store() -> Iterator[FaultyStore]:
    """A bucket "mine" behind a proxy, as this process sees it; pauses between tries are short."""
    retry = pytest.importorskip("gcsfs.retry", reason="needs thresher[gcp]")
    import fsspec.config

    with emulated() as variables, pytest.MonkeyPatch.context() as patch:
        store = FaultyStore(variables["STORAGE_EMULATOR_HOST"])
        Thread(target=store.serve_forever, daemon=True).start()
        patch.setattr(retry, "asyncio", _Hasty)
        patch.setattr("columns.storage.FIRST_PAUSE", 0.001)
        patch.setitem(fsspec.config.conf, "gs", {"requests_timeout": TIMEOUT_SECONDS})
        with seen_here({**variables, "STORAGE_EMULATOR_HOST": store.url}):
            yield store
        store.shutdown()
        store.server_close()


class _Hasty:
    """What gcsfs uses of asyncio when it tries again, without the pauses."""

    @staticmethod
    async def sleep(_seconds: float) -> None:
        """Go on at once."""
