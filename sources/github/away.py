"""Away: a repository's commit for a reader on another machine than the one that keeps the store.

It is fetched once for each machine, into the machine's temporary folder, which is left to the machine to clean.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sources.github.api import Api
from sources.github.config import GithubConfig
from sources.github.patience import WallClock, patiently, say
from sources.github.refusals import Refusal
from sources.github.remote import Remote, Server
from sources.github.shelf import Shelf, ShelfLimits
from sources.github.tarballs import Drawer, tarball
from sources.github.tokens import Tokens
from sources.github.web import Web
from sources.stopping import Stop


class Origin(NamedTuple):
    """Where a commit can be fetched again: no secret, and nothing of the machine that listed it but settings."""

    config: GithubConfig
    name: str
    commit: str
    pack_bytes: int

    @property
    def url(self) -> str:
        """The repository's address."""
        return f"{self.config.server_url.rstrip('/')}/{self.name}.git"


def fetched(origin: Origin, max_bytes: int) -> str:
    """The folder of an object store with the commit, fetched without blobs over ``max_bytes`` if it is not there.

    `Refusal` when it cannot be had. Waits while another thread or process of this machine fetches the same.
    """
    folder = _own_folder()
    shelf = Shelf(folder, f"{origin.url} {origin.commit} {max_bytes}".lower(), Stop())
    with _locked(f"{folder}/{hashlib.sha256(shelf.folder.encode()).hexdigest()[:24]}.lock"):
        if not shelf.exists():
            _fetch(origin, shelf, max_bytes)
    return shelf.folder


def _fetch(origin: Origin, shelf: Shelf, max_bytes: int) -> None:
    config = origin.config
    web = Web(config, WallClock(), Stop())
    limits = ShelfLimits(origin.pack_bytes, config.max_seconds, config.memory_bytes)
    remote = Remote(Server(web), origin.url)

    def attempt() -> int:
        pack = remote.pack(origin.commit, None, max_bytes, limits.pack_bytes)
        return shelf.replace(origin.commit, pack, limits)

    try:
        _patiently(attempt, origin, web)
    finally:
        web.close()


def downloaded(origin: Origin) -> str:
    """The file of the commit's tarball, downloaded if it is not there; like `fetched`."""
    folder = _own_folder()
    drawer = Drawer(folder, f"{origin.url} {origin.commit}".lower(), Stop())
    path = drawer.path(origin.commit)
    with _locked(f"{folder}/{hashlib.sha256(path.encode()).hexdigest()[:24]}.lock"):
        if not drawer.exists(origin.commit):
            _download(origin, drawer)
    return path


def _download(origin: Origin, drawer: Drawer) -> None:
    web = Web(origin.config, WallClock(), Stop())
    api = Api(web, Tokens(), say)

    def attempt() -> int:
        return drawer.replace(origin.commit, tarball(api, origin.name, origin.commit, origin.pack_bytes))

    try:
        _patiently(attempt, origin, web)
    finally:
        web.close()


def _patiently(work: Callable[[], int], origin: Origin, web: Web) -> None:
    config = origin.config
    patiently(
        work, key=origin.name, attempts=config.attempts, clock=web.clock, longest=config.max_wait_seconds
    )


def _own_folder() -> str:
    """A folder below the temporary one that nobody else can have put anything into."""
    folder = os.path.join(tempfile.gettempdir(), f"thresher-github-{os.getuid()}")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
    except OSError as error:
        raise Refusal("failed", f"no temporary folder: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise Refusal("failed", f"{folder} belongs to somebody else")
    return folder


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Held by one thread of one process of this machine."""
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Refusal("failed", f"no temporary folder: {error.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
