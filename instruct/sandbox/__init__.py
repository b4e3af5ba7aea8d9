"""Running programs that nobody vouches for, in isolation; success is a message of the judge, never an exit code.

The map::

    sandbox.py      Sandbox: judge, call and run on warm isolated interpreters
    trial.py        Trial, Verdict, Outcome, Calls, Returned, Script, Ran: what goes in and comes out
    project.py      ProjectRun, ProjectResult, run_project: commands in a private copy of a source tree
    limits.py       Limits of one job
    isolation.py    isolation_problem: whether programs can be isolated here, tried once
    jobs.py         one job of each kind; channel.py: frames with a deadline; cell.py: one sandbox
    init.py         process 1 of a sandbox, seen from outside
    launch.py       bubblewrap's command; interpreter.py: the host files that are seen; syscalls.py: call filters
    cgroups.py      memory and processes of a whole sandbox, where groups can be made
    inside/         what runs inside: only the standard library; compiled.py: as byte code
"""

from instruct.sandbox.isolation import isolation_problem
from instruct.sandbox.limits import Limits
from instruct.sandbox.project import ProjectResult, ProjectRun, run_project
from instruct.sandbox.sandbox import Sandbox
from instruct.sandbox.trial import Calls, Outcome, Ran, Returned, Script, Trial, Verdict

__all__ = [
    "Calls",
    "Limits",
    "Outcome",
    "ProjectResult",
    "ProjectRun",
    "Ran",
    "Returned",
    "Sandbox",
    "Script",
    "Trial",
    "Verdict",
    "isolation_problem",
    "run_project",
]
