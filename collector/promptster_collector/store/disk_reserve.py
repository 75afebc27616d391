"""Room that is kept free on the disk, so that a full one never keeps anybody's data from being destroyed.

The reserve is a number of small files without content. An ending (a deletion, a revocation) that finds no room takes
one after the other; a reading, which has to be written down first, may take some of them only. While any is missing,
nothing new is taken. They are small because whoever fills the disk may take what an ending left of one. The worker
makes them again as soon as there is room for them and for some more.
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
"""How many of them readings may take."""
_RETRY_AFTER: Final = 60
_CHUNK: Final = 1 << 20
_NEARLY_NOTHING: Final = 1 << 20
"""Bytes below which SQLite's less exact words for a failed write mean that the disk is full."""
_PROBE: Final = 64 << 10
_TO_START: Final = 4 << 20
"""Bytes that opening the databases may take."""
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_VAGUE: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
STORAGE_FAULTS: Final = (OSError, sqlite3.Error, SQLAlchemyError)
"""What a full disk shows as."""


class StorageFullError(BusyError):
    """There is no room for this on the collector's disk; nothing was changed."""

    default_code = "storage_full"
    default_status = 503

    def __init__(self) -> None:
        """Say so."""
        hint = "Nothing is lost. Whoever runs the collector has to free some space."
        super().__init__("the collector's disk is full", retry_after=_RETRY_AFTER, hint=hint)


class WritePriority(Enum):
    """How much of the reserve a write may take."""

    ORDINARY = 0
    """Nothing: it is refused while the reserve is not whole."""
    READING = 1
    """A part of it: what is handed out is written down before."""
    ENDING = 2
    """All of it: what ends for good must be able to."""


def _sqlite_code(error: BaseException) -> int:
    """SQLite's own primary word for a failure; 0 for any other."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(original, "sqlite_errorcode", 0)) & 0xFF


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those behind it: SQLite ends a transaction that found no room, and undoing it is then another."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return _sqlite_code(error) == sqlite3.SQLITE_FULL


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk or a quota is full."""
    return any(_says_full(one) for one in _with_causes(error))


class DiskReserve:
    """The reserve of one data folder."""

    def __init__(self, folder: Path, size: int) -> None:
        """Look at what is there; nothing is made yet.

        Args:
            folder: where its files stand, on the same disk as what is stored.
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
        """Whether a part of it is gone: nothing new is taken then."""
        return self._left < PIECES

    def _free(self) -> int:
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def open(self) -> None:
        """Make what is missing; where the disk is full, let go of some, so that the databases can be opened.

        Raises:
            SetupError: the disk is full, and there is no piece left.
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
        """Give every piece its blocks: one that was copied may consist of holes, and would make no room."""
        with self._lock:
            for path in filter(self._is_whole, self._paths()):
                self._make(path, besides=0)
            self._left = sum(self._is_whole(path) for path in self._paths())

    def make(self) -> bool:
        """Make the missing pieces, as long as there is room for others besides; whether all of them are there."""
        with self._lock:
            for path in self._paths():
                if not self._is_whole(path) and not self._make(path, besides=FOR_READING * self._piece):
                    break
            self._left = sum(self._is_whole(path) for path in self._paths())
        return not self.is_low

    def _make(self, path: Path, *, besides: int) -> bool:
        """Give one piece its blocks, if there is room for it and for ``besides``; it goes where there is none."""
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
        """Let go of one piece for a write that found no room; whether there was one for it."""
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
            log.warning("the disk is full: the reserve is being used, and nothing new is taken until there is room")
        return True

    def explains(self, error: BaseException) -> bool:
        """Whether a failed write failed because the disk is full."""
        vague = any(_sqlite_code(one) in _VAGUE for one in _with_causes(error))
        return is_full(error) or (vague and not self._has_room())

    def _has_room(self) -> bool:
        """Whether a small file can be made: free blocks alone tell nothing of a quota, or that no file is left."""
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
        """For what is new, and can wait.

        Raises:
            StorageFullError: a part of the reserve is gone.
        """
        if self.is_low:
            raise StorageFullError

    def use(self, priority: WritePriority, act: Callable[[], T]) -> T:
        """Do something that needs room, again and again while pieces of the reserve make some.

        Raises:
            StorageFullError: there is no room, and no more that may be taken for this.
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
        """Make it whole again if there is room, and say so if there is none; one of the things done now and then."""
        if self.is_low and not self.make():
            log.warning("the disk is full: deletion and reading go on, nothing new is taken. Free some space.")


def _allocate(descriptor: int, size: int) -> None:
    """Give a file real blocks, not a hole."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for start in range(0, size, _CHUNK):
        os.write(descriptor, bytes(min(_CHUNK, size - start)))
