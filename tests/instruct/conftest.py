"""Fixtures of the room: a sandbox where programs can be isolated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from instruct.sandbox import Limits, Sandbox, isolation_problem


@pytest.fixture(scope="session")
def isolation() -> None:
    """Tests that need isolation skip where there is none, and say why."""
    problem = isolation_problem()
    if problem is not None:
        pytest.skip(f"programs cannot be isolated here: {problem.what}")


@pytest.fixture(scope="session")
def sandbox(isolation: None) -> Iterator[Sandbox]:
    """One sandbox for all tests: two workers, two seconds for each job."""
    with Sandbox(limits=Limits(wall_s=2.0, cpu_s=2.0), workers=2) as opened:
        yield opened
