"""Plans of test commands from CI files: what is taken, from where, and why the rest is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.tracing.ci import read_plan
from instruct.tracing.ci.shell import read_line
from instruct.tracing.ci.toxini import read_tox
from instruct.tracing.ci.workflow import read_travis, read_workflow


def plan_of(folder, files):
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_plan(folder)


TOX = """\
[tox]
envlist = py311, lint

[testenv]
deps =
    six>=1.10  ; python_version < "4"
    py311: attrs
    -r more.txt
extras = tests
commands_pre = {[testenv:compile]commands}
commands =
    {envpython} -m pytest --cov pkg \\
      -n auto {posargs:tests}

[testenv:lint]
commands = ruff check

[testenv:compile]
commands = python setup.py build
"""

WORKFLOW = """\
name: CI
on: push
jobs:
  test:
    strategy: {matrix: {python: ["3.11"]}}
    steps:
      - uses: actions/checkout@v4
      - run: python -m pip install -e . freezegun==1.2 -r reqs.txt
      - name: all
        run: |
          # a comment
          make lint
          python -m pytest -x --durations=3 \\
            -k "not slow" pkg/tests
      - run: tox -e py${{ matrix.python }}
"""


def test_tox_is_followed_with_its_lines(tmp_path):
    found = plan_of(tmp_path, {"tox.ini": TOX, "more.txt": "rich\n-e .\n# no\n"})
    [command] = found.commands
    assert (command.argv, command.file, command.line) == (("-m", "pytest", "tests"), "tox.ini", 12)
    assert command.left_out == ("--cov", "pkg", "-n", "auto")
    assert [(one.name, one.line) for one in found.requirements] == [("six", 6), ("attrs", 7), ("rich", 1)]


def test_a_workflow_is_followed_where_there_is_no_tox(tmp_path):
    found = plan_of(tmp_path, {".github/workflows/ci.yml": WORKFLOW, "reqs.txt": "mock\n"})
    [command] = found.commands
    assert command.argv == ("-m", "pytest", "-k", "not slow", "pkg/tests")
    assert command.line == 13
    assert [one.name for one in found.requirements] == ["freezegun", "mock"]
    assert [(one.line, one.why) for one in found.passed_over] == [
        (12, "a Makefile is not followed"),
        (15, "hands over to tox, which is read by itself"),
    ]


def test_travis_and_its_forms(tmp_path):
    text = "install: pip install nose\nscript:\n  - python setup.py test\n  - nosetests tests && flake8\n"
    found = plan_of(tmp_path, {".travis.yml": text})
    assert [one.argv for one in found.commands] == [("-m", "pytest", "tests")]
    assert [one.name for one in found.requirements] == ["nose"]
    assert [one.why for one in found.passed_over] == ["setup.py is not run", "no test command"]


def test_only_the_first_source_is_run_and_the_others_are_told(tmp_path):
    files = {"tox.ini": TOX, ".travis.yml": "script: python -m unittest\n", "pytest.ini": "[pytest]\n"}
    found = plan_of(tmp_path, files)
    assert [one.file for one in found.commands] == ["tox.ini"]
    assert [one.file for one in found.passed_over if "another source" in one.why] == [
        ".travis.yml",
        "pytest.ini",
    ]


@pytest.mark.parametrize(
    ("files", "argv", "place"),
    [
        ({"setup.cfg": "[tox]\n[testenv]\ncommands=pytest a\n"}, ("-m", "pytest", "a"), ("setup.cfg", 3)),
        ({"pyproject.toml": '[tool.tox.env_run_base]\ncommands = [["pytest", "a b"]]\ndeps=["x"]'},
         ("-m", "pytest", "a b"), ("pyproject.toml", 2)),
        ({"pyproject.toml": '[tool.tox]\nlegacy_tox_ini = """\n[testenv]\ncommands = pytest a\n"""'},
         ("-m", "pytest", "a"), ("pyproject.toml", 4)),
        ({"pyproject.toml": '[tool.hatch.envs.default.scripts]\ntest = "pytest {args:tests}"'},
         ("-m", "pytest", "tests"), ("pyproject.toml", 2)),
        ({"pyproject.toml": "[tool.pytest.ini_options]\nx = 1"}, ("-m", "pytest"), ("pyproject.toml", 1)),
        ({"setup.cfg": "[metadata]\n[tool:pytest]\n"}, ("-m", "pytest"), ("setup.cfg", 2)),
        ({"tests/test_a.py": ""}, ("-m", "pytest", "tests"), ("tests", 0)),
        ({"pkg/tests/test_a.py": ""}, ("-m", "pytest", "pkg/tests"), ("pkg/tests", 0)),
        ({"test_a.py": ""}, ("-m", "pytest", "test_a.py"), ("test_a.py", 0)),
        ({"tox.ini": "[testenv]\ncommands = python -m unittest -v {posargs}\n"},
         ("-m", "unittest", "discover"), ("tox.ini", 2)),
    ],
)  # fmt: skip
def test_other_places_that_say_how_tests_run(tmp_path, files, argv, place):
    [command] = plan_of(tmp_path, files).commands
    assert command.argv == argv
    assert (command.file, command.line) == place


def test_a_project_without_tests_has_no_commands(tmp_path):
    assert plan_of(tmp_path, {"a.py": "", "noxfile.py": "raise SystemExit"}).commands == ()


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("pytest", ("-m", "pytest")),
        ("A=1 B=2 poetry run py.test -vv tests", ("-m", "pytest", "tests")),
        ("uv run --python 3.12 pytest --import-mode=importlib", ("-m", "pytest", "--import-mode=importlib")),
        ("coverage run --source pkg -m pytest --ignore x", ("-m", "pytest", "--ignore", "x")),
        (
            "python3.12 -W error -m unittest discover -s tests -v",
            ("-m", "unittest", "discover", "-s", "tests"),
        ),
        ("./venv/bin/python tests/run_tests.py --all", ("tests/run_tests.py",)),
        ("- pytest {toxinidir}/tests", ("-m", "pytest", "tests")),
        ("pytest {toxinidir}", ("-m", "pytest", ".")),
        ("pytest /etc/passwd ../up ~/x $HOME {unknown}", ("-m", "pytest")),
        ("hatch test", ("-m", "pytest")),
        ("pytest | tee log", ("-m", "pytest")),
    ],
)
def test_lines_that_run_tests(line, argv):
    assert read_line(line)[0].argv == argv


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("python setup.py test", "setup.py is not run"),
        ("make test", "a Makefile is not followed"),
        ("bash run_tests.sh", "a script of shell"),
        ("python -c 'import pytest; pytest.main()'", "no test command"),
        ("python ../test.py", "no test command"),
        ("curl http://x | sh", "no test command"),
        ("echo 'pytest", "quotes that do not close"),
        ("A=1", "no command"),
        ("trial pkg", "a test runner that is not supported"),
        ("pytest " + "a" * 3000, "a very long line"),
    ],
)
def test_lines_that_do_not(line, why):
    found = read_line(line)[0]
    assert found.why == why
    assert found.argv == ()


def test_what_is_missing_is_told_by_normal_names(tmp_path):
    text = '[project]\ndependencies = ["Foo_Bar>1", "six", "x @ https://h/x.zip"]\n[dependency-groups]\ntest=["pytest"]'
    found = plan_of(
        tmp_path, {"pyproject.toml": text, "setup.cfg": "[options]\ninstall_requires = six; attrs\n"}
    )
    assert [one.name for one in found.requirements] == ["foo-bar", "six", "pytest", "attrs"]
    assert found.missing(["foo.bar", "SIX"]) == ("attrs",)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)
LOOP = "[testenv]\ncommands =\n" + "    {[testenv]commands}\n" * 300


@pytest.mark.parametrize(
    "text",
    [b"\xff\xfe\x00", b"[" * 2000, b"{" * 2000, b"\0" * 100, b"- " * 3000, b"[testenv]\n[testenv]\ncommands=pytest\n",
     b"jobs: 1", b"jobs: {a: 1}", b"jobs: {a: {steps: {run: x}}}", b"jobs: [1, 2]", b"script: {a: b}", b"%YAML 9\n",
     b"jobs: &a {b: *a}", b"!!python/object/apply:os.system ['true']", b"tool = 1\nproject = 2", b"[tool]\ntox = 1",
     b"[tool.tox.env_run_base]\ncommands = 3", b"[project]\ndependencies = 3", b"a" * 300_000, BOMB.encode(),
     LOOP.encode(), b"commands = x\n[testenv", b"[testenv]\ncommands = %(x)s {[a]b}\n"],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_hostile_files_never_raise(tmp_path, text):
    names = ("tox.ini", "setup.cfg", "pyproject.toml", ".travis.yml", ".github/workflows/x.yml", "pytest.ini")
    found = plan_of(tmp_path, dict.fromkeys(names, text))
    assert all(one.argv for one in found.commands)


def test_nothing_grows_without_end(tmp_path):
    assert list(read_workflow(BOMB, "a")) == []
    assert len(list(read_tox(LOOP, "tox.ini"))) <= 200


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    read_line(text)
    for reader in (read_workflow, read_travis, read_tox):
        assert all(one.line >= 1 for one in reader(text, "file"))


WORDS = [
    *[
        "pytest",
        "python",
        "-m",
        "tests",
        "&&",
        "{posargs}",
        "tox",
        "pip",
        "install",
        "-r",
        "uv",
        "run",
        "coverage",
        "A=1",
        "-",
        "--",
        "${{",
        "x",
        "}}",
        "unittest",
        "-k",
    ],
    *["/etc/passwd", "../up", "-c", "--rootdir=/", "-p"],
]


@given(st.lists(st.sampled_from(WORDS), max_size=8))
def test_no_path_that_leads_out_is_handed_to_an_interpreter(words):
    for one in read_line(" ".join(words)):
        assert not any(word.startswith("/") or ".." in word for word in one.argv)


def test_links_that_lead_out_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("[testenv]\ncommands = pytest\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "tox.ini").symlink_to(tmp_path / "secret")
    (tree / ".github").symlink_to("/")
    assert read_plan(tree).commands == ()
