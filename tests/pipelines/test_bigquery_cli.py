"""The commands over BigQuery: what is shown and asked before anything is billed, what is pinned, the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("google.cloud.bigquery_storage_v1", reason="needs thresher[gcp]")

import pyarrow as pa
import yaml

from columns.files import Place
from columns.tables import read_whole
from tests.pipelines.building import ROOT, command, recipe
from tests.pipelines.corpus import sources
from tests.sources.bigquery.bigquery_emulator import github_tables, load_github, missing, running
from tests.sources.bigquery.bigquery_fakes import FakeRest, FakeStorage, serving

TEXT = """
extends: codex
name: small
ingest: {languages: [python]}
layout: {parts: 2}
tokenizer: {vocab_size: 600, sample_bytes: 400000}
pack: {seq_len: 64, shard_tokens: 65536}
contamination: {suites: []}
"""
TABLE = "p.code.files"
COLUMNS = (("id", "STRING"), ("repo_name", "STRING"), ("path", "STRING"), ("content", "STRING"))
TEXTS = list(sources().values())


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    if why := missing():
        pytest.skip(why)
    with running(tmp_path_factory.mktemp("bigquery")) as started:
        load_github(started, TEXTS)
        started.load("billed.code.seed", pa.table({"content": ["x"]}))
        yield started


def access_file(folder: Path, config, **more) -> str:
    """An access file for a service of this machine."""
    section = {"project": config.project, "api": config.api, "storage": config.storage} | more
    path = folder / "access.yaml"
    path.write_text(yaml.safe_dump({"bigquery": section}))
    return str(path)


def arguments(tmp_path, spec, access, *more, output="out", text=TEXT):
    place = str(tmp_path / output)
    return [
        "build", recipe(tmp_path, text), "--input", spec, "--output", place, "--access", access,
        "--direct_runner_bundle_repeat=1", *(more or ("--yes",)),
    ]  # fmt: skip


def built(*given, **options) -> subprocess.CompletedProcess[str]:
    return command(*arguments(*given, **options))


def dataset(folder: Path) -> dict[str, bytes]:
    """What must be the same: documents, ledger, shards, and the manifest apart from the names of the inputs."""
    place, found = Place(str(folder)), {}
    found["manifest"] = json.dumps(manifest(folder) | {"inputs": [], "pinned": {}}).encode()
    for name in ("documents", "ledger", "shards", "tokenizer"):
        child = place.child(name)
        found |= {f"{name}/{file}": child.read(file) for file in child.names() if not file.startswith("_")}
    assert len(found) > 5
    return found


def manifest(folder: Path):
    return json.loads((folder / "manifest.json").read_bytes())


def documents(folder: Path) -> list[dict[str, object]]:
    place = Place(str(folder)).child("documents")
    names = [name for name in place.names() if name.endswith(".parquet")]
    return [row for name in names for row in read_whole(place, name).to_pylist()]


def table_batches(streams: int, rows: int = 60) -> list[list[pa.RecordBatch]]:
    """Some files as rows, dealt to streams in batches of three."""
    made = pa.RecordBatch.from_pylist([
        {"id": f"{at:040x}", "repo_name": f"r/{at % 7}", "path": f"{at}.py", "content": text}
        for at, text in enumerate(TEXTS[:rows])
    ])  # fmt: skip
    pieces = [made.slice(at, 3) for at in range(0, rows, 3)]
    return [pieces[number::streams] for number in range(streams)]


# Against the emulator


@pytest.mark.slow
def test_the_public_dataset_is_built_pinned_and_the_same_from_its_pin_and_again(emulator, tmp_path):
    access = access_file(tmp_path, emulator.config(), destination="billed.code.cli")
    first = built(tmp_path, "bigquery:github_repos", access)
    assert first.returncode == 0, first.stderr
    assert "BigQuery, github_repos: 0 B to scan, about 0.00 USD" in first.stderr
    [pin] = manifest(tmp_path / "out")["pinned"].values()
    assert pin.startswith("bigquery:billed.code.cli@20")
    before = dataset(tmp_path / "out")
    again = built(tmp_path, pin, access, output="pinned")
    assert again.returncode == 0, again.stderr
    assert dataset(tmp_path / "pinned") == before
    rerun = built(tmp_path, "bigquery:github_repos", access)
    assert "ingest    done before" in rerun.stdout
    assert "shards    done before" in rerun.stdout
    assert dataset(tmp_path / "out") == before


@pytest.mark.slow
def test_a_document_knows_where_it_is_from(emulator, tmp_path):
    access = access_file(tmp_path, emulator.config())
    assert built(tmp_path, "bigquery:github_repos", access).returncode == 0
    rows = documents(tmp_path / "out")
    assert len({row["blob_id"] for row in rows}) == len(rows) > 20
    for row in rows:
        assert row["source"] == "bigquery"
        assert row["repo"].startswith("user")
        assert row["ref"].startswith("refs/heads/")
        assert row["provenance"].startswith("github_repos@")
        assert row["provenance"].endswith(f"#id={row['blob_id']}")
    assert manifest(tmp_path / "out")["pinned"] == {}


@pytest.mark.slow
def test_what_the_recipe_chooses_is_what_is_read(emulator, tmp_path):
    text = TEXT + "github_repos: {licenses: [mit], min_bytes: 3000}\n"
    done = built(tmp_path, "bigquery:github_repos", access_file(tmp_path, emulator.config()), text=text)
    assert done.returncode == 0, done.stderr
    rows = documents(tmp_path / "out")
    assert rows
    assert {row["license"] for row in rows} == {"mit"}
    assert min(row["size"] for row in rows) >= 3000
    tables = github_tables(texts=TEXTS)
    assert len(rows) < tables["contents"].num_rows


# Costs


@pytest.fixture
def service():
    """A table of 60 files whose reading, or querying, is said to be 3 GiB."""
    rest = FakeRest(processed=3 << 30, columns=COLUMNS, tables={TABLE: {"numBytes": "200000"}})
    storage = FakeStorage(table_batches(2), scanned=200_000)
    with serving(rest, storage) as config:
        yield rest, storage, config


@pytest.fixture
def query(tmp_path):
    file = tmp_path / "mine.sql"
    file.write_text(f"SELECT * FROM `{TABLE}`")
    return f"bigquery:{file}"


def test_nobody_to_ask_is_exit_code_2_and_nothing_is_billed_or_read(service, query, tmp_path):
    rest, storage, config = service
    for spec in (query, f"bigquery:{TABLE}"):
        done = command(*arguments(tmp_path, spec, access_file(tmp_path, config), "--workers", "1"))
        assert done.returncode == 2
        assert "3.00 GiB to scan, about 0.0" in done.stderr
        assert "nobody to ask whether to pay for it" in done.stderr
        assert "hint: --yes; nothing was read or billed" in done.stderr
    assert rest.queries() == storage.sessions == []
    assert not (tmp_path / "out" / "documents").exists()


def test_over_the_limit_is_exit_code_2_and_nothing_is_half_written(service, query, tmp_path):
    rest, storage, config = service
    access = access_file(tmp_path, config)
    done = built(tmp_path, query, access, "--yes", "--max-bytes-billed", "1GiB")
    assert done.returncode == 2
    assert "over max_bytes_billed, 1.00 GiB" in done.stderr
    assert "hint: raise max_bytes_billed to 3221225472 if that is meant; nothing was billed" in done.stderr
    assert rest.queries() == storage.sessions == []
    assert [path.name for path in tmp_path.glob("out/*")] == []


def test_all_costs_are_known_before_the_first_is_billed(service, query, tmp_path):
    rest, storage, config = service
    access = access_file(tmp_path, config, max_bytes_read=1 << 30)
    done = command(*arguments(tmp_path, query, access, "--input", f"bigquery:{TABLE}", "--yes"))
    assert done.returncode == 2
    assert "over max_bytes_read" in done.stderr
    assert rest.queries() == storage.sessions == []


@pytest.mark.parametrize(("key", "code", "queries"), [("y", 0, 1), ("n", 2, 0)])
def test_on_a_terminal_the_user_is_asked(service, query, tmp_path, key, code, queries):
    rest, _, config = service
    given = arguments(tmp_path, query, access_file(tmp_path, config), "--workers", "1")
    ours, theirs = os.openpty()
    started = subprocess.Popen(
        [sys.executable, "-m", "pipelines", *given], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}, cwd=ROOT, text=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{key}\n".encode())
    said, _ = started.communicate(timeout=240)
    os.close(ours)
    assert started.returncode == code, said
    assert said.count("go on? [y/N]:") == 1
    assert said.index("3.00 GiB to scan") < said.index("go on?")
    assert ("not confirmed" in said) == (key == "n")
    assert len(rest.queries()) == queries


# The same bytes


@pytest.mark.long
@pytest.mark.slow
def test_streams_sessions_workers_and_failures_change_no_byte(tmp_path):
    import grpc

    found = {}
    ways = {
        "one": (1, ("--workers", "1")),
        "many": (5, ("--workers", "1", "--batch-mb", "1")),
        "threads": (3, ("--workers", "3")),
        "processes": (4, ("--workers", "2", "--mode", "processes")),
    }
    for name, (streams, options) in ways.items():
        rest = FakeRest(columns=COLUMNS, tables={TABLE: {"numBytes": "200000"}})
        storage = FakeStorage(table_batches(streams), scanned=200_000)
        storage.failures = {0: [(6, grpc.StatusCode.UNAVAILABLE)]}
        with serving(rest, storage) as config:
            spec, access = f"bigquery:{TABLE}", access_file(tmp_path, config)
            ingest = arguments(tmp_path, spec, access, "--yes", *options, output=name)[1:]
            read = command("run", "ingest", *ingest)
            assert read.returncode == 0, read.stderr
            done = built(tmp_path, spec, access, "--yes", "--workers", "1", output=name)
        assert done.returncode == 0, done.stderr
        found[name] = dataset(tmp_path / name)
    assert len(documents(tmp_path / "one")) == 60
    for name in ways:
        assert found[name] == found["one"], name


# The plan


def planned(tmp_path, spec, access, *more) -> subprocess.CompletedProcess[str]:
    return command("plan", recipe(tmp_path, TEXT), "--input", spec, "--access", access, *more)


def test_a_plan_asks_before_anything_is_billed(service, query, tmp_path):
    rest, storage, config = service
    done = planned(tmp_path, query, access_file(tmp_path, config))
    assert done.returncode == 2
    assert "mine.sql: 3.00 GiB to scan, about 0.02 USD" in done.stderr
    assert "hint: --yes; nothing was read or billed" in done.stderr
    over = planned(tmp_path, query, access_file(tmp_path, config), "--yes", "--max-bytes-billed", "1GiB")
    assert over.returncode == 2
    assert "hint: raise max_bytes_billed" in over.stderr
    assert rest.queries() == storage.sessions == []


def test_a_plan_of_a_table_says_its_price_and_reads_a_sample_of_its_streams(tmp_path):
    rest = FakeRest(processed=8 << 40, columns=COLUMNS, tables={TABLE: {"numBytes": "200000"}})
    storage = FakeStorage(table_batches(6), scanned=6 << 20)
    with serving(rest, storage) as config:
        access = access_file(tmp_path, config, max_bytes_read=1 << 50)
        done = planned(tmp_path, f"bigquery:{TABLE}", access, "--sample-mb", "2", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["factor"] == 3
    assert len({stream for stream, _ in storage.offsets}) == 2
    [source] = found["sources"]
    assert (source["what"], source["read"], source["price"]) == (TABLE, 8 << 40, pytest.approx(8.8))
    assert found["price"] == pytest.approx(8.8)
    assert found["sample"]["files"] * 3 == found["whole"]["files"]


@pytest.mark.long
def test_a_plan_runs_a_kept_query_once_and_the_build_reads_its_result(service, query, tmp_path):
    rest, _, config = service
    access = access_file(tmp_path, config, destination="p.code.result")
    done = planned(tmp_path, query, access, "--yes", "--price-core-hour", "1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("3.00 GiB to scan") == done.stdout.count("3.00 GiB to scan") == 1
    assert ", with BigQuery" in done.stdout
    assert built(tmp_path, query, access).returncode == 0
    assert len(rest.queries()) == 1
    [pin] = manifest(tmp_path / "out")["pinned"].values()
    assert pin.startswith("bigquery:p.code.result@")
