"""Checks that folders, sockets and the processes at their other end belong to this user only.

Another user may already have created a path that they can guess. So before our code connects to a socket, binds one, or
writes into a runtime folder, it checks here that the folder is a real folder of this user that no other user may enter,
that the socket is a real socket of this user, and that the process at its other end runs as this user. The hook
forwarder cannot import this module, so it repeats these rules.
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
"""macOS: the level of the next two options."""
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2
_XUCRED_BYTES = 76
"""macOS: ``struct xucred``; its second 32 bits are the user's number, as on Linux in ``struct ucred``."""
_NOTHING_SENT = "Nothing was sent there."
OWN_FOLDER_HINT = f"{_NOTHING_SENT} Ask its owner or an administrator to remove it. Then run `promptster resume`."
"""The hint for a folder of another user inside one of our folders."""
SHARED_FOLDER_HINT = f"{_NOTHING_SENT} To continue in your own folder:\nXDG_RUNTIME_DIR=$(mktemp -d) promptster resume"
"""The hint for a folder of another user inside a shared folder."""


def _removed(path: Path | str) -> str:
    """Return the hint for something inside one of our folders, which this user may remove."""
    return f"{_NOTHING_SENT} To remove it and record again:\nrm -r {quote(str(path))} && promptster resume"


def _moved(path: Path | str) -> str:
    """Return the hint for our folder in an unsafe place; its path is stored, so it has to be removed."""
    return (
        f"{_NOTHING_SENT} To continue in your own folder:\n"
        f"rm -r {quote(str(path))}; XDG_RUNTIME_DIR=$(TMPDIR=/tmp mktemp -d) promptster resume"
    )


def require_private_folder(path: Path | str, *, private_hint: str = OWN_FOLDER_HINT) -> None:
    """Return if a folder is ours alone: it is not a link, and no other user may enter or replace it.

    Args:
        path: the folder.
        private_hint: the hint of the error if another user owns it.

    Raises:
        OSError: the folder does not exist or cannot be read.
        NotPrivateError: the folder is not ours alone.
    """
    facts = os.lstat(path)
    if not stat.S_ISDIR(facts.st_mode):
        raise _not_private(path, facts, "is not a folder", private_hint)
    if facts.st_uid != os.geteuid():
        raise _not_private(path, facts, "is a folder", private_hint)
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
            raise NotPrivateError(f"any user of this computer can replace what is in {above}", hint=way)
        if (for_all or above == parent) and not _is_trusted(facts):
            raise NotPrivateError(f"{owner(facts.st_uid)} can replace what is in {above}", hint=_moved(path))
        if above == os.path.dirname(above):  # noqa: PTH120 - see above
            return
        above = os.path.dirname(above)  # noqa: PTH120 - see above


def make_private_folder(path: Path | str, *, private_hint: str = OWN_FOLDER_HINT) -> None:
    """Make a folder that is ours alone; if it already exists, it must be ours alone.

    Raises:
        OSError: the folder cannot be made.
        NotPrivateError: the folder is not ours alone.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)  # noqa: PTH102 - the supervisor loads no pathlib
    require_private_folder(path, private_hint=private_hint)


def is_our_folder(path: Path | str) -> bool:
    """Return whether a path is a real folder of ours, even if others may enter it."""
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()


def require_our_folder(path: Path | str) -> None:
    """Return if one of our storage folders is ours, or a link of ours to a folder of ours.

    A missing folder passes, unless it would be made in another user's home folder, as after ``sudo``.

    Raises:
        NotPrivateError: the folder belongs, or would belong, to another user, or any user may write into it.
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
            f"any user of this computer can write to {path}", hint=f"To close it:\nchmod 700 {quote(str(path))}"
        )


def _require_place(path: Path | str) -> None:
    """Return unless the first existing folder above a missing one belongs to another user."""
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
        hint="Use your own account, or set XDG_STATE_HOME, XDG_DATA_HOME and XDG_CONFIG_HOME to your own folders.",
    )


def require_our_socket(path: Path | str) -> None:
    """Return if a path is a real socket of ours that no other user may write to.

    Raises:
        OSError: the socket does not exist.
        NotPrivateError: the socket is not ours alone.
    """
    facts = os.lstat(path)
    if not stat.S_ISSOCK(facts.st_mode):
        raise _not_private(path, facts, "is not a socket", _removed(path))
    if facts.st_uid != os.geteuid() or facts.st_mode & _OTHERS_WRITE:
        raise _not_private(path, facts, "is a socket", _removed(path))


def connect(path: Path | str, *, timeout: float, private_hint: str = OWN_FOLDER_HINT) -> socket.socket:
    """Connect to a socket of ours that a process of ours serves; nothing has been written yet.

    Raises:
        OSError: no process accepts the connection.
        NotPrivateError: the folder, socket or process belongs to another user.
    """
    require_private_folder(os.path.dirname(path), private_hint=private_hint)  # noqa: PTH120 - see above
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
    """Return the user of the process at the other end of a unix socket; ``None`` if the system does not say."""
    try:
        if sys.platform == "darwin":
            answer = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES)
            return int(struct.unpack_from("=2I", answer)[1])
        answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("=3I", answer)[1])
    except (OSError, struct.error):
        return None


def peer_pid(connection: socket.socket) -> int:
    """Return the id of the process at the other end of a unix socket; 0 if the system does not say."""
    try:
        if sys.platform == "darwin":
            return int(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID))
        answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", answer)[0])
    except (OSError, struct.error):
        return 0


def owner(uid: int | None) -> str:
    """Name a user, by number if there is no name."""
    if uid is None:
        return "an unknown user"
    import pwd  # noqa: PLC0415 - rarely needed

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _may_change(facts: os.stat_result) -> bool:
    return os.geteuid() in {0, facts.st_uid}


def _is_trusted(facts: os.stat_result) -> bool:
    """Return whether a folder's owner, who can replace what is in it, is this user or the system.

    In a user namespace the system's folders have the owner of ``/``, which need not be root.
    """
    return facts.st_uid in {0, os.geteuid(), os.stat("/").st_uid}  # noqa: PTH116 - see above


def _not_private(path: Path | str, facts: os.stat_result, what: str, private_hint: str) -> NotPrivateError:
    """Return the error for something in the place of a path of ours, which may also be our own link or file."""
    if stat.S_ISLNK(facts.st_mode):
        what = "is a link"
    whose = "that you own" if facts.st_uid == os.geteuid() else f"that {owner(facts.st_uid)} owns"
    if what == "is a socket" and facts.st_uid == os.geteuid():
        whose = "that other users of this computer may write to"
    return NotPrivateError(
        f"{path} {what} {whose}" if what.startswith("is a ") else f"{path} {what}", hint=private_hint
    )
