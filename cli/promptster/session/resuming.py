"""Going on after a pause, a reboot, or the end of recorder and supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.session.state import SessionState

if TYPE_CHECKING:
    from promptster.session.control import RecorderStatus
    from promptster.session.current import Current


def resume(current: Current) -> RecorderStatus:
    """Let the session record again.

    Raises:
        SessionError: the recorder cannot be started, or the session's keys are gone.
    """
    was_running = current.recorder_status() is not None
    current.ensure_recorder()
    if current.control.status().state is SessionState.PAUSED:
        current.control.resume()
    ide = current.facts.choices.get("ide")
    if isinstance(ide, str) and not was_running:
        from promptster.session.ide import prepare_ide  # noqa: PLC0415 - needed after start --ide only

        prepare_ide(current, ide)  # the token is new, perhaps the port too
    return current.control.status()
