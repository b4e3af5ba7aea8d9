"""Web: HTTP with limits. No redirect is followed unseen, no body is read without bounds of bytes and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from threading import Lock
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from columns.retry import retry_after
from sources.github.config import GithubConfig
from sources.github.patience import Clock
from sources.github.proxies import Proxies, Proxy
from sources.github.refusals import Passing, Refusal, refusal_of_status
from sources.stopping import Stop

AGENT = "thresher"
REDIRECTS = (301, 302, 303, 307, 308)

_BLOCK = 1 << 18
_CONNECT_SECONDS = 10.0


class Web:
    """Connections to any host, at most ``config.connections`` each, kept open between requests.

    Proxies of the environment are used.
    """

    def __init__(self, config: GithubConfig, clock: Clock, stop: Stop) -> None:
        self.config = config
        self.clock = clock
        self.stop = stop
        self._proxies = Proxies()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._turn = Lock()

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the response unread; `Passing` when no response comes."""
        self.stop.check()
        try:
            return self._pool(url).request(
                method,
                url,
                body=body,
                headers={"User-Agent": AGENT, **headers},
                preload_content=False,
                decode_content=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            self.stop.check()
            raise Passing(f"no answer: {_kind(error)}") from None

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._proxies.of(url)
        key = f"{urlsplit(url).scheme} {proxy.url}" if proxy else ""
        with self._turn:
            if key not in self._pools:
                self._pools[key] = self._new_pool(proxy)
            return self._pools[key]

    def _new_pool(self, proxy: Proxy | None) -> urllib3.PoolManager:
        options: dict[str, Any] = {
            "num_pools": 4,
            "maxsize": self.config.connections,
            "block": True,
            "retries": False,
            "timeout": urllib3.Timeout(connect=_CONNECT_SECONDS, read=float(self.config.stall_seconds)),
            "headers": {"User-Agent": AGENT},
        }
        if proxy is None:
            return urllib3.PoolManager(**options)
        return urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **options)

    def read(self, response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        """The whole body and the connection back to the pool; `Refusal` over ``limit`` bytes."""
        return b"".join(self.blocks(response, limit))

    def blocks(self, response: urllib3.BaseHTTPResponse, limit: int) -> Iterator[bytes]:
        """The body as it comes; closed unless it is read to its end.

        `Refusal` over ``limit`` bytes or over ``max_seconds``, `Passing` when the connection breaks or stalls.
        """
        start, total = self.clock.now(), 0
        try:
            with self.stop.ending(partial(_silence, response)):
                while block := self._next(response):
                    self.stop.check()
                    total += len(block)
                    self._check(total, limit, self.clock.now() - start)
                    yield block
            response.release_conn()
        finally:
            let_go(response)

    def _next(self, response: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return response.read1(_BLOCK)
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            self.stop.check()
            raise Passing(f"the answer broke off: {_kind(error)}") from None

    def _check(self, total: int, limit: int, seconds: float) -> None:
        if total > limit:
            raise Refusal("too_large", f"over {limit:,} bytes")
        if seconds > self.config.max_seconds:
            raise Refusal("failed", f"slow: {total:,} bytes in {seconds:.0f} s")

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()


def let_go(response: urllib3.BaseHTTPResponse) -> None:
    """Close a response that may not have been read to its end, and give its place in the pool back."""
    response.close()
    response.release_conn()


def _silence(response: urllib3.BaseHTTPResponse) -> None:
    """Let a read in another thread end now, as if the server had hung up."""
    with suppress(ValueError, RuntimeError, OSError):
        response.shutdown()


def check_status(response: urllib3.BaseHTTPResponse, now: float) -> None:
    """Raise what a response's status says: `Refusal` for good, `Passing` when it may be asked again."""
    status = response.status
    if status == 429 or status >= 500:
        raise Passing(
            f"{status}: {response.reason or 'no reason given'}"[:100], retry_after(response.headers, now)
        )
    if (refusal := refusal_of_status(status)) is not None:
        raise refusal
    if status != 200:
        raise Refusal("failed", f"{status}: unexpected answer")


def redirected(response: urllib3.BaseHTTPResponse, url: str) -> str:
    """Where a redirect leads; `Refusal` when that is another host."""
    try:
        target = urljoin(url, response.headers.get("Location", ""))
        same = urlsplit(target)[:2] == urlsplit(url)[:2]
    except ValueError:
        same = False
    if not same:
        raise Refusal("failed", f"{response.status}: redirected to another host")
    return target


def onward(response: urllib3.BaseHTTPResponse, url: str) -> str:
    """Where a redirect leads, whatever the host, for requests that carry no secret; `Refusal` when it leaves TLS."""
    try:
        target = urljoin(url, response.headers.get("Location", ""))
        scheme, host = urlsplit(target).scheme, urlsplit(target).hostname
    except ValueError:
        scheme, host = "", None
    if not host or "@" in urlsplit(target).netloc or scheme not in ("https", urlsplit(url).scheme):
        raise Refusal("failed", f"{response.status}: redirected to nowhere")
    return target


def _kind(error: Exception) -> str:
    return type(error).__name__
