"""Writes facts of a session for people. Every command imports this, so it imports little itself."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, assert_never

from promptster.paths import home_path
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from pathlib import Path


def doing(state: SessionState) -> str:
    """Return the state as the end of a sentence about the session, such as ``is paused``."""
    match state:
        case SessionState.PREPARING:
            text = "is starting"
        case SessionState.RECORDING:
            text = "is being recorded"
        case SessionState.PAUSED:
            text = "is paused"
        case SessionState.CLOSING:
            text = "is being submitted"
        case SessionState.CLOSED:
            text = "was submitted"
        case SessionState.STOPPED:
            text = "was stopped"
        case SessionState.LAPSED:
            text = "has expired: the time for upload has passed"
        case SessionState.WITHDRAWN:
            text = "was withdrawn or deleted"
        case _:  # pragma: no cover
            assert_never(state)
    return text


def one_line(text: str) -> str:
    """Return received text without line breaks, so that it cannot imitate a line of ours."""
    return " ".join(text.split())


def shell_path(path: Path | str) -> str:
    """Return a path as it can be pasted into a shell."""
    short = home_path(path)
    tail = short.removeprefix("~/")
    return short if shlex.quote(tail) == tail else shlex.quote(str(path))
