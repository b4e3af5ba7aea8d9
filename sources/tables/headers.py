"""Headers: which of a table's columns is which column of the document.

Recognised by name, first match wins: this product's own documents, The Stack (``max_stars_repo_name``…) with its
sample (``repository_name``, ``licenses``…) and starcoderdata, The Stack v2 with contents (``blob_id``,
``star_events_count``…), github-code (``code``, ``repo_name``…), codeparrot-clean, and BigQuery's ``github_repos``
(``id``, ``sample_repo_name``…).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from columns.errors import InputError

ALIASES: Mapping[str, tuple[str, ...]] = {
    "content": ("content", "code", "text"),
    "repo": ("repo", "repo_name", "repository", "repository_name", "max_stars_repo_name", "sample_repo_name"),
    "ref": ("ref", "revision_id", "max_stars_repo_head_hexsha", "commit", "sample_ref"),
    "path": ("path", "file_path", "max_stars_repo_path", "sample_path"),
    "blob_id": ("blob_id", "hexsha"),
    "language": ("language", "lang", "programming_language"),
    "license": ("license", "licenses", "max_stars_repo_licenses", "detected_licenses", "gha_license_id"),
    "stars": ("stars", "max_stars_count", "star_events_count", "stars_count", "stargazers_count"),
    "forks": ("forks", "max_forks_count", "fork_events_count", "forks_count"),
    "fork_of": ("fork_of",),
    "updated": ("updated", "updated_at", "committer_date", "revision_date", "pushed_at"),
    "size": ("size", "length_bytes"),
    "encoding": ("encoding", "src_encoding"),
    "lossy": ("lossy",),
    "problem": ("problem",),
    "binary": ("binary",),
}

TEXTS = ("repo", "ref", "path", "blob_id", "language", "license", "fork_of", "encoding", "problem")
INTEGERS = ("stars", "forks", "size")
FLAGS = ("lossy", "binary")


def resolve(found: Iterable[str], chosen: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Map document columns to the columns found; ``chosen`` pairs win when their column is there.

    >>> resolve(["code", "repo_name", "stars"])
    {'content': 'code', 'repo': 'repo_name', 'stars': 'stars'}
    """
    names = set(found)
    wanted = {**ALIASES, **{ours: (theirs,) for ours, theirs in chosen}}
    matches = {ours: next((n for n in listed if n in names), None) for ours, listed in wanted.items()}
    if matches["blob_id"] is None and {"id", "copies"} <= names:
        matches["blob_id"] = "id"
    return {ours: theirs for ours, theirs in matches.items() if theirs is not None}


def require_content(
    name: str, found: Iterable[str], chosen: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """`resolve`, refusing a table without content or without a column the user named."""
    names, pairs = list(found), list(chosen)
    for ours, theirs in pairs:
        if theirs not in names:
            raise InputError(
                f"{name}: no column {theirs!r} (asked for as {ours}); found: {', '.join(names)}",
                hint=f"--column {ours}=NAME with one of the columns found",
            )
    header = resolve(names, pairs)
    if "content" not in header:
        raise InputError(
            f"{name}: no column of file contents; found: {', '.join(names) or 'none'}",
            hint=_hint(header, names),
        )
    return header


def _hint(header: Mapping[str, str], names: Iterable[str]) -> str:
    if "blob_id" in header:
        return "a list of blob ids holds no text (The Stack v2 is published so): add the contents as column content"
    return "--column content=NAME says which column holds the text of the files"
