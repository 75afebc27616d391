"""The recorder's heartbeat, once a minute, and events when the clock was set or the recorder did not run.

A heartbeat is an ordinary event, chained and signed with the rest, so its removal is noticed. A clock was set if wall
clock and monotonic clock differ by more than drift can explain. A recorder that was stopped, or got no processor time,
notices it when it runs again, because both clocks continued meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureClockJump, CaptureGap, CaptureHeartbeat
from promptster.protocol.heartbeats import HEARTBEAT_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptster.clock import Clock
    from promptster.journal.writer import JournalWriter

JUMP_MS = 2_000
STOPPED_MS = 10_000
"""The recorder reads its clocks twice a second; if it did not for this long, it was stopped."""
WAS_STOPPED = "the recorder was stopped"


class Heartbeat:
    """Checks the clocks whenever ``beat`` is called, which should be about twice a second."""

    def __init__(self, writer: JournalWriter, clock: Clock, counts: Callable[[], Mapping[str, object]]) -> None:
        """Report ``counts`` in each heartbeat, in addition to the journal writer's own numbers."""
        self._writer, self._clock, self._counts = writer, clock, counts
        self._offset = clock.wall_ms() - clock.mono_ms()
        self._last_beat_ms = self._checked_ms = clock.mono_ms()

    def beat(self) -> None:
        """Append the events that are due."""
        mono = self._clock.mono_ms()
        offset = self._clock.wall_ms() - mono
        if abs(offset - self._offset) > JUMP_MS:
            self._writer.append_own(CaptureClockJump(delta_ms=offset - self._offset))
        self._offset = offset
        self._record_stop(mono)
        if mono - self._last_beat_ms >= HEARTBEAT_MS:
            self._last_beat_ms = mono
            own = {
                "events": self._writer.next_seq,
                "sources": dict(self._writer.sources),
                "dropped": dict(self._writer.dropped),
            }
            self._writer.append_own(CaptureHeartbeat(counts={**own, **self._counts()}))

    def _record_stop(self, mono: int) -> None:
        elapsed, self._checked_ms = mono - self._checked_ms, mono
        if elapsed >= STOPPED_MS:
            now = self._clock.wall_ms()
            begin = max(0, now - elapsed)
            gap = CaptureGap(source=Source.RECORDER, detail=WAS_STOPPED, lost=0, from_ms=begin, to_ms=now)
            self._writer.append_own(gap)
