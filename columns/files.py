"""Places and parts: where a dataset's files live and what they are called.

A `Place` is a directory on any fsspec filesystem. Everything is written under a temporary name and
renamed on success, so a file that has its final name is complete. What fails for a moment on a distant filesystem is
tried again (`columns.storage`); a full disk is one clear error.
"""

from __future__ import annotations

import errno
import json
import os
import posixpath
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import fsspec
import pyarrow as pa

from columns.errors import OutputError
from columns.storage import LostAnswer, ShortRead, StableFile, no_room, steady
from columns.urls import refuse_login

TEMPORARY = ".tmp-"
LINKS = ".links.json"

Found = TypeVar("Found")


@dataclass(frozen=True, order=True)
class PartName:
    """The name of one part of a set: formats and parses ``stem-00003-of-00016.suffix``.

    >>> PartName("train", 3, 16, "arrow").format()
    'train-00003-of-00016.arrow'
    >>> PartName.parse("part-00000-of-00002.parquet").count
    2
    """

    stem: str
    index: int
    count: int
    suffix: str

    _PATTERN = re.compile(r"(?P<stem>[a-z_]+)-(?P<index>\d{5,})-of-(?P<count>\d{5,})\.(?P<suffix>[a-z]+)")

    def format(self) -> str:
        """The file name."""
        return f"{self.stem}-{self.index:05d}-of-{self.count:05d}.{self.suffix}"

    @classmethod
    def parse(cls, name: str) -> PartName:
        """Read a file name back; `OutputError` when it is not a part's name."""
        match = cls._PATTERN.fullmatch(name)
        if match is None:
            raise OutputError(f"{name}: not a part name", hint="expected STEM-00000-of-00001.SUFFIX")
        return cls(match["stem"], int(match["index"]), int(match["count"]), match["suffix"])

    @classmethod
    def series(cls, stem: str, count: int, suffix: str) -> list[str]:
        """All names of a set, in order."""
        return [cls(stem, index, count, suffix).format() for index in range(count)]


