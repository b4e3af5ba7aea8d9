"""Cache: shards of an object store on the local disk, at most so many bytes of them.

A shard is fetched whole, in pieces, and its checksum is computed on the way; it gets its name by rename when it is
complete and right, so processes may share a directory. When room is needed, the shards that were used longest ago
go. A shard that is still mapped stays readable, and its bytes come free when it is unmapped.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from columns.errors import EnvironmentProblem, InputError
from columns.files import TEMPORARY
from training.catalog import ShardFile

_PIECE = 4 << 20
_TRIES = 3
_ABANDONED_S = 3600.0


@dataclass(frozen=True)
class CacheConfig:
    """Where fetched shards lie and how many bytes they may take; ``retry_s``: the first wait between tries."""

    directory: str
    max_bytes: int = 64 << 30
    retry_s: float = 0.5

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.max_bytes < 1:
            raise ValueError(f"max_bytes: expected at least 1, got {self.max_bytes}")
        if self.retry_s < 0:
            raise ValueError(f"retry_s: expected at least 0, got {self.retry_s}")


def fetch(shard: ShardFile, config: CacheConfig, *, keep: Collection[str] = ()) -> Path:
    """The local path of a remote shard, fetched when it is not in the cache yet; ``keep`` names files that stay.

    `InputError` names the shard and the byte when it is missing, ends early or has another checksum than the
    manifest states (after three tries); `EnvironmentProblem` when it is larger than the whole cache.
    """
    if shard.size > config.max_bytes:
        what = f"{shard.path}: {shard.size} bytes, the cache holds at most {config.max_bytes}"
        raise EnvironmentProblem(what, hint="give the cache room for at least the shards of one window")
    path = Path(config.directory) / cached_name(shard)
    try:
        os.utime(path)
        return path
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    make_room(path.parent, config.max_bytes - shard.size, keep)
    _download(shard, path, config.retry_s)
    return path


def cached_name(shard: ShardFile) -> str:
    """A file name that differs when the shard's place, size or checksum does."""
    said = f"{shard.place.url}/{shard.name}/{shard.size}/{shard.sha256}"
    return f"{hashlib.sha256(said.encode()).hexdigest()[:16]}-{shard.name}"


def make_room(directory: Path, allowed: int, keep: Collection[str] = ()) -> list[str]:
    """Remove the shards used longest ago until at most ``allowed`` bytes are left; returns their names."""
    found = [(item, stat) for item in directory.iterdir() if (stat := _stat(item)) is not None]
    for item, stat in found:
        if item.name.startswith(TEMPORARY) and time.time() - stat.st_mtime > _ABANDONED_S:
            item.unlink(missing_ok=True)
    kept = [(stat.st_mtime_ns, item, stat.st_size) for item, stat in found if item.suffix == ".arrow"]
    total, gone = sum(size for _, _, size in kept), []
    for _, item, size in sorted(kept):
        if total <= allowed:
            break
        if item.name in keep:
            continue
        item.unlink(missing_ok=True)
        total -= size
        gone.append(item.name)
    return gone


def _stat(item: Path) -> os.stat_result | None:
    """None for a file that another process has removed meanwhile."""
    try:
        return item.stat()
    except FileNotFoundError:
        return None


def _download(shard: ShardFile, path: Path, retry_s: float) -> None:
    for attempt in range(_TRIES):
        try:
            return _download_once(shard, path)
        except InputError:
            if attempt == _TRIES - 1:
                raise
        time.sleep(retry_s * 2**attempt)


def _download_once(shard: ShardFile, path: Path) -> None:
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}-{path.name}")
    try:
        with temporary.open("wb") as sink:
            size, found = _copy(shard, sink)
        if size != shard.size:
            raise InputError(f"{shard.path}: ends at byte {size}, expected {shard.size} bytes")
        if shard.sha256 not in (None, found):
            raise InputError(
                f"{shard.path}: bytes 0 to {size}: checksum expected {shard.sha256}, got {found}",
                hint="the shard was changed or damaged after the build: copy it again",
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(shard: ShardFile, sink: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        with shard.place.open(shard.name) as source:
            while piece := source.read(_PIECE):
                digest.update(piece)
                size += sink.write(piece)
    except OSError as error:
        raise InputError(f"{shard.path}: cannot be read at byte {size}: {error}") from error
    return size, digest.hexdigest()
