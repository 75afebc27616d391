"""What only this user can have made: folders, sockets, and the processes behind them, looked at before they are used.

A path that other people can guess may have been taken by one of them. So nothing of ours connects to a socket, binds
one, or writes into a folder for running things before it has been looked at here: the folder is a real folder of ours
that nobody else may enter, the socket is a real socket of ours, and the process at its other end runs as us. The hook
forwarder, which may import nothing, holds the same rules in its own few lines.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import sys
from shlex import quote
from typing import TYPE_CHECKING

from promptster.errors import NotPrivateError

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_ANYBODY_WRITES = 0o002
_SOL_LOCAL = 0
"""macOS: the level of the two options below."""
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2
_XUCRED_BYTES = 76
"""macOS: ``struct xucred``; its second 32 bits are the user's number, as on Linux in ``struct ucred``."""
_NOTHING_SENT = "Nothing was sent there."
MOVED_AWAY = f"{_NOTHING_SENT} Have it removed, then run `promptster resume`."
"""What to do about a folder of somebody else's in a folder of our own."""
ELSEWHERE = f"{_NOTHING_SENT} To go on in a folder of your own:\nXDG_RUNTIME_DIR=$(mktemp -d) promptster resume"
"""The same, where it stands in a folder for everybody."""


def _removed(path: Path | str) -> str:
    """What to do about something in a folder of ours, from which we may remove whatever stands there."""
    return f"{_NOTHING_SENT} To remove it and record again:\nrm -r {quote(str(path))} && promptster resume"


def _moved(path: Path | str) -> str:
    """What to do about a folder of ours in a place that is somebody else's: it is written down, so it has to go."""
    return (
        f"{_NOTHING_SENT} To go on in a folder of your own:\n"
        f"rm -r {quote(str(path))}; XDG_RUNTIME_DIR=$(TMPDIR=/tmp mktemp -d) promptster resume"
    )


def require_private_folder(path: Path | str, *, way_on: str = MOVED_AWAY) -> None:
    """Return if a folder is ours alone: no link, nobody else may enter it or put another in its place.

    Args:
        path: the folder.
        way_on: the hint of the error where it is somebody else's.

    Raises:
        OSError: there is none, or it cannot be looked at.
        NotPrivateError: it is not ours alone.
    """
    facts = os.lstat(path)
    if not stat.S_ISDIR(facts.st_mode):
        raise _not_private(path, facts, "is not a folder", way_on)
    if facts.st_uid != os.geteuid():
        raise _not_private(path, facts, "is a folder", way_on)
    if facts.st_mode & _OTHERS:
        raise NotPrivateError(
            f"{path} is open to other users of this computer",
            hint=f"{_NOTHING_SENT} To close it:\nchmod 700 {quote(str(path))}",
        )
    above = parent = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 - the supervisor loads no pathlib
    while True:
        facts = os.stat(above)  # noqa: PTH116 - see above
        for_all = bool(facts.st_mode & _ANYBODY_WRITES)
        if for_all and not facts.st_mode & stat.S_ISVTX:
            way = f"{_NOTHING_SENT} To close it:\nchmod +t {quote(above)}"
            way = way if _may_change(facts) else _moved(path)
            raise NotPrivateError(f"any user of this computer can replace what stands in {above}", hint=way)
        if (for_all or above == parent) and not _is_trusted(facts):
            raise NotPrivateError(f"{owner(facts.st_uid)} can replace what stands in {above}", hint=_moved(path))
        if above == os.path.dirname(above):  # noqa: PTH120 - see above
            return
        above = os.path.dirname(above)  # noqa: PTH120 - see above