@dataclass(frozen=True)
class Place:
    """A directory by URL or path, on any fsspec filesystem; cheap to pickle and to send to workers.

    `InputError` for a URL with a login: places are named in messages.
    """

    url: str

    def __post_init__(self) -> None:
        refuse_login(self.url)

    @cached_property
    def _at(self) -> tuple[Any, str]:
        filesystem, path = fsspec.core.url_to_fs(self.url)
        return filesystem, path.rstrip("/") or "/"

    def __getstate__(self) -> dict[str, str]:
        return {"url": self.url}

    def __setstate__(self, state: dict[str, str]) -> None:
        object.__setattr__(self, "url", state["url"])

    @property
    def local(self) -> Path | None:
        """The local path, or None on another filesystem."""
        filesystem, path = self._at
        return Path(path) if filesystem.protocol in ("file", ("file", "local")) else None

    def child(self, name: str) -> Place:
        """The place ``name`` below this one."""
        return Place(f"{self.url.rstrip('/')}/{name}")

    def path(self, name: str) -> str:
        """The filesystem's own path of a file here."""
        return f"{self._at[1]}/{name}"

    def names(self) -> list[str]:
        """Sorted names of the files directly here; empty when the place does not exist."""
        names = steady(self.url, self._listed)
        return sorted({*names, *self.linked()} - {LINKS}) if LINKS in names else sorted(names)

    def _listed(self) -> set[str]:
        filesystem, path = self._at
        filesystem.invalidate_cache()
        with suppress(FileNotFoundError, NotADirectoryError):
            found = filesystem.ls(path, detail=True)
            files = (f["name"].strip("/") for f in found if f["type"] == "file")
            return {Path(file).name for file in files if file != path.strip("/")}
        return set()

    def exists(self, name: str) -> bool:
        """Whether the file is here (under its final name, so: complete)."""
        if self.local is not None:
            return Path(self.path(name)).exists()
        return self._there(name) or name in self.linked()

    def _there(self, name: str) -> bool:
        """Whether a file lies here itself. Not by fsspec's ``exists``, which takes every failure for a no."""
        filesystem, _ = self._at
        filesystem.invalidate_cache()
        with suppress(FileNotFoundError, NotADirectoryError):
            return bool(self._steadily(name, filesystem.info))
        return False

    def _steadily(self, name: str, use: Callable[[str], Found]) -> Found:
        """Use a file by its path; where that fails for a moment, again."""
        path = self.path(name)
        return use(path) if self.local is not None else steady(f"{self.url}/{name}", lambda: use(path))

    def size(self, name: str) -> int:
        """Size of a file in bytes."""
        return int(self._held(name, self._at[0].size))

    def open(self, name: str) -> Any:
        """Open for reading: memory-mapped where local, a pyarrow file elsewhere."""
        if self.local is not None:
            return pa.memory_map(self.path(name))
        return pa.PythonFile(self._held(name, self._opened), mode="r")

    def _opened(self, path: str) -> Any:
        return StableFile.opened(path, lambda: self._at[0].open(path, "rb"))

    def read(self, name: str) -> bytes:
        """The whole of a (small) file."""
        if self.local is not None:
            return Path(self.path(name)).read_bytes()
        return self._held(name, self._whole)

    def _whole(self, path: str) -> bytes:
        with self._opened(path) as source:
            return bytes(source.read())

    def _held(self, name: str, use: Callable[[str], Found]) -> Found:
        """Use a file where it lies: here, or where a link says."""
        try:
            return self._steadily(name, use)
        except FileNotFoundError:
            target = self.linked().get(name) if self.local is None else None
            if target is None:
                raise
            return steady(target, lambda: use(target))

    def linked(self) -> dict[str, str]:
        """The files that lie elsewhere, by name: paths on the filesystem. Local places hold hard links instead."""
        root = self._at[1]
        try:
            found: dict[str, str] = json.loads(self._steadily(LINKS, self._whole))
        except FileNotFoundError:
            return {}
        return {name: posixpath.normpath(posixpath.join(root, where)) for name, where in found.items()}

    def link(self, names: Iterable[str], source: Place) -> None:
        """Give files of another place on the same filesystem a name here, too, without copying them.

        Local files get hard links (a copy where the disk knows none). Elsewhere a small file here says where they
        lie, and every method that reads follows it: a file that others point to must be moved before it is removed.
        """
        wanted = list(names)
        if self.local is not None:
            self.local.mkdir(parents=True, exist_ok=True)
            for name in wanted:
                temporary = self.path(f"{TEMPORARY}{uuid.uuid4().hex}-{name}")
                _hard_link(source.path(name), temporary)
                os.replace(temporary, self.path(name))
        elif wanted:
            there = source.linked()
            self.point({**self.linked(), **{name: there.get(name, source.path(name)) for name in wanted}})
            self._drop(wanted)

    def point(self, links: dict[str, str]) -> None:
        """Write where the files that lie elsewhere are, as `linked` reads it."""
        root = self._at[1]
        relative = {name: posixpath.relpath(where, root) for name, where in links.items()}
        self.write_bytes(LINKS, json.dumps(relative, sort_keys=True, indent=1).encode())

    def fetch(self, name: str) -> None:
        """Make a linked file one that lies here, by a copy on the filesystem's own side."""
        target = self.linked()[name]
        self._steadily(name, lambda path: self._at[0].cp_file(target, path))

    def create(self, name: str, data: bytes) -> bool:
        """Write a small file unless there is one of the name: of several who try at once, one gets True.

        Local files by a hard link, on object stores by the precondition that fsspec's ``mode="create"`` sends.
        """
        filesystem, root = self._at
        if self.local is not None:
            filesystem.makedirs(root, exist_ok=True)
            return self._create_locally(name, data)
        if self.exists(name):
            return False
        try:
            self._steadily(name, lambda path: filesystem.pipe_file(path, data, mode="create"))
        except FileExistsError:  # ours, where only the answer to a first try was lost
            return self.read(name) == data
        return True

    def _create_locally(self, name: str, data: bytes) -> bool:
        temporary = self.path(f"{TEMPORARY}{uuid.uuid4().hex}-{name}")
        try:
            Path(temporary).write_bytes(data)
            os.link(temporary, self.path(name))
        except FileExistsError:
            return False
        except OSError as error:
            if full := no_room(self.path(name), error):
                raise full from None
            raise
        finally:
            Path(temporary).unlink(missing_ok=True)
        return True

    @contextmanager
    def write(self, name: str) -> Iterator[BinaryIO]:
        """Write a file atomically: nothing is seen under ``name`` until the block ends well.

        What goes to a distant filesystem is held in a temporary file of this machine until then, so that it can be
        sent again. `EnvironmentProblem` where a disk is full.
        """
        temporary = f"{TEMPORARY}{uuid.uuid4().hex}-{name}"
        try:
            if self.local is not None:
                self.local.mkdir(parents=True, exist_ok=True)
                with open(self.path(temporary), "wb") as sink:
                    yield sink
                os.replace(self.path(temporary), self.path(name))
            else:
                with tempfile.NamedTemporaryFile(prefix="thresher-") as held:
                    yield cast(BinaryIO, held)
                    held.flush()
                    self._steadily(name, lambda _: self._send(held.name, temporary, name))
        except BaseException as error:
            with suppress(Exception):  # the first error is the one to tell
                self._drop([temporary])
            if isinstance(error, OSError) and (full := no_room(self.path(name), error)):
                raise full from None
            raise

    def _send(self, held: str, temporary: str, name: str) -> None:
        """Carry a file over under a temporary name and give it its own when it is all there; may be done again."""
        filesystem, root = self._at
        filesystem.makedirs(root, exist_ok=True)
        filesystem.put_file(held, self.path(temporary))
        filesystem.invalidate_cache()
        sent, size = filesystem.size(self.path(temporary)), os.path.getsize(held)
        if sent != size:
            raise ShortRead(f"{sent} bytes of {size} arrived")
        try:
            filesystem.mv(self.path(temporary), self.path(name))
        except FileNotFoundError as error:
            raise LostAnswer(f"{name}: moved, but nothing said so") from error

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a small file atomically."""
        with self.write(name) as sink:
            sink.write(data)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files here; those already gone are fine."""
        self._drop(names)
        links = self.linked() if self.local is None else {}
        if not links.keys().isdisjoint(names):
            self.point({name: where for name, where in links.items() if name not in names})

    def _drop(self, names: Sequence[str]) -> None:
        filesystem, _ = self._at
        for name in names:
            if self.local is not None:
                Path(self.path(name)).unlink(missing_ok=True)
            elif self._there(name):
                with suppress(FileNotFoundError):
                    self._steadily(name, filesystem.rm_file)

    def remove_tree(self) -> None:
        """Remove this place and everything below it; fine when it is not there."""
        if self.local is not None:
            shutil.rmtree(self.local, ignore_errors=True)
        else:
            steady(self.url, self._remove_all)

    def _remove_all(self) -> None:
        filesystem, path = self._at
        filesystem.invalidate_cache()
        try:
            filesystem.info(path)
        except FileNotFoundError:
            return
        try:
            filesystem.rm(path, recursive=True)
        except FileNotFoundError as error:
            raise LostAnswer(f"{path}: some of it was gone") from error

    def sweep(self) -> None:
        """Remove what an interrupted run left under temporary names."""
        self.remove([name for name in self.names() if name.startswith(TEMPORARY)])


_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})


def _hard_link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        shutil.copyfile(source, target)
