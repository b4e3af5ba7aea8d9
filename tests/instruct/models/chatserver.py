"""A loopback double of a chat completions server, and the ways in which real ones go wrong."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: ChatServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(body)
        with self.state.turn:
            self.state.asked.append(asked)
            self.state.paths.append(self.path)
            self.state.headers.append(dict(self.headers.items()))
            trick = self.state.tricks.pop(0) if self.state.tricks else None
            self.state.open += 1
            self.state.most_open = max(self.state.most_open, self.state.open)
        try:
            (trick or said)(self, self.state.text(asked))
        finally:
            with self.state.turn:
                self.state.open -= 1

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().finish()

    def log_message(self, *_: object) -> None:
        """Keep the tests quiet."""


Trick = Callable[[Handler, str], None]


class ChatServer:
    """What was asked; ``tricks`` are played to the next requests instead of an answer."""

    def __init__(self, text: Callable[[dict[str, Any]], str]) -> None:
        self.text = text
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.tricks: list[Trick | None] = []
        self.turn = threading.Lock()
        self.open = self.most_open = 0
        self.url = ""


def completion(text: object, **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return json.dumps({"choices": [choice], "usage": usage} | more).encode()


def said(handler: Handler, text: str) -> None:
    handler.reply(200, completion(text))


def body(data: bytes, status: int = 200, **headers: str) -> Trick:
    return lambda handler, _: handler.reply(status, data, **headers)


def status(code: int, **headers: str) -> Trick:
    return body(b'{"error": {"message": "no"}}', code, **headers)


def reset(handler: Handler, _: str) -> None:
    handler.close_connection = True
    handler.connection.close()


def half(handler: Handler, text: str) -> None:
    """A body that ends early though its length was announced."""
    whole = completion(text)
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(whole)))
    handler.end_headers()
    handler.wfile.write(whole[: len(whole) // 2])
    handler.close_connection = True


def unmeasured_half(handler: Handler, text: str) -> None:
    """A body of unknown length that ends early: only its JSON shows it."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(completion(text)[:40])
    handler.close_connection = True


def flood(handler: Handler, _: str) -> None:
    """A hundred megabytes."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(100 << 20))
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(100):
            handler.wfile.write(b" " * (1 << 20))


def hang(seconds: float) -> Trick:
    def wait(handler: Handler, text: str) -> None:
        threading.Event().wait(seconds)
        with contextlib.suppress(OSError):
            said(handler, text)

    return wait


@contextmanager
def serving(
    text: Callable[[dict[str, Any]], str] = lambda asked: asked["messages"][-1]["content"].upper(),
) -> Iterator[ChatServer]:
    state = ChatServer(text)
    kind = type("ChatHandler", (Handler,), {"state": state})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
