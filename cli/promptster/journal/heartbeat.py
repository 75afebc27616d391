"""The recorder's heartbeat every minute, and a note when the clock was set or the recorder did not run.

A heartbeat is an ordinary event, so it is chained and signed with the rest: who takes it out is seen. A clock that was
set is told from one that runs: wall clock and monotonic clock drift apart by more than drift can explain. A recorder
that was stopped, or that got no time from the computer, sees it when it wakes: both clocks continued without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.protocol.events.kinds import CaptureClockJump, CaptureGap, CaptureHeartbeat
from promptster.protocol.heartbeats import HEARTBEAT_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptster.clock import Clock
    from promptster.journal.writer import JournalWriter

JUMP_MS = 2_000
STILL_MS = 10_000
"""A recorder reads its clocks twice a second; if it did not for this long, it was stopped."""
WAS_STOPPED = "the recorder was stopped"


class Heartbeat:
    """Looks at the clocks whenever ``beat`` is called, which should be about twice a second."""

    def __init__(self, recorder: JournalWriter, clock: Clock, counts: Callable[[], Mapping[str, object]]) -> None:
        """Use ``counts`` for what a heartbeat reports in addition to the recorder's own numbers."""
        self._recorder, self._clock, self._counts = recorder, clock, counts
        self._offset = clock.wall_ms() - clock.mono_ms()
        self._last = self._looked = clock.mono_ms()

    def beat(self) -> None:
        """Append what is due."""
        mono = self._clock.mono_ms()
        offset = self._clock.wall_ms() - mono
        if abs(offset - self._offset) > JUMP_MS:
            self._recorder.append_own(CaptureClockJump(delta_ms=offset - self._offset))
        self._offset = offset
        self._tell_stillness(mono)
        if mono - self._last >= HEARTBEAT_MS:
            self._last = mono
            own = {
                "events": self._recorder.next_seq,
                "sources": dict(self._recorder.sources),
                "dropped": dict(self._recorder.dropped),
            }
            self._recorder.append_own(CaptureHeartbeat(counts={**own, **self._counts()}))

    def _tell_stillness(self, mono: int) -> None:
        still, self._looked = mono - self._looked, mono
        if still >= STILL_MS:
            now = self._clock.wall_ms()
            begin = max(0, now - still)
            gap = CaptureGap(source="recorder", detail=WAS_STOPPED, lost=0, from_ms=begin, to_ms=now)
            self._recorder.append_own(gap)
