"""What is believed of a job, how a tree is packed, and sandboxes used in odd ways."""

from __future__ import annotations

import os
import socket
import tarfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from instruct.sandbox import Calls, Limits, Outcome, ProjectRun, Sandbox, Script, Trial, channel, project
from instruct.sandbox.inside import frames, plain
from instruct.sandbox.jobs import _ended, _returned, _verdict
from instruct.sandbox.project import _packed, _results

REASONS = st.sampled_from(["", "assertion", "exception", "timeout", "memory", "not_plain", "syntax", "died"])


@given(st.integers(0, 6), st.lists(REASONS, max_size=6), st.sampled_from(["timeout", "died"]))
def test_a_verdict_adds_up(n_tests, reasons, problem):
    said = {ix: (reason, "x" * 300 if reason else "") for ix, reason in enumerate(reasons[: max(n_tests, 1)])}
    found = _verdict(n_tests, said, problem, "memory")
    assert found.n_tests == len(found.passed) == n_tests
    assert found.n_pass == sum(found.passed)
    assert found.passed == tuple(ix in said and not said[ix][0] for ix in range(n_tests))
    assert len(found.error) <= 200
    assert found.reason != "died"
    whole = found.n_pass == n_tests and not found.reason
    assert (found.outcome in (Outcome.ALL_PASS, Outcome.NO_TESTS)) == whole
    assert (found.outcome is Outcome.SOME_PASS) == (0 < found.n_pass < n_tests and found.reason != "syntax")


@pytest.mark.parametrize(
    ("said", "problem", "ended", "outcome", "reason"),
    [
        ({}, "died", "died", "runtime_error", "died"),
        ({}, "died", "timeout", "runtime_error", "timeout"),
        ({}, "timeout", "died", "runtime_error", "timeout"),
        ({0: ("", "")}, "died", "memory", "some_pass", "memory"),
        ({0: ("syntax", "x"), 1: ("syntax", "x")}, "", "died", "compile_error", "syntax"),
        ({0: ("assertion", "x"), 1: ("", "")}, "", "died", "some_pass", "assertion"),
    ],
)
def test_the_first_reason_counts_and_an_end_is_explained(said, problem, ended, outcome, reason):
    found = _verdict(2, said, problem, ended)
    assert (found.outcome.value, found.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("code", "complained", "problem"),
    [(0, "MemoryError", ""), (1, "Traceback\nMemoryError\n", "memory"), (1, "x\nMemoryError: no", "memory"),
     (1, "ValueError: MemoryError", "exception"), (1, "MemoryErrors", "exception"),
     (65, "MemoryError", "syntax"), (3, "", "exception")],
)  # fmt: skip
def test_how_a_script_ended(code, complained, problem):
    assert _ended(code, complained) == problem


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(PLAIN | st.tuples(st.text(max_size=5), st.text(max_size=5), PLAIN, PLAIN))
def test_any_answer_is_a_value_a_known_problem_or_malformed(answer):
    try:
        found = _returned(answer, 1 << 16)
    except plain.Malformed:
        return
    assert found.problem in {
        "",
        "exception",
        "timeout",
        "memory",
        "died",
        "not_plain",
        "name_error",
        "syntax",
    }
    assert found.value is None or not found.problem


@given(PLAIN, st.none() | st.binary(max_size=3))
def test_an_honest_answer_is_its_value(value, after):
    found = _returned(("", "", after, plain.encode(value)), 1 << 16)
    assert (plain.encode(found.value), found.problem) == (plain.encode(value), "")
    assert found.mutated == (after is not None)


@given(st.lists(st.binary(max_size=2000), max_size=5))
def test_frames_come_one_by_one_however_they_are_cut(parts):
    ours, theirs = channel.pair()
    with ours, theirs:
        for part in parts:
            frames.send(theirs.fileno(), part)
        assert [frames.receive(ours.fileno()) for _ in parts] == parts
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(frames.Closed):
            frames.receive(ours.fileno())


def test_a_frame_larger_than_a_pipe_is_written_in_parts():
    out, into = os.pipe()
    data, got = os.urandom(1 << 20), []
    reader = threading.Thread(target=lambda: got.append(frames.receive(out)))
    reader.start()
    frames.send(into, data)
    reader.join()
    os.close(out)
    with pytest.raises(frames.Closed):
        frames.send(into, b"nobody")
    os.close(into)
    assert got == [data]
    with pytest.raises(frames.Closed):
        frames.receive(out)


@pytest.mark.parametrize("cut", [0, 3, 4, 7])
def test_a_frame_that_ends_early_is_closed(cut):
    ours, theirs = channel.pair()
    with ours:
        with theirs:
            theirs.sendall((5).to_bytes(4, "big")[:cut] + b"abcd"[: max(cut - 4, 0)])
        with pytest.raises(frames.Closed):
            frames.receive(ours.fileno())


RUN = ProjectRun(Path("."), (("python",),), collect=("a", "b"))
DONE = (b"out\xff", b"", "", 0, False)


def told(*said):
    ours, theirs = channel.pair()
    with ours:
        with theirs:
            for each in said:
                frames.send(theirs.fileno(), plain.encode(each))
        return _results(ours, RUN, Limits(), time.monotonic() + 30)


def test_results_of_a_project_are_read():
    found = told(DONE, (b"", b"no", "died", -9, True), "end", ("a", b"1"), ("b", None))
    assert found.problem == ""
    assert [(one.stdout, one.problem, one.exit_code, one.truncated) for one in found.finished] == [
        ("out\ufffd", "", 0, False), ("", "died", None, True)]  # fmt: skip
    assert found.files == {"a": b"1"}


