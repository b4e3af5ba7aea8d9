"""BigQuery: tables and queries, the public GitHub dataset among them, as sources of documents.

    bigquery_source(text) -> Source        what stands after "bigquery:" in a spec
    BigQueryTable, BigQueryQuery           sources; `.estimate(config)` says the cost, nothing is billed
    GithubRepos                            the query over `bigquery-public-data.github_repos`

The map:

    config        BigQueryConfig: limits, the billed project, prices
    spec          the text that names a source
    source        tables and queries as sources: what is pinned, estimated, confirmed, cut
    github_repos  one path per blob, by languages, licences, sizes and stars, in SQL
    cost          Estimate: bytes and price before anything is read
    export        a query's rows as Parquet on GCS
    jobs          dry runs, queries and exports, each with a limit of billed bytes
    sessions      read sessions over one snapshot
    streams       read streams as units: Arrow batches, resumed at their offset
    rows          columns of a result as record batches, for lists
    splitting     read streams that a Beam runner can cut while they are read; imported where Beam is
    wire          an answer's Arrow batch without copying the answer
    connection    clients and their errors; the only module that imports Google's packages (extra ``gcp``)
"""

from sources.bigquery.config import BigQueryConfig, Prices
from sources.bigquery.cost import Estimate
from sources.bigquery.github_repos import GithubRepos
from sources.bigquery.source import BigQueryQuery, BigQueryTable
from sources.bigquery.spec import bigquery_source
from sources.bigquery.streams import StreamUnit

__all__ = [
    "BigQueryConfig",
    "BigQueryQuery",
    "BigQueryTable",
    "Estimate",
    "GithubRepos",
    "Prices",
    "StreamUnit",
    "bigquery_source",
]
