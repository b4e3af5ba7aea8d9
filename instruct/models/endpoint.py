"""Endpoints: an OpenAI-compatible server, asked over HTTP with patience and bounds, and believed in nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPException
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson
import urllib3

from columns.errors import EnvironmentProblem, InputError
from columns.hashing import unit_hash
from columns.retry import retry_after
from columns.urls import refuse_login
from instruct.models.prompt import ModelConfig, Prompt, answer_key, request_body
from instruct.models.reply import MAX_BODY, Reply, parse_body

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between attempts double from the first to the longest; a hash of the request takes up to half away."""

_BLOCK = 1 << 18
_CONNECT_SECONDS = 10.0
_FOREIGN = (400, 413, 422)
_SHOWN = 200


@dataclass(frozen=True)
class Patience:
    """How an endpoint is asked: options, which change no answer.

    ``connections`` requests are on their way at once; one may take ``seconds``, is tried ``attempts`` times, and waits
    at most ``longest_wait`` seconds where the server names a time (Retry-After).
    """

    connections: int = 8
    attempts: int = 6
    seconds: float = 300.0
    longest_wait: float = 600.0

    def __post_init__(self) -> None:
        if not (1 <= self.connections <= 512 and 1 <= self.attempts <= 100 and self.seconds > 0):
            raise InputError(
                f"model: {self}", hint="expected 1 to 512 connections, 1 to 100 attempts, seconds over 0"
            )


class Passing(Exception):
    """A failure that may pass; ``after`` seconds where the server says so."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class Endpoint:
    """The chat completions of a server, ``POST {url}/chat/completions``; safe to use from threads.

    ``key_variable`` names the environment variable with the key; its value is sent in a header and shown or stored
    nowhere. Certificates are checked; redirects are not followed. `InputError` for an address that is not HTTP(S) or
    holds a login, for a variable that is not set, and where the key would travel unencrypted to another machine.
    """

    def __init__(
        self,
        url: str,
        *,
        key_variable: str | None = None,
        patience: Patience = Patience(),
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.url = _checked(url)
        self.patience = patience
        self._wait = wait
        self._key = _key_of(key_variable, self.url) if key_variable else ""
        self._pool = urllib3.PoolManager(
            maxsize=patience.connections,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=patience.seconds),
        )

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("an endpoint stays in the process that read its key")

    def ask(self, prompt: Prompt, config: ModelConfig, sample_ix: int) -> Reply:
        """One answer. What fails in passing is tried again; after the last attempt the reply's problem says so.

        `EnvironmentProblem` for what the user must mend: a refused key, no such model or address, a redirect.
        """
        body = orjson.dumps(request_body(prompt, config, sample_ix))
        key = answer_key(prompt, config, sample_ix)
        reply = Reply("", "failed")
        for attempt in range(self.patience.attempts):
            try:
                reply = self._answered(body)
                if reply.problem != "not_json":
                    break
                after = None
            except Passing as failure:
                after = failure.after
            if after is not None and after > self.patience.longest_wait:
                raise EnvironmentProblem(
                    f"{self.url}: asks for a wait of {after:,.0f} s",
                    hint="answers so far are kept; run the same command again later",
                )
            if attempt + 1 < self.patience.attempts:
                self._wait(pause(key, attempt) if after is None else after)
        return reply

    def _answered(self, body: bytes) -> Reply:
        response = self._sent(body)
        try:
            _check_status(response, self.url, lambda: self._said(response))
            if response.status in _FOREIGN:
                return Reply("", "refused", finish=str(response.status))
            data = self._read(response)
        finally:
            response.close()
            response.release_conn()
        if data is None:
            return Reply("", "too_large")
        reply = parse_body(data)
        return (
            replace(reply, text="", problem="holds_key") if self._key and self._key in reply.text else reply
        )

    def _sent(self, body: bytes) -> urllib3.BaseHTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "thresher"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        url = f"{self.url}/chat/completions"
        try:
            return self._pool.request(
                "POST",
                url,
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            raise Passing(type(error).__name__) from None

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes | None:
        """The body; None over `MAX_BODY` bytes. `Passing` when it breaks off or takes too long."""
        until, blocks, total = time.monotonic() + self.patience.seconds, [], 0
        try:
            while block := response.read1(_BLOCK):
                blocks.append(block)
                total += len(block)
                if total > MAX_BODY:
                    return None
                if time.monotonic() > until:
                    raise Passing("slow")
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            raise Passing(type(error).__name__) from None
        response.release_conn()
        return b"".join(blocks)

    def _said(self, response: urllib3.BaseHTTPResponse) -> str:
        """The server's words about a failure on one line, without the key."""
        try:
            words = (self._read(response) or b"").decode("utf-8", "replace")
        except Passing:
            return ""
        shown = words.replace(self._key, "…") if self._key else words
        printable = "".join(c if c.isprintable() else " " for c in shown)
        return " ".join(printable.split())[:_SHOWN]

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()


def pause(key: str, attempt: int) -> float:
    """Seconds before the next attempt where the server names none.

    >>> 1 <= pause("a", 1) <= 2 and 30 <= pause("a", 9) <= 60
    True
    """
    whole = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    share = int(unit_hash("models/pause", [f"{key}/{attempt}".encode()])[0]) / 2**64
    return float(whole * (1 - share / 2))


def _check_status(response: urllib3.BaseHTTPResponse, url: str, said: Callable[[], str]) -> None:
    status = response.status
    if status in (408, 409, 425, 429) or status >= 500:
        raise Passing(str(status), retry_after(response.headers, time.time()))
    if status == 200 or status in _FOREIGN:
        return
    if 300 <= status < 400:
        raise EnvironmentProblem(
            f"{url}: redirects ({status})", hint="name the address that it redirects to, if you trust it"
        )
    hints = {
        401: "the key is wrong or missing: name the environment variable that holds it",
        403: "the key may not use this model",
        404: "no such address or model: expected the address up to /v1, and a model the server knows",
    }
    raise EnvironmentProblem(
        f"{url}: {status}: {said()}", hint=hints.get(status, "the endpoint refuses such requests")
    )


def _checked(url: str) -> str:
    refuse_login(url, hint="name the environment variable that holds the key")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        raise InputError(f"{url}: not an endpoint", hint="expected http://HOST:PORT/v1 or https://HOST/v1")
    return url.rstrip("/").removesuffix("/chat/completions")


def _key_of(variable: str, url: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(f"{variable}: holds no key", hint="set it to the key of your endpoint")
    if urlsplit(url).scheme == "http" and not _is_this_machine(urlsplit(url).hostname or ""):
        raise InputError(
            f"{url}: the key would travel unencrypted to another machine", hint="use https, or no key"
        )
    return key


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