@pytest.mark.parametrize("end", [(), (1, 2), (1, 2, 3, 4, 5), (b"", b"", "", "x", False)])
def test_a_forged_result_ends_the_reading_and_keeps_what_was_told(end):
    found = told(DONE, end)
    assert (len(found.finished), found.files, found.problem) == (1, {}, "the sandbox ended")


@pytest.mark.parametrize("files", [(("x", b"1"), ("b", b"2")), (("a", "text"), ("b", b"2"))])
def test_only_what_was_asked_for_is_collected(files):
    assert told("end", *files).files == {"b": b"2"}


def test_a_project_that_says_why_it_stopped_is_quoted_and_cut():
    assert told("n" * 500).problem == "n" * 200
    assert told("end", ("a", b"1")).problem == "the sandbox ended"


def names(tree):
    with _packed(tree) as fd, os.fdopen(os.dup(fd), "rb") as file, tarfile.open(fileobj=file) as archive:
        return {member.name.removeprefix("./"): member for member in archive.getmembers()}


def test_files_directories_and_links_are_packed_and_nothing_else(tmp_path):
    tree = tmp_path / "tree"
    (tree / "deep" / ".git").mkdir(parents=True)
    (tree / "deep" / ".git" / "config").write_text("secret")
    (tree / ".hg").mkdir()
    (tree / ".gitignore").write_text("")
    (tree / "file").write_text("x")
    (tree / "file").chmod(0o4711)
    (tree / "loop").symlink_to("loop")
    (tree / "up").symlink_to("/etc/passwd")
    (tree / "folder").symlink_to("..")
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(tree, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
        found = names(tree)
    assert set(found) == {".", "deep", ".gitignore", "file", "loop", "up", "folder"}
    assert all(found[name].issym() for name in ("loop", "up", "folder"))
    assert found["up"].linkname == "/etc/passwd"
    assert (found["file"].mode, found["file"].uid, found["file"].uname) == (0o711, 1000, "")


def test_long_odd_and_linked_names_are_packed(tmp_path):
    long = "d" * 100 + "/" + "e" * 100 + "/" + "f" * 100
    (tmp_path / long).parent.mkdir(parents=True)
    for name in (long, "é\u2028", "a b\n"):
        (tmp_path / name).write_text(name)
    (tmp_path / os.fsdecode(b"\xff\xfe")).write_text("bytes")
    os.link(tmp_path / "a b\n", tmp_path / "same")
    found = names(tmp_path)
    assert {long, "é\u2028", "a b\n", "same", os.fsdecode(b"\xff\xfe")} <= set(found)
    assert [found[name].islnk() for name in ("a b\n", "same")] == [False, True]


def test_hard_links_are_files_in_the_sandbox(tmp_path, isolation):
    (tmp_path / "one").write_text("1")
    os.link(tmp_path / "one", tmp_path / "two")
    command = ("python", "-c", "print(open('one').read(), open('two').read())")
    found = project.run_project(ProjectRun(tmp_path, (command,)), Limits(memory_mb=256))
    assert (found.finished[0].stdout, found.problem) == ("1 1\n", "")


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refuse(self, name, **_):
        raise PermissionError(13, "Permission denied", f"{name}/secret")

    monkeypatch.setattr(tarfile.TarFile, "add", refuse)
    with pytest.raises(InputError, match="secret") as raised, _packed(tmp_path):
        pass
    assert "readable" in raised.value.hint


def test_a_mistake_in_the_callers_own_iterator_is_the_callers(sandbox):
    def scripts():
        yield Script("print(1)")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        list(sandbox.run(scripts()))
    assert [ran.stdout for ran in sandbox.run([Script("print(2)")])] == ["2\n"]


def test_nothing_is_asked_before_something_is_wanted(sandbox):
    asked = []
    found = sandbox.judge(asked.append(n) or Trial("def f(): pass", "f", ("f()",)) for n in range(3))
    assert asked == []
    assert next(found).n_pass == 1
    assert asked == [0, 1, 2]
    assert list(sandbox.judge([])) == list(sandbox.call(iter(()))) == []


def test_a_closed_sandbox_refuses_and_closes_twice(isolation):
    with Sandbox(workers=1) as opened:
        late = opened.run([Script("print(1)")])
        assert [ran.stdout for ran in opened.run([Script("print(1)")])] == ["1\n"]
    opened.close()
    with pytest.raises(RuntimeError):
        next(late)
    with pytest.raises(RuntimeError):
        list(opened.judge([Trial("", "f", ())]))
    assert list(opened.run([])) == []


def test_a_sandbox_that_was_never_used_has_started_nothing(isolation):
    with Sandbox(workers=3) as opened:
        assert opened.workers == 3
        assert opened._cells == []


def test_workers_are_as_many_as_processors_and_a_preload_that_is_none_harms_nothing(isolation):
    with Sandbox(preload=("no_such_module", "colorsys")) as opened:
        assert opened.workers == len(os.sched_getaffinity(0))
        assert [ran.stdout for ran in opened.run([Script("import colorsys; print(1)")] * 2)] == ["1\n"] * 2


def test_threads_that_share_a_sandbox_get_their_own_answers_in_order(sandbox):
    found = {}

    def work(mine):
        code = f"def f(x): return [{mine}, x]"
        found[mine] = list(sandbox.call([Calls(code, "f", (((n,), {}),)) for n in range(5)]))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {mine: [row[0].value for row in rows] for mine, rows in found.items()} == {
        mine: [[mine, n] for n in range(5)] for mine in range(5)
    }


def test_a_program_without_calls_is_loaded_and_a_broken_one_spoils_no_other(sandbox):
    rows = list(sandbox.call([Calls("def f(x): return x", "f", ()), Calls("1 / 0", "f", (((), {}),) * 3)]))
    assert rows[0] == ()
    assert [each.problem for each in rows[1]] == ["exception"] * 3
