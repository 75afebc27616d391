"""When a recorder whose session is over may go: soon, but not under an agent that still works through it.

An agent that is at work when the collector ends a session continues undisturbed and unrecorded. Nobody is left with a
process that runs for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from promptster.clock import Clock

GRACE_MS: Final = 10_000
"""Milliseconds that the recorder still answers after the end."""
HANDING_IN_MS: Final = 120_000
"""The same after everything of a submission has arrived: usually ``promptster submit`` is at work and ends it."""
QUIET_MS: Final = 600_000
"""Milliseconds without a call of an agent after which none is expected."""
LONG_OVER_MS: Final = 86_400_000
"""Milliseconds after the end of the time for upload until waiting for a silent collector ends. A clock may be a day
off."""


class Lifetime:
    """Watches one session for its end; times are those of ``clock``."""

    def __init__(self, clock: Clock, *, upload_until: int) -> None:
        """``upload_until`` is the certificate's, wall clock in ms; 0 for none."""
        self._clock, self._upload_until = clock, upload_until
        self._over_since: int | None = None

    def may_go(self, state: SessionState, last_call_ms: int | None) -> bool:
        """Whether the recorder should end now.

        Args:
            state: what the session is doing.
            last_call_ms: monotonic time of the last call of an agent; ``None`` if there was none.
        """
        now = self._clock.mono_ms()
        if not (state.ended or self._long_over()):
            self._over_since = None
            return False
        if self._over_since is None:
            self._over_since = now
        grace = HANDING_IN_MS if state is SessionState.CLOSED else GRACE_MS
        quiet = last_call_ms is None or now - last_call_ms >= QUIET_MS
        return quiet and now - self._over_since >= grace

    def _long_over(self) -> bool:
        return bool(self._upload_until) and self._clock.wall_ms() > self._upload_until + LONG_OVER_MS
