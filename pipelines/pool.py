"""Pool: Beam's own job service and worker processes on this machine, which the portable runner talks to.

Three kinds of processes: the one that starts a build, the service (one, kept for all jobs of a build) and the workers
(forked for every job from a process that has imported everything already). They talk over gRPC on the loopback
interface only: a worker runs whatever it is sent. Everything ends with the process that started it, also when that is
killed.

A worker that dies takes the service with it: Beam's service would wait for it for ever. The build then stops with one
clear line, and the same command goes on where it was.
"""

from __future__ import annotations

import atexit
import functools
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import grpc
from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, beam_job_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.local_job_service import BeamJob, LocalJobServicer
from apache_beam.runners.worker.sdk_worker import SdkHarness
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from columns.errors import EnvironmentProblem

LOOPBACK = "127.0.0.1"
START_SECONDS = 120
DIED = "worker-died.json"
_READY = "ready.json"
_LOG = "service.log"
_WATCH = 0.25
_GRACE = 1.0
_PRELOAD = "pipelines.build"
_READER = "wait_until_finish_read"
_NO_NURSERY = 255


@dataclass(frozen=True)
class Pool:
    """A running service: where jobs go, where its workers are started, and the folder with its log."""

    job_endpoint: str
    worker_endpoint: str
    folder: str
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls) -> Pool:
        """Start the service as a process of its own; `EnvironmentProblem` where it does not come up."""
        folder = tempfile.TemporaryDirectory(prefix="thresher-pool-")
        atexit.register(folder.cleanup)
        with Path(folder.name, _LOG).open("wb") as log:
            command = [sys.executable, "-m", "pipelines.pool", folder.name]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment()
            )
        ready = Path(folder.name, _READY)
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise EnvironmentProblem(f"the portable job service did not start: {_last_line(folder.name)}")
            time.sleep(0.05)
        pool = cls(**json.loads(ready.read_text()), folder=folder.name, process=process)
        atexit.register(pool.stop)
        return pool

    def options(self) -> list[str]:
        """The options that make the portable runner use it."""
        return [
            f"--job_endpoint={self.job_endpoint}",
            "--environment_type=EXTERNAL",
            f"--environment_config={self.worker_endpoint}",
        ]

    @property
    def alive(self) -> bool:
        """Whether the service still answers."""
        return self.process.poll() is None

    def death(self) -> str:
        """Which process died and how, in words: a worker, or the service itself; empty where none did."""
        said = Path(self.folder, DIED)
        if said.exists():
            return f"a worker process was {_ended(json.loads(said.read_text())['code'])}"
        with suppress(subprocess.TimeoutExpired):
            return f"the job service was {_ended(self.process.wait(_GRACE))}"
        return ""

    def stop(self) -> None:
        """End the service; its workers end with it."""
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@functools.cache
def _kept() -> list[Pool]:
    return []


def running() -> Pool:
    """The service of this process: the one that runs already, else a new one."""
    threading.excepthook = _quiet(threading.excepthook)
    kept = _kept()
    if not (kept and kept[-1].alive):
        kept.append(Pool.start())
    return kept[-1]


def _quiet(
    hook: Callable[[threading.ExceptHookArgs], object],
) -> Callable[[threading.ExceptHookArgs], object]:
    """A hook that keeps still when Beam's reader of messages finds the service gone: `Engine.run` says it in a line."""
    if getattr(hook, "__name__", "") == "_but_for_the_reader":
        return hook

    def _but_for_the_reader(args: threading.ExceptHookArgs) -> object:
        reading = args.thread is not None and args.thread.name == _READER
        return None if reading and isinstance(args.exc_value, grpc.RpcError) else hook(args)

    return _but_for_the_reader


def _environment() -> dict[str, str]:
    """The environment of service and workers: they import the rooms that this process imported."""
    home = str(Path(__file__).resolve().parent.parent)
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", home)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([home, *others])}


def _ended(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"lost with exit code {code}"


def _last_line(folder: str) -> str:
    lines = Path(folder, _LOG).read_text("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts worker processes when the job service asks for them, and notices when one dies.

    Beam's own pool listens on every interface, takes the first ``python`` of the path and lets a worker that prints
    much wait for a reader that is not there.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._workers: dict[str, BaseProcess] = {}
        self._orphaned = False
        self._turn = threading.Lock()
        self._nursery = multiprocessing.get_context("forkserver")
        self._nursery.set_forkserver_preload([_PRELOAD])

    def StartWorker(self, request: Any, context: Any) -> Any:
        """Start a process that serves the job service's control address."""
        worker = self._nursery.Process(target=work, args=(request.control_endpoint.url, request.worker_id))
        with self._turn:
            self._workers[request.worker_id] = worker
            try:
                worker.start()
            except (EOFError, OSError):  # the process that workers are forked from is gone
                self._orphaned = True
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:
        """Stop the process of a job that is over."""
        with self._turn:
            worker = self._workers.pop(request.worker_id, None)
        if worker is not None:
            _end(worker)
        return beam_fn_api_pb2.StopWorkerResponse()

    def watch(self) -> None:
        """Wait until a worker dies or the process that started the service is gone."""
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(_WATCH)
            if self._dead():
                time.sleep(_GRACE)
            if code := self._dead():
                _write_atomically(Path(self._folder, DIED), {"code": code})
                return

    def _dead(self) -> int:
        """How a worker ended that nobody stopped; 0 where none did."""
        with self._turn:
            if self._orphaned:
                return _NO_NURSERY
            return next((code for worker in self._workers.values() if (code := worker.exitcode)), 0)

    def stop(self) -> None:
        """Stop all workers."""
        for worker in self._workers.values():
            _end(worker)


def _end(worker: BaseProcess) -> None:
    if worker.pid is None:
        return
    worker.terminate()
    worker.join(5)
    if worker.exitcode is None:
        worker.kill()
        worker.join()


def _write_atomically(path: Path, value: object) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


class _ManyWorkers(BeamJob):
    """A job that is spread over as many workers as its options say: Beam's own service gives every job one."""

    def _invoke_runner(self) -> Any:
        self.set_state(beam_job_api_pb2.JobState.RUNNING)
        options = self.pipeline_options()
        runner = FnApiRunner(provision_info=self._provision_info)
        runner._num_workers = int(options.view_as(DirectOptions).direct_num_workers)
        return runner.run_via_runner_api(self._pipeline_proto, options)


class _LoopbackJobs(LocalJobServicer):
    def get_service_address(self) -> str:
        """Clients and workers are on this machine, and nobody else is asked in."""
        return LOOPBACK


def serve(folder: str) -> None:
    """Run the job service and the pool until a worker dies or the starting process is gone."""
    pool, jobs = WorkerPool(folder), _LoopbackJobs(str(Path(folder, "staged")), _ManyWorkers)
    server = grpc.server(shared_unbounded_instance())
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    workers, taken = server.add_insecure_port(f"{LOOPBACK}:0"), jobs.start_grpc_server(0)
    server.start()
    _write_atomically(
        Path(folder, _READY),
        {"job_endpoint": f"{LOOPBACK}:{taken}", "worker_endpoint": f"{LOOPBACK}:{workers}"},
    )
    try:
        pool.watch()
    finally:
        pool.stop()
        os._exit(0)


def work(control: str, worker_id: str) -> None:
    """Be one worker until the job is over or the service is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
    SdkHarness(control, worker_id=worker_id, state_cache_size=0, data_buffer_time_limit_ms=0).run()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING)
    serve(sys.argv[1])
