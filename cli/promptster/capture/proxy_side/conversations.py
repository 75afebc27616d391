"""The remembered conversations, by identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.capture.proxy_side.conversation import Conversation

if TYPE_CHECKING:
    from promptster.capture.agent import Identity
    from promptster.capture.lanes import Lanes


class Conversations:
    """Holds one ``Conversation`` for each identity."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._known: dict[Identity, Conversation] = {}

    def of(self, identity: Identity) -> Conversation:
        """The conversation of an identity, created if missing."""
        known = self._known.get(identity)
        if known is None:
            known = self._known[identity] = Conversation(lane=self._lanes.number(identity))
        return known
