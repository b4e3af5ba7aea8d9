"""Sources: inputs of every kind as batches of documents.

    parse_spec(text) -> Source          what the user names: tree:, git:, parquet:, jsonl:, archive:, github:, bigquery:
    Source.units(config) -> Listing     cut into independently readable units; what was skipped, and why
    read_unit(unit, config)             a unit's `DOCUMENT` batches, complete with ids and hashes

The map:

    spec        the text that names a source        access      how services are reached
    unit        Unit, Listing, Source               reading     read_unit
    config      IngestConfig                        selection   which files are read, and which as evidence
    optout      what somebody asked to be left out  stopping    threads that end when interrupted
    files       whole files as rows                 completion  ids, hashes, sizes, languages
    locations   files on any fsspec filesystem      inflate     gzip, zstd, xz, bzip2 with limits
    languages   languages by file name

    trees       directories                         git         repositories: the files of a commit
    archives    tar and zip                         tables      Parquet, JSON lines, and rows as documents
    github      repositories of lists               bigquery    tables, queries, github_repos
    text        bytes to text, notebooks to code
"""

from sources.access import Access, Services, read_services
from sources.archives import Limits
from sources.bigquery import (
    BigQueryQuery,
    BigQueryTable,
    Estimate,
    GithubRepos,
    StreamUnit,
)
from sources.completion import complete
from sources.config import IngestConfig
from sources.github import GithubChoice
from sources.languages import KNOWN as KNOWN_LANGUAGES
from sources.languages import language_of
from sources.reading import read_unit
from sources.selection import EVIDENCE
from sources.spec import parse_spec
from sources.unit import Listing, Source, Unit

__all__ = [
    "EVIDENCE",
    "KNOWN_LANGUAGES",
    "Access",
    "BigQueryQuery",
    "BigQueryTable",
    "Estimate",
    "GithubChoice",
    "GithubRepos",
    "IngestConfig",
    "Limits",
    "Listing",
    "Services",
    "Source",
    "StreamUnit",
    "Unit",
    "complete",
    "language_of",
    "parse_spec",
    "read_services",
    "read_unit",
]
