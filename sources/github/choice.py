"""The choice of repositories: which of a list's are fetched, and what of one is too much. Part of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from sources.github.facts import Facts

Metadata = Literal["auto", "api", "list"]


@dataclass(frozen=True)
class GithubChoice:
    """Which repositories are wanted; what is not known of a repository never leaves it out.

    ``metadata``: "api" asks the API about every repository, "list" takes what the list says, "auto" asks when
    the environment has a token. ``forks``, ``archived``: whether such repositories are fetched. ``min_stars``:
    repositories with fewer are left out. ``licenses``: SPDX names in lower case as the API detects them ("mit",
    "apache-2.0"); repositories under another one are left out; empty means all.
    ``events``: kinds of GH Archive events whose repositories are taken; empty means all.
    ``max_pack_bytes`` and ``max_entries``: what is too much to fetch, and too many files, of one repository.

    >>> GithubChoice(licenses=("MIT",))
    Traceback (most recent call last):
    ValueError: licenses: expected lower-case names such as 'apache-2.0', got 'MIT'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    metadata: Metadata = "auto"
    forks: bool = True
    archived: bool = True
    min_stars: int = 0
    licenses: tuple[str, ...] = ()
    events: tuple[str, ...] = ("PushEvent",)
    max_pack_bytes: int = 1 << 30
    max_entries: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("max_pack_bytes", "max_entries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.min_stars < 0:
            raise ValueError(f"min_stars: expected at least 0, got {self.min_stars}")
        for name in self.licenses:
            if name != name.lower():
                raise ValueError(f"licenses: expected lower-case names such as 'apache-2.0', got {name!r}")
        if self.metadata not in ("auto", "api", "list"):
            raise ValueError(f"metadata: expected auto, api or list, got {self.metadata!r}")

    def obstacle(self, facts: Facts) -> str:
        """Why a repository is left out; "" when it is wanted.

        >>> GithubChoice(forks=False, min_stars=5).obstacle(Facts(stars=3))
        'has fewer than 5 stars'
        """
        if facts.archived and not self.archived:
            return "archived"
        if facts.fork_of is not None and not self.forks:
            return "a fork"
        if facts.stars is not None and facts.stars < self.min_stars:
            return f"has fewer than {self.min_stars} stars"
        if self.licenses and facts.license is not None and facts.license.lower() not in self.licenses:
            return "another licence"
        return ""
