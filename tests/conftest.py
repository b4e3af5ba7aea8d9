"""Fixtures every room's tests share, and which worker runs what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "thresher", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("thresher")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FIRST = ("test_repository.py", "infra", "training", "faults", "sources", "pipelines")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker: it makes the file's fixtures, and compiles its kernels, once.

    While the examples of all modules compile the kernels on one worker, the others run what needs few of them. Long
    files follow, and many short ones come last, so that no worker waits for another at the end.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=_turn)


def _group(item: pytest.Item) -> str:
    """A file's own group; the deployment's tests share one package and one environment, so they stay together."""
    return "infra" if item.path.is_relative_to(HERE / "infra") else item.nodeid.partition("::")[0]


def _turn(item: pytest.Item) -> int:
    room = item.path.relative_to(HERE).parts[0]
    return FIRST.index(room) if room in FIRST else len(FIRST)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside a developer's checkout; tests that need it skip without it."""
    place = Path(os.environ.get("THRESHER_SHARED", ROOT.parent / "shared"))
    if not (place / "data").is_dir():
        pytest.skip("no folder of real data (set THRESHER_SHARED)")
    return place


@pytest.fixture(scope="session")
def github_sample(shared: Path) -> Path:
    """A Parquet file of real GitHub files."""
    return shared / "data" / "github-sample.parquet"
