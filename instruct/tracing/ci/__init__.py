"""What a repository's CI files say about its tests, read without running anything.

The map::

    plan.py       Plan, read_plan: the commands to run, what they need, and what was passed over
    found.py      Found: one line of one file
    shell.py      a line of shell as a test command of Python, an installation, or neither
    toxini.py     tox.ini, [tox] in setup.cfg, tox in pyproject.toml
    workflow.py   GitHub Actions and Travis
    project.py    pyproject.toml, setup.cfg, requirements files
"""

from instruct.tracing.ci.plan import Command, PassedOver, Plan, Requirement, read_plan

__all__ = ["Command", "PassedOver", "Plan", "Requirement", "read_plan"]
