from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.github.packets import DELIMITER, FLUSH, lines, pack_bytes, packet, packets
from sources.github.refusals import Passing, Refusal


def framed(payload: bytes) -> bytes:
    return b"%04x" % (len(payload) + 4) + payload


def cut_at(raw: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@given(st.lists(st.one_of(st.none(), st.binary(min_size=1, max_size=300))), st.lists(st.integers(0, 5000)))
def test_packets_however_they_are_cut(payloads, places):
    raw = b"".join(FLUSH if payload is None else framed(payload) for payload in payloads)
    assert list(packets(cut_at(raw, places))) == payloads


@given(st.binary(max_size=200))
def test_any_bytes_end_well(raw):
    with contextlib.suppress(Passing, Refusal):
        assert len(list(packets([raw]))) <= len(raw)


@pytest.mark.parametrize("raw", [b"<htm", b"0003", b"+00a", b"0_0a", b"zzzz"])
def test_what_is_no_packet(raw):
    with pytest.raises(Refusal, match="not a git server"):
        list(packets([raw]))


def test_lines():
    assert list(lines([packet("a") + packet("b") + FLUSH])) == ["a", "b"]
    with pytest.raises(Passing, match="in the middle"):
        list(lines([packet("a")]))
    with pytest.raises(Refusal, match=r"the server says: no \?\[31m"):
        list(lines([framed(b"ERR no \x1b[31m") + FLUSH]))


def answer(*bands: bytes, end: bytes = FLUSH) -> bytes:
    head = packet("shallow-info") + packet("shallow 0") + DELIMITER + packet("packfile")
    return head + b"".join(framed(band) for band in bands) + end


def test_pack():
    assert b"".join(pack_bytes([answer(b"\1PA", b"\2counting", b"\1CK")])) == b"PACK"


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        (answer(b"\1PA", end=b""), Passing, "in the middle"),
        (answer(b"\1PA", end=b"00"), Passing, "in the middle"),
        (answer(b"\3out of \x07memory"), Passing, r"gave up: out of \?memory"),
        (answer(b"\7x"), Refusal, "unknown band"),
        (answer(b""), Refusal, "unknown band"),
        (packet("shallow-info") + FLUSH, Refusal, "no pack"),
        (framed(b"ERR upload-pack: not our ref\n"), Refusal, "not our ref"),
    ],
)
def test_packs_that_are_none(raw, error, words):
    with pytest.raises(error, match=words):
        list(pack_bytes([raw]))
