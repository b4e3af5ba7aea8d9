"""Commands in a private copy of a source tree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from columns.errors import InputError, RecipeError
from instruct.sandbox import Limits, ProjectRun, run_project

LIMITS = Limits(wall_s=5, cpu_s=5, memory_mb=512, disk_mb=8, processes=8)


@pytest.fixture
def tree(tmp_path, isolation):
    root = tmp_path / "tree"
    (root / "package").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("secret")
    (root / "package" / "__init__.py").write_text("VALUE = 7\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "closed").write_text("mine alone")
    (root / "closed").chmod(0o600)
    return root


def ran(tree, *codes, limits=LIMITS, **fields):
    commands = tuple(("python", "-c", code) for code in codes)
    return run_project(ProjectRun(tree, commands, **fields), limits)


def test_commands_run_in_order_in_one_copy_and_the_tree_stays(tree):
    result = ran(
        tree, "open('made', 'w').write('1'); import package; package.__dict__.clear()",
        "import os, package\nprint(open('made').read(), package.VALUE, os.getcwd())\nos.remove('package/__init__.py')",
        collect=("made", "package/__init__.py", "nothing"),
    )  # fmt: skip
    assert result.finished[1].stdout == "1 7 /project\n"
    assert result.files == {"made": b"1"}
    assert result.problem == ""
    assert (tree / "package" / "__init__.py").read_text() == "VALUE = 7\n"
    assert not (tree / "made").exists()


def test_what_is_copied(tree):
    (tree / "link").symlink_to("closed")
    code = "import os\nprint(sorted(os.listdir()), os.access('run.sh', os.X_OK), open('closed').read())\n"
    code += "print(os.readlink('link'))"
    [told] = ran(tree, code).finished
    assert told.stdout == "['closed', 'link', 'package', 'run.sh'] True mine alone\nclosed\n"


def test_environment_packages_and_files(tree, tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "installed.py").write_text("NAME = 'installed'")
    code = (
        "import os, installed, tracer\nprint(sorted({*os.environ} - {'LC_CTYPE'}), installed.NAME, tracer.X)\n"
        "for module in (installed, tracer):\n    try: open(module.__file__, 'w')\n"
        "    except OSError as error: print(error.errno)"
    )  # fmt: skip
    [told] = ran(tree, code, env={"A": "b", "PYTHONPATH": "package"}, site_packages=(tmp_path / "packages",),
                 files={"tracer.py": b"X = 1"}).finished  # fmt: skip
    assert told.stderr == ""
    assert told.stdout == "['A', 'PYTHONPATH'] installed 1\n30\n30\n"


@pytest.mark.parametrize(
    ("code", "problem", "exit_code"),
    [("import sys; sys.exit(5)", "exception", 5), ("import time; time.sleep(60)", "timeout", None),
     ("import os; os.kill(os.getpid(), 9)", "died", None), ("import os; os.kill(0, 15)", "died", None)],
)  # fmt: skip
def test_problems_of_one_command_leave_the_next_alone(tree, code, problem, exit_code):
    first, second = ran(tree, code, "print('next')", limits=Limits(wall_s=1, disk_mb=8, processes=8)).finished
    assert (first.problem, first.exit_code) == (problem, exit_code)
    assert (second.stdout, second.problem, second.exit_code) == ("next\n", "", 0)


def test_a_command_that_is_not_there(tree):
    [told] = run_project(ProjectRun(tree, (("no-such-program",),)), LIMITS).finished
    assert told.problem == "not_found"


def test_output_over_the_limit_is_thrown_away_and_the_command_goes_on(tree):
    code = "for _ in range(3000): print('x' * 99)\nopen('end', 'w').write('reached')"
    result = ran(tree, code, collect=("end",))
    assert (len(result.finished[0].stdout), result.finished[0].truncated) == (64 << 10, True)
    assert (result.finished[0].problem, result.files) == ("", {"end": b"reached"})


def test_processes_end_with_their_command(tree):
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n    os._exit(0)\nprint('started')"
    first, second = ran(
        tree, code, "import os; print([name for name in os.listdir('/proc') if name.isdecimal()])"
    ).finished
    assert first.stdout == "started\n"
    assert len(eval(second.stdout)) == 2


def test_processes_and_disk_are_limited(tree):
    bomb = "import os, time\nn = 0\ntry:\n    while n < 500:\n        if os.fork() == 0: time.sleep(9); os._exit(0)\n"
    bomb += "        n += 1\n"
    bomb += "except OSError: print('stopped', n < 100)"
    fill = "try:\n    for n in range(99): open(f'f{n}', 'wb').write(b'x' * (1 << 20))\n"
    fill += "except OSError as error: print(error.errno)"
    first, second = ran(tree, bomb, fill).finished
    assert (first.stdout, second.stdout) == ("stopped True\n", "28\n")


def test_only_small_regular_files_are_collected(tree):
    (tree / "linked").symlink_to("/etc/passwd")
    code = (
        "import os\nos.symlink('/dev/zero', 'zero')\nos.mkfifo('pipe')\nos.mkdir('folder')\n"
        "open('whole', 'wb').write(bytes(1 << 20))"
    )
    names = ("zero", "pipe", "folder", "linked", "whole")
    result = ran(tree, code, collect=names, limits=Limits(wall_s=5, disk_mb=8))
    assert result.finished[0].stderr == ""
    assert {name: len(data) for name, data in result.files.items()} == {"whole": 1 << 20}


def test_a_tree_that_does_not_fit_is_a_problem(tree):
    (tree / "large").write_bytes(bytes(9 << 20))
    result = ran(tree, "print(1)")
    assert result.finished == ()
    assert "cannot be unpacked" in result.problem


def test_loopback_of_its_own_works_and_localhost_has_a_name(tree):
    code = (
        "import getpass, socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "c = socket.create_connection(('localhost', s.getsockname()[1]))\nprint(getpass.getuser())"
    )
    assert ran(tree, code).finished[0].stdout == "sandbox\n"


def test_another_interpreter(tree):
    others = [Path(f"/usr/bin/python3.{minor}") for minor in range(8, 16)]
    other = next(
        (path for path in others if path.exists() and path.resolve() != Path(sys.executable).resolve()), None
    )
    if other is None:
        pytest.skip("there is no other interpreter in /usr/bin")
    code = "import sys, ctypes, ssl\nprint(sys.executable)"
    [told] = ran(tree, code, python=other).finished
    assert told.stdout == f"{other.resolve()}\n"


def test_results_repeat(tree):
    code = "print({'a', 'b', 'c'}, __import__('os').listdir())"
    assert ran(tree, code, env={"PYTHONHASHSEED": "0"}) == ran(tree, code, env={"PYTHONHASHSEED": "0"})


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", ""])
def test_names_that_lead_out_are_refused(tree, name):
    with pytest.raises(RecipeError, match="relative path"):
        ran(tree, collect=(name,))
    with pytest.raises(RecipeError, match="relative path"):
        ran(tree, files={name: b""})


def test_a_tree_that_is_not_there(tree):
    with pytest.raises(InputError, match="no such directory"):
        ran(tree / "nothing")
