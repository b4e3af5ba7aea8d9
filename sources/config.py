"""The configuration of reading: what is read, and what of it is too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from sources.languages import canonical
from sources.optout import OptedOut
from sources.tables.headers import ALIASES

Notebooks = Literal["json", "code", "commented"]


@dataclass(frozen=True)
class IngestConfig:
    """What to read from every source.

    ``languages``: lower-case names; empty means every language `sources.languages` knows for trees and
    git, and every row for tables. ``max_bytes``: a larger file keeps its row, without content and with the
    problem "too_large". ``evidence``: a regular expression for the whole, lower-case path of files that are
    read whatever their language, as evidence about the others (licence texts); rules keep them out.
    ``columns``: pairs (document column, the source's column) for tables whose columns are not recognised;
    they win over recognition. ``gitignore``: files of trees that their ``.gitignore`` files name are left out.
    ``notebooks``: Jupyter notebooks as the "json" they are, as their "code", or as code with IPython's magics
    "commented" out; but for "json" they are read whatever ``languages`` says, and kept when their own language is
    selected. ``opt_out``: what somebody asked to be left out; in a recipe the path of a list.

    >>> IngestConfig(languages=("cpp",))
    Traceback (most recent call last):
    ValueError: languages: expected 'c++', got 'cpp'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    languages: tuple[str, ...] = ()
    max_bytes: int = 10_000_000
    evidence: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    gitignore: bool = False
    notebooks: Notebooks = "json"
    opt_out: tuple[OptedOut, ...] = ()

    def __post_init__(self) -> None:
        for language in self.languages:
            if canonical(language) != language:
                raise ValueError(f"languages: expected {canonical(language)!r}, got {language!r}")
        if self.max_bytes < 1:
            raise ValueError(f"max_bytes: expected at least 1, got {self.max_bytes}")
        if self.notebooks not in get_args(Notebooks):
            raise ValueError(f"notebooks: expected one of {get_args(Notebooks)}, got {self.notebooks!r}")
        for ours, _ in self.columns:
            if ours not in ALIASES:
                raise ValueError(f"columns: expected one of {sorted(ALIASES)}, got {ours!r}")
        if len({ours for ours, _ in self.columns}) < len(self.columns):
            raise ValueError(f"columns: expected each document column once, got {self.columns}")

    @property
    def line_limit(self) -> int:
        """Longest line of JSON that is parsed, in bytes: JSON writes one byte as at most six."""
        return 6 * self.max_bytes + (1 << 20)
