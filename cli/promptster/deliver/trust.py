"""Whom a session believes: the collector's key that its invite pinned, and the successors that this key vouches for.

A key file names keys in an order in which each is signed by the one before. What stands in front of the pinned key is
never believed: anybody can write a succession that leads to a key of somebody else. What the collector adds behind it
is believed as soon as its signatures were checked from the pinned key on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from promptster.errors import CollectorError
from promptster.protocol.errors import KeyringError, ProtocolError, SignatureError
from promptster.protocol.key_succession import KeySuccession, parse_keyfile

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN_SIGNER: Final = "unknown_signer"
"""Code of the error that a newer key file may settle."""


class KeySource(Protocol):
    """Where the collector's key file can be fetched."""

    async def keys(self) -> bytes:
        """The key file's exact bytes."""
        ...


class TrustedKeys:
    """The collector's keys as one session believes them; they may become more, never others."""

    def __init__(self, keyfile: bytes, *, pin: str, keep: Callable[[bytes], object]) -> None:
        """Believe the pinned key and its successors.

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
        """The key file's exact bytes, with the keys in front of the pinned one."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Fingerprints (hex) of the keys that are believed, the pinned one first."""
        return self._keys.fingerprints

    def find(self, kid: str) -> bytes:
        """The public key named ``kid``.

        Raises:
            SignatureError: it is not believed, or not known yet; code ``unknown_signer``.
        """
        key = self._keys.find(kid)
        if key is None:
            raise SignatureError("a document is signed by a key that nobody vouches for", code=UNKNOWN_SIGNER)
        return key

    def take_over(self, keyfile: bytes) -> bool:
        """Believe what a key file adds behind the known keys; whether it does not contradict them.

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

    async def learn(self, collector: KeySource) -> bool:
        """Ask the collector for its keys; whether there is a new one to believe.

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
