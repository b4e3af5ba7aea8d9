"""URLs that hold a login or a signature: shown without it, and refused where it would be stored."""

from __future__ import annotations

import re

from columns.errors import InputError

_LOGIN = re.compile(r"(?<=://)(?:[^/?#\s]*@|(?!\[)[^/?#\s@:]*:(?!\d*(?:[/?#\s]|$))[^\s@]*@)")
_SIGNED = re.compile(
    r"(?i)(?<=[?&;])((?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|awsaccesskeyid"
    r"|googleaccessid|policy|key-pair-id|(?:access_|private_)?token|api_?key|key|secret|password)=)[^&#\s]+"
)
_KEYS = (
    "put the login where its fsspec package looks for it: keys in the environment, or ~/.config/fsspec/*.json"
)


def without_login(text: str) -> str:
    """The text with users, passwords and signatures of URLs left out.

    >>> without_login("https://me:secret@github.com/a")
    'https://…@github.com/a'
    >>> without_login("https://host/a.parquet?X-Amz-Signature=0f3a&part=2")
    'https://host/a.parquet?X-Amz-Signature=…&part=2'
    """
    return _SIGNED.sub(r"\1…", _LOGIN.sub("…@", text))


def refuse_login(text: str, hint: str = _KEYS) -> str:
    """The text; `InputError`, which does not repeat it, when a URL in it holds a password or a token.

    It would be in the manifest and in provenances. A name alone (``ssh://git@host``, ``abfs://container@account``) is
    none, but for HTTP, where it may be a token.

    >>> refuse_login("abfs://container@account/a.parquet")
    'abfs://container@account/a.parquet'
    >>> refuse_login("parquet:https://token@host/a.parquet")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    columns.errors.InputError: parquet:https://…@host/a.parquet: a URL with a login
    hint: put the login where its fsspec package looks for it: ...
    """
    for found in _LOGIN.finditer(text):
        scheme = re.search(r"[\w.-]*(?=://$)", text[: found.start()])
        if ":" in found[0] or (scheme and scheme[0].lower() in ("http", "https")):
            raise InputError(f"{without_login(text)}: a URL with a login", hint=hint)
    return text
