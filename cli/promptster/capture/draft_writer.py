"""Writes every draft of capture: with a time, of an allowed kind, without credentials, and not while paused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from promptster.capture.credentials import Credentials
from promptster.protocol.events import MAX_REFS, Draft
from promptster.protocol.events.base import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from promptster.clock import Clock
    from promptster.protocol.events import Event, Source


class Stamp(NamedTuple):
    """When something happened, by both clocks, in milliseconds."""

    wall_ms: int
    mono_ms: int


class DraftWriter:
    """Turns events into drafts and passes them to the journal writer."""

    def __init__(self, append: Callable[[Draft], int], clock: Clock, allowed_kinds: Collection[str]) -> None:
        self._append = append
        self._clock = clock
        self._allowed = frozenset(allowed_kinds)
        self.credentials = Credentials()
        """The credentials to remove from every field."""
        self.paused = False
        """Whether drafts are left out at the moment."""
        self.counts: Counter[str] = Counter()
        """How many events were written, by kind, or left out, by reason."""

    def now(self) -> Stamp:
        """The current time by both clocks."""
        return Stamp(self._clock.wall_ms(), self._clock.mono_ms())

    def write(
        self,
        src: Source,
        event: Event,
        *,
        lane: int = 0,
        refs: tuple[int | None, ...] = (),
        at: Stamp | None = None,
    ) -> int | None:
        """Draft one event.

        Args:
            src: the source that observed it.
            event: what happened.
            lane: the conversation.
            refs: earlier events that it belongs to; those that were not recorded are left out.
            at: when it happened; now if not given.

        Returns:
            The event's ``seq``, or ``None`` when it was not recorded.
        """
        if self.paused:
            self.counts["while_paused"] += 1
            return None
        if event.kind not in self._allowed:
            self.counts["outside_policy"] += 1
            return None
        at = at or self.now()
        self.counts[event.kind] += 1
        return self._append(
            Draft(
                src=src,
                event=self._without_credentials(event),
                ms=max(0, at.wall_ms),
                mono_ms=max(0, at.mono_ms),
                lane=lane,
                refs=tuple(sorted({ref for ref in refs if ref is not None}))[-MAX_REFS:],
            )
        )

    def _without_credentials(self, event: Event) -> Event:
        values = fields_of(event)
        cleaned = {name: self.credentials.removed_from(value) for name, value in values.items()}
        return structs.replace(event, **cleaned) if any(cleaned[name] is not values[name] for name in values) else event
