"""URLs of repositories with a login: refused, and never repeated."""

from __future__ import annotations

import pytest

from columns.errors import InputError
from sources import parse_spec
from sources.git.source import GitSource

SECRET = "s3cr3tpw"
URLS = (
    f"https://user:{SECRET}@example.org/a/b.git",
    f"https://{SECRET}@example.org/a/b.git",
    f"http://{SECRET}:x-oauth-basic@example.org:8080/a/b.git",
    f"ssh://git:{SECRET}@example.org/a/b.git",
    f"git://me:{SECRET}@example.org/a/b.git",
    f"https://user:a@{SECRET}@example.org/a/b.git",
    f"https://user:a/{SECRET}@example.org/a/b.git",
    f"https://user:{SECRET}@[::1]:80/a/b.git",
)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("form", ["git:{}", "git:{}@main", "git+{}", "{}", "git:{}@"])
def test_logins_are_refused_unseen(url, form):
    with pytest.raises(InputError, match="a URL with a login") as caught:
        parse_spec(form.format(url))
    assert SECRET not in str(caught.value)
    assert "ssh" in str(caught.value)


@pytest.mark.parametrize("url", URLS)
def test_sources_made_by_hand_refuse_them_too(url):
    with pytest.raises(InputError, match="a URL with a login") as caught:
        GitSource(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where", "ref"),
    [
        ("git:ssh://git@example.org/a/b.git", "ssh://git@example.org/a/b.git", None),
        ("git:ssh://git@example.org:2222/a/b.git@v1", "ssh://git@example.org:2222/a/b.git", "v1"),
        ("git@example.org:a/b.git", "ssh://git@example.org/a/b.git", None),
        ("git:https://example.org:8443/a/b.git@main", "https://example.org:8443/a/b.git", "main"),
        ("git:http://[::1]:80/a/b.git", "http://[::1]:80/a/b.git", None),
        ("git:https://example.org/a@b/c.git", "https://example.org/a@b/c.git", None),
    ],
)
def test_other_urls_are_as_before(text, where, ref):
    source = parse_spec(text)
    assert source in (GitSource(where, ref), GitSource("https://example.org/a", "b/c.git"))


def test_an_unknown_kind_does_not_repeat_a_login():
    with pytest.raises(InputError) as caught:
        parse_spec(f"https://user:{SECRET}@example.org/page")
    assert SECRET not in str(caught.value)
