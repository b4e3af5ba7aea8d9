"""Tarballs: a commit as the archive that GitHub makes of it, the alternative to git's protocol."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator

import urllib3

from sources.github.api import Api
from sources.github.refusals import Refusal
from sources.github.web import REDIRECTS, Web, check_status, let_go, onward
from sources.stopping import Stop

_MAX_REDIRECTS = 5
_GZIP = b"\x1f\x8b"


class Drawer:
    """Where one repository's tarball is below a store's folder: that of one commit, or none."""

    def __init__(self, store: str, key: str, stop: Stop) -> None:
        digest = hashlib.sha256(key.encode()).hexdigest()[:24]
        self._folder = os.path.join(store, "tarballs", digest[:2], digest)
        self._stop = stop

    def path(self, commit: str) -> str:
        """The file of a commit's tarball."""
        return os.path.join(self._folder, f"{commit}.tar.gz")

    def exists(self, commit: str) -> bool:
        """Whether the whole tarball of a commit is there."""
        return os.path.isfile(self.path(commit))

    def replace(self, commit: str, blocks: Iterable[bytes]) -> int:
        """Keep a commit's tarball, and no other; returns its bytes. `Refusal` when it is none."""
        os.makedirs(self._folder, exist_ok=True)
        unfinished = os.path.join(self._folder, ".tmp")
        with open(unfinished, "wb") as sink:
            sink.writelines(_gzipped(blocks))
            size = sink.tell()
        self._stop.check()
        os.replace(unfinished, self.path(commit))
        for name in os.listdir(self._folder):
            if name != f"{commit}.tar.gz":
                os.unlink(os.path.join(self._folder, name))
        return size

    def remove(self) -> None:
        """Remove the tarball; fine when it is not there."""
        shutil.rmtree(self._folder, ignore_errors=True)


def tarball(api: Api, name: str, commit: str, max_bytes: int) -> Iterator[bytes]:
    """The bytes of a commit's tarball. The API is asked where it is; that place is asked without a token.

    `Refusal` over ``max_bytes``, `Passing` when it breaks off.
    """
    place = api.place(f"/repos/{name}/tarball/{commit}")
    return api.web.blocks(_open(api.web, place), max_bytes)


def _open(web: Web, url: str) -> urllib3.BaseHTTPResponse:
    """The response at the end of redirects, none of which leaves TLS."""
    for _ in range(_MAX_REDIRECTS):
        response = web.ask("GET", url, {})
        if response.status not in REDIRECTS:
            break
        let_go(response)
        url = onward(response, url)
    try:
        check_status(response, web.clock.now())
    except Exception:
        let_go(response)
        raise
    return response


def _gzipped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    first = True
    for block in blocks:
        if first and not block.startswith(_GZIP):
            raise Refusal("failed", "the server sent no tarball")
        first = False
        yield block
    if first:
        raise Refusal("failed", "the server sent no tarball")
