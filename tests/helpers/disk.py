"""A ``promptster.journal.disk.Files`` in memory: forgets what was not synced, tears writes, fails on request.

Reads see everything that was written, as through a page cache. ``crash`` gives the disk that a machine finds after its
power came back: per file, what was synced and a random part of the rest; per folder, the names that were synced and a
random number of the later changes. A failed sync loses what was not yet written, as on Linux: the cache still shows it,
and no later sync will write it.
"""

from __future__ import annotations

import errno
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def seeded(seed: int) -> random.Random:
    """Seeded random numbers, so that one number replays a failure."""
    return random.Random(seed)  # noqa: S311 - a test's dice, not a secret


class PowerLossError(Exception):
    """The power failed in the middle of a call."""


@dataclass
class Inode:
    """One file's bytes: as programs see them, as the disk holds them, and the changes in between."""

    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    dirty: list[tuple[int, bytes | None]] = field(default_factory=list[tuple[int, bytes | None]])
    """(offset, bytes) of writes, (size, None) of truncations."""

    def apply(self, change: tuple[int, bytes | None]) -> None:
        """Let one change reach the disk."""
        offset, data = change
        if data is None:
            del self.durable[offset:]
            return
        if len(self.durable) < offset:
            self.durable += bytes(offset - len(self.durable))
        self.durable[offset : offset + len(data)] = data


class MemoryDisk:
    """A disk in memory that a test controls."""

    def __init__(self) -> None:
        """An empty disk without faults."""
        self.free = 1 << 40
        """Bytes that ``free_bytes`` reports."""
        self.calls = 0
        """How many calls that change something were made."""
        self.on_call: Callable[[str, int], None] | None = None
        """Asked before each of these calls, with its name and number; raises to make it fail."""
        self.shorten: Callable[[int], int] | None = None
        """How much of a write of so many bytes is taken."""
        self._names: dict[Path, Inode] = {}
        self._durable_names: dict[Path, Inode] = {}
        self._changes: dict[Path, list[tuple[Path, Inode | None]]] = defaultdict(list)
        self._handles: dict[int, Inode] = {}
        self._next_handle = 100

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted."""
        return sorted(path.name for path in self._names if path.parent == folder)

    def read(self, path: Path) -> bytes:
        """A file's whole content, as the cache has it."""
        return bytes(self._inode(path).cached)

    def size(self, path: Path) -> int:
        """A file's length."""
        return len(self._inode(path).cached)

    def open_append(self, path: Path, *, create: bool) -> int:
        """A handle for writing at the end."""
        self._call("open")
        if create:
            if path in self._names:
                raise FileExistsError(errno.EEXIST, "exists")
            self._set(path, Inode())
        self._next_handle += 1
        self._handles[self._next_handle] = self._inode(path)
        return self._next_handle

    def write(self, handle: int, data: bytes | memoryview) -> int:
        """Write at the end, perhaps less than asked."""
        inode = self._handles[handle]
        taken = len(data) if self.shorten is None else self.shorten(len(data))
        piece = bytes(data[:taken])
        offset = len(inode.cached)
        stopped: PowerLossError | None = None
        try:
            self._call("write")
        except PowerLossError as error:  # the system had the bytes already
            stopped = error
        inode.cached += piece
        inode.dirty.append((offset, piece))
        if stopped is not None:
            raise stopped
        return taken

    def sync(self, handle: int) -> None:
        """Let the file's changes reach the disk."""
        inode = self._handles[handle]
        try:
            self._call("sync")
        except OSError:
            inode.dirty.clear()
            raise
        for change in inode.dirty:
            inode.apply(change)
        inode.dirty.clear()

    def truncate(self, handle: int, size: int) -> None:
        """Truncate the file."""
        self._call("truncate")
        inode = self._handles[handle]
        del inode.cached[size:]
        inode.dirty.append((size, None))

    def close(self, handle: int) -> None:
        """Close the handle."""
        del self._handles[handle]

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file."""
        self._call("rename")
        inode = self._inode(source)
        self._set(source, None)
        self._set(target, inode)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        if path in self._names:
            self._call("unlink")
            self._set(path, None)

    def sync_folder(self, folder: Path) -> None:
        """Let the folder's names reach the disk."""
        self._call("sync_folder")
        for path, inode in self._changes.pop(folder, []):
            self._keep(path, inode)

    def make_folder(self, folder: Path) -> None:
        """Do nothing: every folder exists."""

    def free_bytes(self, folder: Path) -> int:
        """Return the value of ``free``."""
        del folder
        return self.free

    def crash(self, chance: random.Random) -> MemoryDisk:
        """The disk after the power came back."""
        after = MemoryDisk()
        for changes in self._changes.values():
            for path, inode in changes[: chance.randint(0, len(changes))]:
                self._keep(path, inode)
        for path, inode in self._durable_names.items():
            for number, change in enumerate(inode.dirty[: chance.randint(0, len(inode.dirty))]):
                offset, data = change
                torn = number + 1 == len(inode.dirty) or chance.random() < 0.1
                if data is not None and torn and chance.random() < 0.5:
                    inode.apply((offset, _damaged(data, chance)))
                    break
                inode.apply(change)
            found = Inode(cached=bytearray(inode.durable), durable=bytearray(inode.durable))
            after._names[path] = after._durable_names[path] = found
        return after

    def flip(self, path: Path, offset: int, bit: int) -> None:
        """Change one bit of a file, on the disk and in the cache."""
        inode = self._inode(path)
        for content in (inode.cached, inode.durable):
            if offset < len(content):
                content[offset] ^= 1 << bit

    def vanish(self) -> None:
        """Lose every name at once, as after someone deleted the folder."""
        self._names.clear()

    def paths(self) -> list[Path]:
        """Every file."""
        return sorted(self._names)

    def _call(self, name: str) -> None:
        self.calls += 1
        if self.on_call is not None:
            self.on_call(name, self.calls)

    def _inode(self, path: Path) -> Inode:
        try:
            return self._names[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "no such file") from None

    def _set(self, path: Path, inode: Inode | None) -> None:
        if inode is None:
            self._names.pop(path, None)
        else:
            self._names[path] = inode
        self._changes[path.parent].append((path, inode))

    def _keep(self, path: Path, inode: Inode | None) -> None:
        if inode is None:
            self._durable_names.pop(path, None)
        else:
            self._durable_names[path] = inode


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """Part of a write, or all of it with a hole of zeros, as sectors reach a disk in any order."""
    cut = chance.randint(0, len(data))
    if chance.random() < 0.5:
        return data[:cut]
    end = chance.randint(cut, len(data))
    return data[:cut] + bytes(end - cut) + data[end:]
