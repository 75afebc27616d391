"""Files that survive a crash or a power failure. All syncing on the candidate's side happens here.

The programs inside agents (``promptster_hooks``) sync nothing: the agent is waiting for them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from pathlib import Path

_F_FULLFSYNC = 51
"""macOS: ``fcntl`` command that also empties the drive's own cache, which ``fsync`` there does not."""


def sync(handle: int) -> None:
    """Return only when everything written to an open file is on the drive.

    Asks for ``F_FULLFSYNC`` on macOS, and ``fsync`` elsewhere or if the file system does not support the former.

    Raises:
        OSError: the drive failed. What was written may be lost, so syncing again proves nothing.
    """
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 - needed on this system only

        try:
            fcntl.fcntl(handle, _F_FULLFSYNC)
        except OSError as error:
            if error.errno not in {errno.ENOTSUP, errno.EINVAL, errno.ENOTTY}:
                raise
        else:
            return
    os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable after a file was created, renamed or removed.

    Raises:
        OSError: the folder cannot be opened, or the drive failed.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(handle)
    finally:
        os.close(handle)


def make_missing_folders(folder: Path) -> None:
    """Make a folder and what is missing above it, each with mode 0700, as the XDG rules want it."""
    missing = [folder, *folder.parents]
    for each in reversed(missing[: next((n for n, place in enumerate(missing) if place.is_dir()), len(missing))]):
        each.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, data: bytes, *, new: bool = False) -> None:
    """Replace a file of ours durably: mode 0600 from its first byte, in folders of mode 0700.

    Raises:
        FileExistsError: it was to be a new one, and something has that name.
    """
    make_missing_folders(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
        if new:  # take the name first: not every disk can rename without replacing
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    sync_folder(path.parent)
