"""Selection: which files are wanted, by language, and which are read as evidence about the others."""

from __future__ import annotations

import re

from sources.config import IngestConfig
from sources.languages import language_of

EVIDENCE = "license"
NOTEBOOK = "jupyter notebook"


def selected_language(path: str | None, config: IngestConfig, stated: str | None = None) -> str | None:
    """The language under which a file is read; None when it is not wanted.

    That is ``stated``, or what its name says, when ``config.languages`` has it or is empty; and `EVIDENCE` for any
    other file whose path matches ``config.evidence``: it is read for what it says about its neighbours.

    Notebooks that are to become code (``config.notebooks``) are always wanted: their language is not in their name.

    >>> wanted = IngestConfig(languages=("python",), evidence=r"(.*/)?license(\\.txt)?")
    >>> [selected_language(path, wanted) for path in ("a.py", "lib/LICENSE.txt", "a.c")]
    ['python', 'license', None]
    """
    language = stated or language_of(path)
    if language == NOTEBOOK and config.notebooks != "json":
        return language
    if language is not None and (not config.languages or language in config.languages):
        return language
    return EVIDENCE if path and is_evidence(path, config.evidence) else None


def is_evidence(path: str, pattern: str) -> bool:
    """Whether the whole path, in lower case, matches the pattern; never with an empty one."""
    return bool(pattern) and re.fullmatch(pattern, path.lower()) is not None
