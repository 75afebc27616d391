"""Resumes a session after a pause, a reboot, or a crash of the recorder and its supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from pathlib import Path

    from promptster.session.current import Current
    from promptster.session_folder.control_messages import RecorderStatus


def resume(current: Current) -> RecorderStatus:
    """Make the session record again.

    A recorder without a supervisor still works, but nothing would restart it after a crash, so it is replaced. What the
    collector refused for good is sent once more.

    Raises:
        SessionError: the recorder cannot be started, or the session's keys are gone.
    """
    before = current.recorder_status()
    if before is None:
        current.ensure_recorder()
    elif not before.supervised:
        current.replace_recorder()
    after = current.control.status()
    if after.state is SessionState.PAUSED:
        current.control.resume()
    if after.collector.refused is not None:
        current.control.flush(seconds=0.0, again=True)
    prepare_editors(current)  # token and port may have changed, and an interrupted start may not have written them
    return current.control.status()


def prepare_editors(current: Current) -> list[Path]:
    """Write or update the workspace files of the editors that the candidate named."""
    named = current.facts.choices.ide
    if not named:
        return []
    from promptster.session.launch.editor_files import prepare_ide  # noqa: PLC0415 - needed after start --ide only

    return [path for ide in named for path in prepare_ide(current, ide)]
