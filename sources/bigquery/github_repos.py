"""The public dataset ``github_repos``: one row per content, with one path that is always the same.

``contents`` has one row per blob, ``files`` one per path of each repository at one ref, so that joining them
multiplies each content by its copies (the query of CodeParrot, arXiv 2207.09879 and its repository, does). Here a
content gets one origin first: of the files that pass the filters, the one in the repository with the most stars
(where stars are asked for), then the first by repository, path and ref.

Google's description of the tables: console.cloud.google.com/marketplace/product/github/github-repos.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from columns.errors import InputError
from sources.config import IngestConfig
from sources.languages import canonical, names_of

_DATASET = re.compile(r"[\w-]+\.\w+", re.ASCII)
_LICENSE = re.compile(r"[a-z0-9.+-]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True)
class GithubRepos:
    """What of ``github_repos`` is wanted; every limit is part of the query, so what it leaves out is not counted.

    ``languages``: by file name as `sources.languages` has them; empty is the recipe's ``ingest.languages``, and
    every file where these are empty too. ``licenses``: lower-case names as the table ``licenses`` has them ("mit",
    "apache-2.0"); every licence that a repository states must be one of them. ``min_bytes`` and ``max_bytes``: of
    a content; the dataset holds no text of files over 1 MiB. ``min_stars``: by ``stars_table``, which has one row
    per repository (``repo_name``, ``watch_count``) and knows only the dataset's sampled repositories; 0 asks for
    no stars. ``sample``: the tables ``sample_files`` and ``sample_contents``, a hundredth of the size. ``at``: the
    state at an ISO 8601 time of the last seven days.

    >>> GithubRepos(licenses=("MIT",))
    Traceback (most recent call last):
    ValueError: licenses: expected lower-case names such as 'apache-2.0', got 'MIT'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    languages: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    min_bytes: int = 0
    max_bytes: int = 1 << 20
    min_stars: int = 0
    stars_table: str = "sample_repos"
    sample: bool = False
    at: str = ""
    dataset: str = "bigquery-public-data.github_repos"

    def __post_init__(self) -> None:
        for language in self.languages:
            if canonical(language) != language:
                raise ValueError(f"languages: expected {canonical(language)!r}, got {language!r}")
            if not names_of(language):
                raise ValueError(f"languages: expected one with known file names, got {language!r}")
        for license_ in self.licenses:
            if not _LICENSE.fullmatch(license_):
                raise ValueError(
                    f"licenses: expected lower-case names such as 'apache-2.0', got {license_!r}"
                )
        if not 0 <= self.min_bytes <= self.max_bytes:
            raise ValueError(f"min_bytes: expected 0 to max_bytes {self.max_bytes}, got {self.min_bytes}")
        if self.min_stars < 0:
            raise ValueError(f"min_stars: expected at least 0, got {self.min_stars}")
        if not _DATASET.fullmatch(self.dataset):
            raise ValueError(f"dataset: expected PROJECT.DATASET, got {self.dataset!r}")
        if not re.fullmatch(r"\w+", self.stars_table, re.ASCII):
            raise ValueError(f"stars_table: expected a table of the dataset, got {self.stars_table!r}")
        if self.at and not _TIME.fullmatch(self.at):
            raise ValueError(f"at: expected a time such as 2026-05-01T00:00:00Z, got {self.at!r}")

    def sql(self, config: IngestConfig) -> str:
        """The statement. Columns: id, repo_name, ref, path, license, size, binary, copies, content, and stars.

        >>> sql = GithubRepos().sql(IngestConfig(languages=("go",)))
        >>> sql.partition("WHERE ")[2].splitlines()[0]
        "symlink_target IS NULL AND REGEXP_CONTAINS(LOWER(path), r'(^|/)[^/]+[.](go)$')) AS named"
        """
        prefix = "sample_" if self.sample else ""
        stars = ", origin.stars AS stars" if self.min_stars else ""
        limit = min(self.max_bytes, config.max_bytes)
        return (
            f"WITH licensed AS (\n{self._licensed()}\n),\n"
            f"{self._starred()}"
            f"found AS (\n{self._found(f'{prefix}files', config)}\n),\n"
            f"origins AS (\n{self._origins()}\n)\n"
            "SELECT kept.id AS id, origin.repo_name AS repo_name, origin.ref AS ref, origin.path AS path,\n"
            "  origin.license AS license, kept.size AS size, kept.binary AS binary, kept.copies AS copies,\n"
            f"  kept.content AS content{stars}\n"
            f"FROM (SELECT id, size, content, `binary`, copies FROM {self._table(f'{prefix}contents')}) AS kept\n"
            "JOIN origins ON origins.id = kept.id\n"
            "WHERE NOT kept.binary AND kept.content IS NOT NULL\n"
            f"  AND kept.size BETWEEN {self.min_bytes} AND {limit}"
        )

    def _licensed(self) -> str:
        names = ", ".join(f"'{name}'" for name in sorted(set(self.licenses)))
        allowed = f"\n  HAVING LOGICAL_AND(license IN ({names}))" if names else ""
        return (
            "  SELECT repo_name, STRING_AGG(DISTINCT license, ', ' ORDER BY license) AS license\n"
            f"  FROM {self._table('licenses')}\n  GROUP BY repo_name{allowed}"
        )

    def _starred(self) -> str:
        if not self.min_stars:
            return ""
        return (
            "starred AS (\n  SELECT repo_name, MAX(watch_count) AS stars\n"
            f"  FROM {self._table(self.stars_table)}\n"
            f"  GROUP BY repo_name HAVING MAX(watch_count) >= {self.min_stars}\n),\n"
        )

    def _found(self, files: str, config: IngestConfig) -> str:
        join = "JOIN" if self.licenses else "LEFT JOIN"
        stars = "starred.stars" if self.min_stars else "0"
        starred = "\n  JOIN starred ON starred.repo_name = named.repo_name" if self.min_stars else ""
        paths = path_pattern(self.languages or config.languages, config.evidence)
        wanted = f" AND REGEXP_CONTAINS(LOWER(path), r'{paths}')" if paths else ""
        return (
            f"  SELECT named.id AS id, named.repo_name AS repo_name, named.ref AS ref, named.path AS path,\n"
            f"    licensed.license AS license, {stars} AS stars\n"
            f"  FROM (SELECT id, repo_name, `ref`, path FROM {self._table(files)}\n"
            f"    WHERE symlink_target IS NULL{wanted}) AS named\n"
            f"  {join} licensed ON licensed.repo_name = named.repo_name{starred}"
        )

    def _origins(self) -> str:
        fields = ", ".join(f"{name} AS {name}" for name in ("repo_name", "ref", "path", "license", "stars"))
        order = "stars DESC, repo_name, path, ref"
        return (
            f"  SELECT id, ARRAY_AGG(STRUCT({fields})\n    ORDER BY {order} LIMIT 1)[OFFSET(0)] AS origin\n"
            "  FROM found GROUP BY id"
        )

    def _table(self, name: str) -> str:
        at = f" FOR SYSTEM_TIME AS OF TIMESTAMP '{self.at}'" if self.at else ""
        return f"`{self.dataset}.{name}`{at}"


def path_pattern(languages: tuple[str, ...], evidence: str) -> str:
    """A regular expression (RE2 and Python) for the lower-case paths of languages, or of evidence; "" is all.

    >>> path_pattern(("python",), "")
    '(^|/)([^/]+[.](py|pyi|pyw)|sconstruct)$'
    """
    if not languages:
        return ""
    if any(sign in evidence for sign in "'\n\r"):
        raise InputError(
            "ingest.evidence: quotes and line breaks cannot be part of a query", hint="write \\x27"
        )
    named = [name for language in languages for name in names_of(language)]
    extensions = sorted({_escaped(name[1:]) for name in named if name.startswith(".")})
    wholes = sorted({_escaped(name) for name in named if not name.startswith(".")})
    choices = ([f"[^/]+[.]({'|'.join(extensions)})"] if extensions else []) + wholes
    if not choices:
        raise InputError(f"ingest.languages: no file names known for {', '.join(languages)}")
    joined = choices[0] if len(choices) == 1 else f"({'|'.join(choices)})"
    pattern = f"(^|/){joined}$"
    return f"{pattern}|^({evidence})$" if evidence else pattern


def _escaped(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "_-" else f"[{sign}]" for sign in name)
