"""What names a source, what limits it, what it would cost: all of it without Google's packages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from columns.errors import EnvironmentProblem, InputError
from sources import IngestConfig
from sources.bigquery import (
    BigQueryConfig,
    BigQueryQuery,
    BigQueryTable,
    Estimate,
    GithubRepos,
    Prices,
    bigquery_source,
)
from sources.bigquery.cost import check, size_text


def test_the_public_dataset_takes_the_recipe_s_query():
    query = GithubRepos(licenses=("mit",))
    source = bigquery_source("github_repos", repos=query)
    assert source == BigQueryQuery("github_repos", query)
    assert source.spec == "bigquery:github_repos"
    assert bigquery_source("github_repos:sample", repos=query).query == GithubRepos(
        licenses=("mit",), sample=True
    )


@pytest.mark.parametrize(
    "table", ["p.d.t", "my-project.code.files_2026", "example.com:p.d.t", "p.d.t$20260101"]
)
def test_tables(table):
    assert bigquery_source(table) == BigQueryTable(table)
    assert bigquery_source(table).spec == f"bigquery:{table}"


def test_a_moment_is_written_one_way_and_reads_back():
    source = bigquery_source("p.d.t@2026-05-01 02:00:00+02:00")
    assert source.spec == "bigquery:p.d.t@2026-05-01T00:00:00+00:00"
    assert bigquery_source(source.spec.removeprefix("bigquery:")) == source
    assert bigquery_source("p.d.t@2026-05-01").at == "2026-05-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "t",
        "d.t",
        "p.d.t.x y",
        "p.d.t@",
        "p.d.t@soon",
        "p.d.t@2999-01-01",
        "p.d.`t`",
        "p.d.t; DROP",
        "github",
    ],
)
def test_what_names_nothing_is_one_clear_error(wrong):
    with pytest.raises(InputError, match="bigquery:"):
        bigquery_source(wrong)


def test_a_query_file(tmp_path):
    file = tmp_path / "mine.sql"
    file.write_text("  SELECT content FROM t;\n")
    source = bigquery_source(str(file))
    assert source.query.sql(IngestConfig()) == "SELECT content FROM t"
    for raw in (b"", b" ;", b"\xff"):
        file.write_bytes(raw)
        with pytest.raises(InputError):
            bigquery_source(str(file))
    with pytest.raises(InputError, match="no such file"):
        bigquery_source(str(tmp_path / "none.sql"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_bytes_billed": 0},
        {"max_bytes_read": 0},
        {"attempts": 0},
        {"compression": "gzip"},
        {"destination": "t"},
        {"api": "http://example.org"},
        {"api": "https://me:secret@example.org"},
    ],
)
def test_settings_are_checked_and_secrets_not_repeated(wrong):
    with pytest.raises(ValueError, match=rf"^{next(iter(wrong))}") as caught:
        BigQueryConfig(**wrong)
    assert "secret" not in str(caught.value)


def test_prices_are_the_recipe_s():
    prices = Prices(query=5.0, read=0.0, currency="EUR", source="contract", as_of="2026-11")
    estimate = Estimate("t", processed=1 << 40, read=1 << 40, prices=prices)
    assert estimate.text() == "t: 2.00 TiB to scan, about 5.00 EUR (contract, 2026-11)"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1 << 50, "1024.00 TiB")]
)
def test_sizes(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(("field", "limit"), [("processed", "max_bytes_billed"), ("read", "max_bytes_read")])
def test_limits_are_inclusive(field, limit):
    config = BigQueryConfig(**{limit: 100})
    check(Estimate("t", **{field: 100}), config, None)
    with pytest.raises(InputError, match=f"over {limit}"):
        check(Estimate("t", **{field: 101}), config, None)


def test_confirmation_is_asked_only_for_what_is_within_the_limits():
    asked = []
    with pytest.raises(InputError, match="over"):
        check(
            Estimate("t", processed=1 << 50),
            BigQueryConfig(),
            lambda estimate: asked.append(estimate) or True,
        )
    check(Estimate("t"), BigQueryConfig(), lambda estimate: asked.append(estimate) or True)
    assert asked == [Estimate("t")]


def test_google_s_packages_are_imported_only_when_used():
    code = (
        "import sys; from sources.bigquery import bigquery_source;"
        "bigquery_source('github_repos'); bigquery_source('p.d.t');"
        "print([name for name in sys.modules if name.startswith(('google.cloud.', 'google.auth', 'grpc'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_them_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    with pytest.raises(EnvironmentProblem) as caught:
        BigQueryTable("p.d.t").estimate(IngestConfig())
    assert "thresher[gcp]" in caught.value.hint
