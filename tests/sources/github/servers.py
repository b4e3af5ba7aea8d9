"""Loopback doubles: git's own HTTP server program, and a REST API that answers as GitHub documents."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ALIAS = re.compile(r"(r\d+):repository\(owner:\$(\w+),name:\$(\w+)\)")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

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


class GitServer:
    """What a git server was asked, and how it should misbehave: path -> list of tricks, the first one next."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.tricks: dict[str, list[Callable[[Handler, bytes], None]]] = {}
        self.url = ""

    def requests(self, name: str) -> int:
        return sum(count for path, count in self.asked.items() if path.startswith(f"/{name}.git/"))


class GitHandler(Handler):
    server_state: GitServer

    def do_GET(self) -> None:
        state = self.server_state
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state.asked[path + ("#fetch" if b"command=fetch" in body else "")] += 1
        state.headers.append(dict(self.headers.items()))
        status, fields, answer = self._backend(path, query, body)
        repository = path[1:].split(".git/")[0]
        tricks = state.tricks.get(repository, [])
        if tricks and (b"command=fetch" in body or not getattr(tricks[0], "late", False)):
            tricks.pop(0)(self, answer)
            return
        state.sent[repository] += len(answer)
        self.reply(status, answer, **fields)

    do_POST = do_GET

    def _backend(self, path: str, query: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.server_state.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_CONFIG_KEY_1": "uploadpack.allowFilter",
            "GIT_CONFIG_VALUE_1": "true",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env=environment, check=False
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return int(fields.pop("Status", "200").split()[0]), fields, answer


class ApiServer:
    """A REST API: ``answers`` by path are lists of (status, data, headers); the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any, dict[str, str]]]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self.graphs = False
        self.queries: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.instead: list[tuple[int, Any, dict[str, str]]] = []
        self.errors: dict[str, str] = {}

    def graph(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a query for repositories by alias from what REST answers; ``errors``: types by name."""
        data: dict[str, Any] = {}
        errors = []
        for alias, owner, name in ALIAS.findall(asked["query"]):
            whole = f"{asked['variables'][owner]}/{asked['variables'][name]}"
            found = self._followed(f"/repos/{whole}")
            kind = self.errors.get(whole, None if found else "NOT_FOUND")
            data[alias] = None if kind else _graph_node(found)
            if kind:
                errors.append({"type": kind, "path": [alias], "message": f"about {whole}"})
        return {"data": data} | ({"errors": errors} if errors else {})

    def _followed(self, path: str) -> dict[str, Any] | None:
        status, data, fields = self.answers.get(path, [(404, None, {})])[-1]
        if status == 301:
            return self._followed(fields["Location"].removeprefix(self.url))
        return data if status == 200 else None

    def repository(self, name: str, **more: Any) -> None:
        data = {
            "full_name": name, "stargazers_count": 7, "forks_count": 2, "license": {"spdx_id": "MIT"},
            "default_branch": "main", "pushed_at": "2024-05-01T10:00:00Z", "archived": False, "fork": False,
            "private": False,
        }  # fmt: skip
        self.answers[f"/repos/{name}"] = [(200, data | more, {"ETag": f'"{name}"'})]

    def before(self, path: str, status: int, data: Any = None, **headers: str) -> None:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        waiting = self.answers.setdefault(path, [])
        waiting.insert(max(0, len(waiting) - 1), (status, data, fields))

    def only(self, path: str, status: int, data: Any = None, **headers: str) -> None:
        self.answers[path] = [(status, data, {k.replace("_", "-"): v for k, v in headers.items()})]


def _graph_node(data: dict[str, Any]) -> dict[str, Any]:
    licence, parent = data.get("license"), data.get("parent")
    return {
        "nameWithOwner": data.get("full_name"), "stargazerCount": data.get("stargazers_count"),
        "forkCount": data.get("forks_count"), "licenseInfo": licence and {"spdxId": licence["spdx_id"]},
        "defaultBranchRef": {"name": data.get("default_branch")}, "pushedAt": data.get("pushed_at"),
        "isArchived": data.get("archived"), "isFork": data.get("fork"), "isPrivate": data.get("private"),
        "parent": parent and {"nameWithOwner": parent["full_name"]},
    }  # fmt: skip


class ApiHandler(Handler):
    server_state: ApiServer

    def do_POST(self) -> None:
        """GraphQL, where the test switches it on."""
        state = self.server_state
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/graphql" or not state.graphs:
            self.reply(404)
            return
        state.queries.append((asked, dict(self.headers.items())))
        status, data, fields = state.instead.pop(0) if state.instead else (200, state.graph(asked), {})
        self.reply(status, data if isinstance(data, bytes) else json.dumps(data).encode(), **fields)

    def do_GET(self) -> None:
        state = self.server_state
        state.seen.append((self.path, dict(self.headers.items())))
        waiting = state.answers.get(self.path) or [(404, {"message": "Not Found"}, {})]
        status, data, fields = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if status == 200 and fields.get("ETag") and self.headers.get("If-None-Match") == fields["ETag"]:
            self.reply(304, ETag=fields["ETag"])
        else:
            body = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.reply(status, body, **fields)


@contextmanager
def serving(handler: type[Handler], state: Any) -> Iterator[Any]:
    kind = type("Bound", (handler,), {"server_state": state})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


def late(trick: Callable[[Handler, bytes], None]) -> Callable[[Handler, bytes], None]:
    """A trick for the pack alone; without it a trick meets the next request of any kind."""
    trick.late = True  # type: ignore[attr-defined]
    return trick


def status(code: int, **headers: str) -> Callable[[Handler, bytes], None]:
    return lambda handler, _: handler.reply(code, b"no", **headers)


@late
def cut(handler: Handler, answer: bytes) -> None:
    """Send half of the answer and hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(answer)))
    handler.end_headers()
    handler.wfile.write(answer[: len(answer) // 2])
    handler.close_connection = True


@late
def cut_cleanly(handler: Handler, answer: bytes) -> None:
    """Send half of the answer as if it were all of it."""
    handler.reply(200, answer[: len(answer) // 2])


@late
def damaged(handler: Handler, answer: bytes) -> None:
    """Change bytes inside the pack."""
    middle = len(answer) - 40
    handler.reply(
        200,
        answer[:middle] + bytes(255 - byte for byte in answer[middle : middle + 4]) + answer[middle + 4 :],
    )


@late
def slow_loris(handler: Handler, answer: bytes) -> None:
    """Send a byte now and then."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(answer)))
    handler.end_headers()
    for byte in answer[:60]:
        try:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
        except OSError:
            break
        time.sleep(0.1)
    handler.close_connection = True


@late
def silent(handler: Handler, answer: bytes) -> None:
    """Send nothing for a while."""
    time.sleep(3)
    handler.close_connection = True


class Calendar:
    """A clock that waits at once and remembers for how long."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
