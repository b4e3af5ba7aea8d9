"""Proxies: which one the environment names for a URL, and how it is signed in to; its password is shown nowhere."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3.util import make_headers

from columns.errors import InputError


class Proxy(NamedTuple):
    """A proxy's address, which holds no login, and the headers that sign in to it."""

    url: str
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Proxy({self.url!r})"


class Proxies:
    """The proxies of the environment: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, but for the hosts of NO_PROXY.

    Lower-case names win, as everywhere; on some systems the system's settings count where the environment is silent.
    """

    def __init__(self) -> None:
        found = getproxies()
        named = {scheme: found.get(scheme) or found.get("all") for scheme in ("http", "https")}
        self._by_scheme = {scheme: _proxy(scheme, text) for scheme, text in named.items() if text}

    def of(self, url: str) -> Proxy | None:
        """The proxy for a URL, None when its host is asked directly."""
        parts = urlsplit(url)
        proxy = self._by_scheme.get(parts.scheme)
        return None if proxy is None or proxy_bypass(parts.netloc) else proxy


def _proxy(scheme: str, text: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise InputError(
            f"{scheme.upper()}_PROXY: not a proxy that can be used",
            hint="expected http://HOST:PORT or https://HOST:PORT",
        )
    place = f"[{host}]" if ":" in host else host
    url = f"{parts.scheme}://{place}" + (f":{port}" if port else "")
    if parts.username is None:
        return Proxy(url, {})
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(url, dict(make_headers(proxy_basic_auth=login)))
