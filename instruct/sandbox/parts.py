"""What isolation is made of on this machine, part by part, for a person to read."""

from __future__ import annotations

import os
from dataclasses import dataclass

from columns.errors import EnvironmentProblem
from instruct.sandbox import syscalls
from instruct.sandbox.cgroups import parents
from instruct.sandbox.interpreter import interpreter
from instruct.sandbox.isolation import isolation_problem
from instruct.sandbox.launch import bubblewrap, version_of


@dataclass(frozen=True)
class Part:
    """A part of the isolation: whether it is on, and how."""

    name: str
    on: bool
    detail: str


def parts() -> list[Part]:
    """Every part, in the order in which a program meets them; a machine that cannot isolate still gets the list."""
    problem = isolation_problem()
    works = problem is None
    as_root = os.geteuid() == 0
    groups = str(parents())
    return [
        Part("isolation", works, "tried: a sandbox was started and looked around" if problem is None else problem.what),
        _bubblewrap(),
        _filter(),
        Part("namespaces", works, "user, process, network, IPC, host name, mounts; no further user namespaces"),
        Part(
            "unprivileged user",
            works,
            "root becomes a user that nobody else has" if as_root else f"the user {os.geteuid()}, who is not root",
        ),
        Part("resource limits", works, "address space, processor time, processes, file size, descriptors"),
        Part("control groups", groups != "none", groups if groups != "none" else "no group can be made: memory and "
             "processes are limited one by one"),
        Part("interpreter", True, ".".join(map(str, interpreter().version)) + f", {interpreter().executable}"),
    ]  # fmt: skip


def _bubblewrap() -> Part:
    try:
        found = bubblewrap()
    except EnvironmentProblem as problem:
        return Part("bubblewrap", False, f"{problem.what}: {problem.hint}")
    return Part("bubblewrap", True, f"{'.'.join(map(str, version_of(found)))}, {found}")


def _filter() -> Part:
    try:
        sizes = [len(syscalls.program(functions=functions)) // 8 for functions in (False, True)]
    except (ImportError, RuntimeError) as error:
        return Part("system call filter", False, f"{error}: install pyseccomp and libseccomp")
    return Part("system call filter", True, f"{sizes[0]} instructions, {sizes[1]} more for functions")
