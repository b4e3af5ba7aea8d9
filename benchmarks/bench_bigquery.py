"""Client CPU of reading a BigQuery table: our read streams beside Beam's own ReadFromBigQuery, same emulator table.

Caveats: the service is an emulator on this machine (THRESHER_BIGQUERY_PYTHON names its interpreter, see
docs/bigquery.md). It sends a stream as very few, very large messages, without compression, and its own speed caps the
wall clock, so only the client's CPU seconds (user and system, all threads, imports and the start of the pipeline's
process left out) are compared. Beam looks up the table's size and finds its services by itself, which the emulator
does not allow: that look-up is answered by the script, and Beam's reader is given a client of the emulator;
everything else of Beam's is as released. ReadFromBigQuery's default method, EXPORT, needs a bucket and is not
measured. It hands out a dictionary per row and decodes nothing else; "documents" hands out our complete rows:
checked UTF-8, language, SHA-256 of the text and document ids, which is more work.
"gRPC alone" throws away what it receives: no client over Python's gRPC can be faster.
Each reader runs in a process of its own, best of three readings.

    THRESHER_BIGQUERY_PYTHON=PYTHON python benchmarks/bench_bigquery.py --input FILE.parquet
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import MagicMock, patch

import apache_beam as beam
import grpc
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.io.gcp import bigquery as beam_bigquery
from apache_beam.options.pipeline_options import PipelineOptions
from google.cloud import bigquery_storage_v1 as storage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from columns.beam import RecordBatchCoder
from sources import IngestConfig, read_unit
from sources.bigquery import BigQueryConfig, BigQueryTable
from sources.bigquery.connection import storage_client
from sources.bigquery.streams import messages
from tests.sources.bigquery.bigquery_emulator import running

TABLE = "billed.bench.contents"
FIELDS = ["id", "repo_name", "ref", "path", "license", "size", "binary", "content"]
FLOOR = "gRPC alone"
CLIENT = storage.BigQueryReadClient
Counted = tuple[int, int]


def table_of(source: Path, wanted: int) -> pa.Table:
    """The file's rows, repeated to about ``wanted`` bytes of content, in the columns that our query selects."""
    sample = pq.read_table(source, columns=["repo_name", "path", "license", "content"])
    text = pc.sum(pc.binary_length(sample.column("content"))).as_py()
    rows = pa.concat_tables([sample] * max(1, round(wanted / text)))
    count = len(rows)
    return pa.table({
        "id": [f"{number:040x}" for number in range(count)],
        "repo_name": rows.column("repo_name"),
        "ref": ["refs/heads/master"] * count,
        "path": rows.column("path"),
        "license": rows.column("license"),
        "size": pc.binary_length(rows.column("content")).cast(pa.int64()),
        "binary": [False] * count,
        "content": rows.column("content"),
    })  # fmt: skip


def source_of(config: BigQueryConfig) -> BigQueryTable:
    return BigQueryTable(TABLE, settings=config)


def count_batches(batches: Iterator[pa.RecordBatch]) -> Counted:
    rows = size = 0
    for batch in batches:
        rows, size = rows + batch.num_rows, size + pc.sum(batch.column("size")).as_py()
    return rows, size


def by_units(config: BigQueryConfig) -> Counted:
    """Document batches as a source yields them, without ids and hashes."""
    ingest = IngestConfig()
    units = source_of(config).units(ingest).units
    return count_batches(batch for unit in units for batch in unit.read(ingest, 8 << 20, Counter()))


def by_receiving(config: BigQueryConfig) -> Counted:
    """Answers received and thrown away: what gRPC alone costs any client in Python. Bytes are not known."""
    rows = 0
    units = source_of(config).units(IngestConfig()).units
    with storage_client(config) as client:
        for unit in units:
            rows += sum(message.rows for message in messages(client, unit.location, attempts=1))
    return rows, 0


def by_documents(config: BigQueryConfig) -> Counted:
    ingest = IngestConfig()
    return count_batches(b for unit in source_of(config).units(ingest).units for b in read_unit(unit, ingest))


class Sum(beam.DoFn):
    """Counts elements and their content; one result per bundle, so that counting costs no shuffle of rows."""

    found: Counted = (0, 0)

    def process(self, element: dict[str, str] | pa.RecordBatch) -> None:
        rows, size = Sum.found
        if isinstance(element, dict):
            Sum.found = rows + 1, size + len(element["content"].encode())
            return
        more, bytes_ = count_batches(iter([element]))
        Sum.found = rows + more, size + bytes_


def run(wire: Callable[[beam.Pipeline], beam.PCollection]) -> Counted:
    Sum.found = (0, 0)
    options = PipelineOptions([], runner="FnApiRunner", direct_num_workers=1, project="billed")
    with beam.Pipeline(options=options) as pipeline:
        _ = wire(pipeline) | beam.ParDo(Sum())
    return Sum.found


