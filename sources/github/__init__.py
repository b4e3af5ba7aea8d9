"""GitHub: repositories of a list, fetched politely and restartably, read from their object stores.

    GithubSource(where, choice, config).units(…)    the list brought up to date in a store, and cut into units

The map:

    source    GithubSource                        units     GithubUnit, TarballUnit
    config    GithubConfig                        tarballs  the alternative to git's protocol
    outcomes  what became of each, as rows        choice    GithubChoice
    lists     which repositories are wanted       facts     stars, forks, licence, parent
    crawl     all of them, several at a time      states    what became of each, resumable
    api       the REST and GraphQL APIs           tokens    secrets, in turn
    graph     a hundred repositories' metadata at once
    remote    git's smart HTTP protocol           packets   its framing
    shelf     one repository's object store       web       HTTP with limits
    away      the same on another machine
    proxies   those of the environment
    patience  when to ask again                   refusals  why a repository is not read
"""

from sources.github.choice import GithubChoice
from sources.github.config import GithubConfig
from sources.github.facts import Facts
from sources.github.source import FORM, GithubSource
from sources.github.states import State, States
from sources.github.units import GithubUnit, TarballUnit

__all__ = [
    "FORM",
    "Facts",
    "GithubChoice",
    "GithubConfig",
    "GithubSource",
    "GithubUnit",
    "State",
    "States",
    "TarballUnit",
]
