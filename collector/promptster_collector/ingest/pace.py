"""How fast one session may send: a token bucket per session, in memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from promptster_collector.errors import BusyError

if TYPE_CHECKING:
    from promptster_collector.clock import Clock

_SESSIONS = 10_000
"""Buckets kept; the least recently used goes first."""


class Pace:
    """Limits batches a second and session."""

    def __init__(self, clock: Clock, *, per_second: int) -> None:
        """A bucket holds one second's worth."""
        self._clock = clock
        self._rate = float(per_second)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, session: str) -> None:
        """Count one batch.

        Raises:
            BusyError: the session sends too fast.
        """
        now = self._clock.monotonic()
        left, then = self._buckets.get(session, (self._rate, now))
        left = min(self._rate, left + (now - then) * self._rate)
        if left < 1.0:
            raise BusyError("the session sends batches too fast", retry_after=1)
        self._buckets[session] = (left - 1.0, now)
        self._buckets.move_to_end(session)
        if len(self._buckets) > _SESSIONS:
            self._buckets.popitem(last=False)