def by_thresher_in_beam(config: BigQueryConfig) -> Counted:
    """Complete documents as elements of a Beam pipeline, as the ingest stage reads them."""
    beam.coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
    ingest = IngestConfig()
    units = list(source_of(config).units(ingest).units)
    return run(
        lambda pipeline: (
            pipeline
            | beam.Create(units)
            | beam.FlatMap(lambda unit: read_unit(unit, ingest)).with_output_types(pa.RecordBatch)
        )
    )


def beam_client(config: BigQueryConfig) -> CLIENT:
    channel = grpc.insecure_channel(config.storage, options=[("grpc.max_receive_message_length", -1)])
    return CLIENT(transport=CLIENT.get_transport_class("grpc")(channel=channel))


def by_beam(config: BigQueryConfig, *, arrow: bool) -> Counted:
    source = beam_bigquery._CustomBigQueryStorageSource
    with (
        patch.object(source, "_get_table_size", lambda *_: 1 << 20),
        patch.object(source, "estimate_size", lambda *_: 1 << 20),
        patch.object(beam_bigquery.bigquery_tools, "BigQueryWrapper", MagicMock()),
        patch.object(beam_bigquery.bq_storage, "BigQueryReadClient", lambda: beam_client(config)),
    ):
        read = beam.io.ReadFromBigQuery(
            table=TABLE.replace(".", ":", 1),
            method="DIRECT_READ",
            selected_fields=FIELDS,
            use_native_datetime=arrow,
        )
        return run(lambda pipeline: pipeline | read)


def by_beam_stream(config: BigQueryConfig) -> Counted:
    """Beam's Arrow stream source in a plain loop: no runner, no coder, no shuffle."""
    client = beam_client(config)
    project, dataset, table = TABLE.split(".")
    session = client.create_read_session(
        parent=f"projects/{project}",
        read_session=storage.types.ReadSession(
            table=f"projects/{project}/datasets/{dataset}/tables/{table}",
            data_format="ARROW",
            read_options={"selected_fields": FIELDS},
        ),
    )
    rows = size = 0
    with patch.object(beam_bigquery.bq_storage, "BigQueryReadClient", lambda: client):
        for stream in session.streams:
            for row in beam_bigquery._CustomBigQueryStorageStreamSource(stream.name).read_arrow():
                rows, size = rows + 1, size + len(row["content"].encode())
    return rows, size


READERS: dict[str, Callable[[BigQueryConfig], Counted]] = {
    FLOOR: by_receiving,
    "ours: units": by_units,
    "ours: documents": by_documents,
    "ours: documents in Beam": by_thresher_in_beam,
    "Beam, Avro (its default)": lambda config: by_beam(config, arrow=False),
    "Beam, Arrow": lambda config: by_beam(config, arrow=True),
    "Beam, Arrow, stream alone": by_beam_stream,
}


def measure(name: str, config: BigQueryConfig, repeats: int) -> dict[str, float]:
    best = {"cpu": float("inf"), "wall": float("inf")}
    counted = (0, 0)
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        counted = READERS[name](config)
        best["cpu"] = min(best["cpu"], time.process_time() - cpu)
        best["wall"] = min(best["wall"], time.perf_counter() - wall)
    return {"rows": counted[0], "bytes": counted[1], **best}


def in_own_process(name: str, config: BigQueryConfig, repeats: int) -> dict[str, float]:
    options = ["--one", name, "--api", config.api, "--storage", config.storage, "--repeats", str(repeats)]
    done = subprocess.run([sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", type=Path, help="Parquet file with repo_name, path and content")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    for hidden in ("--one", "--api", "--storage"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        config = BigQueryConfig(project="billed", api=given.api, storage=given.storage)
        print(json.dumps(measure(given.one, config, given.repeats)))
        return
    if given.input is None:
        parser.error("--input is needed")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as emulator:
        emulator.load(TABLE, table_of(given.input, given.megabytes * 10**6))
        found = {name: in_own_process(name, emulator.config(), given.repeats) for name in READERS}
    size = found["ours: units"]["bytes"]
    found[FLOOR]["bytes"] = size
    assert len({(row["rows"], row["bytes"]) for row in found.values()}) == 1, f"readers disagree: {found}"
    if given.json:
        print(json.dumps(found, indent=1))
        return
    base = found["Beam, Avro (its default)"]["cpu"]
    print(f"{'reader':28}{'CPU ms / MB':>13}{'wall s':>9}{'Beam / it':>11}")
    for name, row in found.items():
        per = row["cpu"] * 1e9 / size
        print(f"{name:28}{per:13.2f}{row['wall']:9.2f}{base / row['cpu']:11.1f}")


if __name__ == "__main__":
    main()
