"""Remote: one repository on a server, over git's smart HTTP protocol, version 2.

Written from git's Documentation/gitprotocol-v2 and gitprotocol-http. The program ``git fetch`` is not used: here the
bytes are counted and timed as they come, connections stay open between repositories, no credential, hook,
submodule, alternate or redirect to elsewhere can take part, and nothing is fetched later behind a reader's back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import urllib3

from sources.github.packets import DELIMITER, FLUSH, lines, pack_bytes, packet
from sources.github.refusals import Passing, Refusal
from sources.github.web import AGENT, REDIRECTS, Web, check_status, let_go, redirected

OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

_SHA1 = 40
_SMALL = 16 << 20
_VERSION = {"Git-Protocol": "version=2"}
_MAX_REDIRECTS = 5


class Server:
    """What a host's git server can do, asked once and remembered for all its repositories."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.abilities: dict[str, str] | None = None


class Remote:
    """One repository by URL."""

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self.url = url
        self._discovered = False
        self._own: dict[str, str] = {}

    def head(self, ref: str | None) -> str:
        """The commit that a branch or tag, or HEAD, points to now; "" without commits, `Refusal` without the ref."""
        if ref is not None and OBJECT_ID.fullmatch(ref):
            return ref
        names = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        found = self._refs(names)
        for name in names:
            if name in found:
                return found[name]
        if ref is None:
            return ""
        raise Refusal("failed", f"no branch or tag {ref!r}")

    def pack(self, commit: str, have: str | None, limit: int, max_bytes: int) -> Iterator[bytes]:
        """A pack of one commit without blobs over ``limit`` bytes, and without what ``have`` has.

        `Refusal` over ``max_bytes``, `Passing` when it is cut off.
        """
        abilities = self._abilities()
        if "shallow" not in abilities.get("fetch", "").split():
            raise Refusal("failed", "the server cannot send one commit alone")
        wishes = ["ofs-delta", "no-progress", "deepen 1", f"want {commit}"]
        if have is not None:
            wishes += ["thin-pack", f"shallow {have}", f"have {have}"]
        if "filter" in abilities["fetch"].split():
            wishes.append(f"filter blob:limit={limit + 1}")
        response = self._command("fetch", [*wishes, "done"], "sha1" if len(commit) == _SHA1 else "sha256")
        return pack_bytes(self.server.web.blocks(response, max_bytes))

    def _refs(self, names: list[str]) -> dict[str, str]:
        """Refs; a server that breaks off may do so since this repository's ids are longer than its others'."""
        wishes = ["peel", *(f"ref-prefix {name}" for name in names)]
        response = self._command("ls-refs", wishes, self._format())
        try:
            return self._read_refs(response)
        except Passing:
            if self._discovered:
                raise
        self._discover()
        return self._read_refs(self._command("ls-refs", wishes, self._format()))

    def _format(self) -> str:
        return self._abilities().get("object-format", "sha1")

    def _read_refs(self, response: urllib3.BaseHTTPResponse) -> dict[str, str]:
        found = {}
        for line in lines(self.server.web.blocks(response, _SMALL)):
            words = line.split(" ")
            if len(words) >= 2 and OBJECT_ID.fullmatch(words[0]):
                peeled = [word.removeprefix("peeled:") for word in words[2:] if word.startswith("peeled:")]
                found[words[1]] = peeled[0] if peeled else words[0]
        return found

    def _command(self, name: str, wishes: list[str], object_format: str) -> urllib3.BaseHTTPResponse:
        known = {"agent": AGENT, "object-format": object_format}
        named = [f"{key}={known[key]}" for key in known if key in self._abilities()]
        head = b"".join(packet(line) for line in (f"command={name}", *named))
        body = head + DELIMITER + b"".join(packet(wish) for wish in wishes) + FLUSH
        response = self._post(body)
        if response.status in REDIRECTS and not self._discovered:
            let_go(response)
            self._discover()
            response = self._post(body)
        return self._checked(response)

    def _post(self, body: bytes) -> urllib3.BaseHTTPResponse:
        kind = "application/x-git-upload-pack"
        headers = {"Content-Type": f"{kind}-request", "Accept": f"{kind}-result", **_VERSION}
        return self.server.web.ask("POST", f"{self.url}/git-upload-pack", headers, body)

    def _checked(self, response: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
        try:
            check_status(response, self.server.web.clock.now())
        except Exception:
            let_go(response)
            raise
        return response

    def _abilities(self) -> dict[str, str]:
        if self._own:
            return self._own
        if self.server.abilities is None:
            self._discover()
        assert self.server.abilities is not None
        return self.server.abilities

    def _discover(self) -> None:
        """Ask what the server can do, and where the repository is now."""
        suffix = "/info/refs?service=git-upload-pack"
        url = self.url + suffix
        for _ in range(_MAX_REDIRECTS):
            response = self.server.web.ask("GET", url, _VERSION)
            if response.status not in REDIRECTS:
                break
            let_go(response)
            url = redirected(response, url)
        found = _abilities_of(
            list(lines(_announced(self.server.web.blocks(self._checked(response), _SMALL))))
        )
        self.url, self._discovered = url.removesuffix(suffix), True
        self._own = found
        if self.server.abilities is None:
            self.server.abilities = found


def _announced(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The announcement without the service line that some servers put before it."""
    whole = b"".join(blocks)
    service = b"# service=git-upload-pack\n"
    yield whole[4 + len(service) + 4 :] if whole[4:].startswith(service) else whole


def _abilities_of(announced: list[str]) -> dict[str, str]:
    if announced[:1] != ["version 2"]:
        raise Refusal("failed", "the server does not speak git's protocol version 2")
    return {name: value for name, _, value in (line.partition("=") for line in announced[1:])}
