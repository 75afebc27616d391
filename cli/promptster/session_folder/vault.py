"""Small JSON documents of a session, encrypted with its content key.

Each is bound to its session and its name, so that one cannot replace another.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from promptster.durable import sync_folder, write_private
from promptster.errors import SessionError
from promptster.protocol.errors import SealError
from promptster.protocol.sealing import aead_open, aead_seal, hkdf, session_bytes

if TYPE_CHECKING:
    from pathlib import Path

_CONTEXT = b"promptster/vault/1\x00"
_SUFFIX = ".sealed"


class Vault:
    """A folder of encrypted JSON documents."""

    def __init__(self, folder: Path, content_key: bytes, session: str) -> None:
        """Use ``folder``; it is created with the first document."""
        self._folder = folder
        self._context = _CONTEXT + session_bytes(session)
        self._key = hkdf(content_key, salt=session_bytes(session), info=b"promptster/vault/1")

    def _path(self, name: str) -> Path:
        return self._folder / (name + _SUFFIX)

    def put(self, name: str, document: object) -> None:
        """Write a document durably."""
        data = json.dumps(document, separators=(",", ":")).encode()
        write_private(
            self._path(name), aead_seal(self._key, data, aad=self._context + name.encode(), random=os.urandom)
        )

    def get(self, name: str) -> Any:
        """Return a document, or ``None`` if it does not exist.

        Raises:
            SessionError: it was changed, or belongs to another session.
        """
        try:
            sealed = self._path(name).read_bytes()
            return json.loads(aead_open(self._key, sealed, aad=self._context + name.encode()))
        except FileNotFoundError:
            return None
        except SealError as error:
            raise SessionError(
                f"{self._path(name)} was changed", hint="Restore it from a backup.", code="session_unreadable"
            ) from error

    def names(self) -> list[str]:
        """Return the names of all documents, sorted."""
        return sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))

    def delete(self, name: str) -> None:
        """Delete a document."""
        with contextlib.suppress(FileNotFoundError):
            self._path(name).unlink()
            sync_folder(self._folder)
