"""Calls that several hook events tell of, where not every event names the call: told apart by what all of them say.

A call waits here from its first event to its result. An event that names no call belongs to the first call with the
same words that still waits for such an event.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

Place = tuple[str, str, str]
"""One conversation: agent, its session, its subagent."""
Words = tuple[str, ...]
"""What every event of one action says alike."""

KEPT = 2_000
"""Words, and ids, that are remembered at most."""


@dataclass(kw_only=True)
class _Waiting:
    identifier: str
    """The call's id; empty where no event names it."""
    is_confirmed: bool
    """Whether an event that names no call has told of it too."""


class HookPairing:
    """The calls that wait for their other events, oldest first."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._waiting: OrderedDict[tuple[Place, Words], deque[_Waiting]] = OrderedDict()
        self._words: OrderedDict[tuple[Place, str], Words] = OrderedDict()

    def begin(self, place: Place, words: Words, identifier: str) -> None:
        """A call is told of for the first time."""
        calls = self._waiting.setdefault((place, words), deque())
        calls.append(_Waiting(identifier=identifier, is_confirmed=not identifier))
        self._waiting.move_to_end((place, words))
        if identifier:
            self._words[place, identifier] = words
        for kept in (self._waiting, self._words):
            if len(kept) > KEPT:
                kept.popitem(last=False)

    def confirm(self, place: Place, words: Words) -> bool:
        """Whether an event that names no call tells of one that was told of already."""
        for call in self._waiting.get((place, words), ()):
            if not call.is_confirmed:
                call.is_confirmed = True
                return True
        return False

    def take(self, place: Place, words: Words) -> str:
        """The id of the call that did what an event without an id tells; empty if nobody knows it."""
        calls = self._waiting.get((place, words))
        if not calls:
            return ""
        identifier = calls.popleft().identifier
        self._forget(place, words)
        return identifier

    def end(self, place: Place, identifier: str) -> None:
        """A call has its result: nothing more is told of it."""
        words = self._words.pop((place, identifier), None)
        calls = self._waiting.get((place, words)) if words is not None else None
        if words is None or calls is None:
            return
        left = deque(call for call in calls if call.identifier != identifier)
        self._waiting[place, words] = left
        self._forget(place, words)

    def _forget(self, place: Place, words: Words) -> None:
        if not self._waiting.get((place, words), True):
            del self._waiting[place, words]
