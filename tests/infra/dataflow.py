"""A double of Dataflow's REST service on the loopback interface: it takes jobs and runs what was staged, for real.

A job is run by the Python of a clean environment, into which the package that the job staged was installed: nothing of
the checkout is on its path. Asking for a job's state waits until the job is over (for some seconds), so nobody polls.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RUN_STAGED = Path(__file__).with_name("run_staged.py")
JOBS = re.compile(
    r"/v1b3/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/jobs(/(?P<id>[^/?]+))?(/(?P<what>\w+))?"
)
WAIT = 20.0
DONE, FAILED, RUNNING, CANCELLED = (
    f"JOB_STATE_{name}" for name in ("DONE", "FAILED", "RUNNING", "CANCELLED")
)


@dataclass
class Job:
    """One job: what was asked for, how it stands, and what it said when it failed."""

    id: str
    asked: dict[str, Any]
    state: str = RUNNING
    said: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.asked["name"])

    @property
    def environment(self) -> dict[str, Any]:
        return dict(self.asked["environment"])

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.environment["sdkPipelineOptions"]["options"])

    def shown(self) -> dict[str, Any]:
        return {**self.asked, "id": self.id, "currentState": self.state}


@dataclass
class Dataflow:
    """The service: ``jobs`` in the order they came; ``python`` runs them with ``environment``."""

    python: str
    environment: Mapping[str, str]
    folder: Path
    jobs: list[Job] = field(default_factory=list)
    refuse: Callable[[dict[str, Any]], str] = lambda _: ""

    def __enter__(self) -> Dataflow:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.answer(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self._server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        match = JOBS.match(request.path)
        code, found = self._found(request.command, match, json.loads(body or b"{}")) if match else (404, {})
        data = json.dumps(found).encode()
        request.send_response(code)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _found(self, verb: str, match: re.Match[str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if verb == "POST":
            return self.create(body)
        job = next((job for job in self.jobs if job.id == match["id"]), None)
        if job is None:
            return 404, {"error": {"code": 404, "message": "no such job"}}
        if verb == "PUT":
            job.state = CANCELLED
        elif match["what"] == "messages":
            error = {"id": "1", "messageImportance": "JOB_MESSAGE_ERROR", "messageText": job.said}
            return 200, {"jobMessages": [error] if job.said else []}
        elif match["what"] == "metrics":
            return 200, {"metrics": []}
        else:
            job.over.wait(WAIT)
        return 200, job.shown()

    def create(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Start a job, unless one of its name is active: then, like the service, show that one."""
        active = next((job for job in self.jobs if job.name == asked["name"] and job.state == RUNNING), None)
        if active is not None:
            return 200, active.shown()
        if reason := self.refuse(asked):
            return 403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": reason}}
        job = Job(f"2026-11-22_00_00_00-{len(self.jobs)}", asked)
        self.jobs.append(job)
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return 200, job.shown()

    def wait(self, name: str, seconds: float = 800) -> None:
        """Wait until a job is over."""
        assert next(job for job in self.jobs if job.id == name).over.wait(seconds), "the job did not end"

    def _run(self, job: Job) -> None:
        file = self.folder / f"{job.id}.json"
        file.write_text(json.dumps(job.asked))
        done = subprocess.run(
            [self.python, "-I", str(RUN_STAGED), str(file)], env=dict(self.environment), cwd=self.folder,
            capture_output=True, text=True, check=False, timeout=800, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        job.said = done.stderr[-6000:] if done.returncode else ""
        job.state = FAILED if done.returncode else DONE
        job.over.set()
