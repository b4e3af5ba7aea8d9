"""Api: GitHub's REST and GraphQL APIs: tokens in turn, conditional requests, patience that says how long it waits.

Behaviour as documented: docs.github.com, "Rate limits for the REST API" and "Best practices for using the REST API".
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
import urllib3

from columns.retry import retry_after
from sources.github.config import GithubConfig
from sources.github.facts import facts_of_api
from sources.github.patience import patiently, wait_text
from sources.github.refusals import Passing, Refusal
from sources.github.remote import OBJECT_ID
from sources.github.tokens import Token, Tokens
from sources.github.web import REDIRECTS, Web, check_status, let_go, onward, redirected

UNCHANGED = 304

_BODY_BYTES = 16 << 20
_MAX_REDIRECTS = 5
_MAX_PAGES = 10_000
_ETAG = 256
_SECONDARY_SECONDS = 60.0
_NEXT = re.compile(r'<([^<>]+)>;\s*rel="next"')
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class Answer(NamedTuple):
    """What the API says: ``data`` is None when nothing has changed since ``etag``."""

    data: Any
    etag: str
    following: str


class Api:
    """The API of ``config.api_url``; safe to use from several threads."""

    def __init__(self, web: Web, tokens: Tokens, say: Callable[[str], None]) -> None:
        self.web = web
        self.tokens = tokens
        self._say = say
        self._turn = threading.Lock()

    @property
    def config(self) -> GithubConfig:
        """The crawl's configuration."""
        return self.web.config

    def repository(self, name: str, etag: str = "") -> Answer:
        """A repository's metadata, following renames; `Refusal` when there is none."""
        return self.get(f"/repos/{name}", etag)

    def organisation(self, owner: str) -> Iterator[dict[str, Any]]:
        """The public repositories of an organisation, or of a user by that name."""
        query = "?per_page=100&sort=full_name&direction=asc"
        try:
            yield from self._pages(f"/orgs/{quote(owner)}/repos{query}&type=public")
        except Refusal as refusal:
            if refusal.state != "gone":
                raise
            yield from self._pages(f"/users/{quote(owner)}/repos{query}&type=owner")

    def search(self, query: str) -> Iterator[dict[str, Any]]:
        """Repositories that match a search; the API gives the first 1,000."""
        return self._pages(f"/search/repositories?q={quote(query)}&per_page=100")

    def get(self, path: str, etag: str = "") -> Answer:
        """One resource; waits for rate limits, asks again after passing failures, `Refusal` for good."""
        url = self.config.api_url.rstrip("/") + path
        return patiently(
            lambda: self._in_turn(url, etag),
            key=path,
            attempts=self.config.attempts,
            clock=self.web.clock,
            longest=self.config.max_wait_seconds,
        )

    def commit(self, name: str, ref: str | None) -> str:
        """The commit of a public repository's branch or tag, or of its HEAD, where git's protocol cannot say it."""
        said = self.repository(name).data
        if not isinstance(said, dict) or facts_of_api(said).private is not False:
            raise Refusal("forbidden", "private")
        data = self.get(f"/repos/{name}/commits/{quote(ref or 'HEAD', safe='')}").data
        commit = data.get("sha") if isinstance(data, dict) else None
        if not isinstance(commit, str) or not OBJECT_ID.fullmatch(commit):
            raise Refusal("failed", "the API's answer names no commit")
        return commit

    def place(self, path: str) -> str:
        """Where the API sends a client for a file; only the API itself is asked with a token."""
        return patiently(
            lambda: self._place(self.config.api_url.rstrip("/") + path),
            key=path,
            attempts=self.config.attempts,
            clock=self.web.clock,
            longest=self.config.max_wait_seconds,
        )

    def _place(self, url: str) -> str:
        with self._turn:
            for _ in range(_MAX_REDIRECTS):
                response, _ = self._within_limits("GET", url)
                let_go(response)
                if response.status not in REDIRECTS:
                    check_status(response, self.web.clock.now())
                    raise Refusal("failed", "the API names no place of the file")
                url = onward(response, url)
                if not url.startswith(f"{self.config.api_url.rstrip('/')}/"):
                    return url
        raise Refusal("failed", "redirected in circles")

    def graph(self, query: str, variables: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a GraphQL query, with its errors; waits and asks again like `get`.

        A server of one's own has it beside its REST API ("/api/graphql", "/api/v3").
        """
        url = f"{self.config.api_url.rstrip('/').removesuffix('/v3')}/graphql"
        body = orjson.dumps({"query": query, "variables": variables})
        return patiently(
            lambda: self._graph(url, body),
            key=url,
            attempts=self.config.attempts,
            clock=self.web.clock,
            longest=self.config.max_wait_seconds,
        )

    def _graph(self, url: str, body: bytes) -> dict[str, Any]:
        with self._turn:
            response, token = self._within_limits("POST", url, body=body)
            answer = self._answer(response, "").data
            if not isinstance(answer, dict):
                raise Refusal("failed", "the answer is no object")
            if _is_limited(answer):
                now = self.web.clock.now()
                after = retry_after(response.headers, now) or _SECONDARY_SECONDS
                self.tokens.rest(token, max(now + after, _reset(response)))
                raise Passing("rate limit", 0.0)
        return answer

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        base = self.config.api_url.rstrip("/")
        for _ in range(_MAX_PAGES):
            answer = self.get(path)
            found = answer.data.get("items") if isinstance(answer.data, dict) else answer.data
            yield from (item for item in found or [] if isinstance(item, dict))
            if not answer.following.startswith(f"{base}/"):
                return
            path = answer.following.removeprefix(base)

    def _in_turn(self, url: str, etag: str) -> Answer:
        """One request at a time, as the best practices ask; so only one thread waits for a limit and says so."""
        with self._turn:
            return self._follow(url, etag)

    def _follow(self, url: str, etag: str) -> Answer:
        for _ in range(_MAX_REDIRECTS):
            response, _ = self._within_limits("GET", url, etag)
            if response.status not in REDIRECTS:
                return self._answer(response, etag)
            let_go(response)
            url = redirected(response, url)
        raise Refusal("failed", "redirected in circles")

    def _answer(self, response: urllib3.BaseHTTPResponse, etag: str) -> Answer:
        if response.status == UNCHANGED:
            response.drain_conn()
            let_go(response)
            return Answer(None, etag, "")
        try:
            check_status(response, self.web.clock.now())
            body = self.web.read(response, _BODY_BYTES)
        finally:
            let_go(response)
        following = _NEXT.search(response.headers.get("Link", ""))
        return Answer(_parsed(body), _etag(response), following[1] if following else "")

    def _within_limits(
        self, method: str, url: str, etag: str = "", body: bytes | None = None
    ) -> tuple[urllib3.BaseHTTPResponse, Token]:
        """A response that is about the resource; one about the token or its limits is waited for."""
        waited, limited = 0.0, 0
        while True:
            token = self.tokens.take()
            waited += self._wait(token, waited)
            response = self.web.ask(method, url, _headers(token, etag), body)
            if response.status == 401 and token.value:
                let_go(response)
                self.tokens.drop(token)
                self._say(f"GitHub's API refuses {token!r} (401): not used any more")
            elif (until := self._rest(response, limited)) is not None:
                let_go(response)
                self.tokens.rest(token, until)
                limited += 1
            else:
                self._note(response, token)
                return response, token

    def _wait(self, token: Token, waited: float) -> float:
        now = self.web.clock.now()
        seconds = max(0.0, token.free_at - now)
        if waited + seconds > self.config.max_wait_seconds:
            raise Refusal("failed", f"rate limit: would have to wait {wait_text(seconds, token.free_at)}")
        if seconds:
            self._say(f"GitHub's rate limit, {token!r}: waiting {wait_text(seconds, token.free_at)}")
            self.web.clock.sleep(seconds)
        return seconds

    def _rest(self, response: urllib3.BaseHTTPResponse, limited: int) -> float | None:
        """Until when the token must rest, when the response says that a limit is reached."""
        if response.status not in (403, 429):
            return None
        now = self.web.clock.now()
        after = retry_after(response.headers, now)
        if after is not None:
            return now + max(1.0, after)
        if response.headers.get("X-RateLimit-Remaining", "").strip() == "0":
            return max(now + 1.0, _reset(response))
        if response.status == 429 or b"secondary rate limit" in self._words(response):
            return now + _SECONDARY_SECONDS * 2.0 ** min(limited, 6)
        return None

    def _words(self, response: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return self.web.read(response, _BODY_BYTES).lower()
        except Passing:
            return b""

    def _note(self, response: urllib3.BaseHTTPResponse, token: Token) -> None:
        if response.headers.get("X-RateLimit-Remaining", "").strip() == "0":
            self.tokens.rest(token, _reset(response))


def _headers(token: Token, etag: str) -> dict[str, str]:
    secret = {"Authorization": f"Bearer {token.value}"} if token.value else {}
    return _HEADERS | secret | ({"If-None-Match": etag} if etag else {})


def _is_limited(answer: Mapping[str, Any]) -> bool:
    errors = answer.get("errors")
    listed = errors if isinstance(errors, list) else []
    return any(isinstance(error, dict) and error.get("type") == "RATE_LIMITED" for error in listed)


def _reset(response: urllib3.BaseHTTPResponse) -> float:
    written = response.headers.get("X-RateLimit-Reset", "").strip()
    return float(written[:12]) if written.isdecimal() else 0.0


def _etag(response: urllib3.BaseHTTPResponse) -> str:
    written = response.headers.get("ETag", "")
    return written if written.isascii() and written.isprintable() and len(written) < _ETAG else ""


def _parsed(body: bytes) -> Any:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Passing("the answer is not JSON") from None
    if not isinstance(data, dict | list):
        raise Refusal("failed", "the answer is neither an object nor a list")
    return data
