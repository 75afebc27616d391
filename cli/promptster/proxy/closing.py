"""How a connection is closed: properly, or by a reset, which no recipient can mistake for a proper end."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from asyncio import Transport
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)
_CLOSE: Final = struct.pack("ii", 0, 0)
_COUNT: Final = struct.Struct("i")
_SO_NWRITE: Final = 0x1024
"""The macOS option that returns the bytes waiting in a socket; Python has no name for it."""


def reset_on_close(transport: Transport, *, on: bool) -> None:
    """Choose whether closing resets the connection, even when the system closes it because the process was killed."""
    _socket(transport).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET if on else _CLOSE)


def all_sent(transport: Transport) -> bool:
    """Whether everything that was written has arrived at the other end; a reset would discard the rest."""
    return not transport.get_write_buffer_size() and not _waiting(_socket(transport))


def _socket(transport: Transport) -> socket.socket:
    found: socket.socket = transport.get_extra_info("socket")
    return found


def _waiting(sock: socket.socket) -> int:
    """Bytes that the system has yet to deliver."""
    if sys.platform == "darwin":
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    count: int = _COUNT.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_COUNT.size)))[0]
    return count
