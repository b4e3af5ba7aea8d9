"""Commands of a project: what is asked is checked first, what they write is read, and what they leave is looked at."""

from __future__ import annotations

import pytest

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
