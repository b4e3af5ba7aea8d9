"""Proxies of the environment: used, signed in to, passed by where it says so; their passwords are shown nowhere."""

from __future__ import annotations

import base64
import contextlib
import http.client
import logging
import os
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from crawling import read_source, states
from servers import Handler
from test_api import _command_lines

from columns.errors import InputError
from sources.github import GithubConfig
from sources.github.patience import WallClock
from sources.github.proxies import Proxies
from sources.github.refusals import Passing
from sources.github.web import Web, let_go
from sources.stopping import Stop

SECRET = "pr0xyS3cret"


class ProxyHandler(Handler):
    """Sends requests on to where their URL says, and remembers them; refuses tunnels."""

    seen: list[tuple[str, str, str | None]]

    def do_GET(self) -> None:
        login = self.headers.get("Proxy-Authorization")
        self.seen.append((self.command, self.path, login))
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        onward = http.client.HTTPConnection(parts.netloc, timeout=10)
        fields = {name: value for name, value in self.headers.items() if not name.startswith("Proxy-")}
        onward.request(
            self.command, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, fields
        )
        response = onward.getresponse()
        self.reply(response.status, response.read(), Content_Type=response.headers.get("Content-Type", ""))
        onward.close()

    do_POST = do_GET

    def do_CONNECT(self) -> None:
        self.seen.append((self.command, self.path, self.headers.get("Proxy-Authorization")))
        self.reply(407)


@pytest.fixture
def proxy():
    kind = type("Bound", (ProxyHandler,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", kind.seen
        server.shutdown()


def login(user: str = "me", word: str = SECRET) -> str:
    return "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode()


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_requests_go_through(variable, proxy, make, source, upstream, api, monkeypatch):
    place, seen = proxy
    monkeypatch.setenv(variable, f"http://{place}")
    make("a/b")
    api.repository("a/b")
    table, skipped, _ = read_source(source("a/b", metadata="api"))
    assert (table.num_rows, skipped) == (2, {})
    assert {url.split("/")[2] for _, url, _ in seen} == {
        urlsplit(upstream.url).netloc,
        urlsplit(api.url).netloc,
    }
    assert {sent for _, _, sent in seen} == {None}
    assert not any("Proxy-Authorization" in headers for headers in upstream.headers)


def test_without_a_scheme_and_with_a_login(proxy, make, source, upstream, monkeypatch):
    place, seen = proxy
    monkeypatch.setenv("http_proxy", f"me:{SECRET}@{place}")
    make("a/b")
    assert read_source(source("a/b"))[0].num_rows == 2
    assert {sent for _, _, sent in seen} == {login()}
    assert not any("Proxy-Authorization" in headers for headers in upstream.headers)


def test_logins_are_unquoted(proxy, make, source, monkeypatch):
    place, seen = proxy
    monkeypatch.setenv("http_proxy", f"http://me%40work:p%3Aw@{place}")
    make("a/b")
    read_source(source("a/b"))
    assert {sent for _, _, sent in seen} == {login("me@work", "p:w")}


@pytest.mark.parametrize("hosts", ["127.0.0.1", "*", "example.org,127.0.0.1"])
def test_hosts_that_are_asked_directly(hosts, proxy, make, source, monkeypatch):
    place, seen = proxy
    monkeypatch.setenv("http_proxy", f"http://{place}")
    monkeypatch.setenv("NO_PROXY", hosts)
    make("a/b")
    assert read_source(source("a/b"))[0].num_rows == 2
    assert seen == []


def test_tunnels_for_tls_are_signed_in_to(proxy, monkeypatch):
    place, seen = proxy
    monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@{place}")
    web = Web(GithubConfig(), WallClock(), Stop())
    with pytest.raises(Passing) as caught:
        web.ask("GET", "https://example.invalid/x", {"Authorization": "Bearer token"})
    web.close()
    assert seen == [("CONNECT", "example.invalid:443", login())]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [f"socks5://me:{SECRET}@h:1", f"http://me:{SECRET}@h:port", f"http://me:{SECRET}@", f"http://[{SECRET}"],
)
def test_proxies_that_cannot_be_used(text, source, monkeypatch):
    monkeypatch.setenv("https_proxy", text)
    with pytest.raises(InputError, match="HTTPS_PROXY: not a proxy") as caught:
        read_source(source("a/b"))
    assert SECRET not in str(caught.value)


def test_each_scheme_has_its_own_login(proxy, upstream, monkeypatch):
    place, seen = proxy
    monkeypatch.setenv("http_proxy", f"http://one:1@{place}")
    monkeypatch.setenv("https_proxy", f"http://two:2@{place}")
    web = Web(GithubConfig(), WallClock(), Stop())
    let_go(web.ask("GET", f"{upstream.url}/x", {}))
    with pytest.raises(Passing):
        web.ask("GET", "https://example.invalid/x", {})
    web.close()
    assert {(way == "CONNECT", sent) for way, _, sent in seen} == {
        (False, login("one", "1")),
        (True, login("two", "2")),
    }


def test_addresses(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://[::1]:3128")
    found = Proxies().of("https://github.com/a")
    assert found is not None
    assert (found.url, Proxies().of("http://github.com/a")) == ("http://[::1]:3128", None)
    monkeypatch.setenv("no_proxy", ".github.com")
    assert Proxies().of("https://api.github.com/a") is None


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads command lines from /proc")
def test_the_password_is_nowhere(proxy, make, source, monkeypatch, caplog, capfd, said):
    place, _ = proxy
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    monkeypatch.setenv("http_proxy", f"http://me:{SECRET}@{place}")
    monkeypatch.setenv("all_proxy", f"http://me:{SECRET}@127.0.0.1:1")
    make("a/b")
    lines: set[bytes] = set()
    stop = threading.Event()
    watcher = threading.Thread(target=_command_lines, args=(lines, stop))
    watcher.start()
    try:
        crawled = source("a/b")
        _, _, listing = read_source(crawled)
        unreachable = source("a/b", server_url="https://example.invalid", store=crawled.github.store + "2")
        assert read_source(unreachable)[1] == {"repository_failed": 1}
    finally:
        stop.set()
        watcher.join()
    folders = (Path(crawled.github.store), Path(unreachable.github.store))
    written = b"".join(p.read_bytes() for folder in folders for p in folder.rglob("*") if p.is_file())
    reason = states(unreachable)["a/b"].reason
    texts = [
        repr(crawled),
        repr(listing),
        repr(Proxies().of("http://h")),
        caplog.text,
        reason,
        *capfd.readouterr(),
        *said,
    ]
    for secret in (SECRET, login().split()[1]):
        assert secret.encode() not in written + b"".join(lines)
        assert not any(secret in text for text in texts)


def test_silence_of_a_proxy_ends(make, source, monkeypatch):
    """A proxy that is not there is a passing failure like any other."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    make("a/b")
    start = time.monotonic()
    with contextlib.suppress(InputError):
        assert read_source(source("a/b"))[1] == {"repository_failed": 1}
    assert time.monotonic() - start < 30
