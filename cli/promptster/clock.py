"""Time as an argument: whoever stamps an event is handed a clock, so that a test can own it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time, both whole milliseconds."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump when the computer's clock is set."""
        ...

    def mono_ms(self) -> int:
        """Milliseconds since an arbitrary start; never runs backwards."""
        ...


class SystemClock:
    """The computer's own clocks."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Milliseconds of the monotonic clock."""
        return time.monotonic_ns() // 1_000_000
