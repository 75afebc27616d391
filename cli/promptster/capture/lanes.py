"""Lanes: each conversation of an agent, and each of its subagents, gets the next number; 0 is the session itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.capture.agent import Identity


class Lanes:
    """Assigns a lane number to each conversation."""

    def __init__(self) -> None:
        self._numbers: dict[Identity, int] = {}
        self._highest = 0

    def number(self, identity: Identity) -> int:
        """The lane of a conversation; a new conversation gets the next number."""
        number = self._numbers.get(identity)
        if number is None:
            self._highest += 1
            number = self._numbers[identity] = self._highest
        return number

    def all(self) -> Iterable[Identity]:
        """Every conversation that has a lane."""
        return self._numbers.keys()

    def knows(self, identity: Identity) -> bool:
        """Whether the conversation already has a lane."""
        return identity in self._numbers

    def restore(self, identity: Identity, number: int) -> None:
        """Restore a number from the journal."""
        if number > 0:
            self._numbers.setdefault(identity, number)
            self._highest = max(self._highest, number)
