"""Selection: which files are wanted, by language, and which are read as evidence about the others."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

from sources.config import IngestConfig
from sources.languages import language_of

EVIDENCE = "license"


def selected_language(path: str | None, config: IngestConfig, stated: str | None = None) -> str | None:
    """The language under which a file is read; None when it is not wanted.

    That is ``stated``, or what its name says, when ``config.languages`` has it or is empty; and `EVIDENCE` for any
    other file whose base name matches ``config.evidence``: it is read for what it says about its neighbours.

    >>> wanted = IngestConfig(languages=("python",), evidence=("license*",))
    >>> [selected_language(path, wanted) for path in ("a.py", "lib/LICENSE.txt", "a.c")]
    ['python', 'license', None]
    """
    language = stated or language_of(path)
    if language is not None and (not config.languages or language in config.languages):
        return language
    return EVIDENCE if path and is_evidence(path, config.evidence) else None


def is_evidence(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether the base name of a path, in lower case, matches one of the patterns of `fnmatch`."""
    return bool(patterns) and _matcher(patterns).match(path.rpartition("/")[2].lower()) is not None


@lru_cache(maxsize=8)
def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))