def make_private_folder(path: Path | str, *, way_on: str = MOVED_AWAY) -> None:
    """Make a folder that is ours alone; one that is there already must be.

    Raises:
        OSError: it cannot be made.
        NotPrivateError: one is there that is not ours alone.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)  # noqa: PTH102 - the supervisor loads no pathlib
    require_private_folder(path, way_on=way_on)


def is_our_folder(path: Path | str) -> bool:
    """Whether a real folder of ours stands at a path, whoever else may enter it."""
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()


def require_our_folder(path: Path | str) -> None:
    """Return if a folder that we keep things in is ours, and so is a link in its place.

    A missing one passes, unless it would be made in somebody else's home folder, as after ``sudo``.

    Raises:
        NotPrivateError: it belongs to somebody else, or would, or anybody may write into it.
    """
    for look in (os.lstat, os.stat):
        try:
            facts = look(path)
        except FileNotFoundError:
            _require_place(path)
            return
        if facts.st_uid != os.geteuid():
            raise _not_yours(path, facts)
    if facts.st_mode & _ANYBODY_WRITES:
        raise NotPrivateError(
            f"any user of this computer can write into {path}", hint=f"To close it:\nchmod 700 {quote(str(path))}"
        )


def _require_place(path: Path | str) -> None:
    """Return unless the first folder that is there above a missing one is somebody else's."""
    above = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120 - the supervisor loads no pathlib
    while not os.path.lexists(above):
        above = os.path.dirname(above)  # noqa: PTH120 - see above
    with contextlib.suppress(OSError):
        facts = os.stat(above)  # noqa: PTH116 - see above
        if not _is_trusted(facts):
            raise _not_yours(above, facts)


def _not_yours(path: Path | str, facts: os.stat_result) -> NotPrivateError:
    return NotPrivateError(
        f"{path} belongs to {owner(facts.st_uid)}, not to you",
        hint="Use your own account, or name another folder with XDG_STATE_HOME, XDG_DATA_HOME and XDG_CONFIG_HOME.",
    )


def require_our_socket(path: Path | str) -> None:
    """Return if a real socket of ours stands at a path, in a folder of ours, that nobody else may write to.

    Raises:
        OSError: there is none.
        NotPrivateError: it is not ours alone.
    """
    facts = os.lstat(path)
    if not stat.S_ISSOCK(facts.st_mode):
        raise _not_private(path, facts, "is not a socket", _removed(path))
    if facts.st_uid != os.geteuid() or facts.st_mode & _OTHERS_WRITE:
        raise _not_private(path, facts, "is a socket", _removed(path))


def connect(path: Path | str, *, timeout: float, way_on: str = MOVED_AWAY) -> socket.socket:
    """A connection to a socket of ours with a process of ours behind it; nothing has been written yet.

    Raises:
        OSError: nobody is there.
        NotPrivateError: folder, socket or process is somebody else's.
    """
    require_private_folder(os.path.dirname(path), way_on=way_on)  # noqa: PTH120 - see above
    require_our_socket(path)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(os.fspath(path))
    except BaseException:
        connection.close()
        raise
    uid = peer_uid(connection)
    if uid != os.geteuid():
        connection.close()
        raise NotPrivateError(f"a process of {owner(uid)} answers at {path}", hint=_removed(path))
    return connection


def peer_uid(connection: socket.socket) -> int | None:
    """The user that the process at the other end of a unix socket runs as; ``None`` where the system does not tell."""
    try:
        if sys.platform == "darwin":
            told = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES)
            return int(struct.unpack_from("=2I", told)[1])
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("=3I", told)[1])
    except (OSError, struct.error):
        return None


def peer_pid(connection: socket.socket) -> int:
    """The number of the process at the other end of a unix socket; 0 where the system does not tell."""
    try:
        if sys.platform == "darwin":
            return int(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID))
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", told)[0])
    except (OSError, struct.error):
        return 0


def owner(uid: int | None) -> str:
    """A user by name, or by number where there is no name."""
    if uid is None:
        return "an unknown user"
    import pwd  # noqa: PLC0415 - hardly ever needed

    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user with the number {uid}"


def _may_change(facts: os.stat_result) -> bool:
    return os.geteuid() in {0, facts.st_uid}


def _is_trusted(facts: os.stat_result) -> bool:
    """Whether a folder's owner, who can replace what stands in it, is this user or the system.

    In a namespace of users the system's folders belong to nobody, as ``/`` does.
    """
    return facts.st_uid in {0, os.geteuid(), os.stat("/").st_uid}  # noqa: PTH116 - see above


def _not_private(path: Path | str, facts: os.stat_result, what: str, way_on: str) -> NotPrivateError:
    """The error for something that stands where ours should; a link or a file of our own is as much in the way."""
    if stat.S_ISLNK(facts.st_mode):
        what = "is a link"
    whose = "of yours" if facts.st_uid == os.geteuid() else f"of {owner(facts.st_uid)}"
    if what == "is a socket" and facts.st_uid == os.geteuid():
        whose = "that other users of this computer may write to"
    return NotPrivateError(f"{path} {what} {whose}" if what.startswith("is a ") else f"{path} {what}", hint=way_on)
