"""Clocks, which are passed in to everything that needs the time, so that tests can control it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time, in whole milliseconds."""

    def wall_ms(self) -> int:
        """Return milliseconds since the Unix epoch; the value may jump when the computer's clock is set."""
        ...

    def mono_ms(self) -> int:
        """Return milliseconds since an arbitrary start; the value never decreases."""
        ...


class SystemClock:
    """The computer's own clocks."""

    def wall_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Return milliseconds of the monotonic clock."""
        return time.monotonic_ns() // 1_000_000
