"""The SQL over the public dataset, and the pattern of its paths; what it selects is tested on the emulator."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from sources import KNOWN_LANGUAGES, IngestConfig, language_of
from sources.bigquery import GithubRepos
from sources.bigquery.github_repos import path_pattern
from sources.languages import names_of

KNOWN_NAMES = {name for language in KNOWN_LANGUAGES for name in names_of(language)}
EXTENSIONS = sorted(name[1:] for name in KNOWN_NAMES if name.startswith("."))
NAMES = st.one_of(
    st.sampled_from(sorted(name for name in KNOWN_NAMES if name[0] != ".")),
    st.tuples(
        st.sampled_from(["", "a", "a.b", "makefile", "Ä"]), st.sampled_from([*EXTENSIONS, "txt", "", "pyx2"])
    ).map(".".join),
    st.text("abc.py+/#", max_size=8),
)
PATHS = st.tuples(st.sampled_from(["", "src/", "a.py/", ".git/"]), NAMES, st.booleans()).map(
    lambda found: (found[0] + found[1]).upper() if found[2] else found[0] + found[1]
)


@given(PATHS, st.lists(st.sampled_from(sorted(KNOWN_LANGUAGES)), min_size=1, max_size=4, unique=True))
def test_the_pattern_takes_the_files_that_the_sources_take(path, languages):
    pattern = path_pattern(tuple(languages), "")
    assert (re.search(pattern, path.lower()) is not None) == (language_of(path) in languages)


def test_every_language_has_a_pattern_that_is_read_the_same_by_re2():
    for language in KNOWN_LANGUAGES:
        pattern = path_pattern((language,), "")
        assert re.fullmatch(r"[\w()|/^$.+\[\]#-]+", pattern), pattern
        assert "'" not in pattern
        assert "(?" not in pattern


def test_evidence_is_read_beside_the_languages_and_never_alone():
    pattern = path_pattern(("go",), r"(.*/)?license(\.txt)?")
    assert [bool(re.search(pattern, path)) for path in ("a.go", "x/license", "license.txt", "license.md")] == [
        True, True, True, False,
    ]  # fmt: skip
    assert path_pattern((), "license") == ""


@pytest.mark.parametrize("evidence", ["it's", "a\nb"])
def test_evidence_that_would_leave_its_quotes_is_refused(evidence):
    with pytest.raises(InputError):
        path_pattern(("go",), evidence)


def test_an_unknown_language_of_the_recipe_is_refused():
    with pytest.raises(InputError, match="no file names known for brainfuck"):
        GithubRepos().sql(IngestConfig(languages=("brainfuck",)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"languages": ("py",)},
        {"languages": ("brainfuck",)},
        {"licenses": ("mit') OR TRUE --",)},
        {"licenses": ("MIT",)},
        {"min_bytes": -1},
        {"min_bytes": 10, "max_bytes": 9},
        {"min_stars": -1},
        {"dataset": "a`.b"},
        {"dataset": "only_a_dataset"},
        {"stars_table": "x; DROP TABLE y"},
        {"at": "yesterday"},
        {"at": "2026-05-01T00:00:00Z' --"},
    ],
)
def test_values_that_do_not_belong_into_a_query_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"^{next(iter(wrong))}"):
        GithubRepos(**wrong)


def test_only_what_is_asked_for_is_scanned():
    plain = GithubRepos().sql(IngestConfig())
    assert "sample_" not in plain
    assert "REGEXP" not in plain
    assert "SYSTEM_TIME" not in plain
    assert "HAVING" not in plain
    assert "sample_repos" in GithubRepos(min_stars=5).sql(IngestConfig())
    at = GithubRepos(at="2026-05-01T00:00:00Z", min_stars=5).sql(IngestConfig())
    assert at.count("FOR SYSTEM_TIME AS OF TIMESTAMP '2026-05-01T00:00:00Z'") == at.count("FROM `") == 4


def test_the_smaller_limit_of_sizes_wins():
    assert "BETWEEN 0 AND 500" in GithubRepos(max_bytes=900).sql(IngestConfig(max_bytes=500))
    assert "BETWEEN 7 AND 900" in GithubRepos(min_bytes=7, max_bytes=900).sql(IngestConfig())


def test_the_order_of_the_choices_does_not_change_the_query():
    first = GithubRepos(licenses=("mit", "0bsd"), languages=("go", "c")).sql(IngestConfig())
    assert first == GithubRepos(licenses=("0bsd", "mit", "mit"), languages=("c", "go")).sql(IngestConfig())
