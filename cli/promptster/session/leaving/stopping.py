"""Stops a session without submitting it."""

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
    """End the recorder and restore files, without submitting. What was not sent by then is never sent.

    The session's keys are kept so that ``withdraw`` still works.
    """
    end_recorder(current)
    restored = current.touched.restore()
    current.folder.update(state=SessionState.STOPPED)
    for part in (current.folder.path / "worktree", current.folder.spool):  # also what agents that still run left
        shutil.rmtree(part, ignore_errors=True)
    clear_run(current.folder)
    return restored


def clear_run(folder: SessionFolder) -> None:
    """Delete the run folder with its sockets, and settings whose token no longer works."""
    if is_our_folder(folder.run):
        shutil.rmtree(folder.run, ignore_errors=True)


def end_recorder(current: Current, *, withdrawn: bool = False, for_another: bool = False) -> None:
    """End the recorder and its supervisor, if they run.

    Args:
        current: the session.
        withdrawn: whether the recorder must write and send nothing more.
        for_another: whether the session continues, with another recorder.
    """
    try:
        current.control.stop(withdrawn=withdrawn, for_another=for_another)
    except NotPrivateError:
        if not current.control.is_released():  # a recorder still runs, but cannot be asked safely
            raise
    except RecorderUnreachableError:
        with contextlib.suppress(SessionError, OSError):  # it may just be ending by itself
            current.control.wait_until_released()
