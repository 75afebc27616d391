"""Sealed segments as files: one for each session and version, never changed after it has its name.

Writing and reading take no more memory than the largest piece.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from promptster_collector.errors import BusyError
from promptster_collector.store.durable_files import remove_durably, sync, sync_folder
from promptster_collector.store.segment_file import PieceReader, PieceWriter

if TYPE_CHECKING:
    from collections.abc import Generator
    from io import BufferedReader
    from pathlib import Path

    from promptster_collector.store.at_rest import Sealer

_DIGEST: Final = "sha256"


class SegmentDamagedError(BusyError):
    """A segment's file is missing or was changed."""

    default_code = "segment_damaged"
    default_status = 503


class SegmentDraft:
    """A segment that is being written, piece by piece."""

    def __init__(self, file: BinaryIO, pieces: PieceWriter, draft: Path, path: Path) -> None:
        self._file = file
        self._draft = draft
        self._path = path
        self.pieces = pieces

    def store(self) -> tuple[bytes, int]:
        """Finish the file and give it its name, durably; returns SHA-256 and size in bytes, read back from it.

        Raises:
            OSError: there is no space, or the draft was removed because the session was erased.
        """
        self.pieces.finish()
        self._file.flush()
        sync(self._file.fileno())
        self._draft.replace(self._path)
        sync_folder(self._path.parent)
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, _DIGEST).digest()
            return digest, os.fstat(file.fileno()).st_size


class SegmentFolder:
    """The folder of sealed segments."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, session: str, version: int) -> Path:
        return self._folder / f"{session}.{version}.segment"

    @contextmanager
    def draft(self, session: str, version: int, sealer: Sealer) -> Generator[SegmentDraft]:
        """Write a segment; unfinished drafts of this session are removed."""
        self._remove_drafts(session)
        path = self._path(session, version)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                yield SegmentDraft(file, PieceWriter(file, sealer, version), draft, path)
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def open(self, session: str, version: int, digest: bytes, sealer: Sealer) -> Generator[PieceReader]:
        """Open the pieces of a segment; its file must have this SHA-256.

        Raises:
            SegmentDamagedError: the file is missing or was changed.
            UnsealError: it was encrypted with another key, or for another session or version.
        """
        try:
            file = self._path(session, version).open("rb")
        except OSError as error:
            raise SegmentDamagedError("a sealed session cannot be read", retry_after=60) from error
        with file:
            yield _checked(file, version, digest, sealer)

    def remove(self, session: str, version: int) -> None:
        """Remove a segment's file."""
        remove_durably(self._path(session, version))

    def remove_all(self, session: str) -> None:
        """Remove every file of a session, also unlisted and unfinished ones."""
        for path in self._folder.glob(f"{session}.*.segment"):
            remove_durably(path)
        self._remove_drafts(session)

    def _remove_drafts(self, session: str) -> None:
        for path in self._folder.glob(f".{session}.*.segment.*"):
            remove_durably(path)


def _checked(file: BufferedReader, version: int, digest: bytes, sealer: Sealer) -> PieceReader:
    try:
        if hashlib.file_digest(file, _DIGEST).digest() != digest:
            raise SegmentDamagedError("a sealed session's file was changed", retry_after=60)
        return PieceReader(file, sealer, version)
    except OSError as error:
        raise SegmentDamagedError("a sealed session cannot be read", retry_after=60) from error
