"""Exports: written once, read as Parquet from a bucket, again after an interruption, and never twice."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("google.cloud.bigquery_storage_v1", reason="needs thresher[gcp]")
pytest.importorskip("gcsfs", reason="needs thresher[gcp]")
pytest.importorskip("gcp_storage_emulator", reason="needs gcp-storage-emulator")

import fsspec
from bigquery_emulator import free_ports
from bigquery_fakes import FakeRest, FakeStorage, serving
from fsspec.asyn import AsyncFileSystem
from gcp_storage_emulator.server import create_server
from gcsfs import GCSFileSystem

from columns.document import DOCUMENT
from columns.errors import EnvironmentProblem, InputError
from sources import Access, IngestConfig, Services, parse_spec, read_unit
from sources.bigquery import BigQueryConfig, BigQueryQuery, GithubRepos, export
from sources.bigquery.source import SqlText

pytestmark = pytest.mark.xdist_group("bigquery")

QUERY = SqlText("SELECT id, path, content FROM files")
TABLE = "p.code.files"


@pytest.fixture
def bucket(monkeypatch):
    """A bucket "mine" in an emulator, as gcsfs sees it."""
    [port] = free_ports(1)
    server = create_server("127.0.0.1", port, True, "mine")
    server.start()
    _wait(port)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    monkeypatch.setattr(GCSFileSystem, "_mv_file", AsyncFileSystem._mv_file)  # the emulator cannot move
    fsspec.get_filesystem_class("gs").clear_instance_cache()
    yield fsspec.filesystem("gs")
    fsspec.get_filesystem_class("gs").clear_instance_cache()
    server.stop()


def _wait(port):
    for _ in range(100):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.05)
    raise RuntimeError("the emulator did not answer")


def read(listing):
    config, skipped = IngestConfig(), Counter()
    batches = [batch for unit in listing.units for batch in read_unit(unit, config, skipped=skipped)]
    return pa.Table.from_batches(batches, DOCUMENT)


@pytest.fixture
def exporting(bucket, monkeypatch, tmp_path):
    """What the service would write: two files of the query's rows. The list of the places that it was asked for."""
    asked = []

    def write(client, sql, uri, settings):
        asked.append(uri)
        for number in range(2):
            file = tmp_path / "rows.parquet"
            rows = {"id": [f"{number:040x}"], "path": [f"{number}.py"], "content": [f"x = {number}\n"]}
            pq.write_table(pa.table(rows), file)
            bucket.put(str(file), uri.replace("*", f"{number:012d}"))

    monkeypatch.setattr(export, "run_export", write)
    return asked


def test_a_query_is_exported_once_and_its_files_are_the_units(exporting, bucket):
    rest = FakeRest(processed=1 << 30, tables={TABLE: {}})
    with serving(rest, FakeStorage([]), export="gs://mine/out") as config:
        source = BigQueryQuery("q.sql", QUERY, config)
        first, second = source.units(IngestConfig()), source.units(IngestConfig())
        assert source.estimate(IngestConfig()).price == 0
        rest.tables[TABLE]["lastModifiedTime"] = "1800000000000"
        assert source.estimate(IngestConfig()).processed == 1 << 30
        third = source.units(IngestConfig())
    assert first == second
    assert [uri.rpartition("/")[2] for uri in exporting] == ["*.parquet"] * 2
    assert first.pinned == f"parquet:{exporting[0].rpartition('/')[0]}" != third.pinned
    assert read(first).column("content").to_pylist() == ["x = 0\n", "x = 1\n"]
    again = parse_spec(first.pinned, Access(Services(bigquery=config))).units(IngestConfig())
    assert read(again).equals(read(first))
    assert again.stamp == first.stamp


def test_what_an_interrupted_export_left_is_never_read(exporting, bucket, monkeypatch):
    rest, whole = FakeRest(tables={TABLE: {}}), export.run_export
    with serving(rest, FakeStorage([]), export="gs://mine/out") as config:
        source = BigQueryQuery("q.sql", QUERY, config)

        def interrupted(client, sql, uri, settings):
            whole(client, sql, uri, settings)
            bucket.pipe(uri.replace("*", "stray"), b"half a file")
            raise KeyboardInterrupt

        monkeypatch.setattr(export, "run_export", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.units(IngestConfig())
        monkeypatch.setattr(export, "run_export", whole)
        found = source.units(IngestConfig())
    assert len(exporting) == 2
    assert read(found).num_rows == 2


def test_nothing_is_exported_unless_confirmed(exporting, bucket):
    rest = FakeRest(processed=1 << 30, tables={TABLE: {}})
    with serving(rest, FakeStorage([]), export="gs://mine/out") as config:
        source = BigQueryQuery("q.sql", QUERY, config, lambda estimate: False)
        with pytest.raises(InputError, match="not confirmed"):
            source.units(IngestConfig())
    assert exporting == []
    assert bucket.find("mine") == []


def test_a_bucket_that_cannot_be_used_is_one_clear_error(bucket):
    with (
        serving(FakeRest(tables={TABLE: {}}), FakeStorage([]), export="gs://not-there/out") as config,
        pytest.raises(
            EnvironmentProblem, match=r"gs://not-there/out/\w+: the bucket cannot be used"
        ) as caught,
    ):
        BigQueryQuery("q.sql", QUERY, config).units(IngestConfig())
    assert "storage.objects.create" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    ["gs://mine", "gs://mine/", "s3://mine/out", "gs://mine/o'ut", "gs://mine/*", "mine/out", "gs://mine/a/"],
)
def test_a_place_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^export: expected gs://BUCKET/FOLDER"):
        BigQueryConfig(export=wrong)


def test_an_export_and_a_destination_are_not_both():
    with pytest.raises(ValueError, match=r"^export: expected either"):
        BigQueryConfig(export="gs://mine/out", destination="p.d.t")


def test_the_emulator_s_export_reads_back_as_the_same_documents(emulator, bucket, monkeypatch):
    """The statement runs on the emulator, which writes to a folder; its files are then put into the bucket."""
    written = export.run_export

    def carried(client, sql, uri, settings):
        folder = uri.removeprefix("gs://").rpartition("/")[0]
        (emulator.bucket / "mine").mkdir(exist_ok=True)
        written(client, sql, uri, settings)
        for file in (emulator.bucket / folder).iterdir():
            bucket.put(str(file), f"{folder}/{file.name}")

    monkeypatch.setattr(export, "run_export", carried)
    query = GithubRepos(languages=("python",))
    exported = BigQueryQuery("github_repos", query, emulator.config(export="gs://mine/code"))
    streamed = BigQueryQuery("github_repos", query, emulator.config())
    ours, theirs = (read(source.units(IngestConfig())) for source in (exported, streamed))
    assert ours.num_rows > 10
    assert sorted(ours.column("doc_id").to_pylist()) == sorted(theirs.column("doc_id").to_pylist())
    assert set(ours.column("source").to_pylist()) == {"parquet"}
