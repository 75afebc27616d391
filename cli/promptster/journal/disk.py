"""The one place where the recorder touches the disk, so that a test can be the disk.

``Files`` is the seam: the few calls on which durability rests, each of which may fail, stop short or be the last one
before a crash. ``SystemFiles`` is the computer's own. The two functions below it are the only recipes built from those
calls: a write that is complete or an error, and a file that appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Protocol

from promptster import durable

if TYPE_CHECKING:
    from pathlib import Path


class Files(Protocol):
    """What the journal and the outbox ask of a disk. Every call may raise ``OSError``."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none if it does not exist."""
        ...

    def read(self, path: Path) -> bytes:
        """A file's whole content."""
        ...

    def open_append(self, path: Path, *, create: bool) -> int:
        """A handle that writes at the end of the file; ``create`` demands that the file is new."""
        ...

    def write(self, handle: int, data: bytes | memoryview) -> int:
        """Write at the end; the answer may be less than was asked."""
        ...

    def sync(self, handle: int) -> None:
        """Return only when everything written through any handle of this file would survive a loss of power."""
        ...

    def close(self, handle: int) -> None:
        """Give the handle back."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in one step, replacing what had it."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a name; a name that is gone already is no error."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return only when the folder's list of names would survive a loss of power."""
        ...

    def make_folder(self, folder: Path) -> None:
        """Make a folder (and those above it) with mode 0700."""
        ...

    def free_bytes(self, folder: Path) -> int:
        """Bytes that an ordinary user can still write there."""
        ...


class SystemFiles:
    """The computer's own disk. Files are made with mode 0600 and never handed to a child process."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none if it does not exist."""
        try:
            return sorted(entry.name for entry in folder.iterdir())
        except FileNotFoundError:
            return []

    def read(self, path: Path) -> bytes:
        """A file's whole content."""
        return path.read_bytes()

    def open_append(self, path: Path, *, create: bool) -> int:
        """A handle that writes at the end of the file; ``create`` demands that the file is new."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags | (os.O_CREAT | os.O_EXCL if create else 0), 0o600)

    def write(self, handle: int, data: bytes | memoryview) -> int:
        """Write at the end; the answer may be less than was asked."""
        return os.write(handle, data)

    def sync(self, handle: int) -> None:
        """Ask the drive itself; see ``promptster.durable.sync``."""
        durable.sync(handle)

    def close(self, handle: int) -> None:
        """Give the handle back."""
        os.close(handle)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in one step, replacing what had it."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a name; a name that is gone already is no error."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Return only when the folder's list of names would survive a loss of power."""
        durable.sync_folder(folder)

    def make_folder(self, folder: Path) -> None:
        """Make a folder (and those above it) with mode 0700."""
        missing = [folder]
        while not missing[-1].parent.exists():
            missing.append(missing[-1].parent)
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)

    def free_bytes(self, folder: Path) -> int:
        """Bytes that an ordinary user can still write there."""
        facts = os.statvfs(folder)
        return facts.f_bavail * facts.f_frsize


def write_all(files: Files, handle: int, data: bytes | bytearray) -> None:
    """Write every byte, however little the disk takes at a time.

    Raises:
        OSError: what the disk said, or ``EIO`` when it took nothing and said nothing.
    """
    view = memoryview(data)
    while view:
        written = files.write(handle, view)
        if written <= 0:
            raise OSError(errno.EIO, "the disk took no bytes")
        view = view[written:]


def write_whole(files: Files, path: Path, data: bytes) -> None:
    """Make ``path`` hold exactly ``data``, durably, or leave it as it was.

    The bytes go to a new file next to it, are made durable, and get the name in one step.

    Raises:
        OSError: nothing has the name that had not before.
    """
    new = path.with_name(path.name + ".new")
    files.unlink(new)
    handle = files.open_append(new, create=True)
    try:
        write_all(files, handle, data)
        files.sync(handle)
    except BaseException:
        files.close(handle)
        with contextlib.suppress(OSError):
            files.unlink(new)
        raise
    files.close(handle)
    files.rename(new, path)
    files.sync_folder(path.parent)
