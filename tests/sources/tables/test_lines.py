from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sources.tables.lines import Line, numbered_lines, without_mark


def lines_slow(raw: bytes, limit: int) -> list[Line]:
    """Split the whole at once."""
    parts = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    parts = parts if parts[-1] else parts[:-1]
    return [Line(n, p if len(p) <= limit else None, len(p)) for n, p in enumerate(parts, 1)]


pieces = st.lists(st.text(alphabet="ab\n\r\ufeff", max_size=9).map(str.encode), max_size=8)


@given(pieces, st.integers(0, 12))
def test_equals_the_slow_twin_however_it_is_cut(blocks: list[bytes], limit: int) -> None:
    assert list(numbered_lines(blocks, limit)) == lines_slow(b"".join(blocks), limit)


@given(st.binary(max_size=6), st.integers(1, 6))
def test_mark_is_dropped_however_it_is_cut(raw: bytes, size: int) -> None:
    marked = b"\xef\xbb\xbf" + raw
    cut = [marked[i : i + size] for i in range(0, len(marked), size)]
    assert b"".join(without_mark(cut)) == raw


def test_nothing() -> None:
    assert list(numbered_lines([], 5)) == []
    assert list(numbered_lines([b""], 5)) == []


def test_long_line_in_the_middle() -> None:
    found = list(numbered_lines([b"a\n", b"x" * 10, b"x" * 10, b"\nb"], 5))
    assert found == [Line(1, b"a", 1), Line(2, None, 20), Line(3, b"b", 1)]
