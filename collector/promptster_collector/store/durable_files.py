"""Files that must survive a power cut, and files that must go."""

from __future__ import annotations

import fcntl
import os
import secrets
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: its ``fsync`` ends in the drive's own cache, and only this goes on to the disk."""


class Durability(Enum):
    """What of a file is on the disk when writing it returns."""

    NONE = 0
    """Nothing that is promised; a power cut may leave an empty file."""
    CONTENT = 1
    """A whole file, under its name or still only the old one."""
    NAME = 2
    """The new file under its name."""


def sync(descriptor: int) -> None:
    """Return when a file's bytes are on the disk.

    Raises:
        OSError: they may not be; the descriptor is not to be trusted any more.
    """
    if _FULL_SYNC is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, _FULL_SYNC)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes, *, durability: Durability) -> None:
    """Write a 0600 file that is either the old one or the new one, whole."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durability is not Durability.NONE:
                sync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durability is Durability.NAME:
        sync_folder(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Write a 0600 file and return when file and name are on the disk."""
    write_atomically(path, data, durability=Durability.NAME)


def remove_durably(path: Path) -> None:
    """Remove a file and return when its name is gone from the disk."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
