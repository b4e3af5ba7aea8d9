"""Servers, repositories and sources for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "bigquery")]

from reads import repository  # noqa: E402
from servers import ApiHandler, ApiServer, Calendar, GitHandler, GitServer, serving  # noqa: E402

from sources.github import GithubChoice, GithubConfig, GithubSource  # noqa: E402


@pytest.fixture(autouse=True)
def no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKENS", "GITHUB_TOKEN", "GH_TOKEN", "GITHUB_API_URL", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_PROXY".upper(), raising=False)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    root = tmp_path / "upstream"
    root.mkdir()
    with serving(GitHandler, GitServer(str(root))) as server:
        yield server


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with serving(ApiHandler, ApiServer()) as server:
        yield server


@pytest.fixture
def make(upstream: GitServer) -> Callable[..., Path]:
    """Make a repository on the server; returns its folder."""

    def make(name: str, files: dict[str, bytes] | None = None) -> Path:
        folder = Path(upstream.root, f"{name}.git")
        repository(folder, files or {"a.py": f"name = {name!r}\n".encode(), "lib/b.go": b"package b\n"})
        return folder

    return make


@pytest.fixture
def clock() -> Calendar:
    return Calendar()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def source(
    upstream: GitServer, api: ApiServer, tmp_path: Path, clock: Calendar, said: list[str]
) -> Callable[..., GithubSource]:
    """Make a source of some repositories' names, against the doubles."""

    def source(*names: str, where: str = "", **settings: Any) -> GithubSource:
        path = tmp_path / "list.txt"
        path.write_text("\n".join(names) + "\n")
        fixed = {
            "server_url": upstream.url, "api_url": api.url, "store": str(tmp_path / "store"), "metadata": "list",
            "stall_seconds": 5,
        }  # fmt: skip
        named = {field.name for field in fields(GithubChoice)}
        choice = {name: value for name, value in (fixed | settings).items() if name in named}
        config = {name: value for name, value in (fixed | settings).items() if name not in named}
        chosen, reached = GithubChoice(**choice), GithubConfig(**config)
        return GithubSource(where or str(path), chosen, reached, clock=clock, say=said.append)

    return source
