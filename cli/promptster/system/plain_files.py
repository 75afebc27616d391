"""Files of the candidate or of the repository, opened, replaced and removed so that nothing can lead us elsewhere.

Anything in a folder that agents write to may have been replaced a moment ago: by a link to another place, a named pipe
that never answers, or a device. So every part of a path is opened relative to the one before it, never through a link
and without waiting, and its type is checked before a byte is read. New content gets its name by renaming, which
replaces a link and never follows one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptster.durable import sync
from promptster.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Generator

SIZE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes up to which a settings file is read as a whole."""
_BY_NAME: Final = getattr(os, "O_PATH", os.O_RDONLY)
"""Opens a folder that may be passed through but not listed, where the system can."""
_FOLDER: Final = _BY_NAME | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_REGULAR: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class NotPlainError(WorkspaceError):
    """A path of the workspace is a link, leads through one or out of the workspace, or is not a file."""

    default_code = "touched_link"

    def __init__(self, message: str, *, place: Path, hint: str) -> None:
        """Keep the texts, and what is in the way."""
        super().__init__(message, hint=hint)
        self.place = place


def read_plain(root: Path, relative: str, *, limit: int = SIZE_LIMIT) -> bytes | None:
    """Return a file's content, or ``None`` if it does not exist.

    Args:
        root: the folder that holds it, by its real path.
        relative: the file's path below it.
        limit: bytes that it may have.

    Raises:
        NotPlainError: the path or a part of it is not a plain file or folder, or the file is larger.
        OSError: it cannot be read.
    """
    with _parent(root, relative) as folder:
        if folder is None:
            return None
        handle = open_regular(folder, os.path.basename(relative), root / relative)  # noqa: PTH119 - a name
        if handle is None:
            return None
        with os.fdopen(handle, "rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        raise NotPlainError(
            f"{root / relative} is larger than {limit // (1024 * 1024)} MiB",
            place=root / relative,
            hint="Move it away.",
        )
    return data


def facts_of(root: Path, relative: str) -> os.stat_result | None:
    """Return a file's status; ``None`` if it does not exist.

    Raises:
        NotPlainError: the path or a part of it is not a plain file or folder.
        OSError: it cannot be asked.
    """
    with _parent(root, relative) as folder:
        facts = None if folder is None else look_at(folder, os.path.basename(relative))  # noqa: PTH119 - a name
    if facts is not None and not stat.S_ISREG(facts.st_mode):
        raise _not_a_file(root / relative, facts)
    return facts


def replace_plain(
    root: Path, relative: str, data: bytes, *, mode: int, times_ns: tuple[int, int] | None = None
) -> None:
    """Give a file new content, durably and at once; folders that are missing on the way are made.

    Args:
        root: the folder that holds it, by its real path.
        relative: the file's path below it.
        data: the whole content.
        mode: the file's permission bits.
        times_ns: its times of access and change; now if not given.

    Raises:
        NotPlainError: the path or a part of it is not a plain file or folder; it is left as it is.
        OSError: it cannot be written.
    """
    with _parent(root, relative, make=True) as folder:
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(root))
        name = os.path.basename(relative)  # noqa: PTH119 - a name
        facts = look_at(folder, name)
        if facts is not None and not stat.S_ISREG(facts.st_mode):
            raise _not_a_file(root / relative, facts)
        new = leftover_name(name)
        _unlink(folder, new)
        handle = os.open(new, _NEW, 0o600, dir_fd=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(handle, mode)
            if times_ns is not None:
                os.utime(handle, ns=times_ns)
            sync(handle)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        _sync(folder)


def remove_plain(root: Path, relative: str) -> None:
    """Remove a file if it exists.

    Raises:
        NotPlainError: the path or a part of it is not a plain file or folder; it is left as it is.
        OSError: it cannot be removed.
    """
    with _parent(root, relative) as folder:
        if folder is None:
            return
        name = os.path.basename(relative)  # noqa: PTH119 - a name
        facts = look_at(folder, name)
        if facts is None:
            return
        if not stat.S_ISREG(facts.st_mode):
            raise _not_a_file(root / relative, facts)
        _unlink(folder, name)
        _sync(folder)


def remove_leftover(root: Path, relative: str) -> None:
    """Remove the unfinished new content of a file that a crash left.

    Raises:
        NotPlainError: a part of the path is a link.
        OSError: it cannot be removed.
    """
    with _parent(root, relative) as folder:
        if folder is not None:
            _unlink(folder, leftover_name(os.path.basename(relative)))  # noqa: PTH119 - a name


def remove_empty_folder(root: Path, relative: str) -> None:
    """Remove an empty folder; any other stays.

    Raises:
        NotPlainError: a part of the path is a link.
        OSError: it is not empty, or cannot be removed.
    """
    with _parent(root, relative) as folder:
        if folder is not None:
            os.rmdir(os.path.basename(relative), dir_fd=folder)  # noqa: PTH119 - a name


def read_regular(path: Path, *, limit: int = SIZE_LIMIT) -> bytes:
    """Return a regular file's content, through links, for settings that their own program reads through links too.

    Raises:
        OSError: there is none, it cannot be read, it is no regular file, or it is larger than ``limit`` bytes.
    """
    refused = OSError(errno.EINVAL, "not a regular file of a usual size", str(path))
    if not stat.S_ISREG(path.stat().st_mode):
        raise refused
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode) or len(data := file.read(limit + 1)) > limit:
            raise refused
    return data


