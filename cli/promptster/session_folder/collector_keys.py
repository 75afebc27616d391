"""The collector's keys that one session trusts, from the documents in its folder."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from promptster.client import CollectorClient
from promptster.deliver.trust import TrustedKeys, UnknownSignerError
from promptster.protocol.invite import Invite
from promptster.protocol.signing import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from promptster.network import Network
    from promptster.session_folder.folder import SessionFolder

    T = TypeVar("T")

INVITE: Final = "invite.json"
"""Document with the invite: its ``kid`` names the pinned key, which was checked against the invite's code."""
KEYS: Final = "keys.json"
"""Document with the collector's key file; the pinned key and its successors are trusted."""


def invite_of(folder: SessionFolder) -> Invite:
    """Return the invite of a session.

    Raises:
        SessionError: the document is missing.
        ProtocolError: it cannot be read.
    """
    return Invite.parse(Envelope.decode(folder.read_document(INVITE)).payload)


def trusted_keys(folder: SessionFolder) -> TrustedKeys:
    """Return the keys that a session trusts.

    Raises:
        SessionError: a document is missing.
        ProtocolError: a document cannot be read.
    """
    invite = invite_of(folder)
    return TrustedKeys(folder.read_document(KEYS), pin=invite.kid, keep=partial(folder.write_document, KEYS))


def read_signed(folder: SessionFolder, network: Network, read: Callable[[TrustedKeys], T]) -> T:
    """Read something that the collector signed; if its key is not known, fetch the collector's current keys first.

    Args:
        folder: the session's folder.
        network: how to reach the collector.
        read: reads it with the trusted keys.

    Raises:
        CollectorError: the current keys cannot be fetched.
        UnknownSignerError: it is signed by a key that the pinned one does not vouch for.
        ProtocolError: ``read`` found another fault.
    """
    keys = trusted_keys(folder)
    try:
        return read(keys)
    except UnknownSignerError:
        pass  # the collector may have a newer key since
    with CollectorClient(folder.facts().collector_url, network=network) as client:
        keys.take_over(client.keys())
    return read(keys)
