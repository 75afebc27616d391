"""The collector's keys that a session trusts: the key that its invite pinned, and the successors of that key.

A key file lists keys in order, each signed by the one before. Keys before the pinned one are never trusted, because
anyone can write a succession that leads to a key of another collector. Keys after it are trusted once their signatures
were checked from the pinned key on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from promptster.errors import CollectorError
from promptster.protocol.errors import KeyringError, ProtocolError, SignatureError
from promptster.protocol.key_succession import KeySuccession, parse_keyfile

if TYPE_CHECKING:
    from collections.abc import Callable


class UnknownSignerError(SignatureError):
    """No trusted key has this name; a newer key file of the collector may contain it."""

    default_code = "unknown_signer"


class KeySource(Protocol):
    """A source of the collector's key file."""

    async def keys(self) -> bytes:
        """Fetch the exact bytes of the key file."""
        ...


class TrustedKeys:
    """The collector's keys that one session trusts; keys can be added, but not exchanged."""

    def __init__(self, keyfile: bytes, *, pin: str, keep: Callable[[bytes], object]) -> None:
        """Trust the pinned key and its successors.

        Args:
            keyfile: a key file that holds the pinned key.
            pin: the pinned key's short name.
            keep: makes a newer key file durable, before anything is believed by it.

        Raises:
            ProtocolError: the key file is not valid.
            KeyringError: it does not hold the pinned key.
        """
        self._pin, self._keep = pin, keep
        self._keys = self._from_pin(keyfile)
        self.keyfile = keyfile
        """The exact bytes of the key file, including the keys before the pinned one."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Fingerprints (hex) of the trusted keys, the pinned one first."""
        return self._keys.fingerprints

    def find(self, kid: str) -> bytes:
        """Return the public key named ``kid``.

        Raises:
            UnknownSignerError: it is not trusted, or not known yet.
        """
        key = self._keys.find(kid)
        if key is None:
            raise UnknownSignerError("a document is signed by a key that nobody vouches for")
        return key

    def take_over(self, keyfile: bytes) -> bool:
        """Trust the keys that a key file adds after the known ones; returns whether it agrees with them.

        Raises:
            OSError: it could not be kept.
        """
        try:
            offered = self._from_pin(keyfile)
        except ProtocolError:
            return False
        if not offered.continues(self._keys):
            return False
        if len(offered.collector) > len(self._keys.collector):
            self._keep(keyfile)
            self._keys, self.keyfile = offered, keyfile
        return True

    async def fetch_new(self, collector: KeySource) -> bool:
        """Fetch the collector's keys; returns whether there is a new one to trust.

        Raises:
            OSError: they could not be kept.
        """
        known = len(self._keys.collector)
        try:
            self.take_over(await collector.keys())
        except CollectorError:
            return False
        return len(self._keys.collector) > known

    def _from_pin(self, keyfile: bytes) -> KeySuccession:
        keys = parse_keyfile(keyfile).since(self._pin)
        if keys is None:
            raise KeyringError("the collector's keys do not hold the one that the invite names", code="not_pinned")
        return keys
