"""The one way out of capture: drafts, stamped, within the policy's kinds, without credentials, silent while paused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from promptster.capture.credentials import Credentials
from promptster.protocol.events import MAX_REFS, Draft
from promptster.protocol.events.kinds import event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from promptster.clock import Clock


class Stamp(NamedTuple):
    """When something happened, by both clocks, in milliseconds."""

    wall_ms: int
    mono_ms: int


class DraftWriter:
    """Turns findings into drafts and hands them to the recorder."""

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
        kind: str,
        fields: Mapping[str, object],
        *,
        lane: int = 0,
        refs: tuple[int | None, ...] = (),
        at: Stamp | None = None,
    ) -> int | None:
        """Draft one event.

        Args:
            src: who saw it.
            kind: what it tells.
            fields: its values; those that are ``None`` are left out.
            lane: the conversation.
            refs: earlier events it belongs to; those that were not recorded are left out.
            at: when it happened, if not now.

        Returns:
            The event's ``seq``, or ``None`` when it was not recorded.
        """
        if self.paused:
            self.counts["while_paused"] += 1
            return None
        if kind not in self._allowed:
            self.counts["outside_policy"] += 1
            return None
        at = at or self.now()
        self.counts[kind] += 1
        return self._append(
            Draft(
                src=src,
                event=event_of(
                    kind,
                    {name: self.credentials.taken_out(value) for name, value in fields.items() if value is not None},
                ),
                ms=max(0, at.wall_ms),
                mono_ms=max(0, at.mono_ms),
                lane=lane,
                refs=tuple(sorted({ref for ref in refs if ref is not None}))[-MAX_REFS:],
            )
        )
