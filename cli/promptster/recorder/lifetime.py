"""Decides when a recorder may exit after its session: soon, but not while an agent still uses its proxy.

An agent that is at work when the collector ends a session keeps working, unrecorded. The recorder always exits in the
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from promptster.clock import Clock

GRACE_MS: Final = 10_000
"""Milliseconds for which the recorder keeps answering after the session ended."""
SUBMITTED_GRACE_MS: Final = 120_000
"""The same after a whole submission has arrived: ``promptster submit`` usually still runs and ends the recorder."""
QUIET_MS: Final = 600_000
"""Milliseconds without a call of an agent after which no further call is expected."""
UPLOAD_OVERDUE_MS: Final = 86_400_000
"""Milliseconds after the upload deadline at which the recorder stops waiting for the collector to end the session; a
clock may be wrong by a day."""


class Lifetime:
    """Tracks how long one session has been over, by ``clock``."""

    def __init__(self, clock: Clock, *, upload_until: int) -> None:
        """``upload_until`` is the certificate's upload deadline, wall clock in ms; 0 for none."""
        self._clock, self._upload_until = clock, upload_until
        self._over_since: int | None = None

    def may_go(self, state: SessionState, last_call_ms: int | None) -> bool:
        """Whether the recorder may exit now.

        Args:
            state: the session's state.
            last_call_ms: monotonic time of the last call of an agent; ``None`` if there was none.
        """
        now = self._clock.mono_ms()
        if not (state.ended or self._is_upload_overdue()):
            self._over_since = None
            return False
        if self._over_since is None:
            self._over_since = now
        grace = SUBMITTED_GRACE_MS if state is SessionState.CLOSED else GRACE_MS
        quiet = last_call_ms is None or now - last_call_ms >= QUIET_MS
        return quiet and now - self._over_since >= grace

    def _is_upload_overdue(self) -> bool:
        return bool(self._upload_until) and self._clock.wall_ms() > self._upload_until + UPLOAD_OVERDUE_MS
