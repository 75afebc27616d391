"""Whether the workspace files of editors still hold our entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptster.agents.editor_files import changed_entries
from promptster.agents.launching import draft
from promptster.protocol.agents import BY_ID
from promptster.protocol.events.kinds import CaptureConfigChanged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from promptster.session_folder.control_messages import LaunchTicket


class EditorWatch:
    """Reads the prepared files repeatedly, and reports once when our entries are gone, and once when they are back.

    It waits until it has seen them in place, and believes a loss only when it sees it twice: at the end of a session
    the files are put back while the recorder may still run.
    """

    def __init__(self, workspace: Path, editors: Sequence[str], ticket: LaunchTicket) -> None:
        """``editors``: the names that ``start --ide`` took."""
        self._workspace = workspace
        self._ticket = ticket
        self._last: dict[str, list[dict[str, Any]] | None] = dict.fromkeys(editors)
        self._told: dict[str, list[dict[str, Any]]] = {name: [] for name in editors}

    def look(self) -> list[dict[str, Any]]:
        """The events to record now."""
        found: list[dict[str, Any]] = []
        for editor, last in self._last.items():
            lost = changed_entries(self._workspace, editor, self._ticket)
            if last is None:
                self._last[editor] = None if lost else []
                continue
            if lost == last and lost != self._told[editor]:
                relative = BY_ID[editor].editor_file
                found += lost or [draft(CaptureConfigChanged(path_name=relative, detail="our entries are back"))]
                self._told[editor] = lost
            self._last[editor] = lost
        return found
