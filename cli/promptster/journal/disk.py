"""The disk operations of journal and outbox, as an interface that tests can replace.

``Files`` contains the few calls that durability depends on; each may fail, write less than asked, or be the last before
a crash. ``SystemFiles`` is the computer's own disk. Two functions combine these calls: ``write_all`` writes every byte
or raises, and ``write_whole`` makes a file appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

from promptster import durable

if TYPE_CHECKING:
    from pathlib import Path


class Files(Protocol):
    """The disk operations that the journal and the outbox need. Every call may raise ``OSError``."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; empty if the folder does not exist."""
        ...

    def read(self, path: Path) -> bytes:
        """A file's whole content."""
        ...

    def open_append(self, path: Path, *, create: bool) -> int:
        """Open a file for writing at its end; with ``create`` it must not exist yet."""
        ...

    def write(self, handle: int, data: bytes | memoryview) -> int:
        """Write at the end of the file and return the number of bytes written, which may be fewer than given."""
        ...

    def sync(self, handle: int) -> None:
        """Return only when everything written through any handle of this file would survive a loss of power."""
        ...

    def close(self, handle: int) -> None:
        """Close the handle."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file in one step, replacing a file that has the new name."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; a missing file is ignored."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return only when the folder's list of names would survive a loss of power."""
        ...

    def make_folder(self, folder: Path) -> None:
        """Create a folder, and the missing ones above it, with mode 0700."""
        ...

    def free_bytes(self, folder: Path) -> int:
        """Bytes that an ordinary user can still write to the folder's disk."""
        ...


class SystemFiles(Files):
    """The computer's own disk. Files are created with mode 0600, and child processes do not inherit them."""

    @override
    def names(self, folder: Path) -> list[str]:
        try:
            return sorted(entry.name for entry in folder.iterdir())
        except FileNotFoundError:
            return []

    @override
    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    @override
    def open_append(self, path: Path, *, create: bool) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags | (os.O_CREAT | os.O_EXCL if create else 0), 0o600)

    @override
    def write(self, handle: int, data: bytes | memoryview) -> int:
        return os.write(handle, data)

    @override
    def sync(self, handle: int) -> None:
        durable.sync(handle)

    @override
    def close(self, handle: int) -> None:
        os.close(handle)

    @override
    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    @override
    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    @override
    def sync_folder(self, folder: Path) -> None:
        durable.sync_folder(folder)

    @override
    def make_folder(self, folder: Path) -> None:
        missing = [folder]
        while not missing[-1].parent.exists():
            missing.append(missing[-1].parent)
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)

    @override
    def free_bytes(self, folder: Path) -> int:
        facts = os.statvfs(folder)
        return facts.f_bavail * facts.f_frsize


def write_all(files: Files, handle: int, data: bytes | bytearray) -> None:
    """Write every byte, however few the disk accepts at a time.

    Raises:
        OSError: the disk's own error, or ``EIO`` if it accepted nothing without an error.
    """
    view = memoryview(data)
    while view:
        written = files.write(handle, view)
        if written <= 0:
            raise OSError(errno.EIO, "the disk accepted no bytes")
        view = view[written:]


def write_whole(files: Files, path: Path, data: bytes) -> None:
    """Make ``path`` contain exactly ``data``, durably, or leave it as it was.

    The bytes go to a new file next to it, which is synced and then renamed in one step.

    Raises:
        OSError: the disk failed; ``path`` holds its old content or all of the new one.
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
