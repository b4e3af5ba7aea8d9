"""The configuration of BigQuery: who pays, what is too much, where the service is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from urllib.parse import urlsplit

TABLE = re.compile(r"[\w:.-]*\w\.[\w-]+\.[\w$-]+", re.ASCII)

_FOLDER = re.compile(r"gs://[a-z0-9][a-z0-9._-]+(/[\w.=+-]+)+", re.ASCII)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Prices:
    """List prices per TiB (2^40 bytes), for estimates: what a contract or another region costs may differ.

    ``query``: bytes that an on-demand query processes. ``read``: bytes read by the Storage Read API from tables
    other than a query's temporary result. Free monthly amounts are not taken off. ``query`` is what public
    code and lecture notes of August 2025 to June 2026 state; nothing that could be looked up confirms ``read``.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    query: float = 6.25
    read: float = 1.10
    currency: str = "USD"
    source: str = "cloud.google.com/bigquery/pricing, on-demand, US multi-region"
    as_of: str = "2026-06"


@dataclass(frozen=True)
class BigQueryConfig:
    """How BigQuery is used. Only ``destination`` and ``export`` leave something behind; nothing here changes which
    rows are read.

    ``project``: the project that is billed; empty is the credentials' own. ``location``: where queries run.
    ``max_bytes_billed``: sent with every job as its ``maximum_bytes_billed``, and checked against the dry run
    before. ``max_bytes_read``: limit of what a read session may scan, which the service does not enforce.
    ``destination``: a table that keeps a query's result, so that a rerun reads it and pays no query; without it
    the result lies in a temporary table for about a day.
    ``export``: a folder of a bucket ("gs://BUCKET/FOLDER"), in place of ``destination``: a query's rows are written
    there as Parquet by the service, into a folder named by their identity, and read from there, now and in a rerun.
    ``compression`` of the record batches on the wire; ``attempts`` without progress before a stream is given up.
    ``api`` and ``storage``: other endpoints ("http://127.0.0.1:9050", "127.0.0.1:9060"); one on this machine is
    an emulator: it gets no credentials and no TLS.

    >>> BigQueryConfig(api="http://example.org")
    Traceback (most recent call last):
    ValueError: api: expected https:// or an address of this machine, got 'http://example.org'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    project: str = ""
    location: str = ""
    max_bytes_billed: int = 100 << 30
    max_bytes_read: int = 1 << 40
    destination: str = ""
    export: str = ""
    compression: Literal["lz4", "zstd", "none"] = "lz4"
    attempts: int = 8
    api: str = ""
    storage: str = ""
    prices: Prices = field(default_factory=Prices)

    def __post_init__(self) -> None:
        for name in ("max_bytes_billed", "max_bytes_read", "attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.compression not in {"lz4", "zstd", "none"}:
            raise ValueError(f"compression: expected lz4, zstd or none, got {self.compression!r}")
        if self.destination and not TABLE.fullmatch(self.destination):
            raise ValueError(f"destination: expected PROJECT.DATASET.TABLE, got {self.destination!r}")
        if self.export and not _FOLDER.fullmatch(self.export):
            raise ValueError(f"export: expected gs://BUCKET/FOLDER, got {self.export!r}")
        if self.export and self.destination:
            raise ValueError("export: expected either a destination or an export, got both")
        url = urlsplit(self.api)
        if "@" in url.netloc:
            raise ValueError("api: expected an address without a user or password")
        if self.api and url.scheme != "https" and not is_local(self.api):
            raise ValueError(f"api: expected https:// or an address of this machine, got {self.api!r}")


def is_local(address: str) -> bool:
    """Whether an endpoint is on this machine.

    >>> is_local("127.0.0.1:9060"), is_local("http://localhost:9050"), is_local("bigquery.googleapis.com")
    (True, True, False)
    """
    return urlsplit(address if "//" in address else f"//{address}").hostname in _LOOPBACK
