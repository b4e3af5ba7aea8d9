"""The odd corners of CI files, of wheels and of a project's own name; stand-ins for pip."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import EnvironmentProblem
from instruct.tracing import wheels
from instruct.tracing.ci import Requirement, read_plan
from instruct.tracing.ci.found import line_of
from instruct.tracing.ci.plan import COMMANDS, FILE_BYTES, WORKFLOWS
from instruct.tracing.ci.project import (
    mentions_pytest,
    read_project,
    read_requirements,
    read_scripts,
    read_setup_cfg,
    toml_table,
)
from instruct.tracing.ci.shell import at_root, read_line
from instruct.tracing.ci.toxini import read_tox, read_tox_table
from instruct.tracing.ci.workflow import read_travis, read_workflow
from instruct.tracing.identity import distribution_files


def write(folder, files):
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def texts(found):
    return [one.text for one in found]


@pytest.mark.parametrize(
    ("line", "argv", "left_out"),
    [
        ("pytest -s tests", ("-m", "pytest", "tests"), ("-s",)),
        ("nosetests -s tests", ("-m", "pytest", "tests"), ("-s",)),
        ("python -m unittest discover -s tests", ("-m", "unittest", "discover", "-s", "tests"), ()),
        ("pytest -r fE tests", ("-m", "pytest", "tests"), ("-r", "fE")),
        ("pytest -ra --dist loadscope a", ("-m", "pytest", "a"), ("-ra", "--dist", "loadscope")),
        ("pytest --cov-fail-under 80 a", ("-m", "pytest", "a"), ("--cov-fail-under", "80")),
        ("pytest --cov=pkg --cov-report=xml a", ("-m", "pytest", "a"), ("--cov=pkg", "--cov-report=xml")),
        ("pytest --color yes", ("-m", "pytest"), ("--color", "yes")),
        ("pytest -k", ("-m", "pytest", "-k"), ()),
        ("pytest -k {posargs:{env:WHAT}}", ("-m", "pytest"), ("-k", "{env:WHAT}")),
        ("pytest a::B::test_c[1]", ("-m", "pytest", "a::B::test_c[1]"), ()),
        ("coverage run -p -m pytest tests", ("-m", "pytest", "tests"), ()),
        ("coverage run -a --branch --source pkg tests/run_tests.py", ("tests/run_tests.py",), ()),
        ("coverage run --context x -m unittest a", ("-m", "unittest", "a"), ()),
        ("python -m coverage run -m pytest a", ("-m", "pytest", "a"), ()),
        ("uv run -m pytest a", ("-m", "pytest", "a"), ()),
        ("uv run --extra dev -- pytest a", ("-m", "pytest", "a"), ()),
        ("hatch run python -m pytest a", ("-m", "pytest", "a"), ()),
        ("xvfb-run -a python -bb -X dev -m pytest a", ("-m", "pytest", "a"), ()),
        ("time env A=1 sudo pytest a", ("-m", "pytest", "a"), ()),
        ("-pytest a", ("-m", "pytest", "a"), ()),
        ("{envpython} -W error tests/test_all.py", ("tests/test_all.py",), ()),
        ("/usr/bin/python3 -m nose a", ("-m", "pytest", "a"), ()),
        ("pytest a # and a comment", ("-m", "pytest", "a"), ()),
        ("pytest ${{ matrix.args }} a", ("-m", "pytest", "a"), ()),
    ],
)
def test_a_test_command_is_kept_without_its_options(line, argv, left_out):
    found = read_line(line)[0]
    assert (found.argv, found.left_out, found.why) == (argv, left_out, "")


@pytest.mark.parametrize(
    ("line", "needs", "files"),
    [
        ("pip install --upgrade-strategy eager -U six", ("six",), ()),
        ("pip install --progress-bar off --retries 5 six", ("six",), ()),
        ("pip3 install -e .[test] 'a[x]>=1;python_version>\"3\"' b~=2", ('a[x]>=1;python_version>"3"', "b~=2"), ()),
        ("python -m pip install -r a.txt --requirement b.txt -c no.txt c", ("c",), ("a.txt", "b.txt")),
        ("pip install -r ../up.txt -r /etc/x -r", (), ("",)),
        ("pip install . ./sub git+https://h/x dist/*.whl $NAME", (), ()),
        ("uv pip install --python 3.12 six", ("six",), ()),
        ("pip install --only-binary numpy scipy", ("scipy",), ()),
    ],
)  # fmt: skip
def test_what_pip_installs_is_told_from_values_of_its_options(line, needs, files):
    found = read_line(line)[0]
    assert (found.needs, found.files, found.argv) == (needs, files, ())


@pytest.mark.parametrize(
    ("line", "whys"),
    [
        ("pip freeze", ["no test command"]),
        ("tox -e py", [""]),
        ("python -m tox", [""]),
        ("uvx tox", [""]),
        ("nox -s tests; make", ["nox runs the project's own noxfile", "a Makefile is not followed"]),
        ("python", ["no test command"]),
        ("python -m", ["no test command"]),
        ("python -m mypy .", ["no test command"]),
        ("python /abs/test.py || python t/../../test.py", ["no test command"] * 2),
        ("python -m twisted.trial x & (trial x)", ["no test command", "a test runner that is not supported"]),
        ("", []),
        ("&& ||", []),
        ("-", ["no command"]),
    ],
)
def test_lines_that_are_no_tests_say_why(line, whys):
    found = read_line(line)
    assert [one.why for one in found] == whys
    assert not any(one.argv for one in found)
    assert all(one.tox == (one.why == "") for one in found)


def test_paths_of_tox_are_those_of_the_project():
    assert [at_root(path) for path in ("{toxinidir}/a.txt", "{tox_root}b", "c/d.txt")] == [
        "./a.txt",
        "./b",
        "c/d.txt",
    ]


def test_a_requirement_comes_once_wherever_it_is_named(tmp_path):
    tox = "[testenv]\ndeps =\n  -r{toxinidir}/a.txt\n  -r b.txt\n  Six\n  py311: attrs\ncommands = pytest\n"
    files = {"tox.ini": tox, "a.txt": "six==1 # old\nrich\n", "b.txt": "six\nmock\n-r a.txt\n"}
    found = read_plan(write(tmp_path, files)).requirements
    assert [(one.name, one.file, one.line) for one in found] == [
        ("six", "./a.txt", 1), ("rich", "./a.txt", 2), ("mock", "b.txt", 2), ("attrs", "tox.ini", 6)]  # fmt: skip


def test_a_file_that_includes_itself_ends(tmp_path):
    files = {"tox.ini": "[testenv]\ndeps = -r a.txt\ncommands = pytest\n", "a.txt": "-r a.txt\nsix\n"}
    assert [one.name for one in read_plan(write(tmp_path, files)).requirements] == ["six"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("install_requires =\n  six; python_version < '4'\n  attrs>1\n", ["six; python_version < '4'", "attrs>1"]),
        ("install_requires = six; attrs", ["six", "attrs"]),
        ("tests_require =\n  # no\n\n  mock\n[options.extras_require]\ndev = a\nlint = b\ntest = c; d",
         ["mock", "c", "d", "a"]),
        ("install_requires", []),
    ],
)  # fmt: skip
def test_requirements_of_setup_cfg(text, found):
    assert texts(read_setup_cfg(f"[options]\n{text}", "setup.cfg")) == found


def test_a_marker_is_no_requirement(tmp_path):
    text = "[options]\ninstall_requires =\n    importlib-metadata; python_version < '3.8'\n"
    found = read_plan(write(tmp_path, {"setup.cfg": text}))
    assert [one.name for one in found.requirements] == ["importlib-metadata"]
    assert found.missing([]) == ("importlib-metadata",)


def test_requirements_of_files_have_their_lines_and_no_options():
    text = "# a\nsix==1 \\\n    --hash=sha256:00\n-e .\nhttps://h/x.zip\n  rich # why\n\nx @ file:///y\n"
    assert [(one.text, one.line) for one in read_requirements(text, "r.txt")] == [
        ("six==1 \\", 2),
        ("rich", 6),
    ]


def test_groups_of_pyproject_that_are_for_tests_and_their_odd_entries():
    text = (
        "[project]\ndependencies = ['a', 3]\n[project.optional-dependencies]\ndocs = ['no']\ntest = ['b']\n"
    )
    text += "[dependency-groups]\ndev = ['c', {include-group = 'test'}]\ntests = 'd'\n"
    assert next((one.text, one.line) for one in read_project(text, "p")) == ("a", 2)
    assert sorted(texts(read_project(text, "p"))) == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["", "a", "[a", "a = 1\na = 2", "tool = 3", "\0"])
def test_what_is_no_table_is_an_empty_one(text):
    assert toml_table(text) == ({"tool": 3} if text == "tool = 3" else {})
    assert texts(read_project(text, "p")) == texts(read_scripts(text, "p")) == []
    assert mentions_pytest(text, "pyproject.toml") == 0


def test_scripts_of_hatch_whose_name_says_test():
    text = "[tool.hatch.envs.a.scripts]\ntest = ['pytest {args}', 3]\ncov-all = 'x'\nlint = 'no'\n"
    text += "[tool.hatch.envs]\nb = 3\n"
    assert texts(read_scripts(text, "p")) == ["pytest {posargs}", "x"]


@pytest.mark.parametrize(
    ("text", "file", "line"),
    [("[a]\n[pytest]\n", "pytest.ini", 2), ("[x]\n [pytest]\n", "tox.ini", 0), ("a\n[tool:pytest]", "setup.cfg", 2),
     ("[tool.pytest.ini_options]", "pyproject.toml", 1), ("[tool.other]", "pyproject.toml", 0)],
)  # fmt: skip
def test_where_pytest_is_configured(text, file, line):
    assert mentions_pytest(text, file) == line


@given(st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=6), st.integers(1, 8))
def test_the_first_line_that_holds_a_text(lines, start):
    at = line_of("\n".join(lines), "b", start)
    holding = [n for n, line in enumerate(lines, 1) if "b" in line and n >= start]
    assert at == (holding[0] if holding else start)


TOX = """\
[base]
deps = six
commands =
    pytest one
    # no
