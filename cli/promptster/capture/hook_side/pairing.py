"""Pairs hook events about the same tool call when not every event names the call.

A call waits here from its first event to its result. An event without a call id belongs to the first waiting call with
the same key that has not had such an event yet.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

Place = tuple[str, str, str]
"""One conversation: agent, its session, its subagent."""
ActionKey = tuple[str, ...]
"""Equal in every event about one action."""

KEPT = 2_000
"""Most keys, and most ids, that are remembered."""


@dataclass(kw_only=True)
class _Waiting:
    identifier: str
    """The call's id; empty if no event names it."""
    is_confirmed: bool
    """Whether an event without a call id has reported it too."""


class HookPairing:
    """The calls that wait for their other events, oldest first."""

    def __init__(self) -> None:
        """Begin without any call."""
        self._waiting: OrderedDict[tuple[Place, ActionKey], deque[_Waiting]] = OrderedDict()
        self._keys: OrderedDict[tuple[Place, str], ActionKey] = OrderedDict()

    def begin(self, place: Place, key: ActionKey, identifier: str) -> None:
        """Add a call at its first event."""
        calls = self._waiting.setdefault((place, key), deque())
        calls.append(_Waiting(identifier=identifier, is_confirmed=not identifier))
        self._waiting.move_to_end((place, key))
        if identifier:
            self._keys[place, identifier] = key
        for kept in (self._waiting, self._keys):
            if len(kept) > KEPT:
                kept.popitem(last=False)

    def confirm(self, place: Place, key: ActionKey) -> bool:
        """Match an event without a call id to a waiting call; return whether there was one."""
        for call in self._waiting.get((place, key), ()):
            if not call.is_confirmed:
                call.is_confirmed = True
                return True
        return False

    def take(self, place: Place, key: ActionKey) -> str:
        """End the oldest call with this key and return its id; empty if there is none or its id is not known."""
        calls = self._waiting.get((place, key))
        if not calls:
            return ""
        identifier = calls.popleft().identifier
        self._forget(place, key)
        return identifier

    def end(self, place: Place, identifier: str) -> None:
        """End a call by its id, after its result."""
        key = self._keys.pop((place, identifier), None)
        calls = self._waiting.get((place, key)) if key is not None else None
        if key is None or calls is None:
            return
        left = deque(call for call in calls if call.identifier != identifier)
        self._waiting[place, key] = left
        self._forget(place, key)

    def _forget(self, place: Place, key: ActionKey) -> None:
        if not self._waiting.get((place, key), True):
            del self._waiting[place, key]
