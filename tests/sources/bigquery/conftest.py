"""An emulator for the real clients, and this folder on the path, so that its tests share their helpers.

The emulator is `local-bigquery` in a Python of its own (3.13 or newer, with duckdb 1.5.5 and the extensions ducklake,
icu, spatial, httpfs and avro as packages): name that interpreter in THRESHER_BIGQUERY_PYTHON.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    """A running emulator with the real tables' names, or a skip that says what is missing."""
    pytest.importorskip("google.cloud.bigquery_storage_v1", reason="needs thresher[gcp]")
    from bigquery_emulator import load_github, missing, running

    if why := missing():
        pytest.skip(why)
    with running(tmp_path_factory.mktemp("bigquery")) as started:
        load_github(started)
        yield started


@pytest.fixture
def no_wait(monkeypatch):
    """Retries without their pauses; the list of the pauses that were asked for."""
    from sources.bigquery import streams

    asked = []
    monkeypatch.setattr(streams.time, "sleep", asked.append)
    return asked
