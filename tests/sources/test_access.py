"""The access file: how services are reached, and what of it is refused."""

from __future__ import annotations

import pytest

from columns.errors import InputError
from sources import Access, GithubChoice, GithubRepos, Limits, Services, parse_spec, read_services
from sources.bigquery import BigQueryConfig
from sources.github import GithubConfig


@pytest.fixture(autouse=True)
def no_servers(monkeypatch):
    for name in ("GITHUB_API_URL", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


def written(tmp_path, text):
    path = tmp_path / "access.yaml"
    path.write_text(text)
    return str(path)


def test_what_is_not_named_has_its_default(tmp_path):
    text = "github: {store: /data, connections: 3}\nbigquery: {project: paying, prices: {query: 5}}\n"
    found = read_services(written(tmp_path, text))
    assert found.github == GithubConfig(store="/data", connections=3)
    assert (found.bigquery.project, found.bigquery.prices.query) == ("paying", 5)
    assert found.bigquery.max_bytes_billed == BigQueryConfig().max_bytes_billed


@pytest.mark.parametrize("text", ["", "# nothing\n", "github: {}\n", "bigquery: {}\n"])
def test_an_empty_file_is_the_defaults(tmp_path, text):
    assert read_services(written(tmp_path, text)) == Services()


def test_the_file_wins_over_the_environment_and_the_environment_over_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_API_URL", "https://api.example.org")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org")
    found = read_services(written(tmp_path, "github: {api_url: 'https://other.example.org'}"))
    assert found.github.api_url == "https://other.example.org"
    assert found.github.server_url == "https://git.example.org"
    assert Services().github.server_url == "https://git.example.org"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("github: {stroe: /data}", r"github\.stroe: "),
        ("gitlab: {}", r"gitlab: "),
        ("github: [1]", r"github: "),
        ("github: {connections: 0}", r"github: connections: expected at least 1"),
        ("bigquery: {api: 'http://example.org'}", r"bigquery: api: expected https"),
        ("- github", r"expected sections, got list"),
        ("github: {", r"not a YAML file"),
        ("\x00", r"not a YAML file"),
    ],
)
def test_mistakes_are_named(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as caught:
        read_services(written(tmp_path, text))
    assert "access.yaml" in caught.value.what


def test_a_hint_names_every_key(tmp_path):
    with pytest.raises(InputError) as caught:
        read_services(written(tmp_path, "github: {stroe: /data}"))
    assert "store" in caught.value.hint
    assert "max_bytes_billed" in caught.value.hint


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such"):
        read_services(str(tmp_path / "none.yaml"))


def test_a_password_is_not_repeated(tmp_path):
    with pytest.raises(InputError) as caught:
        read_services(written(tmp_path, "github: {api_url: 'https://me:hush@example.org'}"))
    assert "hush" not in f"{caught.value.what}{caught.value.hint}"


def test_specs_get_what_was_chosen_and_how_it_is_reached(tmp_path):
    services = Services(GithubConfig(store="/data"), BigQueryConfig(project="paying"))
    access = Access(services, GithubChoice(forks=False), GithubRepos(licenses=("mit",)), Limits(ratio=9))
    github = parse_spec("github:a/b", access)
    assert (github.choice.forks, github.github.store) == (False, "/data")
    query = parse_spec("bigquery:github_repos", access)
    assert (query.query.licenses, query.settings.project) == (("mit",), "paying")
    archives = tmp_path / "archives"
    archives.mkdir()
    (archives / "a.zip").write_bytes(b"")
    for spec in (f"archive:{archives}", str(archives / "a.zip"), str(archives)):
        assert parse_spec(spec, access).limits == Limits(ratio=9)
