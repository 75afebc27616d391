"""What is remembered of each conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.capture.proxy_side.conversation import Conversation

if TYPE_CHECKING:
    from promptster.capture.agent import Identity
    from promptster.capture.lanes import Lanes


class Conversations:
    """The memory of every conversation, made when it is first asked for."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._known: dict[Identity, Conversation] = {}

    def of(self, identity: Identity) -> Conversation:
        """The memory of one conversation."""
        known = self._known.get(identity)
        if known is None:
            known = self._known[identity] = Conversation(lane=self._lanes.number(identity))
        return known