[testenv]
deps =
    {[base]deps}
    {[nothing]deps}
extras = a, b
dependency_groups = c
commands =
    {[base]commands}
    {[testenv]commands_pre}
[testenv:py3{11,12}-x]
commands = pytest two
[testenv:docs]
commands = pytest three
"""


def test_references_between_sections_of_tox_are_followed():
    found = list(read_tox(TOX, "tox.ini"))
    assert [(one.kind, one.text) for one in found] == [
        ("needs", "six"), ("runs", "pytest one"), ("needs", ".[a]"), ("needs", ".[b]"), ("needs", ":c"),
        ("runs", "pytest two")]  # fmt: skip


def test_references_that_go_round_end():
    text = "[testenv]\ncommands =\n  pytest a\n  {[testenv]commands}\n"
    found = texts(read_tox(text, "tox.ini"))
    assert found[0] == "pytest a"
    assert found[-1] == "{[testenv]commands}"
    assert len(found) <= 200


def test_references_that_multiply_end():
    """A few kilobytes that would otherwise stand for a milliard lines, all of them empty."""
    sections = [("testenv", "a"), ("a", "b"), ("b", "c"), ("c", "d")]
    text = "".join(f"[{one}]\ncommands =\n" + f"  {{[{to}]commands}}\n" * 400 for one, to in sections)
    assert len(texts(read_tox(text, "tox.ini"))) <= 200


def test_native_tables_of_tox():
    table = toml_table(
        "[env_run_base]\ndeps = ['six', 3]\nextras = ['t']\ndependency_groups = ['g']\n"
        "commands = [['pytest', 'a b', \"it's\"], [], 3, [4]]\n[env.x]\ncommands = [['pytest', 'c']]\n"
    )
    assert texts(read_tox_table(table, "", "p")) == ["six", ":g", ".[t]", "pytest 'a b' it's", "pytest c"]
    assert texts(read_tox_table({"env": 3, "env_run_base": [], "legacy_tox_ini": 4}, "", "p")) == []


def test_aliases_of_a_workflow_that_multiply_are_read_once():
    script = "".join(f"        pytest t{n}\n" for n in range(300))
    text = f"x:\n  - &s\n    run: &r |\n{script}  - &l [{','.join(['*s'] * 3000)}]\n  - &j {{steps: *l}}\n"
    text += "jobs: {" + ",".join(f"j{n}: *j" for n in range(2000)) + "}\n"
    found = list(read_workflow(text, "ci.yml"))
    assert texts(found) == [f"pytest t{n}" for n in range(300)]
    assert texts(read_travis("script:\n  - &a pytest\n" + "  - *a\n" * 50, ".travis.yml")) == ["pytest"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("jobs:\n  a:\n    steps:\n    - run: pytest a\n    - run: 3\n    - uses: x\n", [("pytest a", 4), ("3", 5)]),
        ("jobs:\n  a:\n    steps:\n    - run: >\n        pytest\n        a\n", [("pytest a", 5)]),
        ("jobs:\n  a:\n    steps:\n    - run: |\n        # no\n\n        pytest \\\n          a\n        make\n",
         [("pytest    a", 7), ("make", 9)]),
        ("jobs:\n  a:\n    steps:\n    - run: [pytest]\n", []),
        ("---\njobs: {}\n---\njobs: {}\n", []),
        ("- jobs", []),
    ],
)  # fmt: skip
def test_lines_of_a_workflow(text, found):
    assert [(" ".join(one.text.split(" ")), one.line) for one in read_workflow(text, "f")] == found


def test_what_is_too_much_is_passed_over(tmp_path):
    files = {
        f".github/workflows/{n:03}.yml": f"jobs: {{a: {{steps: [{{run: pytest a{n}}}]}}}}"
        for n in range(WORKFLOWS + 3)
    }
    found = read_plan(write(tmp_path, files))
    assert [one.argv[-1] for one in found.commands] == ["a0"]
    assert len(found.passed_over) == WORKFLOWS - 1
    lines = "".join(f"\n  pytest a{n}\n  pytest a{n}" for n in range(COMMANDS + 2))
    found = read_plan(write(tmp_path, {"tox.ini": f"[testenv]\ncommands ={lines}\n"}))
    assert [one.argv[-1] for one in found.commands] == [f"a{n}" for n in range(COMMANDS)]
    assert "enough commands" in {one.why for one in found.passed_over}


@pytest.mark.parametrize(("more", "argv"), [(0, [("-m", "pytest", "x")]), (1, [])])
def test_a_file_over_the_limit_is_not_read(tmp_path, more, argv):
    text = "[testenv]\ncommands = pytest x\n#"
    (tmp_path / "tox.ini").write_text(text + "a" * (FILE_BYTES - len(text) + more))
    assert [one.argv for one in read_plan(tmp_path).commands] == argv


def test_files_of_other_systems_are_read(tmp_path):
    (tmp_path / "tox.ini").write_bytes(b"[testenv]\r\ncommands =\r\n  pytest \\\r\n    a\r\n")
    [command] = read_plan(tmp_path).commands
    assert (command.argv, command.line) == (("-m", "pytest", "a"), 3)


def stand_in(monkeypatch, fill, code=0):
    """A pip that fills the folder it is given; returns what it was asked."""
    asked = []

    def run(command, **options):
        asked.append(command)
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        fill(folder, command[-1])
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(wheels, "_told", lambda python, code: "3.12")
    monkeypatch.setattr(wheels.subprocess, "run", run)
    return asked


def needs(*names):
    return [Requirement(name, name, "f", 1) for name in names]


def good(folder, name):
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "X = 1")


def test_a_wheel_that_is_none_is_lost_and_the_next_one_is_fetched(tmp_path, monkeypatch):
    def fill(folder, name):
        if name == "broken":
            (folder / "broken-1-py3-none-any.whl").write_bytes(b"no zip at all")
        elif name == "clash":
            with zipfile.ZipFile(folder / "clash.whl", "w") as wheel:
                wheel.writestr("good.py/inner.py", "")
        else:
            good(folder, name)

    stand_in(monkeypatch, fill)
    assert wheels.fetch_wheels(needs("good", "broken", "clash", "late"), Path("p"), tmp_path) == (
        "broken",
        "clash",
    )
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["good.py", "late.py"]


def test_a_pip_that_takes_too_long_is_lost(tmp_path, monkeypatch):
    def fill(folder, name):
        raise subprocess.TimeoutExpired("pip", 1)

    stand_in(monkeypatch, fill)
    assert wheels.fetch_wheels(needs("slow"), Path("p"), tmp_path) == ("slow",)


def test_pip_is_asked_for_wheels_alone(tmp_path, monkeypatch):
    asked = stand_in(monkeypatch, good)
    one = Requirement("a", "a @ x", "f", 1)
    assert wheels.fetch_wheels([one], Path("p"), tmp_path) == ()
    [command] = asked
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command[command.index("--python-version") + 1] == "3.12"
    assert command[-1] == "a"


@pytest.mark.parametrize("says", ["true", "exit 1", None])
def test_a_program_that_is_no_interpreter_is_the_users_mistake(tmp_path, says):
    program = tmp_path / "python"
    if says is not None:
        program.write_text(f"#!/bin/sh\n{says}\n")
        program.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match="not a Python interpreter"):
        wheels.site_of(program)
    with pytest.raises(EnvironmentProblem, match="not a Python interpreter"):
        wheels.fetch_wheels(needs("a"), program, tmp_path)


def test_a_folder_of_packages_that_is_not_there_is_none(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho /no/such/folder\n")
    program.chmod(0o755)
    assert wheels.site_of(program) == ()


def test_installed_are_distributions_of_all_folders(tmp_path):
    for name in ("one/B-1.dist-info", "one/a_c-2.0.dist-info", "two/B-2.dist-info", "two/plain"):
        (tmp_path / name).mkdir(parents=True)
    assert wheels.installed([tmp_path / "one", tmp_path / "two", tmp_path / "no"]) == ("B", "a_c")


def test_pytest_that_is_nowhere_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem, match="pytest is not installed") as raised:
        wheels.own_pytest(tmp_path / "own", [tmp_path])
    assert "pip install pytest" in raised.value.hint
    (tmp_path / "pytest").mkdir()
    assert wheels.own_pytest(tmp_path / "own", [tmp_path]) == ()


@given(st.binary(max_size=80))
def test_any_bytes_are_a_name_or_none(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("named")
    for name in ("PKG-INFO", "pyproject.toml", "setup.cfg"):
        (folder / name).write_bytes((b"Name: " if name == "PKG-INFO" else b"[metadata]\nname = ") + data)
    for path, text in distribution_files(folder).items():
        assert "/" not in path.removesuffix("/METADATA")
        assert text.count(b"\n") == 3


@pytest.mark.parametrize("option", ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links"])
def test_where_packages_are_is_no_requirement(option):
    assert read_line(f"pip install {option} https://host/simple six")[0].needs == ("six",)
    assert read_line(f"pip install {option}=https://host/simple six")[0].needs == ("six",)
