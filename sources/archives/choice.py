"""Choice: which members of an archive are read; all others are counted with the reason."""

from __future__ import annotations

from hashlib import blake2b

from sources.archives.limits import Limits
from sources.archives.names import is_nested, safe_path
from sources.config import IngestConfig
from sources.selection import selected_language
from sources.unit import Skipped


class Choice:
    """Decides member by member, in the archive's order; holds 16 bytes for each that was taken."""

    def __init__(self, config: IngestConfig, limits: Limits, skipped: Skipped) -> None:
        self._config, self._limits, self._skipped = config, limits, skipped
        self._taken: set[bytes] = set()

    def path(self, name: bytes, kind: str) -> str | None:
        """The path of a member that is to be read, or None; folders are not counted.

        Of members of the same name the first is read ("duplicate_name"). Names that differ in case only are
        different files.
        """
        if kind == "folder":
            return None
        found = safe_path(name)
        reason = kind if kind != "file" else self._refusal(name, found)
        if reason is not None:
            self._skipped[reason] += 1
            return None
        return found

    def _refusal(self, name: bytes, path: str | None) -> str | None:
        if len(name) > self._limits.path_bytes:
            return "path_too_long"
        if path is None:
            return "unsafe_path"
        if is_nested(path):
            return "nested_archive"
        if selected_language(path, self._config) is None:
            return "other_language"
        return "duplicate_name" if self._is_taken(path) else None

    def _is_taken(self, path: str) -> bool:
        key = blake2b(path.encode(), digest_size=16).digest()
        known = key in self._taken
        self._taken.add(key)
        return known
