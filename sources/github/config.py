"""The configuration of crawling, no part of a recipe: where GitHub is, where its repositories are kept, how fast."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args
from urllib.parse import urlsplit

from columns.errors import InputError
from columns.urls import without_login

Transport = Literal["git", "tarball"]

_POSITIVE = ("connections", "attempts", "max_seconds", "stall_seconds", "memory_bytes")


@dataclass(frozen=True)
class GithubConfig:
    """How repositories are found and fetched.

    ``store``: the folder that keeps the fetched repositories and their states between runs; empty means
    "thresher/github" in the user's cache folder. ``token_variables``: environment variables that hold tokens,
    separated by commas; the first that is set is used. Tokens go to ``api_url`` only: repositories are fetched
    without one, so that private ones cannot get into a dataset.
    ``connections``: at the same time, per host. ``attempts``: of each request that fails for a passing reason.
    ``max_seconds``, ``memory_bytes``: per repository. ``stall_seconds``: a server that sends nothing for so long is
    given up. ``max_wait_seconds``: the longest wait for a rate limit.
    ``transport``: how a commit is fetched: by git's protocol, or as the "tarball" that the API makes of it, where a
    network lets nothing else through. Rows of the two differ a little (docs/github.md).

    >>> GithubConfig(connections=0)
    Traceback (most recent call last):
    ValueError: connections: expected at least 1, got 0
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    api_url: str = "https://api.github.com"
    server_url: str = "https://github.com"
    store: str = ""
    token_variables: tuple[str, ...] = ("GITHUB_TOKENS", "GITHUB_TOKEN", "GH_TOKEN")
    connections: int = 8
    attempts: int = 4
    max_seconds: int = 600
    stall_seconds: int = 60
    memory_bytes: int = 4 << 30
    max_wait_seconds: int = 3900
    transport: Transport = "git"

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("api_url", "server_url"):
            _check_url(name, getattr(self, name))
        if self.transport not in get_args(Transport):
            raise ValueError(f"transport: expected git or tarball, got {self.transport!r}")

    @staticmethod
    def from_environment() -> GithubConfig:
        """The defaults, with ``GITHUB_API_URL`` and ``GITHUB_SERVER_URL`` where the environment has them.

        `InputError` for one that is no URL, or has a login in it.
        """
        named = {"api_url": "GITHUB_API_URL", "server_url": "GITHUB_SERVER_URL"}
        found = {name: os.environ[key] for name, key in named.items() if os.environ.get(key)}
        try:
            return GithubConfig(**found)  # type: ignore[arg-type]
        except ValueError as error:
            variables = " or ".join(named[name] for name in found)
            raise InputError(f"{variables} of the environment: {error}") from None

    def folder(self) -> str:
        """The store's absolute path."""
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
        return os.path.abspath(os.path.expanduser(self.store or os.path.join(cache, "thresher", "github")))


def _check_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError(f"{name}: expected a URL without user and password")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name}: expected an http or https URL, got {without_login(url)!r}")
