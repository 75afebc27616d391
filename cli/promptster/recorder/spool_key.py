"""The key under which hook processes encrypt the calls that they leave in the spool; the recorder writes it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from promptster.durable import write_private
from promptster_hooks import spool

if TYPE_CHECKING:
    from pathlib import Path


def write_spool_key(folder: Path, key: bytes) -> None:
    """Write the session's spool key into its folder, readable by this user only, unless it already holds that key.

    Anything else in its place is replaced, because half a key, left by a full disk or a power loss, must not stop the
    session for ever. ``spool.read`` then refuses files that were encrypted under another key.

    Raises:
        OSError: the file cannot be written, or the folder is not private to this user.
    """
    spool.require_own(str(folder))
    with suppress(OSError, spool.SpoolError):  # no key yet, or none that can be used
        if spool.read_key(str(folder)) == key:
            return
    write_private(folder / spool.KEY_NAME, key)
