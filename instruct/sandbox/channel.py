"""Frames between the parent and a job, with a deadline; whatever bytes come, the parent stays well."""

from __future__ import annotations

import os
import selectors
import socket
import time
from typing import Any

from instruct.sandbox.inside import plain


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a stream."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def send(sock: socket.socket, value: object, deadline: float) -> None:
    """Send plain data as one frame.

    Raises:
        TimeoutError: the deadline (of ``time.monotonic``) is over. OSError: nobody reads.
    """
    data = plain.encode(value)
    sock.settimeout(max(deadline - time.monotonic(), 0.001))
    sock.sendall(len(data).to_bytes(4, "big") + data)


def receive(sock: socket.socket, deadline: float, *, limit: int) -> Any:
    """Receive one frame of plain data without sets and dicts, of at most ``limit`` bytes.

    Raises:
        TimeoutError: the deadline is over. OSError: the other end is closed. plain.Malformed: these are no plain data.
    """
    length = int.from_bytes(_exactly(sock, 4, deadline), "big")
    if length > limit:
        raise plain.Malformed(f"a frame of {length} bytes, at most {limit}")
    return plain.decode(_exactly(sock, length, deadline), hashing=False)


def _exactly(sock: socket.socket, count: int, deadline: float) -> bytes:
    parts = []
    while count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        part = sock.recv(min(count, 1 << 16))
        if not part:
            raise ConnectionResetError("closed")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def pump(
    feed: int, text: bytes, outputs: tuple[int, ...], limit: int, deadline: float
) -> tuple[list[bytes], str]:
    """Feed a program its standard input and read its outputs, each up to ``limit`` bytes.

    Closes ``feed``. Returns the outputs, and "", ``timeout`` or ``output`` (one was longer: reading stopped).
    """
    read: dict[int, bytearray] = {fd: bytearray() for fd in outputs}
    with selectors.DefaultSelector() as selector:
        os.set_blocking(feed, False)
        selector.register(feed, selectors.EVENT_WRITE)
        for fd in outputs:
            selector.register(fd, selectors.EVENT_READ)
        problem, fed = "", 0
        while not problem and any(fd in selector.get_map() for fd in outputs):
            ready = selector.select(max(deadline - time.monotonic(), 0))
            problem = "" if time.monotonic() < deadline else "timeout"
            for key, _ in ready:
                if key.fd == feed:
                    fed = _fed(selector, feed, text, fed)
                elif not _filled(selector, key.fd, read[key.fd]):
                    continue
                elif len(read[key.fd]) > limit:
                    problem = "output"
        if feed in selector.get_map():
            os.close(feed)
    return [bytes(read[fd][:limit]) for fd in outputs], problem


def _fed(selector: selectors.BaseSelector, feed: int, text: bytes, fed: int) -> int:
    try:
        fed += os.write(feed, text[fed : fed + (1 << 16)]) if fed < len(text) else 0
    except BlockingIOError:
        return fed
    except OSError:
        fed = len(text)
    if fed >= len(text):
        selector.unregister(feed)
        os.close(feed)
    return fed


def _filled(selector: selectors.BaseSelector, fd: int, into: bytearray) -> bool:
    part = os.read(fd, 1 << 16)
    into += part
    if not part:
        selector.unregister(fd)
    return bool(part)