def leftover_name(name: str) -> str:
    """Return the name of new content until it is renamed; a crash may leave it."""
    return f".{name}.promptster-new"


def open_regular(folder: int, name: str | bytes, place: str | Path) -> int | None:
    """Open a regular file of an open folder for reading; ``None`` if it does not exist.

    Args:
        folder: descriptor of the folder.
        name: the file's name in it.
        place: the whole path, for the error.

    Raises:
        NotPlainError: it is something else.
        OSError: it cannot be opened.
    """
    facts = look_at(folder, name)
    if facts is None:
        return None
    if not stat.S_ISREG(facts.st_mode):  # asked before: opening a device can do something
        raise _not_a_file(Path(place), facts)
    try:
        handle = os.open(name, _REGULAR, dir_fd=folder)
    except FileNotFoundError:
        return None
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):  # asked again: it may have been another one a moment ago
        os.close(handle)
        raise _not_a_file(Path(place), facts)
    return handle


def open_root(root: Path) -> int:
    """Open a folder by its real path, through no link; the descriptor is good for opening what is below it.

    Raises:
        NotPlainError: a part of the path is a link.
        OSError: it cannot be opened.
    """
    anywhere = getattr(os, "O_NOFOLLOW_ANY", 0)
    if anywhere:
        return os.open(root, _FOLDER | anywhere)
    handle = os.open("/", _FOLDER)
    place = Path("/")
    try:
        for part in root.parts[1:]:
            place /= part
            handle = _step(handle, part, place)
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_folder(parent: int, name: str | bytes) -> int:
    """Open a folder of an open folder; the caller closes both.

    Raises:
        OSError: it is not a folder, is a link, or cannot be opened.
    """
    return os.open(name, _FOLDER, dir_fd=parent)


@contextlib.contextmanager
def _parent(root: Path, relative: str, *, make: bool = False) -> Generator[int | None]:
    """Open the folder of a file; yields ``None`` if a folder on the way is missing."""
    parts = Path(relative).parts
    if not parts or Path(relative).is_absolute() or ".." in parts:
        raise NotPlainError(
            f"{root / relative} is outside the workspace", place=root / relative, hint="Choose another path."
        )
    try:
        handle = open_root(root)
    except FileNotFoundError:
        if make:
            raise
        yield None
        return
    place = root
    try:
        for part in parts[:-1]:
            place /= part
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            try:
                handle = _step(handle, part, place)
            except (FileNotFoundError, NotADirectoryError):
                if make:
                    raise
                yield None
                return
        yield handle
    finally:
        os.close(handle)


def _step(parent: int, part: str, place: Path) -> int:
    """Open a folder inside an open folder, which is then closed."""
    try:
        handle = open_folder(parent, part)
    except OSError as error:
        facts = look_at(parent, part)
        if facts is not None and stat.S_ISLNK(facts.st_mode):
            raise _a_link(place) from error
        raise
    os.close(parent)
    return handle


def look_at(folder: int, name: str | bytes) -> os.stat_result | None:
    """Return the status of a name in an open folder without following a link; ``None`` if it does not exist.

    Raises:
        OSError: it cannot be asked.
    """
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _unlink(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _sync(folder: int) -> None:
    """Make a folder's entries durable, unless it may not be listed."""
    with contextlib.suppress(PermissionError):
        handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            sync(handle)
        finally:
            os.close(handle)


def _a_link(place: Path) -> NotPlainError:
    return NotPlainError(f"{place} is a symbolic link", place=place, hint="Replace it with a plain file or folder.")


def _not_a_file(place: Path, facts: os.stat_result) -> NotPlainError:
    if stat.S_ISLNK(facts.st_mode):
        return _a_link(place)
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "something else")
    return NotPlainError(f"{place} is {kind}, not a file", place=place, hint="Move it away.")
