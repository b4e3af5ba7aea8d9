"""Whether programs can be isolated on this machine: tried once, by starting a sandbox that looks around itself."""

from __future__ import annotations

import functools
import sys

from columns.errors import EnvironmentProblem
from instruct.sandbox.cell import Cell
from instruct.sandbox.limits import Limits

_HINT = "pip install 'thresher[instruct]' on Linux; user namespaces must be allowed (docs/sandbox.md, What it needs)"


@functools.cache
def isolation_problem() -> EnvironmentProblem | None:
    """Why programs cannot be isolated here, None where they can; the answer of the first call is kept.

    A sandbox is started and must prove that it sees no host file, no network but its own loopback, no other process,
    and that its user is not root outside.
    """
    if not sys.platform.startswith("linux"):
        return EnvironmentProblem(f"the sandbox needs Linux, and this is {sys.platform}", hint=_HINT)
    try:
        import pyseccomp  # noqa: F401
    except (ImportError, RuntimeError) as error:
        return EnvironmentProblem(f"system calls cannot be filtered: {error}", hint=_HINT)
    cell = Cell(Limits())
    try:
        facts = cell.open()
    except EnvironmentProblem as problem:
        return problem
    finally:
        cell.close()
    wrong = [what for what, holds in _proofs(facts) if not holds]
    return (
        EnvironmentProblem(f"the sandbox is no sandbox here: {', '.join(wrong)}", hint=_HINT)
        if wrong
        else None
    )


def _proofs(facts: dict[str, object]) -> list[tuple[str, bool]]:
    return [
        ("it is not process 1 of its own", facts.get("pid") == 1),
        ("its user is root outside", facts.get("outer_uid") not in (None, 0)),
        ("it sees host files", facts.get("seen") == []),
        ("it has a network", facts.get("interfaces") == ["lo"]),
        ("it can write outside its directory", facts.get("writable") == []),
    ]
