"""Stopping: the session ends without a submission."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from promptster.errors import NotPrivateError, RecorderUnreachableError, SessionError
from promptster.private import is_our_folder
from promptster.session.current import Current
from promptster.session_folder.folder import SessionFolder, SessionState

if TYPE_CHECKING:
    from promptster.session_folder.touched_files import Restored


def stop(current: Current) -> list[Restored]:
    """End without submitting: end the recorder and restore files. What was not sent by then is never sent.

    The session's keys stay, so that ``withdraw`` remains possible.
    """
    end_recorder(current)
    restored = current.touched.restore()
    current.folder.update(state=SessionState.STOPPED)
    for part in (current.folder.path / "worktree", current.folder.spool):  # agents that still run leave nothing more
        shutil.rmtree(part, ignore_errors=True)
    clear_run(current.folder)
    return restored


def clear_run(folder: SessionFolder) -> None:
    """Remove what is left in the run folder: sockets, and settings that hold a token which opens nothing now."""
    if is_our_folder(folder.run):
        shutil.rmtree(folder.run, ignore_errors=True)


def end_recorder(current: Current, *, withdrawn: bool = False, for_another: bool = False) -> None:
    """End recorder and supervisor, if they run.

    Args:
        current: whose recorder.
        withdrawn: it writes and sends nothing more.
        for_another: the session itself continues.
    """
    try:
        current.control.stop(withdrawn=withdrawn, for_another=for_another)
    except NotPrivateError:
        if not current.control.is_released():  # a recorder may run, and it is not the one that would be asked
            raise
    except RecorderUnreachableError:
        with contextlib.suppress(SessionError, OSError):  # one that was just ending by itself
            current.control.wait_until_released()
