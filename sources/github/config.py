"""The configuration of crawling: where GitHub is, how much at once, and what is too much."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import urlsplit

Metadata = Literal["auto", "api", "list"]

_POSITIVE = (
    "connections", "attempts", "max_pack_bytes", "max_seconds", "stall_seconds", "max_entries", "memory_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class GithubConfig:
    """How repositories are found and fetched.

    ``store``: the folder that keeps the fetched repositories and their states between runs; empty means a folder
    "github" below the build's scratch folder. ``metadata``: "api" asks the API about every repository, "list" takes
    what the list says, "auto" asks when the environment has a token. ``token_variables``: environment
    variables that hold tokens, separated by commas; the first that is set is used. Tokens go to ``api_url``
    only: repositories are fetched without one, so that private ones cannot get into a dataset.
    ``connections``: at the same time, per host. ``attempts``: of each request that fails for a passing reason.
    ``max_pack_bytes``, ``max_seconds``, ``max_entries``, ``memory_bytes``: per repository. ``stall_seconds``: a server
    that sends nothing for so long is given up. ``max_wait_seconds``: the longest wait for a rate limit.
    ``events``: kinds of GH Archive events whose repositories are taken; empty means all.
    ``forks``, ``archived``: whether such repositories are fetched, where metadata says so.

    >>> GithubConfig(connections=0)
    Traceback (most recent call last):
    ValueError: connections: expected at least 1, got 0
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    api_url: str = "https://api.github.com"
    server_url: str = "https://github.com"
    store: str = ""
    metadata: Metadata = "auto"
    token_variables: tuple[str, ...] = ("GITHUB_TOKENS", "GITHUB_TOKEN", "GH_TOKEN")
    connections: int = 8
    attempts: int = 4
    max_pack_bytes: int = 1 << 30
    max_seconds: int = 600
    stall_seconds: int = 60
    max_entries: int = 1_000_000
    memory_bytes: int = 4 << 30
    max_wait_seconds: int = 3900
    events: tuple[str, ...] = ("PushEvent",)
    forks: bool = True
    archived: bool = True

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.metadata not in ("auto", "api", "list"):
            raise ValueError(f"metadata: expected auto, api or list, got {self.metadata!r}")
        for name in ("api_url", "server_url"):
            _check_url(name, getattr(self, name))

    @staticmethod
    def from_environment() -> GithubConfig:
        """The defaults, with ``GITHUB_API_URL`` and ``GITHUB_SERVER_URL`` where the environment has them."""
        named = {"api_url": "GITHUB_API_URL", "server_url": "GITHUB_SERVER_URL"}
        found = {name: os.environ[key] for name, key in named.items() if os.environ.get(key)}
        return GithubConfig(**found)  # type: ignore[arg-type]


def _check_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError(f"{name}: expected a URL without user and password")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name}: expected an http or https URL, got {url!r}")
