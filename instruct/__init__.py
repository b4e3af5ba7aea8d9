"""Instruction data: problems, tests and answers that are made, run and checked, with where each came from.

The map: every noun is a package with a map of its own::

    problems/    tasks with prompt, solution and tests: the schema, and readers of published layouts
    sandbox/     programs run in isolation: trials, calls, scripts, projects
"""

__all__: list[str] = []
