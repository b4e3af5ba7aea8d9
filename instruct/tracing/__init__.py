"""Codex-S from continuous integration: functions traced while a project's tests run become problems with tests.

The map::

    project.py      trace_project: the whole, for one project; TraceConfig, TracedProject
    ci/             what its CI files say about its tests
    wheels.py       what is installed, what is missing, wheels fetched for it; identity.py: its own name and version
    tracer.py       runs inside the sandbox beside the tests and notes calls as literals
    records.py      the file it wrote, read without believing it
    modules.py      the project's modules as text
    standalone.py   a function with what it needs of its project, as a program of its own
    calls.py        a noted call as values and as an assertion
    replay.py       calls made again in fresh sandboxes
    making.py       traced functions to problems
    functions.py    FUNCTION: the funnel, one row per function that was met

Source: Chen et al. 2021, Codex, arXiv 2107.03374, section 4.2.
"""

from instruct.tracing.ci import Plan, read_plan
from instruct.tracing.functions import FUNCTION, STEPS, function_table, funnel
from instruct.tracing.identity import checked_out, revision
from instruct.tracing.making import ProblemConfig, Project, make_problems
from instruct.tracing.project import TraceConfig, TracedProject, trace_project
from instruct.tracing.records import Trace, Traced, read_literal, read_trace
from instruct.tracing.replay import exactly, replay
from instruct.tracing.standalone import Standalone, standalone
from instruct.tracing.tracer import literal

__all__ = [
    "FUNCTION",
    "STEPS",
    "Plan",
    "ProblemConfig",
    "Project",
    "Standalone",
    "Trace",
    "TraceConfig",
    "Traced",
    "TracedProject",
    "checked_out",
    "exactly",
    "function_table",
    "funnel",
    "literal",
    "make_problems",
    "read_literal",
    "read_plan",
    "read_trace",
    "replay",
    "revision",
    "standalone",
    "trace_project",
]
