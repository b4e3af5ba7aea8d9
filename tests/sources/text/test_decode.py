from __future__ import annotations

import codecs
import unicodedata

import chardetng_py
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.text.decode import BINARY_SHARE, Decoded, decode

LIMIT = 1 << 20
MARKS = (
    codecs.BOM_UTF8,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
    b"",
)
ENCODINGS = ["utf-16", "utf-32", "utf-8-sig", "utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"]
LEGACY = ["cp1252", "cp1251", "gbk", "cp932", "cp949"]
letters = st.text("abc x=\né…жшпя这是测试コメン한국", max_size=30)
raws = st.one_of(
    st.tuples(st.sampled_from(LEGACY), letters).map(lambda p: p[1].encode(p[0], "ignore")),
    st.none(),
    st.text().map(str.encode),
    st.binary(),
    st.tuples(st.sampled_from(MARKS), st.binary(max_size=12)).map(b"".join),
    st.tuples(st.sampled_from(ENCODINGS), st.text()).map(lambda p: p[1].encode(p[0])),
    st.text(alphabet="ab\0", max_size=20).map(str.encode),
)


def decode_slow(raw: bytes | None, limit: int) -> tuple[str | None, str | None, bool, str | None]:
    """The rules of the module, one by one, in plain Python."""
    if raw is None:
        return None, None, False, "missing"
    if len(raw) > limit:
        return None, None, False, "too_large"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return _undecodable(raw)
    if raw.count(0) > BINARY_SHARE * len(raw):
        return _undecodable(raw)
    return text, "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8", False, None


def _undecodable(raw: bytes) -> tuple[str | None, str | None, bool, str | None]:
    wide = (
        ("utf-32-le", MARKS[3]),
        ("utf-32-be", MARKS[4]),
        ("utf-16-le", MARKS[1]),
        ("utf-16-be", MARKS[2]),
    )
    for encoding, mark in wide:
        if raw.startswith(mark):
            rest = raw[len(mark) :]
            text = rest.decode(encoding, "replace")
            if text.count("\ufffd") <= BINARY_SHARE * len(text):
                return text, encoding, text.encode(encoding) != rest, None
    if 0 in raw:
        return _unmarked(raw) or (None, None, False, "binary")
    mended, mark = raw.decode("utf-8", "replace"), raw.startswith(codecs.BOM_UTF8)
    lost = mended.count("\ufffd")
    if not mark and sum(ord(sign) > 127 for sign in mended) - lost < lost:
        found = _guessed(raw)
        if found is not None:
            return found
    return mended, "utf-8-sig" if mark else "utf-8", True, None


def _unmarked(raw: bytes) -> tuple[str, str, bool, None] | None:
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        if len(raw) % width or len(raw) < 4 * width:
            continue
        units = [
            int.from_bytes(raw[at : at + width], "little" if encoding.endswith("le") else "big")
            for at in range(0, len(raw), width)
        ]
        if 3 * sum(0 < unit < 128 for unit in units) >= len(units):
            try:
                text = raw.decode(encoding)
            except UnicodeDecodeError:
                return None
            odd = any(
                (ord(s) < 32 and s not in "\t\n\v\f\r\x1b") or ord(s) in (127, 0xFFFE, 0xFFFF) for s in text
            )
            return None if odd else (text, encoding, False, None)
    return None


PYTHON = {
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
}


def _guessed(raw: bytes) -> tuple[str, str, bool, None] | None:
    name = chardetng_py.detect(
        b"\n".join(line for line in raw.split(b"\n") if max(line, default=0) > 127), allow_utf8=False
    ).lower()
    try:
        text = raw.decode(PYTHON.get(name, name))
    except (UnicodeDecodeError, LookupError):
        return None
    odd = (unicodedata.category(sign) in ("Cc", "Co") and sign not in "\t\n\v\f\r\x1b" for sign in text)
    return None if any(odd) or "\ufffd" in text else (text, name, False, None)


def rows(decoded: Decoded) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in decoded), strict=True))


def one(raw: bytes, limit: int = LIMIT) -> tuple[object, ...]:
    return rows(decode(pa.array([raw], pa.large_binary()), limit))[0]


@given(st.lists(raws, max_size=12), st.integers(1, 40))
def test_equals_the_slow_twin(items: list[bytes | None], limit: int) -> None:
    found = decode(pa.array(items, pa.large_binary()), limit)
    assert rows(found) == [decode_slow(item, limit) for item in items]
    found.content.validate(full=True)


