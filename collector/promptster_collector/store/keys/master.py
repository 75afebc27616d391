"""The master key: a 0600 file whose key wraps every other key."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from promptster.errors import reason_of
from promptster_collector.errors import SetupError
from promptster_collector.store.at_rest import associated_data, seal, unseal
from promptster_collector.store.durable_files import write_durably

if TYPE_CHECKING:
    from pathlib import Path

    from promptster_collector.store.keys.names import KeyName

_SIZE = 32


class MasterKey:
    """Wraps and unwraps keys, each bound to its name."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def create(cls, path: Path) -> MasterKey:
        """Create a key file that only its owner can read.

        Raises:
            SetupError: it already exists.
        """
        if path.exists():
            raise SetupError("a master key already exists", hint="Choose another data folder.")
        key = os.urandom(_SIZE)
        write_durably(path, key)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> MasterKey:
        """Read the key file.

        Raises:
            SetupError: it is missing, has the wrong size, or other users can read it.
        """
        try:
            mode = path.stat().st_mode
            key = path.read_bytes()
        except OSError as error:
            hint = f"Restore {path.name}."
            if isinstance(error, PermissionError):
                hint = f"Run this as the user that owns {path.name}."
            message = f"the master key cannot be read: {reason_of(error)}"
            raise SetupError(message, hint=hint, code="master_key") from error
        if stat.S_IMODE(mode) & 0o077:
            raise SetupError("other users can read the master key", hint=f"Run `chmod 600 {path}`.", code="master_key")
        if len(key) != _SIZE:
            raise SetupError("the master key file is damaged", hint=f"Restore {path.name}.", code="master_key")
        return cls(key)

    def wrap(self, name: KeyName, secret: bytes) -> bytes:
        """Encrypt a key under its name."""
        return seal(self._key, secret, associated_data(name.organisation, name.session, name.context))

    def unwrap(self, name: KeyName, wrapped: bytes) -> bytes:
        """Decrypt a key that was wrapped under this name.

        Raises:
            UnsealError: it was wrapped under another name or master key.
        """
        return unseal(self._key, wrapped, associated_data(name.organisation, name.session, name.context))
