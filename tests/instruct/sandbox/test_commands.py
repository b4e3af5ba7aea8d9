"""Commands of a project: what is asked is checked first, what they write is read, and what they leave is looked at."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import RecipeError
from instruct.sandbox import Limits, ProjectRun, project, run_project


@pytest.fixture
def isolated(monkeypatch):
    """A machine that could isolate programs, and a sandbox that must not be started."""
    monkeypatch.setattr(project, "isolation_problem", lambda: None)
    monkeypatch.setattr(project, "_run", lambda *_: pytest.fail("started"))


@pytest.mark.parametrize("name", [".", "./", "a\0b", "/", "//x", "..", "a/..", "\0"])
def test_a_name_that_is_no_file_below_the_tree_is_refused(isolated, tmp_path, name):
    for run in (ProjectRun(tmp_path, (), files={name: b""}), ProjectRun(tmp_path, (), collect=("a", name))):
        with pytest.raises(RecipeError, match="relative path"):
            run_project(run, Limits())


@pytest.mark.parametrize("commands", [((),), (("python",), ())])
def test_a_command_without_a_program_is_refused(isolated, tmp_path, commands):
    with pytest.raises(RecipeError, match="name of a program"):
        run_project(ProjectRun(tmp_path, commands), Limits())


@pytest.mark.parametrize("processes", [-1, math.inf, math.nan])
def test_processes_without_an_end_are_refused(processes):
    with pytest.raises(RecipeError, match="processes must be 0 or more and finite"):
        Limits(processes=processes)


@settings(max_examples=40)
@given(st.integers(0, 500), st.floats(0.001, 1e6), st.integers(1, 1 << 20))
def test_limits_of_the_kernel_are_whole_positive_and_soft_below_hard(processes, seconds, size):
    limits = Limits(processes=processes, cpu_s=seconds, memory_mb=size, disk_mb=size, output_kb=size)
    for name, (soft, hard) in limits.rlimits().items():
        assert type(soft) is type(hard) is int
        assert 0 < soft or name in ("RLIMIT_CORE", "RLIMIT_MEMLOCK")
        assert soft <= hard < 1 << 63
    assert seconds <= limits.rlimits()["RLIMIT_CPU"][0] < seconds + 1
