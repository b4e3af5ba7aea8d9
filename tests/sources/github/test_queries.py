"""Lists from a query: the rows of BigQuery say which repositories are fetched."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from crawling import paths, read_source, states

pytest.importorskip("google.cloud.bigquery_storage_v1", reason="needs thresher[gcp]")

import grpc
from bigquery_emulator import missing as no_emulator
from bigquery_emulator import running
from bigquery_fakes import FakeRest, FakeStorage, serving

from columns.errors import EnvironmentProblem, InputError
from sources import Access, Services, parse_spec
from sources.bigquery import BigQueryConfig

pytestmark = pytest.mark.xdist_group("bigquery")

SQL = "SELECT repo, stars FROM repos;\n"
COLUMNS = (("repo", "STRING"), ("stars", "INT64"), ("ignored", "STRING"))
ROWS = pa.record_batch({"repo": ["a/b", "c/d", None, "no name"], "stars": [11, None, 3, 4]})


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """A running emulator, or a skip that says what is missing."""
    if why := no_emulator():
        pytest.skip(why)
    with running(tmp_path_factory.mktemp("bigquery")) as started:
        yield started


@pytest.fixture
def queried(source, tmp_path):
    """Make a source of a query's repositories."""

    def queried(sql: str, settings: BigQueryConfig, **more: object):
        path = tmp_path / "list.sql"
        path.write_text(sql)
        return replace(source(where=str(path)), bigquery=settings, **more)

    return queried


def test_rows_of_a_query_are_a_list(make, queried):
    for name in ("a/b", "c/d"):
        make(name)
    rest, storage = (
        FakeRest(processed=500, columns=COLUMNS),
        FakeStorage([[ROWS.slice(0, 1)], [ROWS.slice(1)]]),
    )
    with serving(rest, storage) as settings:
        table, skipped, _ = read_source(queried(SQL, settings))
    assert paths(table)[::2] == ["a/b:a.py", "c/d:a.py"]
    assert table["stars"].to_pylist() == [11, 11, None, None]
    assert skipped == {"not_a_repository": 2}
    (job,) = rest.queries()
    assert job["configuration"]["query"]["query"] == SQL.strip().rstrip(";")
    assert int(job["configuration"]["query"]["maximumBytesBilled"]) == settings.max_bytes_billed
    assert list(storage.sessions[0].read_session.read_options.selected_fields) == ["repo", "stars"]


def test_refs_and_records(make, queried):
    folder = make("a/b")
    from reads import git

    git(folder, "branch", "old")
    kind = pa.struct([("id", pa.int64()), ("name", pa.string())])
    rows = pa.record_batch({
        "repo": pa.array([{"id": 1, "name": "a/b"}], kind), "ref": pa.array(["refs/heads/old"])
    })  # fmt: skip
    rest = FakeRest(columns=(("repo", "STRING"), ("ref", "STRING")))
    with serving(rest, FakeStorage([[rows]])) as settings:
        assert read_source(queried(SQL, settings))[0].num_rows == 2


def test_streams_go_on_where_they_broke(make, queried, monkeypatch):
    monkeypatch.setattr("sources.bigquery.streams.time.sleep", lambda _: None)
    for name in ("a/b", "c/d"):
        make(name)
    storage = FakeStorage(
        [[ROWS.slice(0, 1), ROWS.slice(1)]], failures={0: [(1, grpc.StatusCode.UNAVAILABLE)]}
    )
    with serving(FakeRest(columns=COLUMNS), storage) as settings:
        assert read_source(queried(SQL, settings))[0].num_rows == 4
    assert storage.offsets == [(0, 0), (0, 1)]


def test_damage_is_never_a_shorter_list(make, queried):
    make("a/b")
    storage = FakeStorage([[ROWS]], damage=frozenset({(0, 0)}))
    with (
        serving(FakeRest(columns=COLUMNS), storage) as settings,
        pytest.raises(EnvironmentProblem, match="4 rows of the result came damaged"),
    ):
        read_source(queried(SQL, settings))


def test_nothing_is_billed_over_the_limit_or_unconfirmed(queried):
    rest = FakeRest(processed=5000, columns=COLUMNS)
    seen = []
    with serving(rest, FakeStorage([[ROWS]]), max_bytes_billed=1000) as settings:
        with pytest.raises(InputError, match="over max_bytes_billed"):
            read_source(queried(SQL, settings))
        wide = replace(settings, max_bytes_billed=10_000)
        with pytest.raises(InputError, match="not confirmed"):
            read_source(queried(SQL, wide, confirm=seen.append))
    assert rest.queries() == []
    assert [estimate.processed for estimate in seen] == [5000]


def test_a_query_without_names_is_refused_before_it_is_billed(queried):
    rest = FakeRest(columns=(("owner", "STRING"), ("stars", "INT64")))
    with (
        serving(rest, FakeStorage([[ROWS]])) as settings,
        pytest.raises(InputError, match="no column of repositories; found: owner, stars"),
    ):
        read_source(queried(SQL, settings))
    assert rest.queries() == []


def test_a_destination_is_left_to_the_contents(make, queried):
    make("a/b")
    make("c/d")
    rest = FakeRest(columns=COLUMNS)
    with serving(rest, FakeStorage([[ROWS]]), destination="p.mine.kept") as settings:
        read_source(queried(SQL, settings))
    assert not any("mine" in str(job) for job in rest.jobs)


@pytest.mark.parametrize(("raw", "reason"), [(b"  ;\n", "no query in it"), (b"\xff\xfe", "not a query")])
def test_files_that_are_no_query(raw, reason, source, tmp_path):
    path = tmp_path / "list.sql"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=reason):
        read_source(source(where=str(path)))
    path.unlink()
    with pytest.raises(InputError, match=r"list\.sql"):
        read_source(source(where=str(path)))


def test_the_access_says_how_queries_are_run():
    def confirm(estimate: object) -> bool:
        return True

    access = Access(Services(bigquery=BigQueryConfig(project="billed")), confirm=confirm)
    found = parse_spec("github:list.sql", access)
    assert (found.bigquery.project, found.confirm) == ("billed", confirm)


def test_the_emulator(emulator, make, queried):
    for name in ("a/b", "c/d"):
        make(name)
    day = pa.table({
        "type": ["PushEvent", "WatchEvent", "PushEvent", "PushEvent"],
        "repo_name": ["a/b", "x/y", "c/d", "a/b"], "stars": [5, 6, 7, 5],
    })  # fmt: skip
    emulator.load("githubarchive.day.d20240101", day)
    sql = "SELECT repo_name, MAX(stars) AS stars FROM `githubarchive.day.d20240101` WHERE type = 'PushEvent' GROUP BY 1"
    table, skipped, _ = read_source(queried(sql, emulator.config()))
    assert (paths(table)[::2], skipped) == (["a/b:a.py", "c/d:a.py"], {})
    assert table["stars"].to_pylist() == [5, 5, 7, 7]
    assert sorted(states(queried(sql, emulator.config()))) == ["a/b", "c/d"]
