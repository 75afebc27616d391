"""Sealed segments as files: one per session and version, never changed, never globbed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from promptster_collector.errors import BusyError
from promptster_collector.store.files import remove_durably, write_durably

if TYPE_CHECKING:
    from pathlib import Path


class SegmentDamagedError(BusyError):
    """A segment's file is missing, or its bytes are not those that were listed."""

    default_code = "segment_damaged"
    default_status = 503


class SegmentFolder:
    """The folder of sealed segments."""

    def __init__(self, folder: Path) -> None:
        """Keep the path."""
        self._folder = folder

    def _path(self, session: str, version: int) -> Path:
        return self._folder / f"{session}.{version}.segment"

    def write(self, session: str, version: int, sealed: bytes) -> bytes:
        """Store a segment durably, read it back and return its SHA-256.

        Raises:
            SegmentDamagedError: what was read back is something else.
        """
        digest = hashlib.sha256(sealed).digest()
        write_durably(self._path(session, version), sealed)
        self.read(session, version, digest)
        return digest

    def read(self, session: str, version: int, digest: bytes) -> bytes:
        """A segment's bytes, which must be those with this SHA-256.

        Raises:
            SegmentDamagedError: missing, or other bytes.
        """
        try:
            sealed = self._path(session, version).read_bytes()
        except OSError as error:
            raise SegmentDamagedError("a sealed session cannot be read", retry_after=60) from error
        if hashlib.sha256(sealed).digest() != digest:
            raise SegmentDamagedError("a sealed session's file was changed", retry_after=60)
        return sealed

    def remove(self, session: str, version: int) -> None:
        """Remove a segment's file."""
        remove_durably(self._path(session, version))

    def remove_all(self, session: str) -> None:
        """Remove every file of a session, also one that a crash kept from being listed."""
        for path in self._folder.glob(f"{session}.*.segment"):
            remove_durably(path)
