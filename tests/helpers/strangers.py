"""Another user of this computer: their folders and sockets, and a process that answers as a recorder would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

STRANGER = 4711
"""A user id that no user of this machine has."""
needs_another_user = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a process as another user")

_BECOME = """\
import os, socket, sys
uid, path = int(sys.argv[1]), sys.argv[2]
heard = open(sys.argv[3], "ab", buffering=0) if len(sys.argv) > 3 else None
os.chdir(os.path.dirname(path))
os.setgroups([]), os.setgid(uid), os.setuid(uid)
link = socket.socket(socket.AF_UNIX)
"""
"""Another user may not have access to our interpreter, so the script becomes that user itself."""
_SERVE = """\
link.bind(os.path.basename(path))
os.chmod(os.path.basename(path), 0o666)
link.listen()
print("ready", flush=True)
while True:
    connection, _ = link.accept()
    data = connection.recv(1 << 20)
    heard.write(data)
    if data.startswith(b"PSH1"):
        connection.sendall(b"\\x06")
    elif data:
        connection.sendall(b'{"ok": true, "state": "recording", "events": 7}\\n')
    connection.close()
"""
_CONNECT = """\
link.connect(os.path.basename(path))
try:
    link.sendall(sys.stdin.buffer.read())
    link.shutdown(socket.SHUT_WR)
    sys.stdout.buffer.write(link.recv(1 << 16))
except OSError:
    pass
"""


def _command(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", _BECOME + code, str(STRANGER), *arguments]


@contextmanager
def stranger_at(path: Path, heard: Path) -> Generator[None]:
    """Another user's server on a unix socket in their own folder; what it receives is appended to ``heard``."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    os.chown(path.parent, STRANGER, STRANGER)
    with subprocess.Popen(_command(_SERVE, str(path), str(heard)), stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield
        finally:
            server.kill()


def connect_as_stranger(path: Path, data: bytes) -> bytes:
    """The answer that another user gets after sending these bytes to a socket that everyone may open."""
    return subprocess.run(_command(_CONNECT, str(path)), input=data, capture_output=True, check=True).stdout


def bound(path: Path) -> socket.socket:
    """A listening socket of the user who runs the tests."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    path.chmod(0o600)
    server.listen()
    return server