@given(st.lists(raws, max_size=10), st.integers(0, 10))
def test_batch_law_on_slices(items: list[bytes | None], cut: int) -> None:
    raw = pa.array([b"\xff\0", *items], pa.large_binary())[1:]
    whole = rows(decode(raw, LIMIT))
    assert whole == rows(decode(raw[:cut], LIMIT)) + rows(decode(raw[cut:], LIMIT))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"x = 1\r\n", ("x = 1\r\n", "utf-8", False, None)),
        (b"", ("", "utf-8", False, None)),
        ("é\U0001f600".encode(), ("é\U0001f600", "utf-8", False, None)),
        (b"\xef\xbb\xbfx", ("\ufeffx", "utf-8-sig", False, None)),
        (b"\xef\xbb\xbf\xff", ("\ufeff\ufffd", "utf-8-sig", True, None)),
        ("x = 'é'".encode("utf-16"), ("x = 'é'", "utf-16-le", False, None)),
        (codecs.BOM_UTF16_BE + "hé".encode("utf-16-be"), ("hé", "utf-16-be", False, None)),
        ("hé".encode("utf-32"), ("hé", "utf-32-le", False, None)),
        (codecs.BOM_UTF32_BE + "hé".encode("utf-32-be"), ("hé", "utf-32-be", False, None)),
        ("a long enough text".encode("utf-16") + b"x", ("a long enough text\ufffd", "utf-16-le", True, None)),
        (b"caf\xe9", ("café", "windows-1252", False, None)),
        ("// комментарий".encode("cp1251"), ("// комментарий", "windows-1251", False, None)),
        ("// комментарий".encode("koi8-r"), ("// комментарий", "koi8-u", False, None)),
        ("// 这是一个测试程序".encode("gbk"), ("// 这是一个测试程序", "gb18030", False, None)),
        ("# コメントです。日本語".encode("cp932"), ("# コメントです。日本語", "shift_jis", False, None)),
        ("# コメントです。日本語".encode("euc-jp"), ("# コメントです。日本語", "euc-jp", False, None)),
        ("// 한국어 주석입니다".encode("euc-kr"), ("// 한국어 주석입니다", "euc-kr", False, None)),
        ("// zażółć gęślą".encode("iso-8859-2"), ("// zażółć gęślą", "iso-8859-2", False, None)),
        (
            b"x = 1\n" * 50_000 + "# é".encode("latin-1"),
            ("x = 1\n" * 50_000 + "# é", "windows-1252", False, None),
        ),
        ("déjà vu, été".encode() + b"\xe9", ("déjà vu, été\ufffd", "utf-8", True, None)),
        (b"caf\xe9\x01", ("caf\ufffd\x01", "utf-8", True, None)),
        (b"# caf\x81", ("# caf\ufffd", "utf-8", True, None)),
        (b"0123456789\0", ("0123456789\0", "utf-8", False, None)),
        (b"012345678\0", ("012345678\0", "utf-8", False, None)),
        (b"01234567\0", (None, None, False, "binary")),
        ("plain é".encode("utf-16-le"), ("plain é", "utf-16-le", False, None)),
        ("plain é".encode("utf-16-be"), ("plain é", "utf-16-be", False, None)),
        ("plain é".encode("utf-32-le"), ("plain é", "utf-32-le", False, None)),
        ("plain é".encode("utf-32-be"), ("plain é", "utf-32-be", False, None)),
        ("// 这是一个测试\n".encode("utf-16-le"), ("// 这是一个测试\n", "utf-16-le", False, None)),
        ("odd size".encode("utf-16-le") + b"x", (None, None, False, "binary")),
        ("a\1b\1".encode("utf-16-le"), (None, None, False, "binary")),
        ("abc".encode("utf-16-le"), (None, None, False, "binary")),
        (b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0", (None, None, False, "binary")),
        (b"\x7fELF\0\xff", (None, None, False, "binary")),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", (None, None, False, "binary")),
    ],
)
def test_golden(raw: bytes, expected: tuple[object, ...]) -> None:
    assert one(raw) == expected


def test_utf16_copy_equals_utf8_copy() -> None:
    assert one("x = 1\n".encode("utf-16"))[0] == one(b"x = 1\n")[0]


def test_limit_is_inclusive() -> None:
    assert one(b"abc", 3)[0] == "abc"
    assert one(b"abcd", 3) == (None, None, False, "too_large")


def test_empty_batch() -> None:
    assert rows(decode(pa.array([], pa.large_binary()), LIMIT)) == []


def test_valid_text_is_not_copied() -> None:
    raw = pa.array([b"some text", b"more"], pa.large_binary())
    assert decode(raw, LIMIT).content.buffers()[2].address == raw.buffers()[2].address
