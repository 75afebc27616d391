"""The collector's keys of one session: what its invite pinned, as it lies in its folder, and what was added."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from promptster.client import CollectorClient
from promptster.deliver.trust import UNKNOWN_SIGNER, TrustedKeys
from promptster.protocol.errors import SignatureError
from promptster.protocol.invite import Invite
from promptster.protocol.signing import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from promptster.network import Network
    from promptster.session_folder.folder import SessionFolder

    T = TypeVar("T")

INVITE: Final = "invite.json"
"""Document with the invite: its ``kid`` is the PIN, for it was checked against the code before it was kept."""
KEYS: Final = "keys.json"
"""Document with the collector's key file; trust in it begins at the PIN."""


def invite_of(folder: SessionFolder) -> Invite:
    """The invite that a session was made from.

    Raises:
        SessionError: the document is missing.
        ProtocolError: it cannot be read.
    """
    return Invite.parse(Envelope.decode(folder.read_document(INVITE)).payload)


def trusted_keys(folder: SessionFolder) -> TrustedKeys:
    """Whom a session believes.

    Raises:
        SessionError: a document is missing.
        ProtocolError: a document cannot be read.
    """
    invite = invite_of(folder)
    return TrustedKeys(folder.read_document(KEYS), pin=invite.kid, keep=partial(folder.write_document, KEYS))


def believing(folder: SessionFolder, network: Network, read: Callable[[TrustedKeys], T]) -> T:
    """Read something that the collector signed; if its key is not known, with the collector's keys of today.

    Raises:
        CollectorError: the keys of today cannot be fetched.
        SignatureError: it is signed by a key that the pinned one does not vouch for.
        ProtocolError: whatever ``read`` finds wrong.
    """
    keys = trusted_keys(folder)
    try:
        return read(keys)
    except SignatureError as error:
        if error.code != UNKNOWN_SIGNER:
            raise
    with CollectorClient(folder.facts().collector_url, network=network) as client:
        keys.take_over(client.keys())
    return read(keys)
