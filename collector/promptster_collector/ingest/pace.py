"""How fast one session may send: what its key signed, and nothing else, is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster_collector.access.budgets import Buckets
from promptster_collector.errors import BusyError

if TYPE_CHECKING:
    from promptster_collector.clock import Clock


class Pace:
    """Limits batches a second and session."""

    def __init__(self, clock: Clock, *, per_second: int) -> None:
        """A bucket holds one second's worth."""
        self._buckets = Buckets(clock, amount=per_second, seconds=1.0)

    def take(self, session: str) -> None:
        """Count one batch that the session's key signed.

        Raises:
            BusyError: the session sends too fast.
        """
        wait = self._buckets.take(session)
        if wait:
            raise BusyError("the session sends batches too fast", retry_after=wait)
