"""The process that an agent starts for a hook: ``/abs/python -I -S /abs/forward.py AGENT SOCKET SPOOL``.

It reads the hook's JSON from stdin, passes it to the recorder over a unix socket, and ends. If the recorder does not
answer in time, or its address belongs to another user, the call goes into the spool. The exit code is always 0 and
nothing is printed, because recording must not slow, block or influence an agent. A Cursor hook that prints anything but
a valid answer would block the action.

It is started once for every action of an agent, so it imports only three compiled-in modules. ``frame.py`` and
``spool.py`` define the bytes, and a test compares this file with them. The spool's code is loaded only when needed.
"""

import _socket
import posix
import sys

PATIENCE_S = 0.05
"""How long each step (connect, send, answer) may take."""
_FOLDER, _FOLDER_BITS = 0o040000, 0o170077
"""A real folder that no other user may enter: its type, and the bits that must match exactly."""
_SOCKET, _SOCKET_BITS = 0o140000, 0o170022
"""A real socket that no other user may write to."""


def _stdin() -> bytes:
    pieces: list[bytes] = []
    while piece := posix.read(0, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def _is_ours(address: str) -> bool:
    """Return whether folder and socket pass the checks of ``promptster.private``: real, this user's and private."""
    folder, here = posix.lstat(address.rpartition("/")[0]), posix.lstat(address)
    return (
        folder.st_mode & _FOLDER_BITS == _FOLDER
        and here.st_mode & _SOCKET_BITS == _SOCKET
        and folder.st_uid == here.st_uid == posix.geteuid()
    )


def _answers_as_us(link: _socket.socket) -> bool:
    """Return whether the process at the other end runs as this user; both systems use the same four bytes."""
    if sys.platform == "darwin":
        answer = link.getsockopt(0, 1, 76)  # LOCAL_PEERCRED
    else:
        answer = link.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(answer[4:8], sys.byteorder) == posix.geteuid()


def _hand_over(address: str, agent: bytes, payload: bytes) -> bool:
    """Return whether the recorder has taken the payload. After ``False`` it never takes it."""
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        if not _is_ours(address):
            return False
        link.settimeout(PATIENCE_S)
        link.connect(address)
        if not _answers_as_us(link):
            return False
        size = len(payload).to_bytes(4, "big")
        link.sendall(b"".join((b"PSH1", len(agent).to_bytes(1, "big"), agent, size, payload)))
        try:
            return link.recv(1) == b"\x06"
        except OSError:
            link.shutdown(_socket.SHUT_RD)
            return link.recv(1) == b"\x06"
    except OSError:
        return False
    finally:
        link.close()


def _keep(folder: str, agent: str, payload: bytes) -> None:
    here = __file__.rpartition("/")[0].rpartition("/")[0]
    sys.path.insert(0, here)
    from promptster_hooks import spool  # noqa: PLC0415 - loads hashlib, which is rarely needed

    spool.keep(folder, agent, payload)


def main(arguments: list[str]) -> None:
    """Pass one hook call to the recorder, or keep it in the spool."""
    agent, address, folder = arguments
    payload = _stdin()[: 32 * 1024 * 1024]
    if not _hand_over(address, agent.encode(), payload):
        _keep(folder, agent, payload)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    finally:
        posix._exit(0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - ends at once, with 0, without a trace
