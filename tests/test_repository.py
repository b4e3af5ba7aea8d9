"""Checks on the repository itself: what is in it, what it promises, and what its tools say."""

from __future__ import annotations

import ast
import doctest
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = [
    "columns", "contamination", "dedup", "filters", "instruct", "licensing", "pipelines", "privacy", "shards",
    "sources", "syntax", "training",
]  # fmt: skip
MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.name != "__main__.py"
]
GENERIC = {"utils", "common", "helpers", "misc", "tools"}
REGISTRIES = re.compile(
    r"pypi\.(?:org|python)|pythonhosted|download\.pytorch|anaconda\.org|index-url|find-links"
)
MACHINE_PATHS = re.compile(r"(?<![\w.~<>}-])/(?:work|root|home/\w+|Users/\w+|tmp/(?:venv|t))/[\w.]")


@cache
def tracked() -> list[Path]:
    """Every file git has or would add."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = (
        subprocess.run(listing, cwd=ROOT, capture_output=True, check=False) if shutil.which("git") else None
    )
    if done is None or done.returncode:
        pytest.skip("not a git checkout")
    names = sorted({name.decode() for name in done.stdout.split(b"\0") if name})
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def found(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern occurs in tracked text files, this file apart."""
    hits = []
    for path in tracked():
        if path == Path(__file__).resolve():
            continue
        lines = path.read_text(encoding="utf-8", errors="ignore").splitlines()
        hits += [
            f"{path.relative_to(ROOT)}:{n}: {m[0]}"
            for n, x in enumerate(lines, 1)
            if (m := pattern.search(x))
        ]
    return hits


def run(*command: str) -> None:
    program = Path(sys.executable).parent / command[0]
    if not program.exists():
        pytest.skip(f"{command[0]} is not installed (make test installs it)")
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def test_no_package_registry_is_named():
    assert found(REGISTRIES) == []


def test_no_path_of_one_machine_is_named():
    assert found(MACHINE_PATHS) == []


def test_no_tracked_file_is_over_a_megabyte():
    assert [path.name for path in tracked() if path.stat().st_size > 1 << 20] == []


def test_no_module_has_a_generic_name():
    assert [module for module in MODULES if module.rpartition(".")[2] in GENERIC] == []


def test_rooms_are_the_packages_that_are_installed():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert sorted(name.rstrip("*") for name in included) == ROOMS
    assert sorted(project["tool"]["importlinter"]["root_packages"]) == ROOMS


def needs_extra(module):
    """Skip what only the `train` extra makes possible."""
    if module.partition(".")[0] == "training":
        for name in ("ray", "torch"):
            pytest.importorskip(name, reason="needs thresher[train]")


@pytest.mark.parametrize("room", ROOMS)
def test_room_is_typed_and_has_a_map(room):
    assert (ROOT / room / "py.typed").is_file()
    assert (import_module(room).__doc__ or "").strip()


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_exist_and_are_documented(room):
    needs_extra(room)
    module = import_module(room)
    for name in module.__all__:
        value = getattr(module, name)
        own = value.__doc__ or ""
        if isinstance(value, type) or callable(value):
            written = bool(own) and not own.startswith(f"{name}(")
            assert written, f"{room}.{name} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_doctest(module):
    needs_extra(module)
    outcome = doctest.testmod(
        import_module(module), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert outcome.failed == 0, f"{module}: {outcome.failed} of {outcome.attempted} examples fail"


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_are_short(module):
    stem = ROOT / module.replace(".", "/")
    text = (stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")).read_text(encoding="utf-8")
    assert text.count("\n") < 400, f"{module} has {text.count(chr(10))} lines"
    functions = (
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = {n.name: n.end_lineno - n.lineno + 1 for n in functions if n.end_lineno - n.lineno + 1 > 60}
    assert not long, f"{module}: functions over 60 lines: {long}"


def test_ruff():
    run("ruff", "check", ".")


def test_formatting():
    run("ruff", "format", "--check", ".")


def test_types():
    needs_extra("training")
    run("mypy")


def test_import_contracts():
    run("lint-imports", "--no-cache")


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_readme_names_the_two_commands(command):
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_readme_s_test_command_and_nothing_else():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    code = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert code == ["make test"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_files_stay_on_one_worker(request):
    """A pytest that pytest-xdist does not know drops the groups silently; every worker then makes every fixture."""
    grouped = getattr(request.config.option, "loadgroup", False)
    assert request.node.nodeid.endswith("@tests/test_repository.py") == grouped


def test_every_make_target_is_documented():
    phony, _ = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "CONTRIBUTING.md"))
    assert [target for target in phony.split() if f"make {target}" not in pages] == []


def test_licence_is_the_whole_apache_licence():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
