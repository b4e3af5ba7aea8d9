"""Access: how services are reached, and what of them a recipe chooses; what a spec alone does not say.

A recipe says what is wanted, an access file where and on whose account it is got: endpoints, limits of cost,
connections, folders. No secret is in either: tokens and credentials come from the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import TypeAdapter, ValidationError

from columns.errors import InputError
from sources.archives import Limits
from sources.bigquery import BigQueryConfig, GithubRepos
from sources.bigquery.cost import Confirm
from sources.github import GithubChoice, GithubConfig
from sources.locations import missing


@dataclass(frozen=True)
class Services:
    """What an access file may hold: the sections ``github`` and ``bigquery``."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    github: GithubConfig = field(default_factory=GithubConfig.from_environment)
    bigquery: BigQueryConfig = field(default_factory=BigQueryConfig)


@dataclass(frozen=True)
class Access:
    """What `sources.parse_spec` makes sources of services with.

    ``choice``, ``repos`` and ``limits`` are the recipe's: which repositories of GitHub, what of BigQuery's
    ``github_repos``, what is too much for an archive.
    ``confirm`` gets the estimate before anything is billed and says whether to go on; None asks nobody.
    ``watch`` is told how many repositories of a crawl have got their state, and of how many; by any thread.
    """

    services: Services = field(default_factory=Services)
    choice: GithubChoice = field(default_factory=GithubChoice)
    repos: GithubRepos = field(default_factory=GithubRepos)
    limits: Limits = field(default_factory=Limits)
    confirm: Confirm | None = field(default=None, compare=False, repr=False)
    watch: Callable[[int, int], None] | None = field(default=None, compare=False, repr=False)


def read_services(path: str) -> Services:
    """Read an access file; what it does not name is as the environment and the defaults have it.

    `InputError` names the key and what was expected.
    """
    try:
        data = yaml.safe_load(Path(path).expanduser().read_text("utf-8")) or {}
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a YAML file ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected sections, got {type(data).__name__}", hint=_hint())
    return _validated(path, _with_environment(data))


def _with_environment(data: Mapping[str, Any]) -> dict[str, Any]:
    named = GithubConfig.from_environment()
    github = data.get("github", {})
    if not isinstance(github, dict):
        return dict(data)
    return {**data, "github": {"api_url": named.api_url, "server_url": named.server_url, **github}}


def _validated(path: str, data: dict[str, Any]) -> Services:
    try:
        return _adapter().validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {key}: {what}", hint=_hint()) from None


@cache
def _adapter() -> TypeAdapter[Services]:
    return TypeAdapter(Services)


def _hint() -> str:
    return "sections and keys: " + "; ".join(
        f"{name}: {', '.join(item.name for item in fields(kind))}"
        for name, kind in (("github", GithubConfig), ("bigquery", BigQueryConfig))
    )
