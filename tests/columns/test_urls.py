"""Logins and signatures of URLs: never shown, refused where they would be stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.errors import InputError
from columns.files import Place
from columns.urls import refuse_login, without_login

SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{SECRET}@host/a.parquet",
        f"https://{SECRET}@host/a.parquet",
        f"https://:{SECRET}@host:8080/a@b.parquet",
        f"https://me:{SECRET}@[::1]:80/a",
        f"https://me:x@{SECRET}@host/a",
        f"https://me:x/{SECRET}@host/a",
        f"HTTP://me:{SECRET}@host",
        f"s3://key:{SECRET}@bucket/a",
        f"sftp://me:{SECRET}@host/a",
        f"simplecache::https://me:{SECRET}@host/a",
        f"git+https://me:{SECRET}@host/a.git@main",
        f"redis://:{SECRET}@host/0?basename=x",
    ],
)
def test_logins_are_hidden_and_refused(url: str) -> None:
    assert SECRET not in without_login(url)
    with pytest.raises(InputError, match="a URL with a login") as refused:
        refuse_login(url)
    assert SECRET not in str(refused.value)
    with pytest.raises(InputError):
        Place(url)


@pytest.mark.parametrize("name", ["X-Amz-Signature", "sig", "token", "access_token", "Signature", "key"])
def test_signatures_are_hidden(name: str) -> None:
    url = f"https://host/a.parquet?a=1&{name}={SECRET}&b=2#x"
    assert without_login(url) == f"https://host/a.parquet?a=1&{name}=…&b=2#x"
    assert refuse_login(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "https://host/a@b.parquet",
        "https://host:8080/a@b.parquet",
        "https://[::1]:8080/a@b.git",
        "git:https://host/a.git@main",
        "git@host:a/b.git",
        "/home/me//a@b/c.parquet",
        "github:owner/name@v1",
        "C:\\a@b",
        "",
    ],
)
def test_what_holds_no_login_stays(text: str) -> None:
    assert without_login(text) == text == refuse_login(text)


@pytest.mark.parametrize(
    "url", ["ssh://git@host/a.git", "abfs://box@account.dfs.core.windows.net/a", "sftp://me@h/a"]
)
def test_names_alone_are_no_secret(url: str) -> None:
    assert refuse_login(url) == url
    assert "@" in without_login(url)


@given(st.text())
def test_any_text(text: str) -> None:
    assert without_login(without_login(text)) == without_login(text)
