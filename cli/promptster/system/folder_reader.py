"""Reads the files below one folder, through open folders and never through a link.

Names come from git and from the disk, and so from the repository itself: a name that leads up, out or into a ``.git``
folder is treated as missing. The folders on the way to the last file stay open, because files come in order.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Self

from promptster.system.plain_files import open_folder, open_regular, open_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Missing, or a link, which is not followed."""
_NOWHERE = frozenset({b"", b".", b"..", b".git"})


class FolderReader:
    """Opens files below ``root``; a context manager that closes what it opened."""

    def __init__(self, root: Path) -> None:
        """Open the root by its real path.

        Raises:
            WorkspaceError: a part of the path is a link.
            OSError: it cannot be opened.
        """
        self._root = root
        self._top = open_root(root)
        self._way: list[tuple[bytes, int]] = []
        self._last: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave(0)
        os.close(self._top)

    def facts(self, path: bytes) -> os.stat_result | None:
        """Return the status of a file or link; ``None`` if it does not exist or is reached only through a link.

        Raises:
            OSError: it cannot be asked.
        """
        folder, name = self._folder(path)
        if folder is None:
            return None
        try:
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def target(self, path: bytes) -> bytes:
        """Return the target of a link.

        Raises:
            OSError: it is no longer a link.
        """
        folder, name = self._folder(path)
        if folder is None:
            raise FileNotFoundError
        return os.readlink(name, dir_fd=folder)

    def open(self, path: bytes) -> int | None:
        """Open a regular file for reading; ``None`` if it no longer exists.

        Raises:
            NotPlainError: it is no longer a regular file.
            OSError: it cannot be opened.
        """
        folder, name = self._folder(path)
        return None if folder is None else open_regular(folder, name, f"{self._root}/{os.fsdecode(path)}")

    def is_folder(self, path: bytes) -> bool:
        """Return whether a path is a folder that is not empty."""
        try:
            facts = self.facts(path)
            return facts is not None and stat.S_ISDIR(facts.st_mode) and any(True for _ in self.entries(path + b"/"))
        except OSError:
            return False

    def entries(self, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
        """List a folder (with a slash at its end) with the status of each entry; ``.git`` is left out.

        Raises:
            OSError: it cannot be listed.
        """
        parent, _ = self._folder(folder + b"x")
        if parent is None:
            return
        handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
        try:
            names = os.listdir(handle)  # noqa: PTH208 - pathlib knows no descriptors
        finally:
            os.close(handle)
        for name in names:
            raw = os.fsencode(name)
            if raw.lower() not in _NOWHERE and (facts := self.facts(folder + raw)) is not None:
                yield raw, facts

    def _folder(self, path: bytes) -> tuple[int | None, bytes]:
        """Return the open folder of a path, and the name in it."""
        before, _, name = path.rpartition(b"/")
        if name.lower() in _NOWHERE:
            return None, name
        if before == self._last:
            return (self._way[-1][1] if self._way else self._top), name
        parts = before.split(b"/") if before else []
        if any(part.lower() in _NOWHERE for part in parts):
            return None, name
        same = 0
        while same < min(len(parts), len(self._way)) and self._way[same][0] == parts[same]:
            same += 1
        self._leave(same)
        for part in parts[same:]:
            try:
                handle = open_folder(self._way[-1][1] if self._way else self._top, part)
            except OSError as error:
                if error.errno in _NOT_THERE:
                    return None, name
                raise
            self._way.append((part, handle))
        self._last = before
        return (self._way[-1][1] if self._way else self._top), name

    def _leave(self, kept: int) -> None:
        """Close the folders that are no longer needed."""
        self._last = None
        while len(self._way) > kept:
            os.close(self._way.pop()[1])
