"""Sources: inputs of every kind as batches of documents.

    parse_spec(text) -> Source          what the user names: tree:, git:, parquet:, jsonl:, archive:, github:, bigquery:
    Source.units(config) -> Listing     cut into independently readable units; what was skipped, and why
    read_unit(unit, config)             a unit's `DOCUMENT` batches, complete with ids and hashes

The map:

    spec        the text that names a source    access      how services are reached
    unit        Unit, Listing, Source: how sources are cut
    reading     read_unit
    config      IngestConfig
    tree        directory trees                 files       whole files as rows (tree, git)
    git         repositories: commits, clones   gitprogram  the git program, sandboxed
    blobs       contents of a commit
    parquet     row groups                      rows        rows of a table as documents
    folded      rows of repositories, by file
    jsonl       JSON lines                      lines, inflate  bounded lines; gzip and zstd
    archives    tar and zip archives            ignored     the patterns of .gitignore files
    notebooks   Jupyter notebooks as code       github      repositories of lists, and what GitHub says of them
    bigquery    tables, queries, github_repos: read as Arrow streams
    headers     which column is which           cells       values as a document's types
    locations   files on any fsspec filesystem  languages   languages by file name
    stopping    threads that end when interrupted
    decode      bytes to text                   completion  ids, hashes, sizes, languages
    selection   which files are read, and which as evidence
    optout      what somebody asked to be left out
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
