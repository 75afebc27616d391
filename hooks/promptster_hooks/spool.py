"""The folder where hook processes leave calls that the recorder could not take, one encrypted file for each call.

Layout of a session's spool folder (0700): ``key`` (32 bytes, 0600, written by the recorder) and ``*.hook``
files whose names sort by time. A file is written under another name and then renamed, so that a reader never sees
half a file.

Two hooks may run in the same millisecond, but the recorder identifies calls by their times. So before it takes a call
it claims the file: ``+N`` in the name means that the call counts as N milliseconds later than the times in the file.

File: ``PSHS`` || nonce (16) || ciphertext || tag (32). The plain text is u64be wall clock ms || u64be monotonic ms ||
u8 length of the agent's name || the name || the payload. Two keys are derived from the folder's key by HMAC-SHA256
with a label each. The ciphertext is the plain text XOR SHAKE-256(encryption key || nonce), read as far as needed; the
tag is HMAC-SHA256(tag key, everything before it). Encrypt-then-MAC out of two standard primitives, because a hook may
import nothing but the standard library, which has no cipher.

This way no prompt is readable in a file, a copy of a file alone reveals nothing, a changed file is detected, and
deleting the key file makes the spool unreadable. The key is in the same folder, though, so anyone who can read the
whole folder can read the spool. This protects calls until the recorder is back, but not from the user's own account.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import stat
import time
from dataclasses import dataclass

MAGIC = b"PSHS"
SUFFIX = ".hook"
CLAIM = "+"
"""Precedes the number in the name of a file that the recorder has claimed."""
KEY_NAME = "key"
KEY_BYTES = 32

_NONCE = 16
_OTHERS = 0o077
_TAG = 32
_TIMES = 16


class SpoolError(ValueError):
    """A spool file cannot be read: it is cut, changed or written under another key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spooled:
    """One hook call that waited in the spool."""

    agent: str
    """The agent's name, as given to the hook process."""
    payload: bytes
    """The hook's stdin."""
    wall_ms: int
    """When the hook ran, wall clock, milliseconds since the epoch."""
    mono_ms: int
    """When the hook ran, the computer's monotonic clock, milliseconds."""


def seal(key: bytes, agent: str, payload: bytes, *, nonce: bytes, wall_ms: int, mono_ms: int) -> bytes:
    """Encrypt one hook call; returns the bytes of a spool file."""
    name = agent.encode()
    times = wall_ms.to_bytes(8, "big") + mono_ms.to_bytes(8, "big")
    plain = b"".join((times, len(name).to_bytes(1, "big"), name, payload))
    sealed = MAGIC + nonce + _mask(key, nonce, plain)
    return sealed + _tag(key, sealed)


def unseal(key: bytes, data: bytes) -> Spooled:
    """Decrypt the bytes of a spool file.

    Raises:
        SpoolError: the file is not what was written under this key.
    """
    head = len(MAGIC) + _NONCE
    if len(data) < head + _TIMES + 1 + _TAG or not data.startswith(MAGIC):
        raise SpoolError("not a spool file")
    if not hmac.compare_digest(_tag(key, data[:-_TAG]), data[-_TAG:]):
        raise SpoolError("a spool file was changed or belongs to another session")
    plain = _mask(key, data[len(MAGIC) : head], data[head:-_TAG])
    start = _TIMES + 1 + plain[_TIMES]
    return Spooled(
        agent=plain[_TIMES + 1 : start].decode("utf-8", "replace"),
        payload=plain[start:],
        wall_ms=int.from_bytes(plain[:8], "big"),
        mono_ms=int.from_bytes(plain[8:16], "big"),
    )


def read_key(folder: str) -> bytes:
    """Read the key of a spool folder.

    Raises:
        OSError: the folder has no key.
        SpoolError: the key has the wrong length.
    """
    with open(os.path.join(folder, KEY_NAME), "rb") as file:  # noqa: PTH118, PTH123 - pathlib costs a hook more than all its work
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise SpoolError("the spool's key has the wrong length")
    return key


def keep(folder: str, agent: str, payload: bytes) -> None:
    """Leave one hook call in the spool.

    Raises:
        OSError: the folder cannot be written, or is not private to this user.
        SpoolError: the folder's key cannot be used.
    """
    now = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
    write(folder, read_key(folder), agent, payload, now)


def write(folder: str, key: bytes, agent: str, payload: bytes, times: tuple[int, int], *, mark: str = "") -> str:
    """Write one hook call with its times (wall and monotonic, milliseconds); returns the file's path.

    ``mark`` ends the file's name: ``+0`` if the recorder writes it, which claims it at once.

    Raises:
        OSError: the folder cannot be written, or is not private to this user.
    """
    require_own(folder)
    nonce = os.urandom(_NONCE)
    data = seal(key, agent, payload, nonce=nonce, wall_ms=times[0], mono_ms=times[1])
    final = os.path.join(folder, f"{time.time_ns():020d}-{nonce.hex()}{mark}{SUFFIX}")  # noqa: PTH118 - see read_key
    partial = final + ".part"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        os.rename(partial, final)  # noqa: PTH104 - see read_key
    except OSError:
        os.unlink(partial)  # noqa: PTH108 - see read_key
        raise
    return final


def require_own(folder: str) -> None:
    """Return if a folder is a real folder of this user that no other user may enter.

    Raises:
        OSError: it is not, or it does not exist.
    """
    facts = os.lstat(folder)
    if stat.S_IFMT(facts.st_mode) != stat.S_IFDIR or facts.st_mode & _OTHERS or facts.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "not a folder of this user alone", folder)


def waiting(folder: str) -> list[str]:
    """Return the paths of the spool files, oldest first; empty if there is no folder."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - see read_key
    except FileNotFoundError:
        return []
    return [os.path.join(folder, name) for name in sorted(names) if name.endswith(SUFFIX)]  # noqa: PTH118


def claimed(path: str) -> int | None:
    """Return by how many milliseconds a claimed call counts as later; ``None`` if it is not claimed."""
    number = os.path.basename(path).removesuffix(SUFFIX).partition(CLAIM)[2]  # noqa: PTH119 - see read_key
    return int(number) if number.isdecimal() else None


def claim(path: str, later_ms: int) -> str:
    """Claim a file in one step; returns its new path.

    Raises:
        OSError: the file could not be renamed and is unchanged.
    """
    new = f"{path.removesuffix(SUFFIX)}{CLAIM}{later_ms}{SUFFIX}"
    os.rename(path, new)  # noqa: PTH104 - see read_key
    return new


def read(path: str, key: bytes) -> Spooled:
    """Read one spool file; the caller removes it once its content is durable elsewhere.

    Raises:
        OSError: the file cannot be read.
        SpoolError: the file is not what was written.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - see read_key
        return unseal(key, file.read())


def _mask(key: bytes, nonce: bytes, data: bytes) -> bytes:
    inner = hmac.digest(key, b"promptster/spool/encrypt/1", "sha256")
    stream = hashlib.shake_256(inner + nonce).digest(len(data))
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


def _tag(key: bytes, data: bytes) -> bytes:
    return hmac.digest(hmac.digest(key, b"promptster/spool/tag/1", "sha256"), data, "sha256")
