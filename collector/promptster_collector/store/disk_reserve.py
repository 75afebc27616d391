"""Disk space that is reserved, so that data can be destroyed even if the disk is full.

The reserve is a number of small empty files. A deletion or a revocation that finds no space releases one after the
other; a read, which must be recorded first, may release only some of them. While any is missing, nothing new is
accepted. They are small because other programs may take the rest of the space that a released one frees. The worker
creates them again as soon as there is space for them and some more.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import threading
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from promptster_collector.errors import BusyError, SetupError
from promptster_collector.store.durable_files import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger("promptster_collector")

T = TypeVar("T")

PIECES: Final = 32
FOR_READING: Final = 8
"""The number of them that reading may use."""
_RETRY_AFTER: Final = 60
_CHUNK: Final = 1 << 20
_NEARLY_NOTHING: Final = 1 << 20
"""Free bytes below which SQLite's vague errors for a failed write mean that the disk is full."""
_PROBE: Final = 64 << 10
_TO_START: Final = 4 << 20
"""Bytes that opening the databases may need."""
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_VAGUE: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
STORAGE_FAULTS: Final = (OSError, sqlite3.Error, SQLAlchemyError)
"""Errors that a full disk can cause."""


class StorageFullError(BusyError):
    """The collector's disk is full; nothing was changed."""

    default_code = "storage_full"
    default_status = 503

    def __init__(self) -> None:
        hint = "Nothing is lost. The collector's operator has to free some space."
        super().__init__("the collector's disk is full", retry_after=_RETRY_AFTER, hint=hint)


class WritePriority(Enum):
    """How much of the disk reserve a write may use."""

    ORDINARY = 0
    """None of it; the write is refused while the reserve is in use."""
    READING = 1
    """A part of it: a read must be recorded before it is answered."""
    ENDING = 2
    """All of it: deletion and revocation must always be possible."""


def _sqlite_code(error: BaseException) -> int:
    """SQLite's primary error code; 0 for any other error."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(original, "sqlite_errorcode", 0)) & 0xFF


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes: if SQLite has ended a transaction, rolling it back is another error."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return _sqlite_code(error) == sqlite3.SQLITE_FULL


def is_full(error: BaseException) -> bool:
    """Whether an error means that a disk or a quota is full."""
    return any(_says_full(one) for one in _with_causes(error))


class DiskReserve:
    """The disk reserve of one data folder."""

    def __init__(self, folder: Path, size: int) -> None:
        """Count the existing files; nothing is created yet.

        Args:
            folder: the folder of its files, on the same disk as the data.
            size: bytes of all of them.
        """
        self._folder = folder
        self._piece = size // PIECES
        self._lock = threading.Lock()
        self._left = sum(self._is_whole(path) for path in self._paths())

    def _paths(self) -> list[Path]:
        return [self._folder / f"piece.{number}" for number in range(PIECES)]

    def _is_whole(self, path: Path) -> bool:
        try:
            return path.stat().st_size >= self._piece
        except FileNotFoundError:
            return False

    @property
    def is_low(self) -> bool:
        """Whether a part of it is in use: nothing new is accepted then."""
        return self._left < PIECES

    def _free(self) -> int:
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def open(self) -> None:
        """Create missing files; on a full disk, release some, so that the databases can be opened.

        Raises:
            SetupError: the disk is full, and no file is left to release.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._fill_holes()
        self.make()
        for _ in range(-(-_TO_START // self._piece)):
            if self._free() < _TO_START:
                self.give(WritePriority.ENDING)
        if not self._has_room() and not self.give(WritePriority.ENDING):
            raise SetupError("the disk is full", hint="Free some space.", code=StorageFullError.default_code)

    def _fill_holes(self) -> None:
        """Allocate the blocks of every file: a copied one may be sparse, and would free nothing."""
        with self._lock:
            for path in filter(self._is_whole, self._paths()):
                self._make(path, besides=0)
            self._left = sum(self._is_whole(path) for path in self._paths())

    def make(self) -> bool:
        """Create missing files while there is space for them and for others; returns whether all exist."""
        with self._lock:
            for path in self._paths():
                if not self._is_whole(path) and not self._make(path, besides=FOR_READING * self._piece):
                    break
            self._left = sum(self._is_whole(path) for path in self._paths())
        return not self.is_low

    def _make(self, path: Path, *, besides: int) -> bool:
        """Allocate one file if there is space for it and for ``besides``; otherwise remove it."""
        try:
            if besides and self._free() < self._piece + besides:
                return False
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _allocate(descriptor, self._piece)
                sync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            with contextlib.suppress(OSError):
                path.unlink()
            return False
        return True

    def give(self, priority: WritePriority) -> bool:
        """Release one file for a write that found no space; returns whether there was one for it."""
        with self._lock:
            whole = [path for path in self._paths() if self._is_whole(path)]
            enough = priority is WritePriority.ENDING or (
                priority is WritePriority.READING and len(whole) > PIECES - FOR_READING
            )
            if not enough or not whole:
                return False
            whole[-1].unlink()
            self._left = len(whole) - 1
        if len(whole) == PIECES:
            log.warning("the disk is full: the reserve is being used, and nothing new is accepted until there is space")
        return True

    def explains(self, error: BaseException) -> bool:
        """Whether a write failed because the disk is full."""
        vague = any(_sqlite_code(one) in _VAGUE for one in _with_causes(error))
        return is_full(error) or (vague and not self._has_room())

    def _has_room(self) -> bool:
        """Whether a small file can be created: free blocks alone do not show quotas or missing inodes."""
        if self._free() < _NEARLY_NOTHING:
            return False
        path = self._folder / "probe"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _allocate(descriptor, _PROBE)
            finally:
                os.close(descriptor)
        except OSError as error:
            return error.errno not in _NO_ROOM
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
        return True

    def refuse_if_low(self) -> None:
        """Refuse ordinary writes while the reserve is in use.

        Raises:
            StorageFullError: a part of the reserve is in use.
        """
        if self.is_low:
            raise StorageFullError

    def use(self, priority: WritePriority, act: Callable[[], T]) -> T:
        """Run something that needs space, again for each file of the reserve that is released for it.

        Raises:
            StorageFullError: there is no space, and no more of the reserve for this priority.
        """
        if priority is WritePriority.ORDINARY:
            self.refuse_if_low()
        while True:
            try:
                return act()
            except STORAGE_FAULTS as error:
                if not self.explains(error):
                    raise
                if not self.give(priority):
                    raise StorageFullError from error

    async def look_after(self) -> None:
        """Restore the reserve if there is space, and log it if there is none; a sweep."""
        if self.is_low and not self.make():
            log.warning(
                "the disk is full: deletion and reading continue, and nothing new is accepted. Free some space."
            )


def _allocate(descriptor: int, size: int) -> None:
    """Allocate a file's blocks."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for start in range(0, size, _CHUNK):
        os.write(descriptor, bytes(min(_CHUNK, size - start)))
