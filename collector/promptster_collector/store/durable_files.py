"""Durable files: writing and removing that survives a power cut."""

from __future__ import annotations

import fcntl
import os
import secrets
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""On macOS ``fsync`` ends in the drive's cache; only this command reaches the disk."""


class Durability(Enum):
    """What is on the disk when a write returns."""

    NONE = 0
    """Nothing: a power cut may leave an empty file."""
    CONTENT = 1
    """A complete file: the new one or the old one."""
    NAME = 2
    """The new file under its name."""


def sync(descriptor: int, full_sync: int | None = _FULL_SYNC) -> None:
    """Return when a file's bytes are on the disk.

    Raises:
        OSError: they may not be; do not use the descriptor again.
    """
    if full_sync is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full_sync)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes, *, durability: Durability) -> None:
    """Replace a 0600 file: readers find the complete old or new one."""
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
