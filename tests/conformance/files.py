"""What an oracle sees of a file, and the line splittings that published filters use."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup


class File(NamedTuple):
    """A file as the published programs see it."""

    text: str
    path: str
    language: str | None


# A rule of an oracle: is the file dropped? None where the published program has no answer: it fails with an error.
OracleRule = Callable[[File], bool | None]


def newline_lines(text: str) -> list[str]:
    """Lines with their newline; the last one may have none (RedPajama, OpenCoder)."""
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def extension(path: str) -> str:
    """What follows the last dot of the path; the whole path without one (BigCode)."""
    return path.rsplit(".", maxsplit=1)[-1]


@lru_cache(maxsize=8)
def page_text(text: str, *, scripts: bool) -> str | None:
    """The text of an HTML page by Beautiful Soup, with or without scripts and styles; None when it gives up."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            page = BeautifulSoup(text, features="html.parser")
    except (TypeError, UnboundLocalError, ParserRejectedMarkup, RecursionError):
        return None
    for element in [] if scripts else page(["script", "style"]):
        element.extract()
    return page.get_text()
