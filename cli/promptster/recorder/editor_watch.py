"""Watches whether the editors' workspace files still contain our entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.editor_entries import changed_entries
from promptster.protocol.agents import BY_ID
from promptster.protocol.events.kinds import CaptureConfigChanged, Event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from promptster.session_folder.control_messages import LaunchTicket


class EditorWatch:
    """Reads the prepared files repeatedly, and reports once when our entries are gone and once when they are back.

    It starts to report after it has first seen the entries, and reports a loss only when it has seen it twice: at the
    end of a session the files are restored while the recorder may still be running.
    """

    def __init__(self, workspace: Path, editors: Sequence[str], ticket: LaunchTicket) -> None:
        """Watch the files of ``editors``, which are named as in ``start --ide``."""
        self._workspace = workspace
        self._ticket = ticket
        self._last: dict[str, list[Event] | None] = dict.fromkeys(editors)
        self._reported: dict[str, list[Event]] = {name: [] for name in editors}

    def look(self) -> list[Event]:
        """Read the files and return the events to record now."""
        found: list[Event] = []
        for editor, last in self._last.items():
            lost = changed_entries(self._workspace, editor, self._ticket)
            if last is None:
                self._last[editor] = None if lost else []
                continue
            if lost == last and lost != self._reported[editor]:
                relative = BY_ID[editor].editor_file
                found += lost or [CaptureConfigChanged(path_name=relative, detail="Promptster's entries are back")]
                self._reported[editor] = lost
            self._last[editor] = lost
        return found
