"""Process 1 of a sandbox, seen from outside: who it is by the kernel's word, and a hold on it to end everything."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys


def expect(sock: socket.socket) -> None:
    """Have the kernel say who sends: to be asked for before process 1 is started, since it may be quick."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def greeted(sock: socket.socket) -> tuple[bytes, int, int | None]:
    """The first message of process 1; its user id outside, by the kernel's word; a descriptor of the process.

    The socket was told to `expect` it.

    Raises:
        OSError: no message came (a timeout too), or none with credentials.
    """
    said, ancillary, _, _ = sock.recvmsg(1 << 16, socket.CMSG_SPACE(12))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
    if not said or not ancillary:
        raise ConnectionResetError("process 1 said nothing")
    pid, uid = (int.from_bytes(ancillary[0][2][at : at + 4], sys.byteorder) for at in (0, 4))
    try:
        return said, uid, os.pidfd_open(pid)
    except OSError:
        return said, uid, None


def kill(process: int | None) -> None:
    """Kill process 1, and with it all that runs in the sandbox; closes the descriptor.

    Ending bubblewrap is not enough where root started it: it signals its child when it dies, but root without
    capabilities may not signal another user's process (kernel/signal.c, check_kill_permission).
    """
    if process is None:
        return
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    os.close(process)
