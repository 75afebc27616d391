"""How a connection ends: by a proper close, or by a reset that nobody can take for one."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_RESET: Final = struct.pack("ii", 1, 0)
_CLOSE: Final = struct.pack("ii", 0, 0)
_COUNT: Final = struct.Struct("i")
_SO_NWRITE: Final = 0x1024
"""What macOS calls the count of bytes that wait in a socket; Python has no name for it."""


def reset_on_close(transport: asyncio.Transport, *, on: bool) -> None:
    """Whether closing resets the connection, also where the system closes it for a process that was killed."""
    _socket(transport).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET if on else _CLOSE)


def is_sent(transport: asyncio.Transport) -> bool:
    """Whether all that was written has arrived at the other end: what has not, a reset would take with it."""
    return not transport.get_write_buffer_size() and not _waiting(_socket(transport))


def _socket(transport: asyncio.Transport) -> socket.socket:
    found: socket.socket = transport.get_extra_info("socket")
    return found


def _waiting(sock: socket.socket) -> int:
    """Bytes that the system has yet to hand over."""
    if sys.platform == "darwin":
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    count: int = _COUNT.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_COUNT.size)))[0]
    return count
