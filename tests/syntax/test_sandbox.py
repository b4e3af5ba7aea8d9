"""The sandbox against processes that hang, crash, eat memory or are killed: the next text always goes on."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from columns.errors import EnvironmentProblem
from syntax import sandbox as sandbox_module
from syntax.languages import GRAMMARS, grammar_index
from syntax.records import ERROR, MEMORY, OK, REPLY, TIMEOUT, VALIDITY, Limits, Record
from syntax.sandbox import Sandbox, sandbox

LIMITS = Limits(work=1_000_000, work_per_byte=16, memory=256 << 20, seconds=20)
HASTY = LIMITS._replace(seconds=1)
PYTHON = grammar_index("python", None)
ROOT = Path(__file__).resolve().parents[2]

NAUGHTY = """
import os, signal, time
import syntax.worker as worker

class Naughty(worker.Worker):
    held = []

    def measure(self, grammar, data):
        if b"SPIN" in data:
            signal.setitimer(signal.ITIMER_PROF, self.limits.seconds)
            while True:
                pass
        if b"SLEEP" in data:
            time.sleep(600)
        if b"SEGV" in data:
            os.kill(os.getpid(), signal.SIGSEGV)
        if b"KILL" in data:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"EXIT" in data:
            os._exit(0)
        if b"EAT" in data:
            self.held.append(bytearray(self.limits.memory))
        if b"GROW" in data:
            while True:
                self.held.append(bytearray(b"x" * (8 << 20)))
        if b"ABORT" in data:
            self.held.append(bytearray(b"x" * (self.limits.memory // 2)))
            os.abort()
        if b"ONCE" in data and os.path.exists(data.split()[1]):
            os.unlink(data.split()[1])
            os.kill(os.getpid(), signal.SIGSEGV)
        if b"LEAK" in data:
            self.held.append(bytearray(b"x" * (60 << 20)))
        return super().measure(grammar, data)
"""


class NaughtySandbox(Sandbox):
    """Runs the worker above instead of the real one."""

    boot = Sandbox.boot.replace("main(sys.argv[3])", NAUGHTY + "\nmain(sys.argv[3], Naughty)")


def requests(*texts: str) -> list[tuple[int, memoryview]]:
    return [(PYTHON, memoryview(text.encode())) for text in texts]


def verdicts(box: Sandbox, *texts: str) -> list[int]:
    return [record.verdict for record in box.measure(requests(*texts))]


@pytest.fixture
def naughty():
    box = NaughtySandbox(HASTY, patience=60)
    yield box
    box.close()


@pytest.fixture
def honest():
    box = Sandbox(LIMITS)
    yield box
    box.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.parametrize(
    ("deed", "verdict"),
    [
        ("SPIN", TIMEOUT),
        ("SLEEP", TIMEOUT),
        ("SEGV", ERROR),
        ("EXIT", ERROR),
        ("EAT", MEMORY),
        ("GROW", MEMORY),
        ("ABORT", MEMORY),
        ("KILL", MEMORY),
    ],
)
def test_every_deed_has_its_verdict_and_the_next_text_goes_on(naughty, deed, verdict):
    naughty.patience = 0.5 if deed == "SLEEP" else 60
    assert verdicts(naughty, "x = 1", f"# {deed}", "y = 2") == [OK, verdict, OK]
    assert verdicts(naughty, f"# {deed}") == [verdict]
    assert verdicts(naughty, "z = 3") == [OK]


def test_many_deaths_in_one_batch(naughty):
    texts = ["a = 1", "# SEGV", "# SEGV", "b = 1", "# EAT", "# EXIT", "c = 1", "# KILL"]
    assert verdicts(naughty, *texts) == [OK, ERROR, ERROR, OK, MEMORY, ERROR, OK, MEMORY]


def test_a_verdict_never_depends_on_what_the_process_did_before(naughty):
    assert verdicts(naughty, *["# LEAK"] * 9) == [OK] * 9


def test_one_bad_moment_is_not_a_verdict_when_the_process_was_not_fresh(naughty, tmp_path):
    mark = tmp_path / "mark"
    mark.touch()
    assert verdicts(naughty, "a = 1", f"#ONCE {mark}", "b = 1") == [OK, OK, OK]
    assert not mark.exists()


def test_somebody_elses_kill_in_mid_batch_changes_nothing(honest):
    texts = [f"def f{n}(a):\n    return a + {n}\n" * 20 for n in range(400)]
    calm = honest.measure(requests(*texts))
    stop = threading.Event()

    def killer() -> None:
        while not stop.wait(0.15):
            child = honest._child
            if child is not None and child.answered > 0:
                os.kill(child.pid, signal.SIGKILL)
                return

    thread = threading.Thread(target=killer)
    thread.start()
    found = honest.measure(requests(*texts * 3))
    stop.set()
    thread.join()
    assert found == calm * 3


def test_process_is_kept_between_batches_and_reaped_at_the_end(honest):
    honest.measure(requests("a = 1"))
    pid = honest._child.pid
    honest.measure(requests("b = 1"))
    assert honest._child.pid == pid
    honest.close()
    assert gone(pid)
    honest.close()
    assert verdicts(honest, "c = 1") == [OK]


def test_process_ends_when_its_sandbox_is_collected():
    box = Sandbox(LIMITS)
    box.measure(requests("a = 1"))
    pid = box._child.pid
    del box
    gc.collect()
    assert gone(pid)


def test_descriptors_and_zombies_do_not_pile_up(naughty):
    verdicts(naughty, "a = 1")
    before = set(os.listdir("/dev/fd"))
    for _ in range(8):
        assert verdicts(naughty, "# SEGV", "a = 1") == [ERROR, OK]
    assert len(os.listdir("/dev/fd")) <= len(before)
    naughty.close()
    assert _zombies() == []


def _zombies() -> list[tuple[str, int]]:
    listing = subprocess.run(
        ["ps", "-A", "-o", "stat=,ppid=,pid="], capture_output=True, text=True, check=False
    ).stdout
    rows = (line.split() for line in listing.splitlines())
    return [
        (stat, int(pid)) for stat, parent, pid in rows if stat.startswith("Z") and int(parent) == os.getpid()
    ]


def family(box: Sandbox) -> tuple[int, int]:
    """The process that watches and the process that parses."""
    return box._child._process.pid, box._child.pid


def test_both_processes_are_reaped_when_the_sandbox_is_closed(honest):
    honest.measure(requests("a = 1"))
    both = family(honest)
    assert len(set(both)) == 2
    assert all(map(alive, both))
    honest.close()
    assert not alive(both[0])
    assert gone(both[1])
    with pytest.raises(ChildProcessError):
        os.waitpid(both[0], os.WNOHANG)


@pytest.mark.parametrize("which", [0, 1], ids=["watcher", "parser"])
def test_a_killed_process_is_reaped_and_leaves_no_zombie(honest, which):
    honest.measure(requests("a = 1"))
    both = family(honest)
    os.kill(both[which], signal.SIGKILL)
    assert verdicts(honest, "b = 1") == [OK]
    if which == 1:
        assert all(map(gone, both))
        assert family(honest)[1] != both[1]
    honest.close()
    assert not alive(both[0])
    assert [stat for stat, pid in _zombies() if pid in both] == []


@pytest.mark.parametrize("deed", ["SEGV", "EXIT", "EAT", "KILL", "SPIN"])
def test_a_process_that_dies_by_itself_is_reaped_before_the_next_starts(naughty, deed):
    verdicts(naughty, "a = 1")
    both = family(naughty)
    verdicts(naughty, f"# {deed}")
    assert not alive(both[0])
    assert gone(both[1])


def test_processes_end_with_a_parent_that_ends_without_closing():
    program = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from syntax.sandbox import sandbox
        from syntax.records import Limits
        box = sandbox(Limits(*{tuple(LIMITS)}))
        box.measure([({PYTHON}, memoryview(b"a = 1"))])
        print(box._child._process.pid, box._child.pid)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert all(gone(int(pid)) for pid in told.stdout.split())


def test_validity_is_asked_for_by_itself(honest):
    asked = [(VALIDITY, memoryview(text)) for text in (b"x = 1", b"print 1", b"", b"\xff")]
    found = honest.measure([*asked, *requests("def f(): pass")])
    assert [(r.verdict, r.valid) for r in found[:4]] == [(OK, 1), (OK, 0), (OK, 1), (OK, 0)]
    assert (found[4].functions, found[4].valid) == (1, 0)


def test_an_allocator_that_the_user_has_tuned_is_left_alone(honest, monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=3")
    assert verdicts(honest, "a = 1") == [OK]
    environment = Path(f"/proc/{honest._child.pid}/environ")
    if not environment.exists():
        pytest.skip("needs /proc")
    assert b"GLIBC_TUNABLES=glibc.malloc.tcache_count=3" in environment.read_bytes().split(b"\0")


def test_nothing_to_measure_starts_no_process(honest):
    assert honest.measure([]) == []
    assert honest._child is None


def test_empty_and_large_texts_pass_the_pipes(honest):
    big = "x = 1\n" * 60_000
    assert verdicts(honest, "", big, "", big) == [OK] * 4


def test_replies_beyond_the_pipe_do_not_deadlock(honest):
    count = 4 * (1 << 16) // REPLY.size
    assert verdicts(honest, *["a"] * count) == [OK] * count


def test_an_interrupted_exchange_leaves_no_stale_records(honest, monkeypatch):
    texts = requests(*["x = 1"] * 50)
    original = sandbox_module.Child._receive

    def interrupted(self):
        original(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sandbox_module.Child, "_receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            honest.measure(texts)
    (record,) = honest.measure(requests("def f(): pass"))
    assert (record.functions, record.passes) == (1, 1)


def test_each_thread_has_its_own_process_and_keeps_it():
    found: dict[int, tuple[int, int]] = {}

    def work(name: int) -> None:
        box = sandbox(LIMITS)
        box.measure(requests("a = 1"))
        first = box._child.pid
        sandbox(LIMITS).measure(requests("b = 1"))
        found[name] = (first, sandbox(LIMITS)._child.pid)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(first == last for first, last in found.values())
    assert len({first for first, _ in found.values()}) == 3
    gc.collect()
    assert all(gone(first) for first, _ in found.values())


def test_other_limits_get_another_process():
    first = sandbox(LIMITS)
    assert sandbox(LIMITS) is first
    assert sandbox(LIMITS._replace(work=5)) is not first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_starts_its_own_process_and_leaves_the_parents_alone():
    box = sandbox(LIMITS)
    box.measure(requests("a = 1"))
    pid = box._child.pid
    forked = os.fork()
    if forked == 0:
        code = 1
        try:
            own = sandbox(LIMITS)
            (record,) = own.measure(requests("def f(): pass"))
            code = 0 if record.functions == 1 and own._child.pid != pid else 2
            own.close()
        finally:
            os._exit(code)
    _, status = os.waitpid(forked, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert alive(pid)
    assert [r.functions for r in box.measure(requests("def f(): pass"))] == [1]
    assert box._child.pid == pid


def test_parser_process_does_not_outlive_a_parent_that_is_killed():
    program = f"""
        import sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from syntax.sandbox import sandbox
        from syntax.records import Limits
        box = sandbox(Limits(*{tuple(LIMITS)}))
        box.measure([({PYTHON}, memoryview(b"a = 1"))])
        print(box._child.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


def test_parser_process_imports_nothing_heavy():
    class Curious(Sandbox):
        boot = Sandbox.boot.replace(
            "main(sys.argv[3])",
            "if {'pyarrow', 'numpy', 'numba', 'apache_beam', 'columns'} & set(sys.modules):\n"
            "    sys.exit(7)\nmain(sys.argv[3])",
        )

    box = Curious(LIMITS)
    assert verdicts(box, "a = 1") == [OK]
    box.close()


def test_a_process_that_cannot_start_is_a_problem_of_the_environment_not_a_fact():
    class Broken(Sandbox):
        boot = "import sys; sys.exit(3)"

    with pytest.raises(EnvironmentProblem, match="did not start: exit status 3"):
        Broken(LIMITS).measure(requests("a = 1"))


def test_a_grammar_that_cannot_be_loaded_is_a_problem_of_the_environment_not_a_fact():
    class Bare(Sandbox):
        boot = Sandbox.boot.replace(
            "main(sys.argv[3])", "sys.modules['tree_sitter_python'] = None\nmain(sys.argv[3])"
        )

    with pytest.raises(EnvironmentProblem, match="could not be loaded"):
        Bare(LIMITS).measure(requests("a = 1"))


def test_thousands_of_small_texts_of_many_languages_come_back_in_order(honest):
    grammars = [grammar_index(name, None) for name in ("python", "c", "go", "json")]
    texts = {
        grammars[0]: "def f(): pass",
        grammars[1]: "int f(void);",
        grammars[2]: "func f() {}",
        grammars[3]: "[1]",
    }
    asked = [(grammars[n % 4], memoryview(texts[grammars[n % 4]].encode())) for n in range(4000)]
    found = honest.measure(asked)
    assert [r.functions for r in found] == [1, 1, 1, 0] * 1000
    assert all(isinstance(r, Record) for r in found)


def test_every_grammar_can_be_named():
    assert all(
        grammar_index(g.language, f"a{g.suffixes[0]}" if g.suffixes else None) == n
        for n, g in enumerate(GRAMMARS)
    )
