"""The one way out of capture: drafts, stamped, within the policy's kinds, without credentials, silent while paused."""

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
    from promptster.protocol.events import Event


class Stamp(NamedTuple):
    """When something happened, by both clocks, in milliseconds."""

    wall_ms: int
    mono_ms: int


class DraftWriter:
    """Turns events into drafts and hands them to the recorder."""

    def __init__(self, append: Callable[[Draft], int], clock: Clock, allowed_kinds: Collection[str]) -> None:
        self._append = append
        self._clock = clock
        self._allowed = frozenset(allowed_kinds)
        self.credentials = Credentials()
        """What is taken out of every field."""
        self.paused = False
        """While true nothing is drafted."""
        self.counts: Counter[str] = Counter()
        """What was written, dropped or passed over, by a word for each."""

    def now(self) -> Stamp:
        """This moment."""
        return Stamp(self._clock.wall_ms(), self._clock.mono_ms())

    def write(
        self,
        src: str,
        event: Event,
        *,
        lane: int = 0,
        refs: tuple[int | None, ...] = (),
        at: Stamp | None = None,
    ) -> int | None:
        """Draft one event.

        Args:
            src: who saw it.
            event: what happened.
            lane: the conversation.
            refs: earlier events it belongs to; those that were not recorded are left out.
            at: when it happened, if not now.

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
        cleaned = {name: self.credentials.taken_out(value) for name, value in values.items()}
        return structs.replace(event, **cleaned) if any(cleaned[name] is not values[name] for name in values) else event
