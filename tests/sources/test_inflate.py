from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sources.inflate import Broken, blocks

PACKERS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def inflate(path: Path) -> tuple[bytes, bool]:
    found = b""
    try:
        for block in blocks(str(path)):
            found += block
    except Broken:
        return found, True
    return found, False


@given(st.lists(st.binary(max_size=4000), max_size=4), st.sampled_from(["gzip", "zstd", "bzip2", "xz"]))
def test_members_join(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], kind: str) -> None:
    path = tmp_path_factory.mktemp("members") / "x"
    path.write_bytes(b"".join(map(PACKERS[kind], parts)))
    assert inflate(path) == (b"".join(parts), False)


@given(st.binary(min_size=30, max_size=3000), st.sampled_from(["gzip", "zstd"]), st.floats(0.01, 0.99))
def test_a_cut_is_seen(tmp_path_factory: pytest.TempPathFactory, raw: bytes, kind: str, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "x"
    packed = PACKERS[kind](raw)
    path.write_bytes(packed[: max(4, int(len(packed) * share))])
    found, broken = inflate(path)
    assert broken
    assert raw.startswith(found)


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) + 1, 1 << 20])
def test_sizes(kind: str, size: int, tmp_path: Path) -> None:
    raw = (b"abcdefghijklm" * (size // 13 + 1))[:size]
    (tmp_path / "x").write_bytes(PACKERS[kind](raw))
    assert inflate(tmp_path / "x") == (raw, False)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_garbage_after_the_end(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pack(b"good") + b"garbage")
    assert inflate(tmp_path / "x") == (b"good", True)
