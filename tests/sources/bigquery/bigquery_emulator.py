"""The emulator as a process, and the public dataset's tables in it, small and with every trap."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sources.bigquery import BigQueryConfig
from sources.bigquery.connection import rest_client

VARIABLE = "THRESHER_BIGQUERY_PYTHON"
DATASET = "bigquery-public-data.github_repos"
EXTENSIONS = ("ducklake", "icu", "spatial", "httpfs", "avro")

_FACTS = (
    "import duckdb, importlib.util, local_bigquery;"
    "print(duckdb.execute('PRAGMA platform').fetchone()[0]);"
    f"[print(importlib.util.find_spec('duckdb_extension_' + n).submodule_search_locations[0]) for n in {EXTENSIONS}]"
)
_SERVE = "import sys; from local_bigquery.cli import main; main(sys.argv[1:])"


class Emulator(NamedTuple):
    """Where a running emulator is; ``bucket``: the folder in which its gs:// buckets lie."""

    api: str
    storage: str
    bucket: Path

    def config(self, **options: object) -> BigQueryConfig:
        return BigQueryConfig(project="billed", api=self.api, storage=self.storage, **options)

    def load(self, table: str, rows: pa.Table) -> None:
        """Put rows in a new table; it is created first, as the emulator keeps no time of change for others."""
        from google.cloud import bigquery

        buffer = io.BytesIO()
        pq.write_table(rows, buffer)
        buffer.seek(0)
        options = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        kinds = {pa.int64(): "INT64", pa.bool_(): "BOOL"}
        fields = [bigquery.SchemaField(field.name, kinds.get(field.type, "STRING")) for field in rows.schema]
        project, dataset, _ = table.split(".")
        with rest_client(self.config()) as client:
            client.create_dataset(f"{project}.{dataset}", exists_ok=True)
            client.delete_table(table, not_found_ok=True)
            client.create_table(bigquery.Table(table, fields))
            client.load_table_from_file(buffer, table, job_config=options).result()


def missing() -> str | None:
    """Why no emulator can be started here."""
    python = os.environ.get(VARIABLE)
    if not python:
        return f"{VARIABLE} names no interpreter with local-bigquery"
    done = subprocess.run([python, "-c", _FACTS], capture_output=True, text=True, timeout=60, check=False)
    return f"{VARIABLE}: {done.stderr.strip().splitlines()[-1:]}" if done.returncode else None


@contextmanager
def running(folder: Path) -> Iterator[Emulator]:
    """Start the emulator on this machine's loopback alone, with a home of its own; stop it at the end."""
    python = os.environ[VARIABLE]
    home, bucket = folder / "home", folder / "gcs"
    bucket.mkdir(parents=True)
    _install_extensions(python, home)
    rest, grpc = free_ports(2)
    places = [
        "--host",
        "127.0.0.1",
        "--port",
        str(rest),
        "--grpc-port",
        str(grpc),
        "--data-dir",
        folder / "data",
    ]
    environment = {**os.environ, "HOME": str(home), "GCS_LOCAL_ROOT": str(bucket)}
    environment.pop("PYTHONPATH", None)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [python, "-c", _SERVE, "serve", *places, "--project", "billed"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, f"http://127.0.0.1:{rest}", folder / "log")
        yield Emulator(f"http://127.0.0.1:{rest}", f"127.0.0.1:{grpc}", bucket)
    finally:
        process.kill()
        process.wait()


def _install_extensions(python: str, home: Path) -> None:
    done = subprocess.run([python, "-c", _FACTS], capture_output=True, text=True, timeout=60, check=True)
    platform, *packages = done.stdout.split()
    for package in packages:
        for file in Path(package).glob("extensions/*/*.duckdb_extension"):
            target = home / ".duckdb" / "extensions" / file.parent.name / platform
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody uses yet."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the emulator ended: {log.read_text()[-500:]}")
        try:
            urllib.request.urlopen(f"{url}/bigquery/v2/projects/billed/datasets", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the emulator did not answer within a minute")


# The dataset

LICENSES = ("mit", "apache-2.0", "gpl-3.0")
NAMES = (
    "a.py", "src/b.PY", "lib/c.cpp", "x/d.c++", "SConstruct", "deep/er/Makefile", "notes.txt", "e.go", ".py", "f.pyx",
    "py", "dir.py/readme", "LICENSE", "g.h++",
)  # fmt: skip


def github_tables(
    blobs: int = 120, repos: int = 12, seed: int = 6, texts: Sequence[str] = ()
) -> dict[str, pa.Table]:
    """The dataset's tables in their real schema: copies, symbolic links, binaries, repositories without a licence
    or with two, paths of every kind. ``texts``: contents of the first blobs, in place of made ones."""
    draw = np.random.default_rng(seed)
    names = [f"user{i % 5}/repo{i}" for i in range(repos)]
    contents, files = [], []
    for blob in range(blobs):
        binary = blob % 11 == 0
        text = None if binary or blob % 17 == 0 else f"x = {blob}\n" * int(draw.integers(1, 200))
        text = texts[blob] if text and blob < len(texts) else text
        copies = int(draw.integers(1, 6))
        size = len(text or "") or int(draw.integers(1, 1 << 20))
        found = {"id": f"{blob:040x}", "size": size, "content": text, "binary": binary, "copies": copies}
        contents.append(found)
        for copy in range(copies):
            link = "elsewhere" if (blob + copy) % 13 == 0 else None
            files.append({
                "repo_name": names[int(draw.integers(repos))], "ref": f"refs/heads/b{copy % 2}",
                "path": f"p{int(draw.integers(3))}/{NAMES[int(draw.integers(len(NAMES)))]}",
                "mode": 40960 if link else 33188, "id": found["id"], "symlink_target": link,
            })  # fmt: skip
    licenses = [{"repo_name": name, "license": LICENSES[i % 3]} for i, name in enumerate(names) if i % 4]
    licenses.append({"repo_name": names[1], "license": "gpl-3.0"})
    stars = [{"repo_name": name, "watch_count": 10 * i} for i, name in enumerate(names)]
    origin = {row["id"]: row for row in files}
    sampled = [
        row
        | {f"sample_{key}": origin[row["id"]][key] for key in ("repo_name", "ref", "path", "symlink_target")}
        for row in contents[:40]
    ]
    tables = {"contents": contents, "files": files, "licenses": licenses, "sample_repos": stars}
    tables |= {"sample_contents": sampled, "sample_files": files[:90]}
    return {name: pa.Table.from_pylist(rows, _schema(rows)) for name, rows in tables.items()}


def _schema(rows: list[dict[str, object]]) -> pa.Schema:
    kinds = {
        "size": pa.int64(),
        "copies": pa.int64(),
        "mode": pa.int64(),
        "watch_count": pa.int64(),
        "binary": pa.bool_(),
    }
    return pa.schema([(name, kinds.get(name, pa.string())) for name in rows[0]])


def load_github(emulator: Emulator, texts: Sequence[str] = ()) -> None:
    for name, rows in github_tables(texts=texts).items():
        emulator.load(f"{DATASET}.{name}", rows)
